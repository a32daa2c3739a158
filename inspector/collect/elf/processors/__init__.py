"""What depends on the processor in files: relocations, instructions, places for probes, the loader's own names."""
