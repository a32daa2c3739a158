"""How far each consumer got: per process and family of APIs the stages that were reached, when and by which attempt."""

import re
from collections.abc import Container, Iterable

import msgspec

from .attempts.row import Attempt
from .stages import LEVEL, Stage
from .state import Process

_COPY = re.compile(r"Memcpy|Memset|CopyBuffer|(Read|Write)Buffer")


def is_copy(function: str) -> bool:
    """A function that moves or fills data."""
    return _COPY.search(function) is not None


def until(attempt: Attempt) -> int:
    """When a function that answered was called last: after so many successes nobody reads its results any more."""
    calls = attempt.calls
    trusted = calls is not None and set(calls.results) <= {0}
    return max(attempt.at, calls.last) if calls is not None and trusted else attempt.at


class Progress(msgspec.Struct, eq=False):
    """What one process reached in one family of APIs."""

    process: Process
    family: str
    reached: dict[Stage, Attempt] = msgspec.field(default_factory=dict)
    """The first attempt that showed each stage."""
    last: dict[Stage, Attempt] = msgspec.field(default_factory=dict)
    """The newest that showed it."""
    askers: set[str] = msgspec.field(default_factory=set)
    launched: Attempt | None = None
    """The newest launch that succeeded; copies alone place data, and compute nothing."""
    launched_until: int = 0
    """When something was launched last, also where results were read no more and all before were successes."""

    @property
    def stage(self) -> Stage:
        """The furthest stage."""
        return max(self.reached, key=lambda stage: LEVEL[stage])

    @property
    def furthest(self) -> Attempt:
        """The attempt that first reached it."""
        return self.reached[self.stage]

    @property
    def newest(self) -> int:
        """When anything of this family last succeeded."""
        return max((attempt.at for attempt in self.last.values()), default=0)

    def got_to(self, least: Stage) -> bool:
        """It reached this stage or a later one."""
        return LEVEL[self.stage] >= LEVEL[least]

    @property
    def found_a_device(self) -> bool:
        """Devices were counted, and it is known that this worked; or it went on to do something with one."""
        counts = [one for of in (self.reached, self.last) if (one := of.get("counted")) is not None]
        return LEVEL[self.stage] > LEVEL["counted"] or any(one.ok for one in counts)

    @property
    def has_library(self) -> bool:
        """The library of the API itself came, not only one that could ask it."""
        loaded = self.reached.get("loaded")
        return self.got_to("resolved") or (loaded is not None and bool(loaded.api))

    def last_at(self, least: Stage) -> int:
        """When a stage from this one on was last shown; 0 never."""
        return max((one.at for stage, one in self.last.items() if LEVEL[stage] >= LEVEL[least]), default=0)


def without_start(attempts: Iterable[Attempt]) -> frozenset[Attempt]:
    """Successes that mean nothing: the library that answered had refused to initialise, and was never initialised.

    A real one refuses all else then; a stand-in may answer 0 to every question. Whoever gets a context from it, memory
    or work was served all the same.
    """
    refused: set[tuple[str, str]] = set()
    begun: set[tuple[str, str]] = set()
    found = []
    for one in attempts:
        if one.kind != "call" or one.stage is None or not one.provider or not one.came_back:
            continue
        library = one.family, one.provider
        if one.ok is False:
            if one.begins and library not in begun:
                refused.add(library)
        elif one.begins or LEVEL[one.stage] >= LEVEL["context"]:
            begun.add(library)
            refused.discard(library)
        elif library in refused:
            found.append(one)
    return frozenset(found)


def progress_of(process: Process, attempts: Iterable[Attempt], hollow: Container[Attempt] = ()) -> dict[str, Progress]:
    """By family. Asking is a step too; what files foretell, what a provider asked for its own ends, and a `hollow`
    success (see `without_start`) is none."""
    found: dict[str, Progress] = {}
    for attempt in attempts:
        if (
            not attempt.family
            or attempt.own_ends
            or attempt.stage is None
            or attempt.kind not in ("load", "lookup", "call")
        ):
            continue
        progress = found.setdefault(attempt.family, Progress(process, attempt.family))
        progress.reached.setdefault("asked", attempt)
        progress.last.setdefault("asked", attempt)
        if attempt.asker:
            progress.askers.add(attempt.asker)
        if attempt.ok is not False and attempt not in hollow:
            progress.reached.setdefault(attempt.stage, attempt)
            progress.last[attempt.stage] = attempt
            if attempt.stage == "work" and not is_copy(attempt.what):
                progress.launched = attempt
                progress.launched_until = max(progress.launched_until, until(attempt))
    return found
