"""What the processes write, and where it goes."""
