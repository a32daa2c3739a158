"""The timeline around the break: cause and effect are marked, it begins there, and what was made good is dimmed."""

import pytest
from msgspec.structs import replace

from inspector.demo.cases import CASES
from inspector.demo.record import recording_of
from inspector.model.verdict import Evidence
from inspector.stream.recording import Recording
from inspector.view.app import InspectorApp
from inspector.view.feed import Replay
from inspector.view.pane_context import PaneContext
from inspector.view.panes.timeline import TimelinePane
from inspector.view.tables.break_marks import CAUSE, EFFECT, break_marks, why_unmarked
from inspector.view.tables.logs import moment_of_line, row_of_line
from inspector.view.tables.row import plain
from inspector.view.tables.timeline import Moments
from tests.recordings import ALL, OF_CASES, answer_of, state_of, together

from .app_harness import AppHarness


def shown(name: str) -> PaneContext:
    """What the panes are given of a case at its end."""
    state = state_of(name)
    return PaneContext(state, answer_of(name), now=state.now)


def row_at_start(name: str) -> str:
    """The row under the cursor when the timeline is opened."""
    pane = TimelinePane()
    pane.look(shown(name))
    assert pane.listing.chosen is not None
    return plain(pane.listing.table.row(pane.listing.chosen))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("the-question", "dlopen("),
        ("no-device", "cuInit -> 100"),
        ("child-crashed", "SIGSEGV"),
        ("lookup-failed", "dlsym(cuGetProcAddress_v2)"),
        ("driver-too-old", "cuDriverGetVersion -> 0"),
        ("export-table-refused", "cuGetExportTable("),
        ("implausible-compute", "cuDeviceGetAttribute -> 0"),
        ("absolute-path", "libcuda.so.1 mapped (dlopen)"),
        ("no-version-table", "libcudart.so.12 mapped"),
        ("call-blocked", "enters cuMemAlloc_v2"),
        ("discovery-timeout", "enters cuInit"),
        ("not-called", "grane mapped (executable)"),
        ("reading-overridden", "libvemi-mmap.so mapped (preload)"),
        ("placeholder-answered", "unknown function CALLED"),
        ("no-backend", "libgrami-cuda.so mapped (preload)"),
        ("static-program", "executes"),
        ("preload-missing", "LD_PRELOAD entry"),
        ("hidden-by-namespace", "LD_PRELOAD entry"),
        ("replaced-library", "the file on disk was replaced"),
        ("global-preload", "opens /etc/ld.so.preload"),
        ("called-only-by-itself", "libripo-cuda.so mapped (preload)"),
        ("not-offloaded", "offloaded 0/29 layers"),
    ],
)
def test_the_timeline_begins_at_the_cause(name: str, words: str) -> None:
    row = row_at_start(name)
    assert "◀ cause" in row and words in row


def test_the_cursor_goes_along_when_a_later_answer_names_another_break_until_a_person_moves_it() -> None:
    context = shown("the-question")
    state, answer = context.state, context.answer
    assert answer is not None
    load = next(one for one in state.timeline if one.kind == "load")
    proof = Evidence(text=load.text, pane="timeline", at=load.at, pid=load.pid, key=load.key)
    early = replace(answer, findings=[replace(answer.findings[0], chain=[], evidence=[proof])])
    pane, moved = TimelinePane(), TimelinePane()
    for one in (pane, moved):
        one.look(PaneContext(state, early))
    first = pane.listing.chosen
    moved.listing.move(1)
    for one in (pane, moved):
        one.look(PaneContext(state, answer))
    assert first is not None and pane.listing.chosen not in (None, first) and pane.moved
    assert moved.listing.chosen == 1


def test_what_the_program_says_in_the_end_is_the_effect() -> None:
    context = shown("the-question")
    marks = break_marks(context.answer, context.state.timeline)
    assert sorted(marks.values()) == [CAUSE, EFFECT]
    (effect,) = (place for place, mark in marks.items() if mark == EFFECT)
    assert "library=cpu" in context.state.timeline[effect].text


@pytest.mark.parametrize("name", ["not-called", "no-backend"])
def test_where_the_chain_has_no_word_of_the_program_its_own_word_of_the_mode_is_the_effect(name: str) -> None:
    context = shown(name)
    marks = break_marks(context.answer, context.state.timeline)
    effects = [context.state.timeline[place].kind for place, mark in marks.items() if mark == EFFECT]
    assert effects == ["log"]


