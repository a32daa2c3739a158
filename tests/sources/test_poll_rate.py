"""When sources look: a timer that rests, and rounds through many processes."""

import pytest

from inspector.collect.sources.poll_rate import Rounds, Ticker

from .fakes import FakeLoop


def test_a_ticker_rests_until_it_is_woken_and_while_nothing_is_left() -> None:
    loop, left = FakeLoop(), [2]
    ticked: list[int] = []

    def tick() -> bool:
        ticked.append(left[0])
        left[0] -= 1
        return left[0] > 0

    ticker = Ticker(loop, 0.1, tick)
    loop.turn()
    assert ticked == []
    ticker.wake()
    ticker.wake()
    for _ in range(4):
        loop.turn()
    assert ticked == [2, 1]
    ticker.wake()
    loop.turn()
    assert ticked == [2, 1, 0]


def test_a_ticker_goes_on_after_a_failure() -> None:
    loop = FakeLoop()
    failures = [ValueError("on purpose")]

    def tick() -> bool:
        if failures:
            raise failures.pop()
        return False

    Ticker(loop, 0.1, tick).wake()
    with pytest.raises(ValueError, match="on purpose"):
        loop.turn()
    assert len(loop.once) == 1
    loop.turn()
    assert not loop.once


def test_few_are_looked_at_each_time() -> None:
    rounds = Rounds(lambda: [1, 2, 3], most=3)
    assert [rounds.next(), rounds.next()] == [[1, 2, 3], [1, 2, 3]]


def test_of_many_each_has_its_turn_also_when_some_go() -> None:
    there = list(range(10))
    rounds = Rounds(lambda: there, most=4)
    assert [rounds.next(), rounds.next(), rounds.next()] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 0, 1]]
    del there[7:]
    seen = {one for _ in range(2) for one in rounds.next()}
    assert len(seen) == 7
