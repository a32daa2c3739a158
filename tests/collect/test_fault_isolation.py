"""One source that fails takes no other with it, and is a limit with its name."""

from inspector.collect.loop import CollectorLoop
from inspector.collect.sources.contract import Tracked, TreeObserver
from inspector.collect.sources.processes.fault_isolation import tell


class Failing(TreeObserver):
    """Meets what it did not expect."""

    def born(self, process: Tracked) -> None:
        raise IndexError("list index out of range")


class Hearing(TreeObserver):
    """Hears of births."""

    def __init__(self) -> None:
        self.heard: list[int] = []

    def born(self, process: Tracked) -> None:
        self.heard.append(process.pid)


def test_an_observer_that_fails_is_named_and_the_next_one_hears() -> None:
    failed: list[tuple[str, str]] = []
    loop = CollectorLoop(lambda name, error: failed.append((name, str(error))))
    hearing = Hearing()
    tell(loop, [Failing().born, hearing.born], Tracked(pid=7, ppid=1, started=1))
    loop.stop()
    loop.run()
    assert hearing.heard == [7]
    assert failed == [("Failing", "list index out of range")]


def test_a_timer_that_fails_goes_on_and_stops_no_other() -> None:
    failed: list[str] = []
    loop = CollectorLoop(lambda name, _: failed.append(name))
    ticks: list[int] = []

    def fails() -> None:
        ticks.append(1)
        _ = [][0]

    loop.every(0.01, fails)
    loop.every(0.01, lambda: loop.stop() if len(ticks) > 2 else None)
    loop.run()
    assert len(ticks) > 2
    assert failed[0].endswith("fails")
