"""Attached while a thread hangs inside the driver, asleep or busy: its stack names the call, with and without frame
pointers."""

import subprocess
from pathlib import Path

import pytest

from inspector.model.diagnosis import diagnose
from inspector.stream.processes import ThreadWaits
from inspector.stream.stacks import CodeFrame, StackTaken
from tests.calls.conftest import live as live
from tests.collect.collector import Collector
from tests.model.asking import BACKEND
from tests.model.build import SECOND, Story

from .test_live_stacks import PLAN

_SHIM = """
#include <unistd.h>
static int wait_for(volatile int answer) { char room[200]; room[answer] = 1; while (answer) pause(); return room[0]; }
int gpuInit(void) { volatile int room[64]; room[1] = wait_for(1); return room[1]; }
"""
_SPINS = """
static volatile int done;
static int circles(void) { int turns = 0; while (!done) turns++; return turns; }
int gpuInit(void) { volatile int room[64]; room[1] = circles(); return room[1]; }
"""
_NAPS = """
#include <time.h>
static int look(void) { struct timespec nap = {0, 20000000}; return nanosleep(&nap, 0); }
int gpuInit(void) { volatile int room[64]; do room[1] = look(); while (room[1] <= 0); return room[1]; }
"""
_PROGRAM = """
int gpuInit(void);
__attribute__((noinline)) int ask_driver(int deep) { return deep ? ask_driver(deep - 1) + 1 : gpuInit() + 1; }
int main(void) { return ask_driver(3); }
"""


def _built(folder: Path, shim: str, program: str, optimised: str) -> str:
    (folder / "shim.c").write_text(shim)
    (folder / "program.c").write_text(program)
    library, made = f"{folder}/libgpu.so.1", f"{folder}/program"
    shared = ["-shared", "-fPIC", "-Wl,-soname,libgpu.so.1", "-o", library, f"{folder}/shim.c"]
    subprocess.run(["gcc", optimised, *shared], check=True)
    words = ["-o", made, f"{folder}/program.c", library, f"-Wl,-rpath,{folder}"]
    subprocess.run(["gcc", "-O2", "-fno-optimize-sibling-calls", *words], check=True)
    return made


@pytest.mark.usefixtures("live")
@pytest.mark.parametrize("optimised", [pytest.param("-O0", marks=pytest.mark.longer), "-O2"])
def test_the_call_that_a_thread_hangs_in_is_told_though_we_came_later(optimised: str, tmp_path: Path) -> None:
    program = _built(tmp_path, _SHIM, _PROGRAM, optimised)
    with subprocess.Popen([program]) as hangs:
        try:
            with Collector(str(hangs.pid), plan=PLAN) as collector:
                stack = collector.wait(StackTaken, lambda one: one.occasion == "waiting")
                waits = collector.wait(ThreadWaits, lambda one: one.tid == hangs.pid)
        finally:
            hangs.kill()
    symbols = [(Path(frame.path).name, frame.symbol) for frame in stack.native]
    assert ("libgpu.so.1", "gpuInit") in symbols
    assert symbols.index(("libgpu.so.1", "gpuInit")) < symbols.index(("program", "ask_driver"))
    assert waits.syscall in ("pause", "ppoll")  # arm64 has no pause


@pytest.mark.usefixtures("live")
@pytest.mark.parametrize("optimised", [pytest.param("-O0", marks=pytest.mark.longer), "-O2"])
def test_a_call_that_a_busy_thread_does_not_leave_is_told_too(optimised: str, tmp_path: Path) -> None:
    with subprocess.Popen([_built(tmp_path, _SPINS, _PROGRAM, optimised)]) as spins:
        try:
            with Collector(str(spins.pid), plan=PLAN) as collector:
                stack = collector.wait(StackTaken, lambda one: one.occasion == "waiting")
                waits = collector.wait(ThreadWaits, lambda one: one.tid == spins.pid)
        finally:
            spins.kill()
    assert ("libgpu.so.1", "gpuInit") in [(Path(frame.path).name, frame.symbol) for frame in stack.native]
    assert waits.busy and not waits.syscall


def _naps_of(pid: int) -> tuple[StackTaken, ThreadWaits] | None:
    """None where the thread was awake at the look, as it may be on a busy machine."""
    with Collector(str(pid), plan=PLAN) as collector:
        try:
            stack = collector.wait(StackTaken, lambda one: one.occasion == "waiting")
            return stack, collector.wait(ThreadWaits, lambda one: one.tid == pid and one.again)
        except AssertionError:
            return None


