"""Readers that turn what the kernel and the files say into events of the stream."""
