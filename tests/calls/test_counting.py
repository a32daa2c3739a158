"""Calls counted in the kernel: exactly, over threads and children, whatever happens to links and processes."""

import signal
import struct
import subprocess
import time

import pytest

from inspector.collect.kernel.counter_block import Read
from inspector.collect.kernel.counting import Counting
from inspector.collect.kernel.engine import Engine
from inspector.collect.kernel.file_watch import Function
from inspector.collect.kernel.frames import Frame
from inspector.collect.kernel.records import CallsBegan, EndedInside, Forked, Returned
from tests.kernel.observed import of
from tests.slower import SLOWER

from .conftest import Targets
from .counted import Watcher

pytestmark = pytest.mark.live


@pytest.fixture
def watcher(engine: Engine, counting: Counting) -> Watcher:
    return Watcher(engine, counting)


def test_all_calls_of_four_threads_are_counted_exactly(watcher: Watcher, targets: Targets) -> None:
    watcher.watch(targets.library, "stride")
    calls = int(25_000 / SLOWER)
    seen = watcher.run(targets.program, f"calls:4:{calls}")
    assert seen.counts[seen.pid, "stride"].count == 4 * calls
    assert seen.output == "wrong 0\n"


def test_calls_of_children_are_counted_from_their_first_one(watcher: Watcher, targets: Targets) -> None:
    watcher.watch(targets.library, "stride", "fill")
    seen = watcher.run(targets.program, "children:20:100")
    children = {record.pid for record in of(Forked, seen.records) if record.ppid == seen.pid}
    assert len(children) == 20
    assert {pid: seen.counts[pid, "stride"].count for pid in children} == dict.fromkeys(children, 100)
    assert (seen.pid, "stride") not in seen.counts


def test_calls_of_other_processes_with_the_same_library_are_not_counted(watcher: Watcher, targets: Targets) -> None:
    watcher.watch(targets.library, "stride")

    def stranger(_: object) -> None:
        subprocess.run([targets.program, "calls:2:5000"], check=True, stdout=subprocess.DEVNULL)

    seen = watcher.run(targets.program, "wait", "calls:1:100", meanwhile=stranger)
    assert seen.total("stride") == 100


def test_what_is_let_go_in_a_hurry_is_not_counted_and_the_rest_is(watcher: Watcher, targets: Targets) -> None:
    watch = watcher.watch(targets.library, "stride", "fill")
    watch.detach([watch.first + 1], hurried=True)
    seen = watcher.run(targets.program, "fill:3", "calls:2:5000")
    assert seen.total("stride") == 10_000
    assert seen.total("fill") == 0


@pytest.mark.longer
def test_counts_stay_exact_while_links_are_replaced(watcher: Watcher, targets: Targets) -> None:
    watch = watcher.watch(targets.library, "stride", "calm", "fill", "refuse", "slow", "outer")

    def regroup(_: object) -> None:
        for number in range(watch.first + 1, watch.first + 6):
            time.sleep(0.05)
            watch.detach([number])

    calls = int(250_000 / SLOWER)
    seen = watcher.run(targets.program, f"calls:4:{calls}", meanwhile=regroup)
    assert watch.counting == {watch.first}
    assert seen.counts[seen.pid, "stride"].count == 4 * calls
    assert seen.output == "wrong 0\n"


def test_the_first_call_of_a_rest_wakes_and_the_others_do_not(
    watcher: Watcher, counting: Counting, targets: Targets
) -> None:
    watcher.watch(targets.library, "stride")

    def rest(_: object) -> None:
        counting.suspend()
        assert counting.suspended

    seen = watcher.run(targets.program, "wait", "calls:4:1000", meanwhile=rest)
    assert len(of(CallsBegan, seen.records)) == 1
    assert seen.total("stride") == 4000
    assert not counting.suspended


def test_results_and_callers_are_summed_up(watcher: Watcher, targets: Targets) -> None:
    watcher.watch(targets.library, "fill", "refuse", returns=True)
    seen = watcher.run(targets.program, "fill:300", "refuse:200")
    assert seen.results("fill") == {7: 301}
    assert seen.results("refuse") == {100: 200}
    callers = {caller for _, function, caller, _ in seen.outcomes if function == "fill"}
    assert len(callers) == 2  # the program and the library's own constructor


