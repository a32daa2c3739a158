"""Moments in words; the stream's clock is CLOCK_MONOTONIC ns of the target's machine."""

from datetime import datetime

from inspector.model.state import State
from inspector.stream.lazy_pattern import lazy

SECOND = 1_000_000_000
DAY = 86_400 * SECOND


def wall_ns(state: State, at: int) -> int:
    """Wall time in ns since the epoch of a moment; 0 without an anchor."""
    session = state.session
    return session.wall + at - session.at if session is not None and at else 0


def moment_of(state: State, wall: int) -> int:
    """The moment of a wall time, negative before the machine was started; 0 without an anchor."""
    session = state.session
    return (wall - session.wall + session.at) or 1 if session is not None and wall else 0


_CLOCK = lazy(r"(?:(\d{4})-(\d\d)-(\d\d)[T ])?(\d{1,2}):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?")
_SECONDS = lazy(r"([+-]\d+(?:\.\d+)?) ?s?")


def moment_typed(state: State, text: str) -> int | None:
    """The moment that a person means: a wall time of the last day or of a date, or seconds since the observation began.

    In the viewer's time zone. None when the text is neither, or without an anchor.
    """
    session, text = state.session, text.strip()
    if session is None:
        return None
    seconds = _SECONDS().fullmatch(text)
    if seconds is not None:
        return session.at + int(float(seconds[1]) * SECOND)
    clock = _CLOCK().fullmatch(text)
    if clock is None:
        return None
    now = wall_ns(state, max(state.now, session.at))
    today = datetime.fromtimestamp(now // SECOND)
    year, month, day = (int(part) for part in clock.groups()[:3]) if clock[1] else (today.year, today.month, today.day)
    try:
        wall = int(datetime(year, month, day, int(clock[4]), int(clock[5]), int(clock[6] or 0)).timestamp()) * SECOND
    except (ValueError, OverflowError):
        return None
    wall += int((clock[7] or "").ljust(9, "0"))
    return moment_of(state, wall if clock[1] or wall <= now else wall - DAY)


def wall_text(wall: int, date: bool = False) -> str:
    """`14:03:21.123` in the viewer's time zone, with the date before it when asked; empty for 0."""
    if not wall:
        return ""
    seconds, rest = divmod(wall, SECOND)
    try:
        when = datetime.fromtimestamp(seconds)
    except (OverflowError, OSError, ValueError):
        return "?"
    return f"{when:%Y-%m-%d %H:%M:%S}" if date else f"{when:%H:%M:%S}.{rest // 1_000_000:03d}"


def wall_of(state: State, at: int) -> str:
    """Wall time of a moment as text."""
    return wall_text(wall_ns(state, at))


def since_start(state: State, at: int) -> str:
    """`+12.345`: seconds since the observation began; negative before it, in days from two on."""
    session = state.session
    if session is None or not at:
        return ""
    seconds = (at - session.at) / SECOND
    return f"{seconds:+.3f}" if abs(seconds) < 2 * 86_400 else f"{seconds / 86_400:+.1f} d"
