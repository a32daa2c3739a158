"""What the terminal at hand can show, decided before anything heavy is imported."""

import io
import subprocess
import sys
from typing import get_args

import pytest

from inspector.view import themes
from inspector.view.stylesheet import stylesheet
from inspector.view.tables.row import Tone
from inspector.view.terminal import can_run_screen, has_true_colour, speaks_unicode, wants_no_colour
from inspector.view.widgets.tones import tone_styles


class Tty(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("term", ["", "dumb"])
def test_a_dumb_terminal_cannot_run_the_screen(term: str) -> None:
    assert "no cursor control" in (can_run_screen({"TERM": term}) or "")


def test_streams_that_are_no_terminal_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "__stdin__", Tty())
    monkeypatch.setattr(sys, "__stderr__", io.StringIO())
    assert can_run_screen({"TERM": "xterm"}) == "standard error is not a terminal"
    monkeypatch.setattr(sys, "__stderr__", Tty())
    assert can_run_screen({"TERM": "xterm"}) is None
    monkeypatch.setattr(sys, "__stdin__", None)
    assert can_run_screen({"TERM": "xterm"}) == "standard input is not a terminal"


@pytest.mark.parametrize(
    ("environment", "unicode"),
    [
        ({"LANG": "C.UTF-8"}, True),
        ({"LC_ALL": "C", "LANG": "en_US.UTF-8"}, False),
        ({"LC_CTYPE": "de_DE.utf8"}, True),
        ({"LANG": "en_US.ISO-8859-1"}, False),
        ({"LANG": "C.UTF-8", "INSPECTOR_ASCII": "1"}, False),
    ],
)
def test_the_character_set_is_the_locales(environment: dict[str, str], unicode: bool) -> None:
    assert speaks_unicode(environment) is unicode


@pytest.mark.parametrize(
    ("environment", "theme"),
    [
        ({"COLORTERM": "truecolor"}, "inspector-dark"),
        ({"COLORTERM": "24bit"}, "inspector-dark"),
        ({}, "inspector-ansi"),
        ({"COLORTERM": "truecolor", "NO_COLOR": "1"}, "inspector-ansi"),
    ],
)
def test_our_colours_only_where_the_terminal_shows_them(
    environment: dict[str, str], theme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(themes, "has_true_colour", lambda: has_true_colour(environment))
    monkeypatch.setattr(themes, "wants_no_colour", lambda: wants_no_colour(environment))
    assert themes.first_theme() == theme


def test_asking_the_terminal_imports_neither_textual_nor_rich() -> None:
    code = (
        "import sys, inspector.view.terminal;"
        " print([name for name in sys.modules if name.split('.')[0] in ('textual', 'rich')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_stylesheet_is_found() -> None:
    assert "MainScreen" in stylesheet().read_text()


def test_every_theme_styles_every_tone_and_every_part_of_a_list() -> None:
    parts = {"cursor", "cursor-away", "title", "match"}
    for theme in themes.THEMES:
        assert set(tone_styles(theme.name)) == parts | set(get_args(Tone)) - {"plain"}