def test_the_first_calls_are_told_in_full_with_out_values(watcher: Watcher, targets: Targets) -> None:
    reads = (Read(argument=0, size=4), Read(argument=1, size=16, string=True))
    watcher.watch(targets.library, "fill", returns=True, reads=reads)
    seen = watcher.run(targets.program, "fill:3")
    told = of(Returned, seen.records)
    assert [struct.unpack("<i", call.memory[0][:4])[0] for call in told] == [11, 4, 4, 4]
    assert [call.memory[1].split(b"\0")[0] for call in told] == [b"constructor", b"four", b"four", b"four"]
    assert all(call.result == 7 and call.entered < call.at for call in told)


def test_no_more_than_a_few_calls_are_told_in_full(watcher: Watcher, targets: Targets) -> None:
    watcher.watch(targets.library, "fill", returns=True)
    seen = watcher.run(targets.program, "fill:5000")
    assert len(of(Returned, seen.records)) == 64
    assert seen.results("fill") == {7: 5001}


def test_nested_calls_return_each_to_their_own_caller(watcher: Watcher, targets: Targets) -> None:
    watcher.watch(targets.library, "outer", "fill", "nested", returns=True)
    seen = watcher.run(targets.program, "outer:50", "nested:4")
    assert seen.results("outer") == {8: 50}
    assert seen.results("fill") == {7: 51}
    assert seen.results("nested") == {0: 5}


def test_a_call_that_has_not_returned_is_inside_with_its_arguments(watcher: Watcher, targets: Targets) -> None:
    watcher.watch(targets.library, "slow", returns=True)
    inside: list[Frame] = []

    def look(process: subprocess.Popen[str]) -> None:
        end = time.monotonic() + 10
        while not inside and time.monotonic() < end:
            inside.extend(watcher.counting.inside())

    seen = watcher.run(targets.program, "slow:300000", meanwhile=look)
    (frame,) = inside
    assert (frame.pid, frame.arguments[0]) == (seen.pid, 300_000)
    assert frame.caller != 0
    assert watcher.counting.inside() == []


def test_a_thread_that_dies_inside_a_call_is_inside_no_more(watcher: Watcher, targets: Targets) -> None:
    watcher.watch(targets.library, "slow", returns=True)
    looks: list[int] = []

    def look(process: subprocess.Popen[str]) -> None:
        while process.poll() is None:
            looks.append(len(watcher.counting.inside()))
            time.sleep(0.02)

    seen = watcher.run(targets.program, "stuck", meanwhile=look)
    assert seen.code == 0
    assert 1 in looks
    assert looks[-1] == 0


def test_a_call_left_by_longjmp_is_dropped_by_the_next_one(watcher: Watcher, targets: Targets) -> None:
    watcher.watch(targets.library, "slow", returns=True)
    seen = watcher.run(targets.program, "jump")
    assert seen.output == "wrong 0\n"
    assert seen.counts[seen.pid, "slow"].count == 2
    assert seen.results("slow") == {0: 1}


def test_a_process_that_executes_itself_anew_goes_on_being_counted(watcher: Watcher, targets: Targets) -> None:
    watcher.watch(targets.library, "stride")
    seen = watcher.run(targets.program, "calls:1:10", "exec", "calls:1:20")
    assert seen.counts[seen.pid, "stride"].count == 30


def test_an_instruction_that_cannot_be_probed_is_refused_alone(watcher: Watcher, targets: Targets) -> None:
    entry = _offset(targets, "locked")
    functions = [Function(_offset(targets, name)) for name in ("stride", "hot")]
    watch = watcher.counting.watch(bytes(targets.library), [functions[0], Function(entry), functions[1]])
    assert set(watch.refused) == {watch.first + 1}
    assert watch.counting == {watch.first, watch.first + 2}
    watcher.names |= {watch.first: "stride", watch.first + 2: "hot"}
    seen = watcher.run(targets.program, "calls:1:50", "locked:5")
    assert (seen.output, seen.total("stride")) == ("wrong 0\n", 50)


