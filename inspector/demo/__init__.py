"""The question as real processes: small C programs and libraries, laid out and started so that each shows one fault."""
