"""What each process has mapped, what those files say, and what is near but not mapped."""
