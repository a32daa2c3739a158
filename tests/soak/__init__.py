"""Long observations of a busy tree: memory, processor time and the size of what is written, as a curve."""
