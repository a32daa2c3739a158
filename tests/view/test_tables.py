"""What the rows and their details say, without a screen."""

from msgspec.structs import replace

from inspector.demo.cases import find
from inspector.demo.record import recording_of
from inspector.model.fold import apply_all
from inspector.model.state import State
from inspector.model.verdict import Answer, Finding, Link, Mode
from inspector.stream.calls import CallsInside, FileOpened, LoaderRefused, OpenCall
from inspector.stream.events import AnyEvent
from inspector.stream.libraries import CandidateFound, Dependency, LoadPredicted, PreloadChecked
from inspector.stream.machine import PreloadFileRead, UnitFile, UnitRead, UnitSetting
from inspector.stream.processes import (
    Peer,
    ProcessEnded,
    ProcessStarted,
    SameNameProcess,
    SignalDelivered,
    SocketsRead,
    ThreadWaits,
)
from inspector.stream.recording import Recording
from inspector.view.pane_context import PaneContext, Scope
from inspector.view.tables.gpu import gpu, value_words
from inspector.view.tables.libraries import libraries
from inspector.view.tables.processes import processes
from inspector.view.tables.row import ListTable, plain
from inspector.view.tables.timeline import inside_now

from .sample import FIRST, SERVER, SHIM_PATH, at, main_question


def context_of(*more: AnyEvent, process: tuple[int, int] | None = None) -> PaneContext:
    """The main question and some more events."""
    state = apply_all([*main_question(), *more], State())
    return PaneContext(state=state, scope=Scope(process=process), now=at(15))


def notes(table: ListTable, key: str) -> list[str]:
    """The details of a row, line by line."""
    index = table.find(key)
    assert index is not None, [table.row(place).key for place in range(len(table))]
    return [f"{note.label} {note.text}".strip() for note in table.details(index).notes]


def rows(table: ListTable) -> list[str]:
    """All rows as text."""
    return [plain(table.row(index)) for index in range(len(table))]


def test_a_unit_says_of_each_setting_whether_it_is_in_force() -> None:
    place = "/etc/systemd/system/ollama.service.d/vgpu.conf"
    settings = [
        UnitSetting(key="LD_PRELOAD", value=SHIM_PATH, path=place, line=3),
        UnitSetting(key="OLLAMA_NUM_GPU", value="999", path=place, line=4),
        UnitSetting(key="OLLAMA_DEBUG", value="2", path=place, line=5),
    ]
    unit = UnitRead(
        at=at(4), unit="ollama.service", files=[UnitFile(path=place, mtime=1)], settings=settings, needs_reload=True
    )
    said = notes(processes(context_of(unit)), str(SERVER))
    assert f"LD_PRELOAD={SHIM_PATH} (vgpu.conf:3): in force" in said
    assert "OLLAMA_NUM_GPU=999 (vgpu.conf:4): not in this process" in said
    assert "OLLAMA_DEBUG=2 (vgpu.conf:5): this process has 1" in said
    assert any("daemon-reload" in one for one in said)


def test_the_preload_file_of_the_machine_is_shown_with_its_carriers() -> None:
    preload = PreloadFileRead(
        at=at(4), path="/etc/ld.so.preload", entries=["/opt/x.so"], carriers=212, carrier_names=["sshd", "bash"]
    )
    said = notes(processes(context_of(preload)), str(SERVER))
    assert "ld.so.preload /opt/x.so" in said
    assert "in 212 processes on this machine: sshd, bash" in said


def test_a_process_tells_where_its_output_goes_what_it_serves_and_what_it_could_not_open() -> None:
    sockets = SocketsRead(
        at=at(4), pid=SERVER, listening=["127.0.0.1:11434"], connected=[Peer(address="127.0.0.1:80", pid=9, argv="x")]
    )
    opened = FileOpened(at=at(4), pid=SERVER, tid=SERVER, path="/var/log/vgpu.log", errno=13, count=3)
    said = notes(processes(context_of(sockets, opened)), str(SERVER))
    assert "fd 1 /dev/null: output written here is lost" in said
    assert "serves 127.0.0.1:11434" in said and "talks to 127.0.0.1:80 9 x" in said
    assert "opens /var/log/vgpu.log: EACCES, 3 times" in said


def test_a_crash_names_signal_library_and_symbol() -> None:
    crash: list[AnyEvent] = [
        ProcessStarted(at=at(4), pid=900, ppid=SERVER, started=at(4), origin="fork"),
        SignalDelivered(
            at=at(5), pid=900, tid=900, signal=11, fatal=True, library=SHIM_PATH, symbol="nvmlInit_v2", offset=0x1C4
        ),
        ProcessEnded(at=at(5), pid=900, signal=11),
    ]
    table = processes(context_of(*crash))
    assert any("! SIGSEGV in libvgpu-cuda.so.1" in row for row in rows(table))
    assert f"signal SIGSEGV at nvmlInit_v2+0x1c4 in {SHIM_PATH}" in notes(table, "900")


def test_a_kill_from_outside_blames_no_library() -> None:
    killed: list[AnyEvent] = [
        ProcessStarted(at=at(4), pid=900, ppid=SERVER, started=at(4), origin="fork"),
        SignalDelivered(at=at(5), pid=900, tid=900, signal=9, fatal=True, library="/lib/libc.so.6"),
        ProcessEnded(at=at(5), pid=900, signal=9),
    ]
    sight = context_of(*killed)
    assert any("○ SIGKILL" in row and "libc" not in row for row in rows(processes(sight)))
    assert not [one for one in sight.state.timeline if one.bad and one.pid == 900]


