"""Lists: sorted, with chosen columns, folded, tagged, wrapped; by keys and with the mouse."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from inspector.model.fold import apply_all
from inspector.stream.events import AnyEvent
from inspector.stream.logs import LogFound, LogLine, LogRead
from inspector.stream.processes import ProcessEnded, ProcessExec, ProcessStarted
from inspector.view.pane_context import PaneContext
from inspector.view.tables.process_groups import Folds
from inspector.view.tables.processes import processes
from inspector.view.tables.row import Column, ListTable, Row, cell, plain
from inspector.view.tables.sorted_table import Sorter
from inspector.view.tables.sorting import Sorting, value_of

from .app_harness import AppHarness, fixed_answer, running_app
from .feeds import FakeFeed
from .sample import SERVER, at, main_question


def tool(pid: int, name: str, code: int = 0, ppid: int = SERVER) -> list[AnyEvent]:
    """A short-lived program of a wrapper script."""
    begin = at(3) + pid * 1_000_000
    return [
        ProcessStarted(at=begin, pid=pid, ppid=ppid, started=begin, origin="fork", comm=name),
        ProcessExec(
            at=begin, pid=pid, argv=[f"/usr/bin/{name}"], exe=f"/usr/bin/{name}", file=f"1:2:{name}", cwd="/", uid=0,
            environment={}, other_keys=0, unit="", interpreter="", elf_class=64, secure=False, static=False,
        ),
        ProcessEnded(at=begin + 2_000_000, pid=pid, code=code, signal=None),
    ]  # fmt: skip


HELPERS = [*tool(5001, "readlink"), *tool(5002, "readlink"), *tool(5003, "rm", 1)]


def rows_of(events: list[AnyEvent], folds: Folds) -> list[str]:
    """The processes as they are listed."""
    state = apply_all(events)
    table = processes(PaneContext(state=state, answer=fixed_answer(state, state.profiles)), folds)
    return [plain(table.row(index)) for index in range(len(table))]


def first_column(ui: AppHarness) -> list[str]:
    """What the first column of the list of processes holds."""
    begin = next(number for number, line in enumerate(ui.lines) if "PID" in line)
    found = [line[1:].split() for line in ui.lines[begin + 1 : -1] if line.strip()]
    return [words[0] for words in found if words and words[0].isdecimal()]


def test_helper_programs_are_one_row_until_it_is_unfolded() -> None:
    folds = Folds()
    rows = rows_of([*main_question(), *HELPERS], folds)
    assert any("+4 helper programs" in row or "+3 helper programs" in row for row in rows)
    assert not any(row.endswith("5001") or "5001  " in row for row in rows) and "readlink ×2" in "".join(rows)
    group = next(iter(folds.groups))
    assert folds.turn(group, 1) == group
    assert any("5001" in row for row in rows_of([*main_question(), *HELPERS], folds))
    assert folds.turn(next(key for key in folds.above if key.startswith("5001:")), -1) == group
    assert not any("5001" in row for row in rows_of([*main_question(), *HELPERS], folds))


def test_runs_that_differ_in_a_port_only_are_one_row_and_found_by_their_pid() -> None:
    runs = [event for pid in range(6001, 6005) for event in tool(pid, "runner")]
    runs = [
        replace(one, argv=["runner", "--port", str(30_000 + one.pid)]) if isinstance(one, ProcessExec) else one
        for one in runs
    ]
    folds, state = Folds(), apply_all([*main_question(), *runs])
    answer = fixed_answer(state, state.profiles)
    spoken = [replace(answer.findings[0], pid=pid) for pid in range(6001, 6005)]
    table = processes(PaneContext(state=state, answer=replace(answer, findings=spoken)), folds)
    (group,) = [index for index in range(len(table)) if "×4 alike: runner --port" in plain(table.row(index))]
    assert table.find("6003") == group and "exit 0" in plain(table.row(group))


def test_nobody_is_a_helper_before_there_is_an_answer() -> None:
    state = apply_all([*main_question(), *HELPERS])
    table = processes(PaneContext(state=state), Folds())
    assert any("5001" in plain(table.row(index)) for index in range(len(table)))


def test_a_folded_row_hides_its_children_and_says_how_many() -> None:
    folds = Folds()
    everything = rows_of(main_question(), folds)
    key = next(iter(folds.above.values()))
    assert folds.turn(key, -1) == key
    folded = rows_of(main_question(), folds)
    assert len(folded) < len(everything) and "▸ 2 below" in folded[0]
    assert folds.turn(key, 1) == key and rows_of(main_question(), folds) == everything


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["10", "9", "1,000"], ["9", "10", "1,000"]),
        (["2 s", "310 ms", "1 min"], ["310 ms", "2 s", "1 min"]),
        (["1.6 MB", "900 KB", ""], ["900 KB", "1.6 MB", ""]),
        (["since 14:03", "beta", "Alpha"], ["Alpha", "beta", "since 14:03"]),
        (["├─ b", "a"], ["a", "├─ b"]),
    ],
)
def test_cells_are_sorted_by_what_they_mean(texts: list[str], expected: list[str]) -> None:
    assert sorted(texts, key=value_of) == expected


@given(st.lists(st.text(max_size=8), max_size=8))
def test_any_cells_can_be_sorted(texts: list[str]) -> None:
    assert len(sorted(texts, key=value_of)) == len(texts)


def test_a_title_is_turned_up_down_and_off() -> None:
    first = Sorting().turned("PID")
    second = first.turned("PID")
    assert (first, second, second.turned("PID")) == (Sorting("PID"), Sorting("PID", True), Sorting())


async def test_a_click_on_a_title_sorts_and_s_does_the_same_by_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_app(FakeFeed(main_question()), monkeypatch) as ui:
        await ui.press("1")
        made = first_column(ui)
        await ui.pilot.click("#rows", offset=(3, 0))
        assert "PID ▴" in ui.text and first_column(ui) == sorted(made, key=int) and "├─" not in ui.text
        await ui.pilot.click("#rows", offset=(3, 0))
        assert "PID ▾" in ui.text and first_column(ui) == sorted(made, key=int, reverse=True)
        await ui.press("S")
        assert "PID ▴" in ui.text
        await ui.press("s", "enter")
        assert "PID ▾" in ui.text
        await ui.press("s", "enter")
        assert "PID ▾" not in ui.text and "├─" in ui.text


async def test_columns_are_hidden_and_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_app(FakeFeed(main_question()), monkeypatch) as ui:
        await ui.press("1", "s", "j", "j", "space")
        assert "· no" in ui.line_with("LIVED")
        await ui.press("escape")
        assert "LIVED" not in ui.text and "310 ms" not in ui.text and "END" in ui.text
        await ui.press("s", "j", "j", "space", "escape")
        assert "310 ms" in ui.text


async def test_left_and_right_fold_the_tree(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_app(FakeFeed(main_question()), monkeypatch) as ui:
        await ui.press("1", "g", "left")
        assert "▸ 2 below" in ui.text and "4720" not in ui.text.split("PID")[1]
        await ui.press("right")
        assert "4720" in ui.text.split("PID")[1]
        await ui.press("j", "left")
        assert str(SERVER) in ui.cursor


async def test_a_filter_finds_what_is_folded(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_app(FakeFeed([*main_question(), *HELPERS]), monkeypatch) as ui:
        await ui.press("1")
        assert "helper programs" in ui.text and "5003" not in ui.text
        await ui.press("slash", *"5003")
        assert "5003" in ui.text.split("PID")[1]
        await ui.press("escape")
        assert "helper programs" in ui.text


async def test_tagged_rows_are_copied_together(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_app(FakeFeed(main_question()), monkeypatch) as ui:
        await ui.press("1", "g", "m", "m")
        assert ui.text.count("■") == 2
        await ui.press("y")
        assert [line.split()[0] for line in ui.app.clipboard.splitlines()] == ["4711", "4720"]
        await ui.press("M")
        assert "■" not in ui.text


async def test_long_lines_are_wrapped_and_the_cursor_stays_in_sight(monkeypatch: pytest.MonkeyPatch) -> None:
    long = [LogLine(number=number, text=f"line{number} " + "word " * 60 + f"end{number}") for number in range(8)]
    found = LogFound(at=at(4), source=3, name="/l.log", kind="file", why="fd 2")
    events = [*main_question(), found, LogRead(at=at(5), source=3, lines=long, lines_total=8)]
    async with running_app(FakeFeed(events), monkeypatch) as ui:
        await ui.press("5", "G")
        assert "end7" not in ui.text
        await ui.press("w")
        assert "end7" in ui.text and "line7" in ui.cursor
        await ui.press("k", "k", "k")
        assert "line4" in ui.cursor and "end4" in ui.text
        await ui.press("g", "w")
        assert "end7" not in ui.text


async def test_the_timeline_is_sorted_too_and_the_title_says_by_what(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_app(FakeFeed(main_question()), monkeypatch, (120, 36)) as ui:
        await ui.press("4", "s", *["j"] * 3, "enter")
        main = ui.app.main
        assert main is not None
        listing = main.actions.pane.listing
        await ui.until(lambda: bool(listing.sorting.title) and not listing.sorts)
        assert f"{listing.sorting.title} ▴" in ui.text
        place = [one.title for one in listing.table.columns].index(listing.sorting.title)
        words = [plain_cell(listing.row(number), place) for number in range(len(listing))]
        assert words == sorted(words, key=value_of)
        await ui.press("S")
        await ui.until(lambda: listing.sorting.descending and not listing.sorts)
        again = [value_of(plain_cell(listing.row(number), place)) for number in range(len(listing))]
        assert again == sorted(again, reverse=True) or any(one.empty for one in again)


def plain_cell(row: Row, place: int) -> str:
    """The text of one cell."""
    return "".join(text for text, _ in row.cells[place])


def test_a_long_table_is_sorted_in_small_pieces_and_again_when_rows_have_come() -> None:
    table = GrowingTable(9_000)
    sorter, sorting = Sorter(), Sorting("NUMBER", descending=True)
    assert sorter.arranged(table, sorting) is table
    pieces = 0
    while sorter.busy:
        sorter.go_on(0.0)
        pieces += 1
    done = sorter.arranged(table, sorting)
    numbers = [done.row(index).key for index in range(len(done))]
    assert pieces > 5 and numbers == sorted(numbers, key=int, reverse=True)
    assert done.find("17") == numbers.index("17") and done.near(17) == numbers.index(table.row(17).key)
    table.count = 9_500
    assert len(sorter.arranged(table, sorting)) == 9_000 and sorter.busy
    while sorter.busy:
        sorter.go_on(1.0)
    assert len(sorter.arranged(table, sorting)) == 9_500


class GrowingTable(ListTable):
    """Numbers in no order, one a row."""

    def __init__(self, count: int) -> None:
        super().__init__((Column("NUMBER", 8),), ())
        self.count = count

    def __len__(self) -> int:
        return self.count

    def row(self, index: int) -> Row:
        number = str(index * 7_919 % 10_007)
        return Row(number, (cell(number),))

    def find(self, key: str) -> int | None:
        return next(index for index in range(self.count) if self.row(index).key == key)

    def near(self, at: int) -> int | None:
        return at
