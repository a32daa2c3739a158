"""Calls, look-ups and opens as the events of a real collector."""

import subprocess
from pathlib import Path

import pytest

from inspector.stream.calls import (
    CallReturned,
    CallsCounted,
    CallsInside,
    CountingStopped,
    FileOpened,
    FunctionsRefused,
    FunctionsWatched,
    LoaderRefused,
    LookedUp,
    OutcomesCounted,
    WatchedFunction,
)
from inspector.stream.libraries import CodePatched, ImageRead, LibraryMapped
from inspector.stream.processes import ProcessEnded
from inspector.stream.requests import (
    ApiPlan,
    Argument,
    CountFunctions,
    FunctionPlan,
    OutValue,
    Plan,
    Settle,
    StopCounting,
)
from inspector.stream.session import RequestFailed, Settled
from tests.collect.collector import Collector

from .conftest import Targets

pytestmark = pytest.mark.live


def plan(*functions: FunctionPlan, devices: tuple[str, ...] = ()) -> Plan:
    """A plan for the watched library."""
    api = ApiPlan(api="watched", sonames=["libwatched.so"], prefixes=["x"], functions=list(functions))
    return Plan(apis=[api], devices=list(devices))


FILL = FunctionPlan(
    name="fill",
    arguments=[Argument(name="name", index=1, kind="string", size=32)],
    values=[OutValue(name="length", argument=0, kind="i32")],
)
STRIDE = FunctionPlan(name="stride", returns=False)
SLOW = FunctionPlan(name="slow")


def function(collector: Collector, name: str) -> WatchedFunction:
    """The watched function of that name; copies of its library that other tests left beside it are foreseen too."""
    watched = collector.wait(FunctionsWatched, lambda event: any(_is(each, name) for each in event.functions))
    return next(each for each in watched.functions if _is(each, name))


def _is(function: WatchedFunction, name: str) -> bool:
    return function.name == name and function.library.endswith("/libwatched.so")


def test_each_call_of_a_child_of_a_moment_is_told_with_caller_result_and_values(targets: Targets, live: None) -> None:
    shell = f"LD_LIBRARY_PATH={targets.folder} {targets.program} fill:3 calls:2:50"
    with Collector("--", "sh", "-c", shell, plan=plan(FILL, STRIDE)) as collector:
        collector.wait(ProcessEnded)
        fill = function(collector, "fill")
        stride = function(collector, "stride")
        collector.wait(CallsCounted, lambda e: any(c.function == stride.id and c.count == 100 for c in e.counts))
        collector.wait(OutcomesCounted, lambda e: any(o.count == 3 and not o.own for o in e.outcomes))
        told = collector.all(CallReturned)
    assert fill.library == str(targets.library)
    assert [(call.arguments, call.values, call.result) for call in told] == [
        ({"name": "constructor"}, {"length": 11}, 7),
        *[({"name": "four"}, {"length": 4}, 7)] * 3,
    ]
    assert [(call.caller, call.own) for call in told] == [
        (str(targets.library), True),
        *[(str(targets.program), False)] * 3,
    ]


def test_a_call_from_a_constructor_that_dlopen_runs_is_told_as_such(targets: Targets, live: None) -> None:
    with Collector("--", str(targets.loading_program), f"open:{targets.library}", plan=plan(FILL)) as collector:
        call = collector.wait(CallReturned)
    assert (call.own, call.constructor, call.arguments) == (True, True, {"name": "constructor"})


@pytest.mark.longer
def test_our_own_probes_are_not_taken_for_a_patch(targets: Targets, live: None) -> None:
    with Collector("--", str(targets.program), "fill:1", plan=plan(FILL, STRIDE)) as collector:
        collector.wait(CallReturned)
        collector.wait(ProcessEnded)
        assert collector.all(CodePatched) == []


def test_a_call_that_blocks_is_inside_until_it_returns(targets: Targets, live: None) -> None:
    with Collector("--", str(targets.program), "slow:700000", plan=plan(SLOW)) as collector:
        inside = collector.wait(CallsInside, lambda event: bool(event.open))
        after = collector.wait(CallsInside, lambda event: not event.open)
    (call,) = inside.open
    assert call.caller == str(targets.program)
    assert call.entered < inside.at < after.at


@pytest.mark.longer
def test_calls_after_a_silence_are_counted_to_the_last_one(targets: Targets, live: None) -> None:
    shell = (
        f"{targets.program} calls:1:5; sleep 0.7; {targets.program} calls:1:7; sleep 0.7; {targets.program} calls:1:9"
    )
    with Collector("--", "sh", "-c", shell, plan=plan(STRIDE)) as collector:
        collector.finish()
    last = {count.pid: count.count for event in collector.all(CallsCounted) for count in event.counts}
    assert sorted(last.values()) == [5, 7, 9]