def test_a_kill_is_red_where_the_answer_tells_of_it() -> None:
    killed = ProcessEnded(at=at(5), pid=900, signal=9)
    sight = context_of(ProcessStarted(at=at(4), pid=900, ppid=SERVER, started=at(4), origin="fork"), killed)
    finding = Finding(rule="discovery-timeout", severity="error", confidence="likely", title="t", cause="c",
                      next_step="n", evidence=[], pid=900,
                      chain=[Link(text="killed", kind="end", pid=900)])  # fmt: skip
    answer = Answer(mode=Mode(verdict="cpu", confidence="likely"), ladders=[], findings=[finding], coverage="all")
    assert any("✗ SIGKILL" in row for row in rows(processes(replace(sight, answer=answer))))


def test_others_of_the_same_name_stand_below_the_tree() -> None:
    other = SameNameProcess(at=at(4), pid=77, argv=["/snap/ollama", "serve"], exe="/snap/ollama", listening=["*:11434"])
    table = processes(context_of(other))
    assert "other tree: press o" in rows(table)[-1]
    assert "serves *:11434" in notes(table, "other:77")


def test_a_useless_preload_entry_is_a_library_that_did_not_load() -> None:
    words = "object '/x.so' from LD_PRELOAD cannot be preloaded: ignored."
    entry = PreloadChecked(at=at(4), pid=SERVER, source="LD_PRELOAD", entry="/x.so", usable=False, words=words)
    assert f"LD_PRELOAD: {words}" in rows(libraries(context_of(entry)))[0] + rows(libraries(context_of(entry)))[1]


def test_a_backend_of_which_no_load_was_seen_is_listed_as_such() -> None:
    candidate = CandidateFound(
        at=at(4),
        pid=SERVER,
        profile="ollama",
        path="/lib/ollama/libggml-hip.so",
        file="fe:1:3",
        directory="/lib/ollama",
    )
    would = LoadPredicted(at=at(4), pid=SERVER, name="/lib/ollama/libggml-hip.so", ok=True)
    assert "backend: no load was seen, it would load" in rows(libraries(context_of(candidate, would)))[-1]


def test_a_library_tells_by_which_rule_of_the_loader_it_is_found() -> None:
    found = Dependency(name="libcuda.so.1", path=SHIM_PATH, by="x", rule="LD_LIBRARY_PATH")
    prediction = LoadPredicted(at=at(4), pid=SERVER, name="libcuda.so.1", ok=True, tree=[found])
    assert "found by LD_LIBRARY_PATH" in notes(libraries(context_of(prediction)), SHIM_PATH)


def test_a_library_that_lacks_a_name_is_loaded_all_the_same() -> None:
    asked = LoaderRefused(at=at(9.0), pid=SERVER, tid=SERVER, object=SHIM_PATH, text="undefined symbol: cuNothing")
    absent = LoaderRefused(at=at(9.0), pid=SERVER, tid=SERVER, object="libnope.so.1", text="cannot open shared object")
    before, shown = rows(libraries(context_of())), rows(libraries(context_of(asked, absent)))
    assert len(shown) == len(before) + 1
    assert any("libnope.so.1" in row and "not loaded" in row for row in shown)


def test_one_process_narrows_the_libraries() -> None:
    table = libraries(context_of(process=(FIRST, at(2.0))))
    assert "2 files in 4720 ollama runner, 1 optional not loaded" in table.heading


def test_an_open_call_is_counted_in_seconds_with_its_wait() -> None:
    inside = CallsInside(at=at(4), open=[OpenCall(pid=SERVER, tid=SERVER, function=3, entered=at(3))])
    waits = ThreadWaits(at=at(4), pid=SERVER, tid=SERVER, syscall="futex")
    assert inside_now(context_of(inside, waits)) == "4711 inside cuMemAlloc_v2 for 12.0 s, waiting in futex"


def test_the_gpu_pane_counts_who_called_nothing() -> None:
    table = gpu(context_of())
    assert any("2 of 3 processes called none of 3 watched functions" in row for row in rows(table))
    said = notes(table, f"{FIRST}:1")
    assert f"returned CUDA_ERROR_NO_DEVICE to {SHIM_PATH} (the library itself)" in said


def test_values_read_as_people_read_them() -> None:
    assert value_words("total", 85_520_809_984) == "79.65 GiB"
    assert value_words("pointer", 255) == "0xff"
    assert value_words("count", 1) == "1"


def test_two_files_of_one_name_are_told_apart_by_their_folders_wherever_they_are_listed() -> None:
    case = find("two-copies")
    assert case is not None
    context = PaneContext(apply_all(Recording(str(recording_of(case)))))
    listed = [plain(libraries(context).row(index)) for index in range(2)]
    assert "…/opt/ripo/libcuda.so.1" in listed[0] and "…/srv/ripo/libcuda.so.1" in listed[1]


def test_calls_inside_each_other_on_one_thread_are_told_once() -> None:
    calls = [OpenCall(pid=SERVER, tid=SERVER, function=number, entered=at(3)) for number in (3, 4)]
    assert inside_now(context_of(CallsInside(at=at(4), open=calls))).count("4711 inside") == 1


def test_a_title_in_the_pane_gpu_has_the_whole_line() -> None:
    table = gpu(context_of())
    titles = [table.row(place) for place in range(len(table)) if table.row(place).key.startswith("calls:")]
    assert titles and all(len(row.cells) == 1 for row in titles)
