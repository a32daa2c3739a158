"""Moments in words; the stream's clock is CLOCK_MONOTONIC ns of the target's machine."""

from datetime import datetime

from inspector.model.state import State

SECOND = 1_000_000_000


def wall_ns(state: State, at: int) -> int:
    """Wall time in ns since the epoch of a moment; 0 without an anchor."""
    session = state.session
    return session.wall + at - session.at if session is not None and at else 0


def moment_of(state: State, wall: int) -> int:
    """The moment of a wall time, negative before the machine was started; 0 without an anchor."""
    session = state.session
    return (wall - session.wall + session.at) or 1 if session is not None and wall else 0


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
    """`+12.345`: seconds since the observation began; negative before it."""
    session = state.session
    return f"{(at - session.at) / SECOND:+.3f}" if session is not None and at else ""
