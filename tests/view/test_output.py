"""Only differences travel, and the terminal shows the same as if everything did."""

import io
import select
import threading

import pyte
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspector.view.cell_diff import CellDiff
from inspector.view.driver import PendingOutput, PollableEvent

from .terminal import Terminal, cells

WIDTH, HEIGHT = 20, 4
CODES = ["", "1", "31", "38;5;200", "38;2;1;2;3;48;2;4;5;6", "7;39;49", "4;97;100", "39;49", "2;48;5;7"]
frames = st.lists(
    st.lists(
        st.tuples(
            st.integers(0, WIDTH - 1),
            st.integers(0, HEIGHT - 1),
            st.lists(st.tuples(st.text("ab ✓─…x", max_size=8), st.sampled_from(CODES)), max_size=3),
        ),
        max_size=5,
    ),
    min_size=1,
    max_size=6,
)


def naive(x: int, y: int, runs: list[tuple[str, str]]) -> str:
    """All of it, as it is put, cut at the edge."""
    out, room = [f"\x1b[{y + 1};{x + 1}H"], WIDTH - x
    for text, code in runs:
        out.append(f"\x1b[0;{code}m{text[:room]}" if code else f"\x1b[0m{text[:room]}")
        room -= len(text[:room])
    return "".join(out)


@settings(max_examples=80, deadline=None)
@given(frames, st.data())
def test_differences_show_what_full_frames_show(
    drawn: list[list[tuple[int, int, list[tuple[str, str]]]]], data: st.DataObject
) -> None:
    full, diff_output = pyte.Screen(WIDTH, HEIGHT), pyte.Screen(WIDTH, HEIGHT)
    whole, differing = pyte.Stream(full), pyte.Stream(diff_output)
    cell_diff = CellDiff()
    cell_diff.resize(WIDTH, HEIGHT)
    for frame in drawn:
        for x, y, runs in frame:
            whole.feed(naive(x, y, runs))
            cell_diff.put(x, y, runs)
        if data.draw(st.booleans()):
            differing.feed(cell_diff.flush())
    differing.feed(cell_diff.flush())
    assert cells(diff_output) == cells(full)


def test_an_unchanged_screen_costs_no_byte() -> None:
    cell_diff = CellDiff()
    cell_diff.resize(10, 2)
    cell_diff.put(0, 0, [("hello", "31")])
    assert cell_diff.flush()
    cell_diff.put(0, 0, [("hello", "31")])
    assert cell_diff.flush() == ""


def test_one_changed_cell_costs_some_bytes() -> None:
    cell_diff = CellDiff()
    cell_diff.resize(80, 24)
    cell_diff.put(0, 5, [("a" * 80, "31")])
    cell_diff.flush()
    cell_diff.put(40, 5, [("b", "31")])
    assert cell_diff.flush() == "\x1b[6;41H\x1b[31mb\x1b[0m"


def test_only_what_differs_of_a_colour_is_sent() -> None:
    cell_diff = CellDiff()
    cell_diff.resize(10, 1)
    cell_diff.put(0, 0, [("ab", "31;40"), ("cd", "32;40"), ("ef", "32;41"), ("gh", "1;32;41"), ("ij", "")])
    assert cell_diff.flush() == "\x1b[1;1H\x1b[31;40mab\x1b[32mcd\x1b[41mef\x1b[0;1;32;41mgh\x1b[0mij"


def test_a_line_with_wide_characters_is_drawn_whole() -> None:
    cell_diff = CellDiff()
    cell_diff.resize(8, 1)
    cell_diff.put(0, 0, [("日本ab", "")])
    cell_diff.flush()
    cell_diff.put(5, 0, [("c", "")])
    assert cell_diff.flush() == "\x1b[1;1H日本ac  "


def test_what_was_forgotten_is_drawn_again() -> None:
    cell_diff = CellDiff()
    cell_diff.resize(3, 1)
    cell_diff.put(0, 0, [("abc", "")])
    cell_diff.flush()
    cell_diff.forget()
    assert cell_diff.flush() == "\x1b[1;1Habc"


TALL = 12
windows = st.lists(st.tuples(st.integers(0, 40), st.integers(0, TALL), st.booleans()), min_size=2, max_size=6)


@pytest.mark.longer
@settings(max_examples=80, deadline=None)
@given(windows, st.integers(0, 3), st.sampled_from(["ab", "a✓b", "日本"]))
def test_a_list_that_scrolls_shows_what_full_frames_show(
    seen: list[tuple[int, int, bool]], head: int, word: str
) -> None:
    """Windows into a long list below some lines of a head, with a cursor and with details beside it."""
    full, diff_output = pyte.Screen(WIDTH, TALL), pyte.Screen(WIDTH, TALL)
    whole, differing = pyte.Stream(full), pyte.Stream(diff_output)
    cell_diff = CellDiff()
    cell_diff.resize(WIDTH, TALL)
    for top, cursor, details in seen:
        for y in range(TALL):
            number = "" if y < head else f"{top + y} {word}"
            runs = [(f"{number:<12}", "7" if y == cursor else "31"), (f"{top if details else '':<6}", "32")]
            whole.feed(naive(0, y, runs))
            cell_diff.put(0, y, runs)
        differing.feed(cell_diff.flush())
        assert cells(diff_output) == cells(full)


