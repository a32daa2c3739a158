"""Regular expressions that are compiled when they are first used: the first paint of the screen waits for imports."""

import re
from collections.abc import Callable
from functools import cache


def lazy(source: str, flags: int = 0) -> Callable[[], re.Pattern[str]]:
    """A function that gives the compiled expression."""
    return cache(lambda: re.compile(source, flags))
