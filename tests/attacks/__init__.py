"""Attacks by observed processes and by other users of the machine, as they were run."""
