"""Everything that looks at a process, its files and the kernel; it alone may need privilege, and it never writes."""
