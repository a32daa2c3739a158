"""One thread runs all callbacks; what fails in one is told and stops no other."""

import os
import threading
from collections.abc import Callable

import pytest

from inspector.collect.loop import CollectorLoop


class Failures:
    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []

    def __call__(self, what: str, error: Exception) -> None:
        self.told.append((what, str(error)))


@pytest.fixture
def failures() -> Failures:
    return Failures()


@pytest.fixture
def loop(failures: Failures) -> CollectorLoop:
    return CollectorLoop(failures)


def test_work_is_done_elsewhere_and_its_result_comes_back(loop: CollectorLoop) -> None:
    seen: list[int] = []

    def done(thread: int) -> None:
        seen.extend([thread, threading.get_ident()])
        loop.stop()

    loop.in_background(threading.get_ident, done)
    loop.run()
    assert seen[0] != seen[1] == threading.get_ident()


def test_background_work_is_done_one_after_the_other(loop: CollectorLoop) -> None:
    order: list[str] = []
    for number in range(5):
        loop.in_background(lambda n=number: order.append(f"work {n}"), lambda _, n=number: order.append(f"done {n}"))  # type: ignore[misc]
    loop.in_background(lambda: None, lambda _: loop.stop())
    loop.run()
    assert [each for each in order if each.startswith("work")] == [f"work {n}" for n in range(5)]
    assert [each for each in order if each.startswith("done")] == [f"done {n}" for n in range(5)]


def test_what_fails_is_told_and_the_rest_goes_on(loop: CollectorLoop, failures: Failures) -> None:
    def bad() -> None:
        raise RuntimeError("on purpose")

    def bad_work() -> int:
        raise OSError("in the worker")

    loop.soon(bad)
    loop.in_background(bad_work, lambda _: None)
    loop.in_background(lambda: None, lambda _: loop.stop())
    loop.run()
    assert [words for _, words in failures.told] == ["on purpose", "in the worker"]
    assert failures.told[0][0].endswith("bad")


def test_timers_fire_in_order_of_time_again_or_once(loop: CollectorLoop) -> None:
    fired: list[str] = []

    def again() -> None:
        fired.append("again")
        if fired.count("again") == 3:
            loop.stop()

    loop.after(0.0, lambda: fired.append("once"))
    loop.every(0.002, again)
    loop.run()
    assert fired[0] == "once"
    assert fired.count("once") == 1


def test_readable_descriptors_call_back_until_they_are_forgotten(loop: CollectorLoop) -> None:
    read_end, write_end = os.pipe()
    seen: list[bytes] = []

    def readable() -> None:
        seen.append(os.read(read_end, 1))
        if len(seen) == 2:
            loop.forget(read_end)
            loop.forget(read_end)
            loop.after(0.0, loop.stop)

    loop.on_readable(read_end, readable)
    os.write(write_end, b"abc")
    loop.run()
    assert seen == [b"a", b"b"]
    os.close(read_end)
    os.close(write_end)


def test_nothing_is_called_after_the_stop(loop: CollectorLoop) -> None:
    seen: list[str] = []
    calls: list[Callable[[], None]] = [lambda: seen.append("before"), loop.stop]
    for call in calls:
        loop.soon(call)
    loop.soon(lambda: loop.soon(lambda: seen.append("too late")))
    loop.run()
    assert seen == ["before"]


def test_many_threads_may_hand_over_at_once(loop: CollectorLoop) -> None:
    seen: list[int] = []

    def hand_over() -> None:
        for number in range(2000):
            loop.soon(lambda n=number: seen.append(n))  # type: ignore[misc]

    threads = [threading.Thread(target=hand_over) for _ in range(4)]
    for thread in threads:
        thread.start()

    def join() -> None:
        for thread in threads:
            thread.join()

    loop.in_background(join, lambda _: loop.soon(loop.stop))
    loop.run()
    assert len(seen) == 8000


def test_what_can_wait_waits_while_way_is_made_and_what_can_be_read_does_not(loop: CollectorLoop) -> None:
    order: list[str] = []
    read, write = os.pipe()
    making = [True]
    loop.makes_way = lambda: making[0]

    def arrived() -> None:
        os.read(read, 1)
        order.append("read")
        making[0] = False

    loop.on_readable(read, arrived)
    loop.soon(lambda: order.append("handed over"))
    loop.in_background(lambda: order.append("work"), lambda _: loop.stop())
    loop.after(0.0, lambda: order.append("timer"))
    threading.Timer(0.1, os.write, (write, b"\0")).start()
    loop.run()
    assert order[0] == "read" and sorted(order[1:]) == ["handed over", "timer", "work"]
