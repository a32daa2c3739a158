"""What is known and what it means: pure functions of the events, no process, no file, no clock."""
