"""Probes that are set before the first call."""
