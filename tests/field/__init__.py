"""Real programs, started as their users start them: are all their calls counted? `make field`."""
