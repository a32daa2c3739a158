"""Settings that are kept between runs: read, checked with lines, changed without touching the rest, written safely."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.view import config_file
from inspector.view.config import COLUMNS, parsed, read
from inspector.view.config_file import edited, line_of
from inspector.view.keys import LIST, MAIN
from inspector.view.settings import Settings

from .app_harness import AppHarness, running_app
from .feeds import FakeFeed
from .sample import main_question

DOCUMENTED = Path(__file__).parent.parent.parent / "docs" / "settings.md"


def file_of(folder: Path, text: str) -> Path:
    """A configuration file with this text."""
    path = folder / "config.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ('colour = "blue"\n', 1, "there is no setting 'colour'"),
        ('theme = "x"\n', 1, "there is no theme 'x'; there are inspector-dark"),
        ("# a\n[keys]\nsort = 'q'\nnothing = 'x'\n", 4, "there is no command 'nothing'"),
        ("[keys]\n\nfollow = 5\n", 3, "5 is not a key"),
        ("[keys]\nfollow = 'q'\n", 2, "q is the key of both"),
        ("[processes]\ncolumns = ['PID', 'SIZE']\n", 2, "columns is a list of some of PID"),
        ("[logs]\nsort = 'X'\n", 2, "there is no column 'X'"),
        ("[libraries]\nwrap = 1\n", 2, "wrap is true or false"),
        ("[layout]\nzoom = 'yes'\n", 2, "zoom is true or false"),
        ("[window]\nx = 1\n", 1, "there is no section 'window'"),
        ("[keys\n", 1, "is not valid TOML"),
    ],
)
def test_what_cannot_be_used_is_told_with_its_line(text: str, line: int, words: str, tmp_path: Path) -> None:
    problems = read(file_of(tmp_path, text)).problems
    assert any(words in one and f"line {line}" in one for one in problems), problems


def test_the_rest_of_a_file_with_a_mistake_is_used(tmp_path: Path) -> None:
    text = 'theme = "inspector-light"\nbad = 1\n[keys]\n"app.picture" = "f5"\napp.export = "f6"\n[logs]\nwrap = true\n'
    config = read(file_of(tmp_path, text))
    assert (config.theme, config.keys["app.picture"], config.lists["logs"].wrap) == ("inspector-light", "f5", True)
    assert len(config.problems) == 1


def test_no_file_is_no_problem(tmp_path: Path) -> None:
    assert read(tmp_path / "none" / "config.toml").problems == []


def test_a_file_that_anybody_may_write_or_that_is_no_text_is_not_used(tmp_path: Path) -> None:
    path = file_of(tmp_path, "[layout]\nzoom = true\n")
    path.chmod(0o666)
    assert "written by everybody" in read(path).problems[0] and not read(path).zoom
    path.chmod(0o600)
    path.write_bytes(b"\xff")
    assert "not UTF-8" in read(path).problems[0]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to somebody else")
def test_under_sudo_only_files_of_root_and_of_the_caller_are_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = file_of(tmp_path, "[layout]\nzoom = true\n")
    os.chown(path, 1234, 1234)
    assert "belongs to uid 1234" in read(path).problems[0]
    monkeypatch.setenv("SUDO_UID", "1234")
    assert read(path).zoom
    os.chown(tmp_path, 1234, 1234)
    with pytest.raises(OSError, match="settings are not saved"):
        config_file.write(path, "")


def test_one_value_is_changed_and_comments_stay() -> None:
    text = '# mine\ntheme = "a"  # blue\n\n[logs]\ncolumns = [\n  "TIME",\n  "LINE",\n]\nwrap = true\n'
    changed = edited(edited(text, "logs", "columns", ["TIME"]), "keys", "app.picture", "f5")
    assert changed.startswith('# mine\ntheme = "a"  # blue\n') and 'columns = ["TIME"]\nwrap = true' in changed
    assert parsed(changed)["keys"] == {"app.picture": "f5"}
    assert parsed(edited(changed, "logs", "wrap", None))["logs"] == {"columns": ["TIME"]}
    assert line_of(text, "logs", "wrap") == 9 and line_of(text, "", "wrap") == 0


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.text(st.characters(exclude_categories=("Cs", "Cc"))),
    st.lists(st.text("ab\"'[]#", max_size=4), max_size=3),
)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["", "keys", "logs"]), st.sampled_from(["a", "b.c", "d"]),
            VALUES,
        ),
        max_size=8,
    )
)  # fmt: skip
def test_any_values_that_are_written_are_read_again(
    changes: list[tuple[str, str, str | bool | list[str] | None]],
) -> None:
    text = "# begin\n"
    expected: dict[tuple[str, str], object] = {}
    for section, key, value in changes:
        text = edited(text, section, key, value)
        expected.pop((section, key), None)
        if value is not None:
            expected[section, key] = value
    found = parsed(text)
    for (section, key), wanted in expected.items():
        holder = found[section] if section else found
        assert isinstance(holder, dict) and holder[key] == wanted


def test_it_is_written_whole_for_us_alone_and_through_links_of_ours(tmp_path: Path) -> None:
    real = tmp_path / "dotfiles"
    real.mkdir(mode=0o700)
    (real / "c.toml").write_text("old")
    path = tmp_path / "config.toml"
    path.symlink_to(real / "c.toml")
    config_file.write(path, "new\n")
    assert path.is_symlink() and (real / "c.toml").read_text() == "new\n"
    assert (real / "c.toml").stat().st_mode & 0o777 == 0o600 and len(list(real.iterdir())) == 1


def test_reset_puts_the_file_aside(tmp_path: Path) -> None:
    path = file_of(tmp_path, "theme = 1\n")
    assert "config.toml.old" in config_file.reset(path) and not path.exists()
    assert config_file.reset(path) == ""


def test_it_lies_where_xdg_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", "/x")
    assert config_file.config_path() == Path("/x/shim-inspector/config.toml")


def test_the_documentation_names_all_ids_sections_and_settings() -> None:
    text = DOCUMENTED.read_text()
    missing = [one.id for one in (*LIST, *MAIN) if f"`{one.id}`" not in text]
    assert not missing and all(name in text for name in ("[keys]", "[layout]", *COLUMNS))


async def test_sort_columns_and_zoom_are_kept_for_the_next_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "shim-inspector" / "config.toml"

    async def arrange(ui: AppHarness) -> None:
        await ui.press("1", "s", "enter")
        await ui.press("s", "j", "j", "space", "escape", "z")

    async with running_app(FakeFeed(main_question()), monkeypatch, settings=Settings(path)) as ui:
        await arrange(ui)
        ui.app.keep_settings()
    assert path.stat().st_mode & 0o777 == 0o600
    config = read(path)
    assert config.problems == [] and config.zoom
    assert config.lists["processes"].sort == "PID" and "LIVED" not in config.lists["processes"].columns
    async with running_app(FakeFeed(main_question()), monkeypatch, settings=Settings(path)) as ui:
        await ui.press("1")
        assert "PID ▴" in ui.text and "LIVED" not in ui.text and "why   " not in ui.text


async def test_keys_can_be_given_to_others_and_the_help_and_the_hints_say_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = file_of(tmp_path, '[keys]\nhelp = "f1"\nrow-down = "J"\nonly = "f2"\n')
    async with running_app(FakeFeed(main_question()), monkeypatch, settings=Settings(path)) as ui:
        await ui.press("1", "g")
        before = ui.cursor
        await ui.press("j")
        assert ui.cursor == before
        await ui.press("J")
        assert ui.cursor != before and "F2 only" in ui.lines[-1] and "F1 keys" in ui.lines[-1]
        await ui.press("f1")
        assert "Help" in ui.lines[0] and "F2" in ui.line_with("Only this process")


async def test_a_mistake_is_told_on_the_screen_until_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = file_of(tmp_path, "[keys]\nnothing = 'x'\n")
    async with running_app(FakeFeed(main_question()), monkeypatch, (120, 36), settings=Settings(path)) as ui:
        assert "line 2: there is no command" in ui.text and "'nothing'" in ui.text
        await ui.press("escape")
        assert "there is no command" not in ui.text and "quit" in ui.lines[-1]