def test_a_hot_function_is_let_go_alone_and_the_target_regains_its_speed(engine: Engine, targets: Targets) -> None:
    counting = Counting(engine, percent=1.0)
    watcher = Watcher(engine, counting)
    watch = watcher.watch(targets.library, "hot", "calm", "stride")
    stopped: list[int] = []

    def judge(process: subprocess.Popen[str]) -> None:
        while process.poll() is None:
            time.sleep(0.05)
            watcher.look()
            stopped.extend(each.function for each in counting.judge(time.monotonic_ns()))

    seen = watcher.run(targets.program, "hot:1.5", "calls:1:100", meanwhile=judge)
    lines = dict(line.split() for line in seen.output.splitlines())
    assert stopped == [watch.first]
    assert watch.counting == {watch.first + 1, watch.first + 2}
    assert seen.total("calm") == int(lines["calm"])
    assert seen.total("stride") == 100
    assert int(lines["hot"]) > 3 * seen.total("hot")  # the others ran without a probe
    counting.close()


def _offset(targets: Targets, name: str) -> int:
    listing = subprocess.run(["nm", "-D", targets.library], check=True, capture_output=True, text=True).stdout
    return next(int(line.split()[0], 16) for line in listing.splitlines() if line.endswith(f" T {name}"))


def test_a_call_that_was_left_by_an_exception_is_not_inside(watcher: Watcher, targets: Targets) -> None:
    watcher.watch(targets.library, "slow", returns=True)
    looks: list[int] = []

    def look(process: subprocess.Popen[str]) -> None:
        while process.poll() is None:
            looks.append(len(watcher.counting.inside()))
            time.sleep(0.01)

    seen = watcher.run(targets.program, "left:300000", meanwhile=look)
    assert seen.counts[seen.pid, "slow"].count == 1
    assert looks[-3:] == [0, 0, 0]


def test_a_process_that_dies_in_a_call_tells_in_which_one(watcher: Watcher, targets: Targets) -> None:
    watcher.watch(targets.library, "slow", "fill", returns=True)
    seen = watcher.run(targets.program, "fill:3", "dies")
    (ended,) = of(EndedInside, seen.records)
    assert [watcher.names[frame.function] for frame in ended.frames] == ["slow"]
    assert (ended.pid, ended.frames[0].arguments[0]) == (seen.pid, 5_000_000)
    assert seen.code == -signal.SIGSEGV


@pytest.mark.longer
def test_a_function_that_only_a_stranger_calls_often_is_let_go_as_well(engine: Engine, targets: Targets) -> None:
    counting = Counting(engine, percent=1.0)
    watch = Watcher(engine, counting).watch(targets.library, "hot", "calm", returns=True)
    stopped: list[int] = []
    stranger = subprocess.Popen([targets.program, "hot:30"], stdout=subprocess.DEVNULL)
    end = time.monotonic() + 20
    while watch.counting and watch.first not in stopped and time.monotonic() < end:
        time.sleep(0.05)
        counting.counts()
        counting.judge_results(time.monotonic_ns())
        stopped += [each.function for each in counting.judge(time.monotonic_ns())]
    stranger.kill()
    stranger.wait()
    assert watch.first in stopped
    counting.close()


def test_a_program_that_was_looked_at_and_is_not_the_awaited_one_leaves_no_counts_to_anybody(
    watcher: Watcher, engine: Engine, counting: Counting, targets: Targets
) -> None:
    watcher.watch(targets.library, "stride")
    engine.wait_for(lambda record: False)
    for _ in range(3):  # they end before they are denied, and together they have had every slot
        subprocess.run([targets.program, "children:100:5"], check=True, stdout=subprocess.DEVNULL)
        engine.drain()
        engine.drain()
    engine.wait_for(None)
    assert counting.counts() == []
    seen = watcher.run(targets.program, "children:20:7")
    assert {count.count for (_, name), count in seen.counts.items() if name == "stride"} == {7}
