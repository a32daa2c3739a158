"""How many bytes a scripted session over a recording sends to the terminal, at 80x24 and at 120x36.

Each budget is what was measured and about a quarter more: a repaint of what did not change is seen at once.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from inspector.stream.transport import MAIN
from tests.bench.screen_emulator import Picture
from tests.bench.terminal import Terminal

from .recorded import recorded

pytestmark = pytest.mark.longer

_QUIET = 0.35
"""Seconds without a byte after which a repaint is over, also on a busy machine."""
PANES = "234561"
SIZES = [(80, 24), (120, 36)]
SCREEN = {80: 7_900, 120: 15_800}
OVERLAY = {80: 4_700, 120: 8_700}
PANE_SWITCH = {80: 3_000, 120: 4_000}
CURSOR = {80: 700, 120: 2_050}


@dataclass(frozen=True)
class Shown:
    """A screen, and the bytes of its first paint."""

    terminal: Terminal
    first_paint: int

    @property
    def columns(self) -> int:
        return self.terminal.columns


@pytest.fixture(scope="module", params=SIZES, ids=["80x24", "120x36"])
def shown(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    """The recording on the screen, painted and silent."""
    columns, rows = request.param
    path = recorded(tmp_path_factory.mktemp("recorded"))
    words = [sys.executable, str(MAIN), "replay", path]
    with Terminal(words, columns, rows) as terminal:
        Picture(terminal).wait_for("running", 60)
        terminal.settle(1.0)
        yield Shown(terminal, terminal.total)


def pressed(shown: Shown, key: str) -> int:
    """Bytes that a key causes."""
    before = shown.terminal.total
    shown.terminal.write(key.encode())
    shown.terminal.read_for(0.15)
    shown.terminal.settle(_QUIET)
    return shown.terminal.total - before


def test_the_first_paint_is_one_screen_and_not_three(shown: Shown) -> None:
    assert 1_000 < shown.first_paint < SCREEN[shown.columns]


def test_a_screen_on_which_nothing_changes_sends_nothing(shown: Shown) -> None:
    assert shown.terminal.read_for(2.0) == 0


def test_a_pane_switch_sends_a_pane(shown: Shown) -> None:
    sent = {pane: pressed(shown, pane) for pane in PANES}
    assert min(sent.values()) > 50 and max(sent.values()) < PANE_SWITCH[shown.columns], sent


def test_the_cursor_sends_two_rows_and_what_is_said_of_the_chosen_one(shown: Shown) -> None:
    for key in "4g":
        pressed(shown, key)
    assert 20 < pressed(shown, "j") < CURSOR[shown.columns]


def test_a_key_at_the_end_of_a_list_sends_nothing(shown: Shown) -> None:
    for key in "4g":
        pressed(shown, key)
    assert pressed(shown, "k") == 0


def test_help_sends_one_screen_and_what_was_below_it_comes_back(shown: Shown) -> None:
    assert 500 < pressed(shown, "?") < OVERLAY[shown.columns]
    assert 500 < pressed(shown, "\x1b") < OVERLAY[shown.columns]
    assert shown.terminal.read_for(1.0) == 0
