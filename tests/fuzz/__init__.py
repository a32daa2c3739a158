"""Mutants of everything that strangers may give us: recordings, profiles, ELF files, link maps."""