@pytest.mark.longer
@pytest.mark.usefixtures("live")
@pytest.mark.parametrize("optimised", [pytest.param("-O0", marks=pytest.mark.longer), "-O2"])
def test_a_call_in_which_a_thread_sleeps_again_and_again_is_told_too(optimised: str, tmp_path: Path) -> None:
    with subprocess.Popen([_built(tmp_path, _NAPS, _PROGRAM, optimised)]) as polls:
        try:
            stack, waits = next(filter(None, (_naps_of(polls.pid) for _ in range(3))))
        finally:
            polls.kill()
    assert ("libgpu.so.1", "gpuInit") in [(Path(frame.path).name, frame.symbol) for frame in stack.native]
    assert waits.syscall.endswith("nanosleep")


def hanging(symbol: str = "cuInit") -> Story:
    story = Story(attach=True)
    story.process(812, age=9 * SECOND)
    driver = story.driver(812)
    story.consumer(812, BACKEND)
    at = story.later()
    frames = [CodeFrame(path="/lib/libc.so.6", symbol="pause"), CodeFrame(path=driver, symbol=symbol),
              CodeFrame(path=BACKEND, offset=16)]  # fmt: skip
    story.tell(StackTaken(at=at, pid=812, tid=812, occasion="waiting", moment=at, native=frames))
    return story


def test_it_is_the_answer_and_leaves_the_mode_open() -> None:
    answer = diagnose(hanging().state)
    first = answer.findings[0]
    assert (answer.mode.verdict, first.rule, first.confidence) == ("undecided", "call-blocked", "likely")
    assert "cuInit" in first.title and "since before we attached" in first.title
    assert "libbackend.so" in first.cause
    assert any("pause" in row.text for row in first.evidence)


def test_a_function_that_may_rightly_take_long_is_no_hang() -> None:
    assert diagnose(hanging("cuCtxSynchronize").state).findings[0].rule != "call-blocked"


def test_a_thread_that_was_seen_to_go_on_hangs_no_more() -> None:
    story = hanging()
    story.call(812, "cuDeviceGetCount", by=BACKEND, values={"count": 1})
    assert diagnose(story.state).findings[0].rule != "call-blocked"


def test_of_a_process_that_began_under_our_eyes_only_the_beginning_of_the_call_was_missed() -> None:
    story = Story()
    story.process(812)
    driver = story.driver(812)
    story.consumer(812, BACKEND)
    at = story.later(9 * SECOND)
    frames = [CodeFrame(path="/lib/libc.so.6", symbol="pause"), CodeFrame(path=driver, symbol="cuInit")]
    story.tell(StackTaken(at=at, pid=812, tid=812, occasion="waiting", moment=at, native=frames))
    first = diagnose(story.state).findings[0]
    assert first.rule == "call-blocked" and "before we attached" not in first.title


def test_a_busy_thread_is_not_said_to_wait() -> None:
    story = hanging()
    story.tell(ThreadWaits(at=story.later(), pid=812, tid=812, busy=True))
    first = diagnose(story.state).findings[0]
    assert first.rule == "call-blocked" and "busy all the time" in first.title
    assert "keeps a processor busy" in first.cause and "waiting" not in first.cause


def test_who_enters_the_function_again_has_left_it() -> None:
    story = hanging()
    story.call(812, "cuInit", 100, by="/opt/other.so")
    assert diagnose(story.state).findings[0].rule != "call-blocked"


@pytest.mark.parametrize("how", ["busy", "again"])
def test_a_busy_or_polling_thread_whose_calls_were_counted_calls_again_and_again(how: str) -> None:
    story = Story(attach=True)
    story.process(812, age=9 * SECOND)
    driver = story.driver(812)
    story.consumer(812, BACKEND)
    story.call(812, "cuMemGetInfo_v2", by=BACKEND, count=900)
    at = story.later()
    frames = [CodeFrame(path=driver, symbol="cuMemGetInfo_v2"), CodeFrame(path=BACKEND, offset=16)]
    story.tell(ThreadWaits(at=at, pid=812, tid=812, busy=how == "busy", again=how == "again"))
    story.tell(StackTaken(at=at, pid=812, tid=812, occasion="waiting", moment=at, native=frames))
    assert diagnose(story.state).findings[0].rule != "call-blocked"
