"""What Linux says: /proc, memory, page tables, BPF, perf records, permissions. Knows nothing of APIs or events."""
