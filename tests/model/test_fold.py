"""Events fold into a state that never loses its order, never raises and stays bounded."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspector.demo.cases import CASES
from inspector.demo.record import recording_of
from inspector.model.fold import apply, apply_all
from inspector.model.folding import logs, timeline
from inspector.model.state import State
from inspector.model.tree import environment_change, libraries, program
from inspector.stream.base import Event
from inspector.stream.calls import CallCount, CallsCounted, CallsInside, LookedUp, OpenCall, TriedFile
from inspector.stream.events import AnyEvent
from inspector.stream.libraries import LibraryMapped, PreloadChecked
from inspector.stream.logs import LogFound, LogLine, LogRead
from inspector.stream.processes import EnvironmentRead, ProcessEnded, ProcessStarted, SignalDelivered
from inspector.stream.recording import Recording
from inspector.stream.session import CollectorWaits, ProgramCutShort
from inspector.stream.syscalls import FolderListed, SystemCallRefused, SystemCallsSummed, SystemCallSum

from . import strategies
from .build import DRIVER, MS, SECOND, WALL, Story


def test_a_child_that_forked_and_died_keeps_its_parents_program_and_libraries() -> None:
    story = Story()
    story.process(812, ("/opt/app/server", "serve"), environment={"LD_PRELOAD": "/opt/shim.so"})
    story.driver(812, route="preload")
    story.tell(ProcessStarted(at=story.later(), pid=850, ppid=812, started=story.now, origin="fork"))
    story.end(850, code=2)
    child = story.state.current[850]
    ran = program(child)
    assert ran is not None and ran.argv == ["/opt/app/server", "serve"]
    assert [library.path for library in libraries(child).values()] == ["/opt/shim/libcuda.so.1"]
    assert child.end is not None and child.end.code == 2


def test_a_collector_that_does_not_go_on_is_a_limit_and_its_going_on_ends_the_word_of_it() -> None:
    story = Story()
    for _ in range(2):
        story.tell(CollectorWaits(at=story.later(), doing="opening /mnt/far/x"))
    assert story.state.collector_waits == "opening /mnt/far/x"
    assert ["opening /mnt/far/x" in limit.why for limit in story.state.limits] == [True]
    story.tell(CollectorWaits(at=story.later(), doing=""))
    assert story.state.collector_waits == "" and len(story.state.limits) == 1


def test_an_exec_forgets_what_the_old_program_mapped() -> None:
    story = Story()
    story.process(812, ("/bin/sh",))
    story.map(812, "/opt/shim.so", "preload")
    story.execute(812, ("/opt/app/server",))
    story.map(812, "/lib/libc.so.6")
    assert [library.path for library in story.state.current[812].libraries.values()] == ["/lib/libc.so.6"]


def test_the_difference_to_the_parents_environment_names_each_key() -> None:
    story = Story()
    story.process(1, environment={"LD_PRELOAD": "/a.so", "PATH": "/bin", "HOME": "/"})
    story.process(2, parent=1, environment={"PATH": "/usr/bin", "HOME": "/", "TMPDIR": "/t"})
    changes = environment_change(story.state.current[2])
    assert changes is not None
    assert [(change.key, change.change) for change in changes] == [
        ("LD_PRELOAD", "removed"), ("PATH", "changed"), ("TMPDIR", "added"),
    ]  # fmt: skip


def test_a_pid_that_is_used_again_is_another_process_and_late_counts_go_to_the_first() -> None:
    story = Story()
    story.process(812, ("/bin/first",))
    first_life = story.later()
    story.end(812)
    story.later(SECOND)
    story.process(812, ("/bin/second",))
    count = CallCount(pid=812, function=3, count=9, first=first_life, last=first_life)
    story.tell(CallsCounted(at=story.later(), counts=[count]))
    first, second = story.state.processes
    assert (first.counts[3].count, 3 in second.counts) == (9, False)
    assert second.previous is first and not second.ended


def test_events_of_unknown_processes_are_kept_under_a_made_up_one() -> None:
    state = State()
    apply(state, ProcessEnded(at=5, pid=99, signal=11))
    assert [(process.pid, process.origin, process.ended) for process in state.processes] == [(99, "unseen", 5)]


def test_the_timeline_is_in_order_of_time_whatever_order_events_come_in() -> None:
    state = State()
    for at in (50, 10, 40, 20, 30):
        apply(state, ProcessEnded(at=at, pid=at, code=1))
    assert [moment.at for moment in state.timeline] == [10, 20, 30, 40, 50]
    assert all(moment.bad for moment in state.timeline)


def test_a_library_that_was_mapped_before_we_attached_is_told_as_that() -> None:
    story = Story(attach=True)
    story.process(812, age=SECOND)
    story.map(812, "/opt/shim.so", "preload")
    story.map(812, "/opt/late.so", "dlopen")
    texts = [moment.text for moment in story.state.timeline]
    assert "shim.so was mapped already (preload)" in texts
    assert "late.so mapped (dlopen)" in texts


def test_the_timeline_tells_loads_lookups_calls_and_ends_in_plain_words() -> None:
    story = Story()
    story.process(812)
    story.driver(812)
    story.look_up(812, "dlsym", "cuInit", True, answer="/opt/shim/libcuda.so.1")
    story.look_up(812, "dlsym", "cuCtxGetFlags", False)
    story.call(812, "cuInit", 100, values={})
    story.end(812, signal=11)
    texts = [moment.text for moment in story.state.timeline]
    assert "libcuda.so.1 mapped (dlopen) [provides cuda-driver]" in texts
    assert "dlsym(cuCtxGetFlags) by libbackend.so: refused" in texts
    assert "cuInit -> 100 (CUDA_ERROR_NO_DEVICE), called by libbackend.so" in texts
    assert any(text.startswith("killed by SIGSEGV after") for text in texts)
    assert sum("cuInit -> 100" in text for text in texts) == 1


def test_a_result_that_is_normal_is_not_shown_as_bad() -> None:
    story = Story()
    story.process(812)
    story.watch("/opt/shim/libcuda.so.1", ["cuCtxGetDevice_v2"])
    story.call(812, "cuCtxGetDevice_v2", 201)
    assert [moment.bad for moment in story.state.timeline if moment.kind == "call"] == [False]


def test_hostile_text_reaches_the_timeline_harmless() -> None:
    story = Story()
    story.process(812, ("/bin/\x1b[31mred\x07",))
    story.end(812)
    assert not any("\x1b" in moment.text or "\x07" in moment.text for moment in story.state.timeline)


def test_a_flood_of_log_lines_keeps_the_newest_and_those_that_mean_something() -> None:
    state = State()
    apply(state, LogFound(at=1, source=1, name="x", kind="file", why="fd 2"))
    total = 0
    for block in range(60):
        lines = [LogLine(number=total + i, text=f"noise {i}") for i in range(1000)]
        if block == 0:
            lines[7] = LogLine(number=7, text="ggml_cuda_init: failed to initialize CUDA: no driver")
        total += 1000
        apply(state, LogRead(at=2 + block, source=1, lines=lines, lines_total=total))
    source = state.logs[1]
    assert source.lines[-1].number == 59_999
    assert source.lines[0].number == 7
    assert len(source.lines) <= logs.LINES_KEPT * 1.1 + 1
    assert len(source.seen_at) == len(source.lines)


def test_a_flood_of_understood_lines_keeps_the_first_and_the_newest() -> None:
    state = State()
    for number in range(3_000):
        line = LogLine(number=number, text=f"[libx] cuInit() CALLED (pid={number})")
        apply(state, LogRead(at=number, source=1, lines=[line], lines_total=number + 1))
    (readings,) = state.logs[1].readings.values()
    assert (readings[0].pid, readings[-1].pid) == (0, 2_999)
    assert len(readings) <= logs.READINGS_KEPT


def test_the_timeline_is_bounded_and_says_how_much_it_let_go() -> None:
    state = State()
    for at in range(timeline.LIMIT + 5):
        timeline.tell(state, at, 1, "note", "x")
    assert len(state.timeline) + state.timeline_dropped == timeline.LIMIT + 5
    assert len(state.timeline) <= timeline.LIMIT


def test_a_line_with_its_own_time_stamp_stands_at_that_time() -> None:
    story = Story()
    stamp = WALL - 10 * SECOND
    seconds = stamp // SECOND
    assert seconds == 1_759_999_990
    story.log('garbagetime=2025-10-09T08:53:10.000Z level=INFO msg="no compatible GPUs were discovered"', backlog=True)
    (reading,) = story.state.logs[1].readings["ollama:no-gpus-a"]
    assert reading.backlog
    assert reading.at == 100 * SECOND - 10 * SECOND


def test_counts_outside_any_known_function_do_not_disturb() -> None:
    story = Story()
    story.process(812)
    story.tell(CallsCounted(at=story.later(), counts=[CallCount(pid=812, function=77, count=3, first=1, last=2)]))
    assert story.state.current[812].counts[77].count == 3


def test_a_dead_process_keeps_the_call_that_it_died_in() -> None:
    story = Story()
    story.process(812)
    story.watch("/opt/shim/libcuda.so.1", DRIVER)
    story.inside(812, "cuInit", since=50 * MS)
    story.end(812, signal=9)
    story.process(900)
    story.inside(900, "cuInit", since=MS)
    assert [call.function for call in story.state.current[812].open_calls] == [1]


@settings(max_examples=100, deadline=None)
@given(st.lists(strategies.events(), max_size=25))
def test_no_stream_of_events_makes_the_fold_raise(events: list[Event]) -> None:
    state = apply_all(events)
    assert state.now == max([0, *(event.at for event in events)])
    assert [m.at for m in state.timeline] == sorted(m.at for m in state.timeline)


def test_every_event_kind_is_folded_or_is_the_answer_to_a_request() -> None:
    from inspector.model.fold import _HANDLERS

    answers = {"SymbolPage", "LogPage", "LineFound", "ProcessListed"}
    assert {kind.__name__ for kind in AnyEvent.__args__} - {kind.__name__ for kind in _HANDLERS} == answers
    assert all(issubclass(kind, msgspec.Struct) for kind in _HANDLERS)


def test_what_a_refused_load_had_mapped_is_gone_also_when_it_is_told_late() -> None:
    state, path = State(), "/lib/libggml-cuda.so"
    tried = [TriedFile(path=path, errno=0)]
    refused = LookedUp(at=SECOND, pid=9, tid=9, via="dlopen", name=path, requester="", found=False, tried=tried)
    late = LibraryMapped(at=SECOND + 2 * MS, pid=9, path=path, base=4096, file="1:2", route="dlopen")
    again = LookedUp(at=SECOND + 4 * MS, pid=9, tid=9, via="dlopen", name=path, requester="", found=True, answer=path)
    states = []
    for event in (refused, late, again):
        apply(state, event)
        states.append([library.state for library in state.current[9].libraries.values()])
    assert states == [[], ["unmapped"], ["current"]]


def test_refused_system_calls_and_folders_stand_in_the_timeline_with_what_they_were_about() -> None:
    story = Story()
    story.process(812)
    story.tell(
        SystemCallRefused(
            at=story.later(), pid=812, tid=812, call="ioctl", errno=25, subject="/dev/nvidiactl",
            arguments={"fd": 5, "request": 0xC0104652},
        )
    )  # fmt: skip
    story.tell(SystemCallRefused(at=story.later(), pid=812, tid=812, call="socket", errno=97, arguments={"domain": 1}))
    story.tell(FolderListed(at=story.later(), pid=812, tid=812, path="/usr/lib/wsl/lib"))
    story.tell(
        SystemCallsSummed(
            at=story.later(), pid=812, sums=[SystemCallSum(call="read", errno=11, count=9, first=1, last=2)]
        )
    )
    process = story.state.current[812]
    assert [moment.text for moment in story.state.timeline[-3:]] == [
        "ioctl(/dev/nvidiactl, request=0xc0104652): ENOTTY",
        "socket(domain=1): EAFNOSUPPORT",
        "lists /usr/lib/wsl/lib",
    ]
    assert [call.errno for call in process.refused_calls] == [25, 97]
    assert process.summed_calls[0].count == 9 and process.folders[0].path == "/usr/lib/wsl/lib"


def test_the_environment_in_memory_is_told_once_for_each_change_and_forgotten_at_an_exec() -> None:
    story = Story()
    story.process(812, environment={"CUDA_VISIBLE_DEVICES": "0"})
    for _ in range(2):
        story.tell(
            EnvironmentRead(
                at=story.later(), pid=812, why="cuInit refused", environment={"CUDA_VISIBLE_DEVICES": "-1"},
                changed=["CUDA_VISIBLE_DEVICES"],
            )
        )  # fmt: skip
    words = [moment.text for moment in story.state.timeline if "in its memory" in moment.text]
    assert words == ["in its memory now CUDA_VISIBLE_DEVICES=-1 (not so at its start)"]
    story.execute(812, ("/opt/app/other",))
    assert story.state.current[812].environments == []


def test_a_signal_from_another_process_names_its_sender() -> None:
    story = Story()
    story.process(812)
    story.tell(
        SignalDelivered(at=story.later(), pid=812, tid=812, signal=9, fatal=True, sender=77, sender_name="supervisor")
    )
    assert story.state.timeline[-1].text == "SIGKILL, sent by 77 supervisor"


def test_how_a_program_ends_when_the_observation_is_over_is_no_doing_of_its() -> None:
    story = Story()
    story.process(812)
    story.driver(812)
    story.inside(812, "cuInit", since=SECOND)
    story.tell(ProgramCutShort(at=story.later(), reason="the time is over"))
    story.tell(CallsInside(at=story.later(), open=[]))
    story.tell(ProcessEnded(at=story.later(), pid=812, code=None, signal=15))
    process = story.state.processes[0]
    assert not process.ended and process.end is None
    assert process.cut_short is not None and process.cut_short.signal == 15
    assert len(process.open_calls) == 1


def test_the_timeline_tells_a_library_of_a_refused_load_as_gone_again_and_a_mapped_entry_as_not_ignored() -> None:
    story = Story()
    story.process(812)
    story.driver(812, "/opt/shim.so", "preload")
    gone = PreloadChecked(
        at=story.later(), pid=812, source="LD_PRELOAD", entry="/opt/shim.so", usable=False, problem="no such file"
    )
    story.tell(gone)
    story.tell(msgspec.structs.replace(gone, entry="/opt/other.so"))
    texts = [moment.text for moment in story.state.timeline]
    assert "LD_PRELOAD entry /opt/shim.so: the next start will ignore it: no such file" in texts
    assert "LD_PRELOAD entry /opt/other.so is ignored: no such file" in texts
    entered = story.later()
    mapped = story.later()
    tried = TriedFile(path="/opt/b.so", errno=0)
    story.tell(LookedUp(at=story.later(), pid=812, tid=812, via="dlopen", name="/opt/b.so", requester="/opt/app",
                        found=False, error="undefined symbol: x", entered=entered, tried=[tried]))  # fmt: skip
    story.tell(LibraryMapped(at=mapped, pid=812, base=4096, path="/opt/b.so", file="f:b", route="dlopen"))
    assert "b.so mapped during the refused load, gone again (dlopen)" in [one.text for one in story.state.timeline]


def test_what_a_refused_load_mapped_is_gone_though_it_is_told_late_unless_it_was_asked_for_again() -> None:
    for again in (False, True):
        story = Story()
        story.process(812)
        path, entered = "/opt/shim/libcuda.so.1", story.later()
        asked = LookedUp(at=story.later(), pid=812, tid=812, via="dlopen", name="libcuda.so.1", requester="/opt/app",
                         found=False, error="libdep.so.2: cannot open shared object file", entered=entered,
                         tried=[TriedFile(path=path, errno=0)])  # fmt: skip
        story.tell(asked)
        if again:
            second = msgspec.structs.replace(asked, at=asked.at + 300_000_000, entered=asked.at + 100_000_000)
            story.tell(msgspec.structs.replace(second, found=True, answer=path, error="", tried=[]))
        late = LibraryMapped(at=asked.at + 500_000_000, pid=812, base=4096, path=path, file="f:cuda", route="dlopen",
                             asked="libcuda.so.1")  # fmt: skip
        story.tell(late)
        assert story.state.processes[0].libraries[4096].state == ("current" if again else "unmapped")


def test_counting_in_a_file_that_nobody_maps_is_told_with_its_path() -> None:
    story = Story()
    story.watch("/opt/shim/libcuda.so.1", DRIVER)
    (note,) = [one.text for one in story.state.timeline if one.text.startswith("counting of")]
    assert "of /opt/shim/libcuda.so.1 begins" in note and note.endswith(", not seen mapped so far")


def test_a_call_that_stays_open_is_told_once_where_it_was_entered() -> None:
    story = Story()
    story.process(812)
    story.driver(812)
    entered = story.later()
    number = next(iter(story.state.functions))
    call = OpenCall(pid=812, tid=812, function=number, entered=entered)
    for _ in range(2):
        story.tell(CallsInside(at=story.later(SECOND), open=[call]))
    (told,) = [one for one in story.state.timeline if one.text.startswith("enters ")]
    assert (told.at, told.pid, told.bad) == (entered, 812, False)


@pytest.mark.parametrize("name", ["one-of-ten-names", "the-question", "driver-too-old"])
def test_a_line_of_a_log_is_one_moment_however_many_rules_understand_it(name: str) -> None:
    case = next(one for one in CASES if one.name == name)
    state = apply_all(Recording(str(recording_of(case))))
    keys = [moment.key for moment in state.timeline if moment.kind == "log"]
    assert keys and len(keys) == len(set(keys))
