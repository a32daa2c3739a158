"""Of a process whose end is among the records at hand nothing is asked of /proc: its number may be another one's."""

import os

from inspector.collect.kernel.records import Executed, Exited, Forked
from inspector.collect.sources.contract import Tracked, TreeObserver

from .fakes import Grove


class Readable(TreeObserver):
    """Writes down whether /proc may be asked of a process, when something is told of it."""

    def __init__(self) -> None:
        self.told: list[tuple[str, bool]] = []

    def born(self, process: Tracked) -> None:
        self.told.append(("born", process.readable))

    def executed(self, process: Tracked) -> None:
        self.told.append(("executed", process.readable))


def _told(*ends: Exited) -> list[tuple[str, bool]]:
    grove, observer = Grove(), Readable()
    grove.tree.attach([os.getpid()])
    grove.tree.watch(observer)
    number, begun = 1 << 22, 10**12
    execed = Executed(at=begun + 5, pid=number, filename=b"/bin/x", argv=b"x\0", environment=b"A=1\0")
    grove.feed.hand_out([Forked(at=begun, ppid=os.getpid(), pid=number), execed, *ends])
    return observer.told


def test_who_has_ended_by_the_time_its_birth_is_told_is_not_looked_for() -> None:
    ended = Exited(at=10**12 + 9, pid=1 << 22, status=0)
    assert _told(ended) == [("born", False), ("executed", False)]
    assert _told() == [("born", True), ("executed", True)]


def test_the_end_of_who_had_the_number_before_says_nothing_of_the_new_one() -> None:
    grove, observer = Grove(), Readable()
    grove.tree.attach([os.getpid()])
    grove.tree.watch(observer)
    number, begun = 1 << 22, 10**12
    first, second = (Forked(at=begun + at, ppid=os.getpid(), pid=number) for at in (0, 50))
    grove.feed.hand_out([first, Exited(at=begun + 9, pid=number, status=0), second])
    assert observer.told == [("born", False), ("born", True)]


def test_an_end_without_a_status_is_asked_of_its_descriptor() -> None:
    assert _told(Exited(at=10**12 + 9, pid=1 << 22, status=None)) == [("born", True), ("executed", True)]