def listed(cell_diff: CellDiff, first: int, details: str = "") -> str:
    """What a list sends that shows 20 long rows from a number on."""
    for y in range(20):
        cell_diff.put(
            0, y + 2, [(f"{first + y:>6} ", "31"), (f"row of {(first + y) * 7919} and more", ""), (details, "1")]
        )
    return cell_diff.flush()


def test_a_list_that_moves_by_a_line_sends_a_line() -> None:
    cell_diff = CellDiff()
    cell_diff.resize(80, 24)
    listed(cell_diff, 1)
    down, up = listed(cell_diff, 2), listed(cell_diff, 1)
    assert down.startswith("\x1b[3;22r") and len(down) < 100
    assert up.startswith("\x1b[3;22r") and len(up) < 100


def test_many_short_changes_of_two_colours_are_sent_a_colour_after_the_other() -> None:
    cell_diff = CellDiff()
    cell_diff.resize(80, 24)
    for frame in "xy":
        for y in range(20):
            cell_diff.put(0, y, [(frame, "38;2;1;2;3"), (" " * 20, ""), (frame, "38;2;4;5;6")])
        sent = cell_diff.flush()
    assert sent.count("38;2;") == 2


class SlowFile(io.StringIO):
    """A terminal that takes what it gets only when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on = threading.Event()

    def flush(self) -> None:
        self.go_on.wait(5)


def test_a_drain_knows_whether_the_terminal_keeps_up() -> None:
    slow = SlowFile()
    pending_output = PendingOutput(slow)
    pending_output.given += 5
    pending_output.write("hello")
    flushing = threading.Thread(target=pending_output.flush)
    flushing.start()
    assert pending_output.busy
    slow.go_on.set()
    flushing.join(5)
    assert not pending_output.busy


def test_a_bell_wakes_whoever_waits_for_descriptors_until_it_is_cleared() -> None:
    bell = PollableEvent()
    assert not select.select([bell.fileno()], [], [], 0)[0]
    bell.set()
    assert bell.is_set() and select.select([bell.fileno()], [], [], 5)[0]
    bell.clear()
    assert not bell.is_set() and not select.select([bell.fileno()], [], [], 0)[0]


STEPS = [
    ("2", "LIBRARY"), ("jj", "libvgpu"), ("4", "WHAT HAPPENED"), ("/call", "/call"), ("\r", "of 14"), ("z", "cuInit"),
    ("z", "fix"), ("a", "Evidence"), ("q", "4 Timeline"), ("?", "Help"), ("q", "4 Timeline"),
]  # fmt: skip


def becomes_equal(one: Terminal, other: Terminal) -> bool:
    """Whether both come to rest at the same picture; on a busy machine one is later than the other."""
    for _ in range(40):
        if cells(one.screen) == cells(other.screen):
            return True
        for terminal in (one, other):
            terminal.wait(0.25)
    return False


@pytest.mark.longer
@pytest.mark.terminal
@pytest.mark.parametrize(("colours", "steps"), [("truecolor", STEPS), ("", STEPS[:5])], ids=["rgb", "ansi"])
def test_a_terminal_shows_the_same_with_and_without_differences(colours: str, steps: list[tuple[str, str]]) -> None:
    diff_output, plain = (
        Terminal((100, 30), {"COLORTERM": colours, "INSPECTOR_PLAIN_OUTPUT": switch}, "recorded")
        for switch in ("", "1")
    )
    for terminal in (diff_output, plain):
        terminal.read_until("recorded")
    for keys, words in steps:
        for terminal in (diff_output, plain):
            terminal.press(keys)
        for terminal in (diff_output, plain):
            terminal.read_until(words)
        assert becomes_equal(diff_output, plain), keys
    for terminal in (diff_output, plain):
        terminal.press("q")
        terminal.read_to_end()
    assert len(diff_output.received) < len(plain.received) / 2


@pytest.mark.terminal
def test_no_colour_means_no_colour() -> None:
    terminal = Terminal((80, 24), {"COLORTERM": "truecolor", "NO_COLOR": "1"})
    terminal.read_until("live")
    terminal.press("2j")
    terminal.read_until("LIBRARY")
    terminal.press("q")
    terminal.read_to_end()
    for code in (b"38;", b"48;", b"\x1b[31m", b"\x1b[32m", b"\x1b[36m"):
        assert code not in terminal.received


@pytest.mark.longer
@pytest.mark.terminal
def test_a_quiet_screen_sends_nothing() -> None:
    terminal = Terminal((80, 24), {"COLORTERM": "truecolor"})
    terminal.read_until("event 10 s ago")  # until then the age of the last event moves each second
    before = len(terminal.received)
    terminal.wait(1.2)
    assert len(terminal.received) == before
    terminal.press("q")
    terminal.read_to_end()
    assert b"\x1b[?1049l" in terminal.received
