"""Systemd units from their files: which files apply, what they say, and what systemd itself says is in force."""
