"""Regular expressions that are compiled when they are first used: the first paint of the screen waits for imports."""

import re
from collections.abc import Callable
from functools import cache
from typing import AnyStr


def lazy(source: AnyStr, flags: int = 0) -> Callable[[], re.Pattern[AnyStr]]:
    """A function that gives the compiled expression."""
    return cache(lambda: re.compile(source, flags))
