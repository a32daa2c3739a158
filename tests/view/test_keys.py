"""What the keys do: jump to the proof, filter, narrow to one thing, mark a moment, ask for counting, copy, save."""

from pathlib import Path

import pytest
from textual import events

from inspector.report.formats import FORMATS
from inspector.stream.recording import RecordingWriter
from inspector.stream.requests import CountFunctions, ReadLog, ReadSymbols, StopCounting
from inspector.view.app import ENDINGS
from inspector.view.keys import MAIN

from .app_harness import AppHarness, running_app
from .feeds import BigCollector, FakeFeed
from .sample import FIRST, SHIM, main_question


def copied(ui: AppHarness) -> str:
    """What is on the clipboard."""
    return ui.app.clipboard


async def test_enter_on_the_answer_opens_its_evidence_and_enter_there_jumps_to_the_row(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with running_app(FakeFeed(main_question()), monkeypatch) as ui:
        await ui.press("enter")
        assert "Evidence" in ui.lines[0] and "dependency-missing (proven)" in ui.lines[0]
        assert "doubt a file that appears later" in ui.text
        await ui.press("enter")
        assert "libggml-cuda.so" in ui.cursor and "not loaded" in ui.cursor


@pytest.mark.parametrize(
    ("downs", "row"),
    [
        (1, "inference compute id=cpu"),
        (2, "call"),
        (4, "libvgpu-cuda.so.1"),
    ],
)
async def test_each_piece_of_evidence_leads_to_its_row(downs: int, row: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_app(FakeFeed(main_question()), monkeypatch) as ui:
        await ui.press("a", *["j"] * downs, "enter")
        assert row in ui.cursor


async def test_evidence_about_a_symbol_sets_the_filter_of_the_symbols(monkeypatch: pytest.MonkeyPatch) -> None:
    feed = FakeFeed(main_question())
    async with running_app(feed, monkeypatch) as ui:
        await ui.press("a", "j", "j", "j", "enter")
        asked = [one for one in feed.asked if isinstance(one, ReadSymbols)]
        assert asked[-1].filter == "^cuMemAlloc_v2"


async def test_brackets_turn_to_the_other_findings(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_app(FakeFeed(main_question()), monkeypatch) as ui:
        await ui.press("]")
        assert "! LD_PRELOAD does not reach 2 children" in ui.text and "2 of 2: [ ]" in ui.text
        await ui.press("[")
        assert "✗ on the CPU" in ui.text and "1 of 2: [ ]" in ui.text


async def test_all_findings_are_listed_and_one_can_be_made_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_app(FakeFeed(main_question()), monkeypatch) as ui:
        await ui.press("A")
        assert "dependency-missing" in ui.text and "environment-lost" in ui.text
        await ui.press("j", "enter")
        assert "! LD_PRELOAD does not reach 2 children" in ui.text


async def test_ladders_show_every_rung_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_app(FakeFeed(main_question()), monkeypatch, (120, 36)) as ui:
        await ui.press("L")
        assert "✗ reachable" in ui.text and "· resolved" in ui.text
        assert "libcublas.so.12 is missing" in ui.line_with("✗ reachable")


async def test_a_filter_narrows_as_one_types_and_keeps_its_pattern_for_n(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_app(FakeFeed(main_question()), monkeypatch) as ui:
        await ui.press("4", "slash", *"ended")
        await ui.press("enter")
        assert "2 of 14 · /ended" in ui.text
        assert "started" not in ui.text
        await ui.press("escape", "g")
        assert "started" in ui.text and "2 match ended" in ui.text
        await ui.press("n")
        assert "ended with code 0" in ui.cursor
        await ui.press("n")
        assert "ended with code 2" in ui.cursor
        await ui.press("N")
        assert "ended with code 0" in ui.cursor


async def test_only_this_process_narrows_all_panes_and_all_widens_them(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_app(FakeFeed(main_question()), monkeypatch) as ui:
        await ui.press("1", "j", "o", "4")
        assert f"{FIRST} ollama runner" in ui.text
        assert "4731 process" not in ui.text and "4720 process" in ui.text
        await ui.press("O")
        assert "4731 process" in ui.text


async def test_a_marked_moment_shows_in_other_panes(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_app(FakeFeed(main_question()), monkeypatch) as ui:
        await ui.press("4", "slash", *"cuInit")
        await ui.press("enter", "t")
        assert "◆ +2.011 s" in ui.lines[0]
        await ui.press("5")
        assert ui.line_with("LOADED").startswith("◆") or ui.line_with("discovering").startswith("◆")
        await ui.press("4", "t")
        assert "◆" not in ui.lines[0]


async def test_c_asks_to_count_the_function_and_again_to_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    feed = BigCollector(symbols=50, lines=10)
    async with running_app(feed, monkeypatch) as ui:
        await ui.press("3")
        await ui.until_shown("_ZN4ggml000000Ev")
        await ui.press("j", "c")
        asked = feed.asked[-1]
        assert isinstance(asked, CountFunctions)
        assert (asked.file, asked.names) == (SHIM, ["_ZN4ggml000001Ev"])
        assert "counting _ZN4ggml000001Ev" in ui.text


async def test_c_on_a_counted_function_asks_to_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    feed = BigCollector(symbols=3, lines=10, names=["cuInit", "cuDeviceGet", "cuMemAlloc_v2"])
    async with running_app(feed, monkeypatch) as ui:
        await ui.press("3")
        await ui.until_shown("never executed")
        assert "✓ called" in ui.line_with("cuInit ")
        await ui.press("c")
        assert isinstance(feed.asked[-1], StopCounting) and feed.asked[-1].functions == [1]


async def test_c_elsewhere_says_where_it_works(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_app(FakeFeed(main_question()), monkeypatch) as ui:
        await ui.press("1", "c")
        assert "select one in Symbols" in ui.lines[-1]


async def test_y_copies_the_row_and_shift_y_the_command_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_app(FakeFeed(main_question()), monkeypatch) as ui:
        await ui.press("1", "y")
        assert copied(ui).startswith("4711  ollama serve")
        await ui.press("Y")
        assert copied(ui) == "tr '\\0' '\\n' < /proc/4711/environ"


async def test_pictures_are_saved_as_svg_and_as_text_for_us_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_app(FakeFeed(main_question()), monkeypatch) as ui:
        await ui.press("P")
        (text,), (picture,) = Path.cwd().glob("*.txt"), Path.cwd().glob("*.svg")
        assert "ollama serve 4711" in text.read_text() and picture.read_text().startswith("<svg")
        assert text.stat().st_mode & 0o777 == 0o600
        assert str(picture) in ui.lines[-1] or "saved" in ui.lines[-1]


def test_every_format_of_a_report_has_an_ending() -> None:
    assert tuple(ENDINGS) == FORMATS


async def test_a_report_is_written_in_the_chosen_format(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_app(FakeFeed(main_question()), monkeypatch) as ui:
        await ui.press("X", "j", "enter")
        (report,) = Path.cwd().glob("*.json")
        assert '"shim-inspector/report/1"' in report.read_text()
        assert "wrote" in ui.lines[-1]


async def test_r_records_and_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    feed = FakeFeed(main_question())
    async with running_app(feed, monkeypatch) as ui:
        await ui.press("r")
        assert feed.recording is not None and feed.recording.endswith(".jsonl.zst")
        assert "● recording" in ui.lines[0]
        await ui.press("r")
        assert feed.recording is None


async def test_a_recording_can_be_written_while_the_screen_holds_standard_output(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with running_app(FakeFeed(main_question()), monkeypatch):
        writer = RecordingWriter(str(tmp_path / "a.jsonl"))
        writer.write(b"{}\n")
        writer.close()
    assert (tmp_path / "a.jsonl").read_bytes() == b"{}\n"


async def test_o_in_the_logs_shows_one_source_whole_and_asks_for_its_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    feed = BigCollector(symbols=1, lines=5_000)
    async with running_app(feed, monkeypatch) as ui:
        await ui.press("5", "o", "o")
        assert "/var/log/flood.log (5,000 lines)" in ui.text
        await ui.press("g")
        await ui.until_shown("line 0 of a flood")
        assert [one.first for one in feed.asked if isinstance(one, ReadLog)][-1] == 0
        await ui.press("O")
        assert "2 sources" in ui.text


async def test_doctor_limits_and_help_open_and_close(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_app(FakeFeed(main_question()), monkeypatch, (120, 36)) as ui:
        await ui.press("d")
        assert "uprobe_multi links (bpf)" in ui.text and "? partly" in ui.text
        await ui.press("d", "l")
        assert "opens of other users' files" in ui.text
        await ui.press("q", "question_mark")
        assert "Only this process" in ui.text
        await ui.press("escape")
        assert "1 Processes" in ui.text


async def test_the_palette_knows_every_command(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_app(FakeFeed(main_question()), monkeypatch, (120, 36)) as ui:
        await ui.press("ctrl+p")
        assert type(ui.app.screen).__name__ == "CommandPalette"
        await ui.press("escape")
        names = {command.title for command in ui.app.get_system_commands(ui.app.screen)}
        assert {"Record to a file, including what is already known; or stop", "Theme: inspector-light"} <= names


async def test_the_mouse_chooses_rows_tabs_and_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_app(FakeFeed(main_question()), monkeypatch) as ui:
        await ui.pilot.click("#rows", offset=(5, 2))
        assert str(FIRST) in ui.cursor
        tab = ui.line_with("4 Timeline").index("Timeline")
        await ui.pilot.click("#tabs", offset=(tab, 0))
        await ui.until_shown("WHAT HAPPENED")
        await ui.pilot.click("#answer", offset=(4, 1))
        await ui.until_shown("Evidence")


async def test_dragging_the_mouse_selects_text_and_moves_no_cursor(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_app(FakeFeed(main_question()), monkeypatch) as ui:
        await ui.press("1")
        await ui.pilot.mouse_down("#rows", offset=(6, 2))
        await ui.pilot.hover("#rows", offset=(20, 2))
        await ui.pilot.mouse_up("#rows", offset=(20, 2))
        assert ui.app.screen.get_selected_text() == "├─ ollama runne"
        assert "ollama serve" in ui.cursor
        await ui.press("y")
        assert copied(ui) == "├─ ollama runne"


async def test_the_wheel_scrolls(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_app(FakeFeed(main_question()), monkeypatch) as ui:
        await ui.press("4", "g")
        assert "started" in ui.text
        rows = ui.app.screen.query_one("#rows")
        for _ in range(3):
            rows.post_message(events.MouseScrollDown(rows, 1, 1, 0, 1, 0, False, False, False))
        await ui.pilot.pause()
        assert "inference compute" in ui.text


async def test_q_quits(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_app(FakeFeed(main_question()), monkeypatch) as ui:
        await ui.press("q")
        await ui.until(lambda: not ui.app.is_running)


def test_every_binding_has_an_id_of_its_own() -> None:
    ids = [binding.id for binding in MAIN]
    assert None not in ids and len(set(ids)) == len(ids)


async def test_what_was_typed_ahead_of_the_end_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_app(FakeFeed(main_question()), monkeypatch) as ui:
        for key in "qla?d":
            ui.app.simulate_key(key)
        await ui.pilot.pause(0.5)
    assert ui.app.return_code == 0
