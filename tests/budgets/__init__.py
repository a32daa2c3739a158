"""What is deterministic of being light: imported modules and bytes to the terminal. Times are measured, not tested."""