def test_a_failed_load_is_told_with_files_tried_and_the_words_of_the_loader(targets: Targets, live: None) -> None:
    with Collector("--", str(targets.loading_program), "missing:libnowhere.so.7", plan=plan(STRIDE)) as collector:
        looked = collector.wait(LookedUp, lambda event: event.name == "libnowhere.so.7")
        refused = collector.wait(LoaderRefused)
        collector.wait(ProcessEnded)
        assert len(collector.all(LoaderRefused)) == 1
    assert (looked.via, looked.found, looked.answer) == ("dlopen", False, None)
    assert looked.requester == str(targets.loading_program)
    assert looked.answered_by.endswith("libc.so.6")
    assert looked.error == "libnowhere.so.7: cannot open shared object file: No such file or directory"
    tried = [tried for tried in looked.tried if "ld.so.cache" not in tried.path]
    assert tried
    assert {(Path(each.path).name, each.errno) for each in tried} == {("libnowhere.so.7", 2)}
    assert (refused.object, refused.text) == (
        "libnowhere.so.7", "cannot open shared object file: No such file or directory",
    )  # fmt: skip


@pytest.mark.longer
def test_a_file_whose_load_was_refused_tells_its_own_facts(targets: Targets, tmp_path: Path, live: None) -> None:
    module = tmp_path / "module.so"
    compiler = ["gcc", "-shared", "-fPIC", "-nostdlib", "-o"]
    subprocess.run([*compiler, tmp_path / "libgone.so", "-x", "c", "/dev/null", "-Wl,-soname,libgone.so"], check=True)
    subprocess.run(
        [*compiler, module, "-x", "c", "/dev/null", f"-L{tmp_path}", "-Wl,--no-as-needed", "-lgone"], check=True
    )
    (tmp_path / "libgone.so").unlink()
    with Collector("--", str(targets.loading_program), f"missing:{module}", plan=plan(STRIDE)) as collector:
        image = collector.wait(ImageRead, lambda event: event.path == str(module))
    assert image.needed == ["libgone.so"]


def test_look_ups_name_who_asked_and_what_was_found(targets: Targets, live: None) -> None:
    words = [
        "--",
        str(targets.loading_program),
        f"open:{targets.library}",
        "sym:stride",
        "sym:nothing",
        "repeat:500",
        "sleep:1500000",
    ]
    with Collector(*words, plan=plan(STRIDE)) as collector:
        loaded = collector.wait(LookedUp, lambda event: event.via == "dlopen")
        found = collector.wait(LookedUp, lambda event: event.name == "stride")
        absent = collector.wait(LookedUp, lambda event: event.name == "nothing")
        folded = collector.wait(LookedUp, lambda event: event.count > 1)
        assert collector.all(LoaderRefused) == []
    assert (loaded.found, loaded.answer) == (True, str(targets.library))
    assert (found.found, found.answer, found.symbol) == (True, str(targets.library), "stride")
    assert (absent.found, absent.error) == (False, f"{targets.library}: undefined symbol: nothing")
    assert (folded.name, folded.count) == ("stride", 500)


def test_a_program_that_cannot_start_says_what_is_missing(targets: Targets, live: None) -> None:
    lonely = targets.folder / "unlinked"
    subprocess.run(["cp", targets.program, lonely], check=True)
    subprocess.run(["sed", "-i", "s/libwatched.so/libwatchex.so/", lonely], check=True)
    with Collector("--", str(lonely), plan=plan(STRIDE)) as collector:
        refused = collector.wait(LoaderRefused)
        assert collector.wait(ProcessEnded).code == 127
    assert refused.object == "libwatchex.so"


@pytest.mark.longer
def test_opens_of_devices_are_told_and_others_counted(targets: Targets, live: None) -> None:
    shell = "cat /dev/zero-nothing /etc/hostname /nowhere/libx.so.1 >/dev/null; ls /usr/lib /etc >/dev/null; sleep 1.2"
    with Collector("--", "sh", "-c", shell, plan=plan(STRIDE, devices=("/dev/zero*",))) as collector:
        device = collector.wait(FileOpened, lambda event: event.path == "/dev/zero-nothing")
        library = collector.wait(FileOpened, lambda event: event.path == "/nowhere/libx.so.1")
        collector.wait(FileOpened, lambda event: event.path == "/usr/lib/")
        collector.wait(ProcessEnded)
        paths = {event.path for event in collector.all(FileOpened)}
    assert device.errno == library.errno == 2
    assert not {"/etc/hostname", "/etc", "/etc/"} & paths


