"""The screen. What Textual reads from the environment is set here, before it is imported; the user's own word stays."""

import os

os.environ.setdefault("TEXTUAL_FPS", "240")
"""A paint waits up to two of these periods for another one; how often we paint is limited by `scheduler`."""
os.environ.setdefault("ESCDELAY", "40")
"""Milliseconds after which ESC is a key and not the beginning of one."""
