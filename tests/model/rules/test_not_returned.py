"""Loads, look-ups and calls that did not return: the process ended in them, or its thread does not get on."""

import pytest

from inspector.stream.calls import CallsInside, LookedUp, OpenCall
from inspector.stream.processes import ThreadWaits
from inspector.stream.session import EventsLost
from inspector.stream.stacks import CodeFrame, StackTaken

from ..asking import answer, rules
from ..build import SECOND, Story

SHIM = "/opt/shim/libcuda.so.1"
PROGRAM = "/opt/app/program"
LIBC = "/usr/lib/x86_64-linux-gnu/libc.so.6"
LOADER = "/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"


def _loading(*, attach: bool = False) -> Story:
    """The program asked for the driver and has no answer yet."""
    story = Story(attach=attach)
    story.process(812, (PROGRAM,))
    entered = story.later()
    story.driver(812)
    story.tell(
        LookedUp(
            at=story.later(3 * SECOND), pid=812, tid=812, via="dlopen", name="libcuda.so.1", requester=PROGRAM,
            found=None, entered=entered, flags=2,
        )
    )  # fmt: skip
    return story


def _stack(story: Story, *frames: tuple[str, str], busy: bool = False) -> None:
    at = story.later()
    waits = ThreadWaits(at=at, pid=812, tid=812, busy=busy, syscall="" if busy else "pause")
    story.tell(waits)
    native = [CodeFrame(path=path, symbol=symbol) for path, symbol in frames]
    story.tell(StackTaken(at=at, pid=812, tid=812, occasion="waiting", moment=at, native=native))


def test_a_process_that_ends_while_a_library_is_loaded_is_told_so() -> None:
    story = _loading()
    story.log("nvidia: no licence")
    story.end(812, code=0)
    finding = answer(story)
    assert finding.rule == "ended-inside"
    assert "ended during the load of libcuda.so.1, asked for by program, with code 0" in finding.title
    assert "nvidia: no licence" in finding.cause
    assert finding.chain[0].text == "ended before it used a GPU"


def test_where_events_were_lost_the_return_may_be_one_of_them() -> None:
    story = _loading()
    story.tell(EventsLost(at=story.later(), count=3, source="perf"))
    story.end(812, code=0)
    assert "ended-inside" not in rules(story)


def test_a_load_whose_thread_is_still_in_the_loader_is_blocked() -> None:
    story = _loading()
    _stack(story, (LIBC, "pause"), (SHIM, "set_up"), (LOADER, ""), (LIBC, "dlopen"), (PROGRAM, "main"))
    finding = answer(story)
    assert finding.rule == "call-blocked"
    assert "the load of libcuda.so.1 in PID 812 (program) has been running" in finding.title
    assert finding.cause.startswith("set_up of libcuda.so.1 is waiting for something")
    assert finding.chain[0].text.startswith("stuck in the load of libcuda.so.1 for")


def test_a_load_that_only_takes_long_is_no_fault_and_a_thread_elsewhere_has_left_it() -> None:
    story = _loading()
    assert "call-blocked" not in rules(story)
    _stack(story, (LIBC, "epoll_wait"), (PROGRAM, "serve"), (PROGRAM, "main"))
    assert "call-blocked" not in rules(story)


def test_what_chooses_a_function_may_hang_while_its_name_is_looked_up() -> None:
    story = Story(attach=True)
    story.process(812, (PROGRAM,), age=9 * SECOND)
    story.driver(812)
    _stack(story, (SHIM, "choose"), (LIBC, ""), (LIBC, "dlsym"), (PROGRAM, "main"), busy=True)
    finding = answer(story)
    assert finding.rule == "call-blocked"
    assert finding.cause.startswith("choose of libcuda.so.1 keeps a processor busy")


def _in_call(*, tid: int, function: str) -> Story:
    story = Story()
    story.process(812, (PROGRAM,))
    story.driver(812, exports=["cuInit", "cuEventQuery", "cuMemGetInfo_v2"])
    story.consumer(812, "/opt/app/libbackend.so")
    story.inside(812, function)
    (opened,) = story.state.processes[0].open_calls
    one = OpenCall(pid=812, tid=tid, function=opened.function, entered=opened.entered)
    story.tell(CallsInside(at=story.later(), open=[one]))
    story.end(812, code=0)
    return story


def test_a_process_that_ends_in_a_call_is_told_so() -> None:
    finding = answer(_in_call(tid=812, function="cuInit"))
    assert finding.rule == "ended-inside" and "ended inside cuInit of libcuda.so.1" in finding.title


@pytest.mark.parametrize("function", ["cuEventQuery", "cuMemGetInfo_v2"])
def test_another_thread_that_waits_or_polls_at_the_end_is_in_order(function: str) -> None:
    assert "ended-inside" not in rules(_in_call(tid=815, function=function))


def test_a_process_that_ends_while_another_thread_begins_with_the_api_is_told_so() -> None:
    assert "ended-inside" in rules(_in_call(tid=815, function="cuInit"))


def test_what_another_thread_was_loading_when_the_main_thread_ended_the_process_is_not_blamed() -> None:
    story = Story()
    story.process(812, (PROGRAM,))
    entered = story.later()
    story.driver(812)
    story.tell(
        LookedUp(
            at=story.later(SECOND), pid=812, tid=815, via="dlopen", name="libcublas.so.12", requester=PROGRAM,
            found=None, entered=entered, flags=2,
        )
    )  # fmt: skip
    story.end(812, code=0)
    assert "ended-inside" not in rules(story)
