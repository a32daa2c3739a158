"""What CPython keeps in the memory of a process: where its frames lie, and which line an instruction belongs to."""
