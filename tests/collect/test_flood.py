"""Under a flood of births records are read in batches, else at once."""

import pytest

from inspector.collect.kernel.records import Forked, Record
from inspector.collect.sources.processes.feed import FLOOD, Feed, Flood
from tests.sources.fakes import FakeLoop

SECOND = 1_000_000_000


class Births:
    """A record source that has a birth whenever it is asked."""

    fd = 7

    def __init__(self) -> None:
        self.drained = 0

    def follow(self, pid: int) -> bool:
        return True

    def drain(self) -> list[Record]:
        self.drained += 1
        return [Forked(at=self.drained, ppid=1, pid=self.drained)]


def test_a_few_births_are_no_flood_and_many_are_one_until_a_second_is_calm() -> None:
    flood = Flood()
    assert not flood.too_many(1 * SECOND, FLOOD)
    assert flood.too_many(2 * SECOND, FLOOD + 1)
    assert flood.too_many(3 * SECOND, 0)
    assert not flood.too_many(4 * SECOND, 0)
    assert not flood.too_many(9 * SECOND, 0)


def test_a_flood_of_births_is_read_in_batches_and_all_of_it_is_told() -> None:
    loop, source = FakeLoop(), Births()
    heard: list[Record] = []
    feed = Feed(source, tells_ends=True)
    feed.listen(Forked, heard.append)
    feed.begin(loop)
    for _ in range(FLOOD + 1):
        loop.readable[source.fd]()
    assert source.fd not in loop.readable, "a flood wakes nobody"
    for later in list(loop.once):
        later()
    assert source.fd in loop.readable
    assert len(heard) == source.drained


def test_a_listener_that_fails_costs_the_others_nothing_and_is_said_by_its_name() -> None:
    loop = FakeLoop()
    heard: list[Record] = []
    feed = Feed(Births(), tells_ends=True)

    def breaks(record: Forked) -> None:
        raise ValueError(record.pid)

    feed.listen(Forked, breaks)
    feed.listen(Forked, heard.append)
    feed.begin(loop)
    feed.hand_out([Forked(at=1, ppid=1, pid=5)])
    assert len(heard) == 1
    with pytest.raises(ValueError, match="5") as failure:
        loop.settle()
    assert failure.value.args == (5,)
