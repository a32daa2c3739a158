"""What surrounds the tree: GPU devices, preload files, ports, other processes that may be the ones that answer."""
