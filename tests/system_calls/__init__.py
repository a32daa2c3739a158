"""What the collector tells of system calls, and when it watches them."""
