"""Look-ups and loads as they happen, files opened, signals that end a process."""
