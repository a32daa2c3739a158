"""Events about the observation itself: who looks, with which rights, what is lost."""

from typing import Literal

from .base import SCHEMA, Event, Fact


class Capability(Fact, frozen=True, kw_only=True):
    """One thing that this machine and user allow or refuse (a row of `inspector doctor`)."""

    name: str
    """Stable kebab-case id: `count-calls`, `process-births`, `environment`, `open-files`, ..."""
    state: Literal["yes", "partly", "no"]
    how: str
    """By which means it is done: `uprobe_multi links (bpf)`, `perf records`, `polling every 50 ms`."""
    why: str = ""
    """Why it is refused, in words."""
    lost: str = ""
    """What cannot be known without it."""
    grant: str = ""
    """The exact command that grants it."""


class SessionStarted(Event, frozen=True, kw_only=True):
    """First line of every stream: schema, clock anchor, machine, rights and target."""

    schema: int = SCHEMA
    version: str
    wall: int
    """CLOCK_REALTIME in nanoseconds at the moment `at`."""
    host: str
    kernel: str
    machine: str = "x86_64"
    uid: int
    target: str
    """The target as the user named it."""
    collector: int
    """pid of the collector."""
    capabilities: list[Capability] = []
    names: dict[str, str] = {}
    """Name -> `USER`, `HOST` or `ADDRESS`: what a viewer hides that asked for it; never in a file."""


class SessionEnded(Event, frozen=True, kw_only=True):
    """Last line of a stream that was closed in order; its absence means a torn stream or a dead collector."""

    reason: str
    ok: bool = True


class ProgramCutShort(Event, frozen=True, kw_only=True):
    """The collector ends the program that it started, because the observation is over: how its processes end from now
    on is no doing of theirs."""

    reason: str


class LimitNoted(Event, frozen=True, kw_only=True):
    """Something that cannot be known here, why, and the command that grants it; key `limits` of the report."""

    what: str
    why: str
    grant: str = ""
    pid: int | None = None


COLLECTOR_ENDED = "everything from the end of the collector on"
"""What a limit names where the collector ended before the time was over."""
OPENS_UNTOLD = "what it opens, and what the kernel refuses to it"
"""`LimitNoted.what` of a process, or of all, whose silence proves nothing: they ask by ways that are not watched."""


LOST_LIVES, LOST_MAPPINGS, LOST_COUNTERS = "kernel records", "perf", "processes without counters"
LOST_LOOKUPS, LOST_STACKS = "look-ups", "call stacks"
"""Sources of `EventsLost` of which it matters what they would have told: births and ends, mappings, and so on."""


class CollectorWaits(Event, frozen=True, kw_only=True):
    """The collector has not gone on for some seconds, and what it waits for: a file of a dead mount, a full pipe."""

    doing: str
    """`opening /mnt/far/libcuda.so.1`; empty: it goes on again."""


class WorkProgressed(Event, frozen=True, kw_only=True):
    """Progress of long work, for a progress line; `done == total` ends it."""

    task: str
    done: int
    total: int


class EventsLost(Event, frozen=True, kw_only=True):
    """Records that the kernel or a queue dropped: the timeline has a hole here. Counts stay exact, unless the source is
    one whose processes may have no counters (`LOST_LIVES`, `LOST_COUNTERS`)."""

    source: str
    count: int


class Settled(Event, frozen=True, kw_only=True):
    """Answer to `Settle`: nothing is under way any more. Unasked, with the number 0: what is waited for may be
    started now."""

    id: int


class RequestFailed(Event, frozen=True, kw_only=True):
    """A request that could not be carried out, in words for the user."""

    id: int
    why: str


class TargetMissing(Event, frozen=True, kw_only=True):
    """The target does not exist (any more) or may not be observed; the report exits with 3 or 4."""

    why: str
    kind: Literal["no-such-target", "not-permitted", "ended"]
    help: str = ""
    """The command that helps."""
