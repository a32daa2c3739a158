"""The project's benchmark: every budget of the design beside a named peer, in one run (`make bench`)."""
