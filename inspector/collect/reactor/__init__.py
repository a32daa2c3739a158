"""A helper process that sets probes before the first call: it runs where a program begins or opens a library."""
