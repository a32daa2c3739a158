"""What every event and every request has in common."""

import msgspec

SCHEMA = 1
"""Version of the stream; raised only when an old reader would misread a new stream."""


def _kebab(name: str) -> str:
    return "".join("-" + c.lower() if c.isupper() else c for c in name).lstrip("-")


class Fact(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A plain immutable record inside an event; never sent alone."""


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="event", tag=_kebab):
    """Something that the collector saw, at one moment.

    `at` is CLOCK_MONOTONIC in nanoseconds on the target's machine (the clock of BPF and perf records);
    `SessionStarted` carries the one anchor to wall time.
    """

    at: int


class Request(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="request", tag=_kebab):
    """Something that a person or a report asks of the collector; answers carry the same `id`."""

    id: int = 0
