"""What a library file says: image, symbols, versions, search path, predicted load, link map. Reads files, runs none."""
