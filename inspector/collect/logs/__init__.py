"""Log files and the journal as numbered lines: open without a trace, index, follow through rotation, search."""
