"""Logs of many sources on one clock, and one source of any length."""

from hypothesis import given
from hypothesis import strategies as st

from inspector.demo.cases import CASES
from inspector.demo.record import recording_of
from inspector.model.fold import apply_all
from inspector.model.state import State
from inspector.stream.events import AnyEvent
from inspector.stream.logs import LogFound, LogLine, LogRead
from inspector.stream.processes import ProcessEnded, ProcessStarted
from inspector.stream.recording import Recording
from inspector.stream.session import SessionStarted
from inspector.view.pane_context import PaneContext
from inspector.view.tables.log_heading import heading_of
from inspector.view.tables.logline import read_line, reads_bad
from inspector.view.tables.logs import MergedLog, WholeLog

from .sample import START, WALL, at


def source(number: int, name: str, *, moment: float, backlog: bool, texts: list[str], first: int = 0) -> list[AnyEvent]:
    """A log and some lines of it that came at one moment."""
    lines = [LogLine(number=first + place, text=text) for place, text in enumerate(texts)]
    return [
        LogFound(at=at(0), source=number, name=name, kind="file", why="fd 2"),
        LogRead(at=at(moment), source=number, lines=lines, lines_total=first + len(lines), backlog=backlog),
    ]


def stamped(seconds: int, words: str) -> str:
    """A line with its own time stamp."""
    return f'time=2026-01-02T03:04:{5 + seconds:02d}Z level=INFO msg="{words}"'


def state_of(*events: AnyEvent) -> State:
    """A state with a clock and these events."""
    start = SessionStarted(at=START, version="1", wall=WALL, host="h", kernel="6", uid=0, target="t", collector=1)
    return apply_all([start, *events])


def words(log: MergedLog | WholeLog) -> list[str]:
    """The message of each row."""
    return ["".join(text for text, _ in log.row(index).cells[-1]) for index in range(len(log))]


def merged(state: State, since: int = 0) -> MergedLog:
    """All sources, merged to the end."""
    log = MergedLog(state, tuple(state.logs), since)
    while log.grow(0):
        pass
    return log


def test_lines_of_many_sources_stand_in_order_of_time() -> None:
    first = source(1, "a.log", moment=9, backlog=True, texts=[stamped(1, "one"), stamped(3, "three"), "no stamp"])
    second = source(2, "b.log", moment=9, backlog=True, texts=[stamped(2, "two"), stamped(4, "four")])
    assert words(merged(state_of(*first, *second))) == ["one", "two", "three", "no stamp", "four"]


def test_a_time_that_a_line_does_not_tell_itself_is_marked_as_approximate() -> None:
    lines = source(1, "a.log", moment=9, backlog=True, texts=[stamped(1, "one"), "no stamp"])
    log = merged(state_of(*lines))
    times = [log.row(index).cells[0][0][0] for index in range(2)]
    assert times == ["+1.000", "~+1.000"]
    assert any("about " in note.text and "has no timestamp" in note.text for note in log.details(1).notes)


def test_new_lines_come_at_the_end_and_keep_the_epoch() -> None:
    state = state_of(
        *source(1, "a", moment=1, backlog=False, texts=["x"]), *source(2, "b", moment=2, backlog=False, texts=["y"])
    )
    log = merged(state)
    epoch = log.epoch
    apply_all(source(1, "a", moment=3, backlog=False, texts=["z"], first=1), state)
    log.grow(1)
    assert words(log) == ["x", "y", "z"] and log.epoch is epoch


def test_an_old_log_that_is_found_late_is_sorted_in() -> None:
    state = state_of(
        *source(1, "a", moment=5, backlog=False, texts=["new"]), *source(2, "b", moment=1, backlog=True, texts=[])
    )
    log = merged(state)
    epoch = log.epoch
    apply_all(source(2, "b", moment=6, backlog=True, texts=[stamped(1, "old")]), state)
    log.grow(1)
    assert words(log) == ["old", "new"] and log.epoch is not epoch


def test_lines_of_earlier_starts_can_be_left_out() -> None:
    texts = [stamped(1, "of an earlier start"), stamped(4, "of this start")]
    state = state_of(*source(1, "a", moment=9, backlog=True, texts=texts))
    assert words(merged(state, since=at(3))) == ["of this start"]


