"""System calls of the tree: what the kernel refused, and when they are watched at all."""
