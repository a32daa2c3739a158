"""What found its ring or map full in the kernel, each kind by its own name: a lost stack is no lost birth."""

from collections.abc import Callable, Iterator

from inspector.stream.session import LOST_COUNTERS, LOST_LIVES, LOST_LOOKUPS, LOST_MAPPINGS, LOST_STACKS

from .membership import (
    CONTROL_LOST,
    CONTROL_LOST_CALLS,
    CONTROL_LOST_LOOKUPS,
    CONTROL_LOST_OPENS,
    CONTROL_LOST_OUTCOMES,
    CONTROL_LOST_STACKS,
    Membership,
)
from .records import Lost

OF_LIVES = (LOST_LIVES, LOST_MAPPINGS)
"""After which births and ends may be unknown: where perf tells of them its rings are those of mappings."""
_COUNTED: dict[str, Callable[[Membership], int]] = {
    LOST_LIVES: lambda members: members.control_word(CONTROL_LOST),
    LOST_COUNTERS: lambda members: members.crowded,
    "results of calls": lambda members: members.control_word(CONTROL_LOST_OUTCOMES),
    "opened files and refused calls": lambda members: members.control_word(CONTROL_LOST_OPENS),
    "single calls": lambda members: members.control_word(CONTROL_LOST_CALLS),
    LOST_LOOKUPS: lambda members: members.control_word(CONTROL_LOST_LOOKUPS),
    LOST_STACKS: lambda members: members.control_word(CONTROL_LOST_STACKS),
}
"""By `EventsLost.source`: how often that happened so far."""


class Losses:
    """What of it was told."""

    def __init__(self, members: Membership) -> None:
        self._members = members
        self._told = dict.fromkeys(_COUNTED, 0)

    def new(self) -> Iterator[Lost]:
        """What was lost since the last call."""
        for source, count in _COUNTED.items():
            total = count(self._members)
            if total > self._told[source]:
                yield Lost(source=source, count=total - self._told[source])
                self._told[source] = total
