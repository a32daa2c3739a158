"""What the terminal at hand can show; imports nothing heavy, so that a caller can ask before it pays for a screen."""

import locale
import os
import sys
from collections.abc import Mapping

SMALLEST = (40, 10)
"""Columns and rows below which only a sentence is shown."""
WIDTHS = [(0, "-tiny-w"), (SMALLEST[0], "-narrow"), (120, "-wide"), (160, "-vast")]
HEIGHTS = [(0, "-tiny-h"), (SMALLEST[1], "-short"), (30, "-tall"), (50, "-lofty")]
"""From how many columns and lines on the main screen has a class in the stylesheet."""


def classes_at(width: int, height: int, *, recorded: bool) -> str:
    """The classes of the main screen at this size."""
    extents = ((WIDTHS, width), (HEIGHTS, height))
    names = [max(step for step in steps if step[0] <= extent)[1] for steps, extent in extents]
    return " ".join([*names, "-recorded"] if recorded else names)


def can_run_screen(environment: Mapping[str, str] = os.environ) -> str | None:
    """Why no full screen can be drawn here, in words; None when one can.

    Textual draws on stderr and reads keys from stdin, so both must be a terminal; stdout may be a pipe.
    """
    if environment.get("TERM", "") in ("", "dumb"):
        return "this terminal has no cursor control (TERM is empty or `dumb`)"
    for stream, name in ((sys.__stdin__, "standard input"), (sys.__stderr__, "standard error")):
        if stream is None or stream.closed or not stream.isatty():
            return f"{name} is not a terminal"
    return None


def has_true_colour(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether the terminal says that it shows 24-bit colours; unsaid means no: the user's 16 colours are safe."""
    return environment.get("COLORTERM", "").lower() in ("truecolor", "24bit")


def wants_no_colour(environment: Mapping[str, str] = os.environ) -> bool:
    """The NO_COLOR convention: set to anything but nothing."""
    return bool(environment.get("NO_COLOR"))


def speaks_unicode(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether the locale's encoding is UTF-8; `INSPECTOR_ASCII=1` says no for fonts that lack the glyphs."""
    if environment.get("INSPECTOR_ASCII"):
        return False
    for key in ("LC_ALL", "LC_CTYPE", "LANG"):
        if environment.get(key):
            return "utf" in environment[key].lower()
    return "utf" in locale.getpreferredencoding(False).lower()
