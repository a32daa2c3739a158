"""The one file in bare user lands: a small Debian or Ubuntu with Python and nothing else."""
