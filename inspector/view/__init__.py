"""The screen. What Textual reads from the environment is set here, before it is imported; the user's own word stays."""

import os

os.environ.setdefault("TEXTUAL_FPS", "240")
"""Frame rate: a repaint is delayed by up to two frames; `scheduler` limits how often the screen is painted."""
os.environ.setdefault("ESCDELAY", "40")
"""Milliseconds after which ESC is a key and not the beginning of one."""