@pytest.mark.longer
def test_functions_are_counted_and_let_go_on_request(targets: Targets, live: None) -> None:
    with Collector("--", str(targets.program), "slow:3000000", plan=plan(STRIDE)) as collector:
        mapped = collector.wait(LibraryMapped, lambda event: event.path == str(targets.library))
        collector.send(CountFunctions(id=7, file=mapped.file, path=mapped.path, names=["refuse", "locked"]))
        refuse = function(collector, "refuse")
        assert (refuse.api, refuse.returns) == ("", False)
        assert collector.wait(FunctionsRefused, lambda event: "locked" in event.names).why
        collector.send(StopCounting(id=8, functions=[refuse.id]))
        assert collector.wait(CountingStopped).functions == [refuse.id]
        collector.send(CountFunctions(id=9, file="0:0:1", path="/nowhere"))
        assert collector.wait(RequestFailed).id == 9


def test_a_function_that_costs_too_much_is_let_go_and_said(targets: Targets, live: None) -> None:
    with Collector("--", str(targets.program), "hot:5", plan=plan(FunctionPlan(name="hot"), STRIDE)) as collector:
        hot = function(collector, "hot")
        stopped = collector.wait(CountingStopped)
        assert stopped.functions == [hot.id]
        assert stopped.per_second > 1_000
        assert "1 % of a CPU" in stopped.why


def test_a_hot_loop_that_runs_already_is_let_go_at_once_and_its_exits_are_never_probed(
    targets: Targets, live: None
) -> None:
    target = subprocess.Popen([targets.program, "hot:60"])
    wanted = plan(FunctionPlan(name="hot", hot=True), STRIDE, FILL)
    try:
        with Collector(str(target.pid), plan=wanted) as collector:
            mapped = collector.wait(
                FunctionsWatched, lambda event: event.functions[0].library == str(targets.library)
            ).functions
            hot = next(each for each in mapped if each.name == "hot")
            assert not hot.returns and "times a second" in hot.unproven
            assert collector.wait(CountingStopped).functions == [hot.id]
            assert next(each for each in mapped if each.name == "fill").returns
    finally:
        target.kill()
        target.wait()


@pytest.mark.longer
def test_results_of_what_is_called_often_only_at_first_are_read_when_that_is_over(targets: Targets, live: None) -> None:
    target = subprocess.Popen([targets.program, "calms:1.5"])
    try:
        with Collector(str(target.pid), plan=plan(FunctionPlan(name="refuse"), STRIDE)) as collector:
            refuse = function(collector, "refuse")
            read = collector.wait(
                FunctionsWatched, lambda event: any(each.id == refuse.id and each.returns for each in event.functions)
            )
            assert [each.name for each in read.functions if each.id == refuse.id] == ["refuse"]
            collector.wait(
                OutcomesCounted, lambda e: any((o.function, o.result) == (refuse.id, 100) for o in e.outcomes)
            )
    finally:
        target.kill()
        target.wait()


@pytest.mark.longer
def test_what_strangers_call_takes_no_results_from_the_observed_program(targets: Targets, live: None) -> None:
    """Enough results are enough of the tree's own, unless strangers would pay for many more."""
    target = subprocess.Popen([targets.program, "wait", "refuse:3", "wait"], stdin=subprocess.PIPE)
    assert target.stdin is not None
    try:
        with Collector(str(target.pid), plan=plan(FunctionPlan(name="refuse"), STRIDE)) as collector:
            refuse = function(collector, "refuse")
            assert refuse.returns
            for _ in range(2):
                subprocess.run([targets.program, "refuse:300"], check=True, stdout=subprocess.DEVNULL)
            target.stdin.write(b"\n")
            target.stdin.flush()
            collector.wait(OutcomesCounted, lambda e: any((o.function, o.count) == (refuse.id, 3) for o in e.outcomes))
    finally:
        target.kill()
        target.wait()


@pytest.mark.longer
def test_the_answer_that_all_is_settled_comes_when_what_is_mapped_is_counted(targets: Targets, live: None) -> None:
    target = subprocess.Popen([targets.program, "wait"], stdin=subprocess.PIPE)
    try:
        with Collector(str(target.pid), plan=plan(FILL, STRIDE)) as collector:
            collector.send(Settle(id=5))
            assert collector.wait(Settled).id == 5
            assert any(
                _is(each, "fill") and each.returns for e in collector.all(FunctionsWatched) for each in e.functions
            )
    finally:
        target.kill()
        target.wait()
