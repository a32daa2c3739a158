"""Moments of the stream's clock as wall time, written the same on every machine."""

from datetime import datetime, timedelta, timezone

import msgspec

from inspector.stream.iso_time import moment
from inspector.stream.session import SessionStarted

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_NS = 1_000_000_000


class Clock(msgspec.Struct, frozen=True):
    """CLOCK_MONOTONIC ns to UTC and to seconds since the observation began."""

    began: int = 0
    wall: int = 0
    """ns since the epoch at `began`; 0 when there is no anchor."""

    @classmethod
    def of(cls, session: SessionStarted | None) -> "Clock":
        """The clock of a session; without one nothing has a wall time."""
        return cls(session.at, session.wall) if session else cls()

    def iso(self, at: int) -> str | None:
        """`2026-01-02T03:04:05.678901Z`; None for 0, which means unknown, and without an anchor."""
        return wall_iso(self.wall + at - self.began) if at and self.wall else None

    def seconds(self, at: int) -> float:
        """Seconds since the observation began, to the microsecond."""
        return round((at - self.began) / _NS, 6)


def wall_iso(wall: int) -> str | None:
    """Wall ns since the epoch in ISO 8601, None when no calendar has that day."""
    try:
        return (_EPOCH + timedelta(microseconds=wall // 1000)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    except OverflowError:
        return None


def seconds_between(begin: str, end: str) -> float:
    """From one moment in ISO 8601 to another; ValueError when one of them is none."""
    return (moment(end) - moment(begin)).total_seconds()


def duration(seconds: float) -> str:
    """A length of time as people say it: `350 us`, `12 ms`, `1.20 s`, `3 min 5 s`, `2 h 10 min`."""
    if seconds < 0.001:
        return f"{seconds * 1e6:.0f} us"
    if seconds < 0.9995:
        return f"{seconds * 1e3:.0f} ms"
    if seconds < 9.995:
        return f"{seconds:.2f} s"
    if seconds < 119.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 120:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"
