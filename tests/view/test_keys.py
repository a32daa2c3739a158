"""What the keys do: jump to the proof, filter, narrow to one thing, mark a moment, ask for counting, copy, save."""

from pathlib import Path

import pytest
from textual import events

from inspector.report.formats import FORMATS
from inspector.stream.recording import RecordingWriter
from inspector.stream.requests import CountFunctions, ReadLog, ReadSymbols, StopCounting
from inspector.view.app import ENDINGS
from inspector.view.keys import MAIN

from .feeds import BigCollector, FakeFeed
from .sample import FIRST, SHIM, main_question
from .stage import Stage, on_stage


def copied(stage: Stage) -> str:
    """What is on the clipboard."""
    return stage.app.clipboard


async def test_enter_on_the_answer_opens_its_evidence_and_enter_there_jumps_to_the_row(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with on_stage(FakeFeed(main_question()), monkeypatch) as stage:
        await stage.press("enter")
        assert "Evidence" in stage.lines[0] and "dependency-missing (proven)" in stage.lines[0]
        assert "doubt a file that appears later" in stage.text
        await stage.press("enter")
        assert "libggml-cuda.so" in stage.cursor and "not loaded" in stage.cursor


@pytest.mark.parametrize(
    ("downs", "row"),
    [
        (1, "inference compute id=cpu"),
        (2, "call"),
        (4, "libvgpu-cuda.so.1"),
    ],
)
async def test_each_piece_of_evidence_leads_to_its_row(downs: int, row: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with on_stage(FakeFeed(main_question()), monkeypatch) as stage:
        await stage.press("a", *["j"] * downs, "enter")
        assert row in stage.cursor


async def test_evidence_about_a_symbol_sets_the_filter_of_the_symbols(monkeypatch: pytest.MonkeyPatch) -> None:
    feed = FakeFeed(main_question())
    async with on_stage(feed, monkeypatch) as stage:
        await stage.press("a", "j", "j", "j", "enter")
        asked = [one for one in feed.asked if isinstance(one, ReadSymbols)]
        assert asked[-1].filter == "^cuMemAlloc_v2"


async def test_brackets_turn_to_the_other_findings(monkeypatch: pytest.MonkeyPatch) -> None:
    async with on_stage(FakeFeed(main_question()), monkeypatch) as stage:
        await stage.press("]")
        assert "! LD_PRELOAD does not reach 2 children" in stage.text and "2/2" in stage.text
        await stage.press("[")
        assert "✗ The backend" in stage.text


async def test_all_findings_are_listed_and_one_can_be_made_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    async with on_stage(FakeFeed(main_question()), monkeypatch) as stage:
        await stage.press("A")
        assert "dependency-missing" in stage.text and "environment-lost" in stage.text
        await stage.press("j", "enter")
        assert "! LD_PRELOAD does not reach 2 children" in stage.text


async def test_ladders_show_every_rung_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    async with on_stage(FakeFeed(main_question()), monkeypatch, (120, 36)) as stage:
        await stage.press("L")
        assert "✗ reachable" in stage.text and "? resolved" in stage.text
        assert "libcublas.so.12 is missing" in stage.line_with("✗ reachable")


async def test_a_filter_narrows_as_one_types_and_keeps_its_pattern_for_n(monkeypatch: pytest.MonkeyPatch) -> None:
    async with on_stage(FakeFeed(main_question()), monkeypatch) as stage:
        await stage.press("4", "slash", *"ended")
        await stage.press("enter")
        assert "2 of 14 · /ended" in stage.text
        assert "born" not in stage.text
        await stage.press("escape", "g")
        assert "born" in stage.text and "2 match ended" in stage.text
        await stage.press("n")
        assert "ended with code 0" in stage.cursor
        await stage.press("n")
        assert "ended with code 2" in stage.cursor
        await stage.press("N")
        assert "ended with code 0" in stage.cursor


async def test_only_this_process_narrows_all_panes_and_all_widens_them(monkeypatch: pytest.MonkeyPatch) -> None:
    async with on_stage(FakeFeed(main_question()), monkeypatch) as stage:
        await stage.press("1", "j", "o", "4")
        assert f"{FIRST} ollama runner" in stage.text
        assert "4731 process" not in stage.text and "4720 process" in stage.text
        await stage.press("O")
        assert "4731 process" in stage.text


async def test_a_marked_moment_shows_in_other_panes(monkeypatch: pytest.MonkeyPatch) -> None:
    async with on_stage(FakeFeed(main_question()), monkeypatch) as stage:
        await stage.press("4", "slash", *"cuInit")
        await stage.press("enter", "t")
        assert "◆ +2.011 s" in stage.lines[0]
        await stage.press("5")
        assert stage.line_with("LOADED").startswith("◆") or stage.line_with("discovering").startswith("◆")
        await stage.press("4", "t")
        assert "◆" not in stage.lines[0]


async def test_w_asks_to_count_the_function_and_again_to_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    feed = BigCollector(symbols=50, lines=10)
    async with on_stage(feed, monkeypatch) as stage:
        await stage.press("3")
        await stage.until_shown("_ZN4ggml000000Ev")
        await stage.press("j", "w")
        asked = feed.asked[-1]
        assert isinstance(asked, CountFunctions)
        assert (asked.file, asked.names) == (SHIM, ["_ZN4ggml000001Ev"])
        assert "counting _ZN4ggml000001Ev" in stage.text


async def test_w_on_a_counted_function_asks_to_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    feed = BigCollector(symbols=3, lines=10, names=["cuInit", "cuDeviceGet", "cuMemAlloc_v2"])
    async with on_stage(feed, monkeypatch) as stage:
        await stage.press("3")
        await stage.until_shown("never executed")
        assert "✓ called" in stage.line_with("cuInit ")
        await stage.press("w")
        assert isinstance(feed.asked[-1], StopCounting) and feed.asked[-1].functions == [1]


async def test_w_elsewhere_says_where_it_works(monkeypatch: pytest.MonkeyPatch) -> None:
    async with on_stage(FakeFeed(main_question()), monkeypatch) as stage:
        await stage.press("1", "w")
        assert "choose one in the pane Symbols" in stage.lines[-1]


async def test_y_copies_the_row_and_shift_y_the_command_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    async with on_stage(FakeFeed(main_question()), monkeypatch) as stage:
        await stage.press("1", "y")
        assert copied(stage).startswith("4711  ollama serve")
        await stage.press("Y")
        assert copied(stage) == "tr '\\0' '\\n' < /proc/4711/environ"


async def test_pictures_are_saved_as_svg_and_as_text_for_us_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    async with on_stage(FakeFeed(main_question()), monkeypatch) as stage:
        await stage.press("s")
        (text,), (picture,) = Path.cwd().glob("*.txt"), Path.cwd().glob("*.svg")
        assert "ollama serve 4711" in text.read_text() and picture.read_text().startswith("<svg")
        assert text.stat().st_mode & 0o777 == 0o600
        assert str(picture) in stage.lines[-1] or "saved" in stage.lines[-1]


def test_every_format_of_a_report_has_an_ending() -> None:
    assert tuple(ENDINGS) == FORMATS


async def test_a_report_is_written_in_the_chosen_format(monkeypatch: pytest.MonkeyPatch) -> None:
    async with on_stage(FakeFeed(main_question()), monkeypatch) as stage:
        await stage.press("e", "j", "enter")
        (report,) = Path.cwd().glob("*.json")
        assert '"shim-inspector/report/1"' in report.read_text()
        assert "wrote" in stage.lines[-1]


async def test_r_records_and_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    feed = FakeFeed(main_question())
    async with on_stage(feed, monkeypatch) as stage:
        await stage.press("r")
        assert feed.recording is not None and feed.recording.endswith(".jsonl.zst")
        assert "● recording" in stage.lines[0]
        await stage.press("r")
        assert feed.recording is None


async def test_a_recording_can_be_written_while_the_screen_holds_standard_output(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with on_stage(FakeFeed(main_question()), monkeypatch):
        writer = RecordingWriter(str(tmp_path / "a.jsonl"))
        writer.write(b"{}\n")
        writer.close()
    assert (tmp_path / "a.jsonl").read_bytes() == b"{}\n"


async def test_o_in_the_logs_shows_one_source_whole_and_asks_for_its_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    feed = BigCollector(symbols=1, lines=5_000)
    async with on_stage(feed, monkeypatch) as stage:
        await stage.press("5", "o", "o")
        assert "/var/log/flood.log (5,000 lines)" in stage.text
        await stage.press("g")
        await stage.until_shown("line 0 of a flood")
        assert [one.first for one in feed.asked if isinstance(one, ReadLog)][-1] == 0
        await stage.press("O")
        assert "2 sources" in stage.text


async def test_doctor_limits_and_help_open_and_close(monkeypatch: pytest.MonkeyPatch) -> None:
    async with on_stage(FakeFeed(main_question()), monkeypatch, (120, 36)) as stage:
        await stage.press("d")
        assert "uprobe_multi links (bpf)" in stage.text and "? partly" in stage.text
        await stage.press("d", "l")
        assert "opens of other users' files" in stage.text
        await stage.press("q", "question_mark")
        assert "Hold the screen still" in stage.text
        await stage.press("escape")
        assert "1 Processes" in stage.text


async def test_the_palette_knows_every_command(monkeypatch: pytest.MonkeyPatch) -> None:
    async with on_stage(FakeFeed(main_question()), monkeypatch, (120, 36)) as stage:
        await stage.press("ctrl+p")
        assert type(stage.app.screen).__name__ == "CommandPalette"
        await stage.press("escape")
        names = {command.title for command in stage.app.get_system_commands(stage.app.screen)}
        assert {"Record to a file from what is already known, or stop", "Theme: inspector-light"} <= names


async def test_the_mouse_chooses_rows_tabs_and_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    async with on_stage(FakeFeed(main_question()), monkeypatch) as stage:
        await stage.pilot.click("#rows", offset=(5, 2))
        assert str(FIRST) in stage.cursor
        tab = stage.line_with("4 Timeline").index("Timeline")
        await stage.pilot.click("#tabs", offset=(tab, 0))
        await stage.until_shown("WHAT HAPPENED")
        await stage.pilot.click("#answer", offset=(4, 1))
        await stage.until_shown("Evidence")


async def test_dragging_the_mouse_selects_text_and_moves_no_cursor(monkeypatch: pytest.MonkeyPatch) -> None:
    async with on_stage(FakeFeed(main_question()), monkeypatch) as stage:
        await stage.press("1")
        await stage.pilot.mouse_down("#rows", offset=(6, 2))
        await stage.pilot.hover("#rows", offset=(20, 2))
        await stage.pilot.mouse_up("#rows", offset=(20, 2))
        assert stage.app.screen.get_selected_text() == "├─ ollama runne"
        assert "ollama serve" in stage.cursor
        await stage.press("y")
        assert copied(stage) == "├─ ollama runne"


async def test_the_wheel_scrolls(monkeypatch: pytest.MonkeyPatch) -> None:
    async with on_stage(FakeFeed(main_question()), monkeypatch) as stage:
        await stage.press("4", "g")
        assert "born" in stage.text
        rows = stage.app.screen.query_one("#rows")
        for _ in range(3):
            rows.post_message(events.MouseScrollDown(rows, 1, 1, 0, 1, 0, False, False, False))
        await stage.pilot.pause()
        assert "inference compute" in stage.text


async def test_q_quits(monkeypatch: pytest.MonkeyPatch) -> None:
    async with on_stage(FakeFeed(main_question()), monkeypatch) as stage:
        await stage.press("q")
        await stage.until(lambda: not stage.app.is_running)


def test_every_binding_has_an_id_of_its_own() -> None:
    ids = [binding.id for binding in MAIN]
    assert None not in ids and len(set(ids)) == len(ids)
