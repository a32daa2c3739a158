"""One log line taken apart: level and message first, what other columns show already left out."""

import re
from datetime import datetime, timezone
from typing import NamedTuple

_SLOG = re.compile(
    r'time=\S+ level=(?P<level>\w+) (?:source=(?P<source>\S+) )?msg=(?P<msg>"(?:[^"\\]|\\.)*"|\S+)(?P<rest>.*)'
)
_STAMP = re.compile(r"(\d{4})[-/](\d\d)[-/](\d\d)[T -]+(\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))?(Z|[+-]\d\d:?\d\d)?")
_LEVEL = re.compile(r"\b(FATAL|PANIC|ERROR|WARN(?:ING)?)\b")
_BAD = re.compile(r"\b(?:error|fail(?:ed|ure)?|fatal|panic|cannot|refused|not found|SIG[A-Z]{3,5})\b", re.IGNORECASE)
LONGEST = 4_000
"""Characters of a line that a row holds; its details show more."""
_LOOKED_AT = 400
"""Characters in which signs of trouble are looked for."""


class Read(NamedTuple):
    """What a row shows of a line."""

    level: str
    words: str
    bad: bool


def read_line(text: str) -> Read:
    """The line without its stamp; the message of a structured line before its other keys."""
    text = text[:LONGEST]
    bad = _BAD.search(text, 0, _LOOKED_AT) is not None
    slog = _SLOG.match(text)
    if slog is not None:
        message = slog["msg"][1:-1].replace('\\"', '"') if slog["msg"].startswith('"') else slog["msg"]
        return Read(slog["level"], f"{message}{slog['rest']}", bad or slog["level"] in ("ERROR", "FATAL"))
    level = _LEVEL.search(text, 0, 80)
    return Read(level[1][:5] if level is not None else "", text, bad)


def stamp(text: str) -> int:
    """Wall time in ns of the first time stamp near the beginning of a line; 0 without one.

    A stamp without a zone counts as the viewer's local time: programs that leave it out mean their machine's own.
    """
    found = _STAMP.search(text, 0, 80)
    if found is None:
        return 0
    zone = found[8]
    try:
        year, month, day, hour, minute, second = (int(found[group]) for group in range(1, 7))
        when = datetime(year, month, day, hour, minute, second, tzinfo=timezone.utc if zone else None)
        seconds = int(when.timestamp())
    except (ValueError, OverflowError, OSError):
        return 0
    if zone and zone != "Z":
        digits = zone[1:].replace(":", "")
        offset = int(digits[:2]) * 3600 + int(digits[2:]) * 60
        seconds += offset if zone[0] == "-" else -offset
    return seconds * 1_000_000_000 + int((found[7] or "").ljust(9, "0"))
