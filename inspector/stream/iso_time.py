"""ISO 8601 moments as programs write them, with `Z`, a comma, any number of fraction digits.

Python 3.10 reads only some of these.
"""

import re
from datetime import datetime

from .lazy_pattern import lazy

_MOMENT = lazy(r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)(?:[.,](\d+))?(Z|[+-]\d\d:?\d\d)?\Z", re.ASCII)


def moment(text: str) -> datetime:
    """The moment that the text names, to the microsecond; ValueError when it names none. Without a zone: local time."""
    match = _MOMENT().match(text)
    if match is None:
        raise ValueError(f"no moment: {text!r}")
    second, fraction, zone = match[1], (match[2] or "0")[:6].ljust(6, "0"), match[3] or ""
    if zone == "Z":
        zone = "+00:00"
    elif zone and ":" not in zone:
        zone = f"{zone[:3]}:{zone[3:]}"
    return datetime.fromisoformat(f"{second}.{fraction}{zone}")
