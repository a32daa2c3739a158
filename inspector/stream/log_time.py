"""When a log line was written, by the stamp that it carries itself."""

import re
from datetime import datetime, timezone
from functools import lru_cache

from .lazy_pattern import lazy

_SECOND = 1_000_000_000
_DAY = 86_400 * _SECOND
LOOKED_AT = 120
"""Characters of a line in which its stamp begins."""

_CLOCK = r"\d\d:\d\d:\d\d(?:[.,]\d{1,9})?"
_ZONE = r"(?:\ ?(?:Z\b|UTC\b|GMT\b|[+-]\d\d:?\d\d\b))"
HEAD = lazy(
    rf"""\[?(?:
        \d{{4}}[-/]\d\d[-/]\d\d(?:[T ]|\ -\ ){_CLOCK}{_ZONE}?
      | (?P<yearless>[A-Z][a-z]{{2}}\ [ \d]\d\ {_CLOCK})
      | \d\d-\d\d\ {_CLOCK}
      | {_CLOCK}
      | \d{{1,4}}\.\d\d\.\d{{3}}\.\d{{3}}
    )\]?:?\s*""",
    re.VERBOSE,
)
"""The stamp with which a line begins."""

_ISO = lazy(
    r"(\d{4})[-/](\d\d)[-/](\d\d)[T -]{1,3}(\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))?(?: ?(Z|UTC|GMT|[+-]\d\d:?\d\d))?"
)
_SYSLOG = lazy(r"\b([A-Z][a-z]{2}) ([ \d]\d) (\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))?")
_MONTH_DAY = lazy(
    r"(?:^\[?[IWEFDC]|^(?:\([^)]{0,40}\) )?[A-Z]{4,8} )(\d\d)-?(\d\d) (\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))?"
)
"""glog and those who write like it: `I0102 03:04:05.678901`, `INFO 01-02 03:04:05`."""
_COMMON = lazy(r"\[(\d\d)/([A-Z][a-z]{2})/(\d{4}):(\d\d):(\d\d):(\d\d) ([+-]\d{4})\]")
"""The common log format of web servers."""
_EPOCH = lazy(r"\b(?:time|ts|timestamp|t)\"?\s*[=:]\s*\"?(\d{10})(?:\.(\d{1,9})|(\d{3}|\d{6}|\d{9}))?(?!\d)")
_MONTHS = {
    name: number
    for number, name in enumerate(
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"], 1
    )
}


def stamp(text: str, near: int = 0) -> int:
    """Wall time in ns since the epoch of the first stamp near the beginning of a line; 0 without one.

    A stamp without a zone counts as local time, one without a year is of the year in which it is not after `near`
    (wall ns; 0: the present). A clock without a date tells no moment.
    """
    iso = _ISO().search(text, 0, LOOKED_AT)
    if iso is not None:
        year, month, day, hour, minute = (int(iso[group]) for group in range(1, 6))
        return _moment(year, month, day, hour, minute, int(iso[6]), iso[7], iso[8] or "")
    return _epoch(text) or _common(text) or _yearless(text, near)


def _epoch(text: str) -> int:
    found = _EPOCH().search(text, 0, 4 * LOOKED_AT)
    if found is None:
        return 0
    return int(found[1]) * _SECOND + int((found[2] or found[3] or "").ljust(9, "0"))


def _common(text: str) -> int:
    found = _COMMON().search(text, 0, LOOKED_AT)
    if found is None or found[2] not in _MONTHS:
        return 0
    date = int(found[3]), _MONTHS[found[2]], int(found[1])
    return _moment(*date, int(found[4]), int(found[5]), int(found[6]), None, found[7])


def _yearless(text: str, near: int) -> int:
    found = _MONTH_DAY().match(text) or _SYSLOG().search(text, 0, LOOKED_AT)
    if found is None:
        return 0
    month = int(found[1]) if found[1].isdecimal() else _MONTHS.get(found[1], 0)
    now = near or int(datetime.now().timestamp()) * _SECOND
    year = datetime.fromtimestamp(now // _SECOND).year
    for guess in (year + 1, year, year - 1, year - 4):  # the last one for the 29th of February
        at = _moment(guess, month, int(found[2]), int(found[3]), int(found[4]), int(found[5]), found[6], "")
        if at and at <= now + _DAY:
            return at
    return 0


def _moment(
    year: int, month: int, day: int, hour: int, minute: int, second: int, fraction: str | None, zone: str
) -> int:
    base = _minute(year, month, day, hour, minute, zone)
    if base is None or second > 60:
        return 0
    return (base + second) * _SECOND + int((fraction or "").ljust(9, "0"))


@lru_cache(maxsize=4096)
def _minute(year: int, month: int, day: int, hour: int, minute: int, zone: str) -> int | None:
    """Seconds since the epoch at which a minute begins; lines of a log share it.

    None for one that there is not, or that 64 bits of ns do not hold.
    """
    if not 1970 < year < 2262:
        return None
    try:
        when = datetime(year, month, day, hour, minute, tzinfo=timezone.utc if zone else None)
        seconds = int(when.timestamp())
    except (ValueError, OverflowError, OSError):
        return None
    if zone and zone[0] in "+-":
        digits = zone[1:].replace(":", "")
        offset = int(digits[:2]) * 3600 + int(digits[2:]) * 60
        seconds += offset if zone[0] == "-" else -offset
    return seconds