def test_a_jump_to_null_is_told_with_its_address() -> None:
    signals = [one.text for one in shown("null-success").state.timeline if one.kind == "signal"]
    assert signals == ["SIGSEGV at address 0x0"]


@pytest.mark.parametrize("name", together(case.name for case in CASES if case.family == "healthy"))
def test_where_nothing_is_wrong_nothing_is_marked_and_the_newest_is_shown(name: str) -> None:
    context = shown(name)
    pane = TimelinePane()
    pane.look(context)
    assert break_marks(context.answer, context.state.timeline) == {}
    assert pane.listing.chosen == len(pane.listing.table) - 1


def test_refusals_that_were_made_good_are_dimmed_and_can_be_hidden() -> None:
    context = shown("preload-one-missing")
    pane = TimelinePane()
    pane.look(context)
    rows = [pane.listing.table.row(index) for index in range(len(pane.listing.table))]
    dimmed = [row for row in rows if any(text == "· " for text, _ in row.cells[-1])]
    assert len(dimmed) == 3 and all(tone == "quiet" for row in dimmed for _, tone in row.cells[-1])
    assert pane.hide(context) == "3 excused refusals hidden, h shows them"
    pane.look(context)
    assert len(pane.listing.table) == len(rows) - 3
    assert pane.hide(context) == "all events are shown"
    pane.look(context)
    assert len(pane.listing.table) == len(rows)


async def test_e_goes_to_the_next_refusal_that_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    case = next(case for case in CASES if case.name == "preload-missing")
    app = InspectorApp(Replay(Recording(str(recording_of(case)))))
    async with app.run_test(size=(120, 36)) as pilot:
        ui = AppHarness(app, pilot)
        await ui.until_shown("← entry")
        await ui.press("4")
        await ui.until(lambda: "◀ cause" in ui.cursor)
        await ui.press("g", "e")
        assert "✗" in ui.cursor and "◀ cause" not in ui.cursor
    assert app.session is not None
    app.session.close()


@pytest.mark.parametrize("name", together(OF_CASES))
def test_a_log_line_has_one_time_and_one_sign_in_timeline_and_logs(name: str) -> None:
    context = shown(name)
    moments = Moments(context)
    for index, moment in enumerate(context.state.timeline):
        source, _, number = moment.key.partition(":")
        if moment.kind != "log" or not number:
            continue
        held = context.state.logs[int(source)].lines
        line = next(one for one in held if one.number == int(number))
        at = moment_of_line(context.state, context.state.logs[int(source)], line)
        seconds, time, *_, words = row_of_line(context.state, int(source), line, at).cells
        row = moments.row(index).cells
        assert row[0] == seconds and row[1] == time
        assert ("! " in [text for text, _ in row[-1]]) == (words[0][0] == "! "), plain(moments.row(index))


def test_lines_that_came_together_stand_in_the_timeline_as_in_their_log() -> None:
    keys = [one.key for one in shown("two-copies").state.timeline if one.kind == "log" and one.key]
    assert keys == sorted(keys, key=lambda key: int(key.partition(":")[2]))


def test_the_details_of_a_moment_say_what_happened_once() -> None:
    context = shown("the-question")
    moments = Moments(context)
    for index, moment in enumerate(context.state.timeline):
        details = moments.details(index)
        assert moment.text not in [note.text for note in details.notes] or details.title != moment.text


def test_a_file_that_was_looked_into_as_a_folder_is_no_refusal() -> None:
    opens = [one for one in shown("no-backend").state.timeline if "ENOTDIR" in one.text]
    assert opens and not any(one.bad for one in opens)


WITHOUT = {
    "too-late": "before we attached",
    "other-service-answers": "before we attached",
    "gpustat-polls-late": "before we attached",
    "koffi-refused-late": "a log line without a time",
    "linux510-unseen": "the cause itself was not seen as an event",
    "keops-nonvrtc": "the cause itself was not seen as an event",
}
"""Causes that no event can tell of, and what the pane says of that."""


@pytest.mark.parametrize("name", together(ALL))
def test_the_cause_is_marked_once_or_it_is_said_why_no_event_tells_of_it(name: str) -> None:
    state, answer = state_of(name), answer_of(name)
    marks = break_marks(answer, state.timeline)
    wrong = bool(answer.findings) and answer.findings[0].severity != "info"
    why = why_unmarked(answer, marks, state)
    assert list(marks.values()).count(CAUSE) == (wrong and not why)
    assert WITHOUT.get(name, "") in why
    if why:
        assert why in Moments(PaneContext(state, answer, now=state.now)).heading