def test_a_moment_finds_the_line_before_it() -> None:
    texts = [stamped(1, "one"), stamped(3, "three")]
    log = merged(state_of(*source(1, "a", moment=9, backlog=True, texts=texts)))
    assert log.near(at(2)) == 0 and log.near(at(3)) == 1 and log.near(at(0)) is None


def test_evidence_finds_its_line_by_source_and_number() -> None:
    state = state_of(
        *source(1, "a", moment=1, backlog=False, texts=["x"]),
        *source(2, "b", moment=2, backlog=False, texts=["y", "z"]),
    )
    assert merged(state).find("2:1") == 2
    assert WholeLog(state, 2, None).find("2:1") == 1
    assert WholeLog(state, 2, None).find("1:0") is None


@given(st.lists(st.lists(st.integers(0, 50), max_size=20), min_size=1, max_size=4))
def test_merging_loses_no_line_and_keeps_the_order_of_each_source(moments: list[list[int]]) -> None:
    events: list[AnyEvent] = []
    for number, times in enumerate(moments):
        texts = [stamped(second, f"{number}:{place}") for place, second in enumerate(times)]
        events += source(number, f"{number}.log", moment=60, backlog=True, texts=texts)
    seen = words(merged(state_of(*events)))
    for number, times in enumerate(moments):
        assert [one for one in seen if one.startswith(f"{number}:")] == [
            f"{number}:{place}" for place in range(len(times))
        ]
    assert len(seen) == sum(map(len, moments))


def test_a_structured_line_shows_its_level_and_its_message_first() -> None:
    text = 'time=2026-01-02T03:04:05Z level=WARN source=a.go:1 msg="he said \\"no\\"" id=cpu error="x failed"'
    read = read_line(text)
    assert (read.level, read.words) == ("warn", 'he said "no" id=cpu error="x failed"')
    assert reads_bad(State(), text)
    assert read_line("plain").level == "" and not reads_bad(State(), "plain")
    assert read_line("ggml ERROR: bad").level == "error"


def test_an_answer_that_ordinary_programs_get_is_no_trouble_whatever_the_log_calls_it() -> None:
    state = State()
    assert not reads_bad(state, "[libvgpu-cuda] cuCtxGetDevice() ERROR: return_code=201 (pid=4711)")
    assert reads_bad(state, "[libvgpu-cuda] cuInit() ERROR: return_code=100 (pid=4711)")


def _heading(state: State) -> str:
    return heading_of(PaneContext(state=state), None, merging=False, only="", whole=False)


def test_the_heading_counts_one_line_as_one_and_tells_what_is_wrong_with_a_source() -> None:
    state = state_of(
        *source(1, "a.log", moment=1, backlog=False, texts=["one"]),
        LogFound(at=at(0), source=2, name="b.log", kind="file", why="fd 2", readable=False, problem="EACCES"),
    )
    assert _heading(state) == "2 sources, 1 line; b.log: EACCES"


def test_no_log_of_a_tree_that_has_ended_is_not_waited_for() -> None:
    born = ProcessStarted(at=at(0), pid=7, ppid=1, started=at(0), origin="run", comm="x")
    assert _heading(state_of(born)) == "no log found yet"
    assert _heading(state_of(born, ProcessEnded(at=at(1), pid=7, code=0))) == "no log was found"


def test_lines_from_before_the_machine_was_started_keep_their_order_and_their_time() -> None:
    texts = ["2020-01-01 00:00:00Z one", "2020-06-01 00:00:00Z two"]
    lines = ["no stamp", *texts, stamped(1, "three")]
    log = merged(state_of(*source(1, "a", moment=5, backlog=True, texts=lines)))
    assert words(log) == ["no stamp", "one", "two", "three"]
    assert log.moment(0) == log.moment(1) < log.moment(2) < 0 < log.moment(3)
    assert "".join(text for text, _ in log.row(0).cells[0]).startswith("~-")


def test_the_heading_says_that_output_is_discarded() -> None:
    case = next(one for one in CASES if one.name == "output-discarded")
    words = _heading(apply_all(Recording(str(recording_of(case)))))
    assert "prints is lost: its stderr is /dev/null" in words
