"""The main screen over the main question, at the sizes that people have."""

import pytest
from textual.events import Resize
from textual.geometry import Size

from inspector.view import header

from .app_harness import running_app
from .feeds import FakeFeed
from .sample import FIRST, SECOND_CHILD, SERVER, main_question

SIZES = [(80, 24), (120, 36), (200, 60)]


@pytest.mark.parametrize("size", SIZES)
async def test_the_answer_the_mode_and_the_ladder_are_on_the_first_screen(
    size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running_app(FakeFeed(main_question()), monkeypatch, size) as ui:
        assert "ollama serve 4711" in ui.lines[0] and "live" in ui.lines[0]
        assert "✗ CPU (likely)" in ui.lines[0] and "1 limit (l)" in ui.lines[0]
        chain = [ui.lines.index(ui.line_with(words)) for words in (
            f"✗ on the CPU   decided in ollama runner {FIRST}", "← libggml-cuda.so failed to load",
            "← libcublas.so.12 is missing", " fix  Put libcublas.so.12 into", " run  $ find / -xdev",
        )]  # fmt: skip
        assert chain == sorted(chain) and chain[0] == min(chain)
        if size == (200, 60):
            assert "✗ REACHABLE   libggml-cuda.so did not load: libcublas.so.12 is missing" in ui.text
            assert "· resolved  · called  · returned  · used" in ui.text
        else:
            ladder = ui.line_with(" cuda-driver")
            assert [ladder.count(glyph) for glyph in "✓?✗·"] == [2, 1, 1, 4]


@pytest.mark.parametrize("size", SIZES)
async def test_no_line_is_wider_than_the_terminal_and_all_rows_are_used(
    size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running_app(FakeFeed(main_question()), monkeypatch, size) as ui:
        for number in range(6):
            await ui.press(str(number + 1))
            assert len(ui.lines) == size[1]
            assert max(map(len, ui.lines)) <= size[0]


async def test_the_tree_shows_its_dead_with_exit_lifetime_and_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_app(FakeFeed(main_question()), monkeypatch) as ui:
        assert "● running" in ui.line_with(f"{SERVER} ollama serve  ")
        first, second = (
            ui.line_with(f" {FIRST} ├─ ollama"),
            ui.line_with(f" {SECOND_CHILD} └─ ollama"),
        )
        assert "310 ms" in first and "exit 0" in first and "LD_PRELOAD lost" in first
        assert "! exit 2" in second


async def test_wide_terminals_show_the_details_beside_the_list(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_app(FakeFeed(main_question()), monkeypatch, (120, 36)) as ui:
        await ui.press("1", "j")
        assert "- LD_PRELOAD=/opt/vgpu" in ui.text
        assert "reported by the kernel" in ui.text


async def test_narrow_terminals_show_the_details_on_enter_and_the_list_on_escape(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with running_app(FakeFeed(main_question()), monkeypatch) as ui:
        await ui.press("2", "j", "enter")
        assert "overrides" in ui.text and "SONAME" in ui.text
        await ui.press("escape")
        assert "LIBRARY" in ui.text and "overrides" not in ui.text


async def test_libraries_show_what_did_not_load_before_what_is_mapped(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_app(FakeFeed(main_question()), monkeypatch) as ui:
        await ui.press("2")
        rows = [line for line in ui.lines if ".so" in line and ("✗" in line or "✓" in line)][-3:]
        assert "not loaded" in rows[0] and "predicted: libcublas.so.12: cannot open" in rows[0]
        assert "libvgpu-cuda.so.1" in rows[1] and "preload" in rows[1] and "provides cuda-driver" in rows[1]
        assert "libc.so.6" in rows[2]


async def test_one_failure_of_many_processes_is_one_row(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_app(FakeFeed(main_question()), monkeypatch, (120, 36)) as ui:
        await ui.press("2")
        assert ui.text.count("✗ not loaded") == 1
        assert "4720 ollama runner" in ui.text and "4731 ollama runner" in ui.text


async def test_the_timeline_has_all_kinds_of_moments_on_one_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_app(FakeFeed(main_question()), monkeypatch, (80, 36)) as ui:
        await ui.press("4")
        assert "discovering available GPUs..." in ui.line_with("+2.000         log")
        assert "✗ cuInit -> 100 (CUDA_ERROR_NO_DEVICE)" in ui.line_with("+2.011")
        assert "✗ ended with code 2" in ui.line_with("+2.740")


async def test_the_gpu_pane_names_results_callers_and_who_called_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with running_app(FakeFeed(main_question()), monkeypatch, (120, 36)) as ui:
        await ui.press("6")
        assert "! CUDA_ERROR_NO_DEVICE x1" in ui.line_with("  cuInit")
        assert "2 of 3 processes called none of 3 watched" in ui.line_with("? not called")


async def test_zoom_gives_the_pane_the_whole_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_app(FakeFeed(main_question()), monkeypatch) as ui:
        await ui.press("4", "z")
        assert " fix " not in ui.text and "discovering" in ui.text
        assert "z show the answer" in ui.text
        await ui.press("z")
        assert " fix " in ui.text


@pytest.mark.parametrize("size", [(39, 24), (80, 9), (20, 5), (5, 2)])
async def test_a_terminal_that_is_too_small_says_so_and_lives(
    size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running_app(FakeFeed(main_question()), monkeypatch, size) as ui:
        assert "terminal too small"[: size[0] - 2] in ui.text
        await ui.press("2", "j", "slash", "x", "escape", "z")
        await ui.pilot.resize_terminal(80, 24)
        await ui.until_shown("2 Libraries")


async def test_a_size_of_a_moment_ago_that_is_told_late_is_not_taken_for_the_terminals(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with running_app(FakeFeed(main_question()), monkeypatch, (200, 60)) as ui:
        await ui.pilot.resize_terminal(80, 24)
        ui.app.screen.post_message(Resize(Size(200, 60), Size(200, 60)))
        await ui.pilot.pause()
        await ui.pilot.pause()
        assert ui.app.screen.outer_size == (80, 24)


async def test_the_smallest_terminal_shows_all_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_app(FakeFeed(main_question()), monkeypatch, (40, 10)) as ui:
        assert "← libcublas.so.12 is missing" in ui.text and "PID" in ui.text


async def test_an_ascii_terminal_gets_only_ascii(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSPECTOR_ASCII", "1")
    async with running_app(FakeFeed(main_question()), monkeypatch) as ui:
        for number in "123456":
            await ui.press(number)
            assert ui.text.isascii(), ui.text
        assert " x " in ui.line_with(" cuda-driver") and "x CPU (likely)" in ui.text


@pytest.mark.parametrize("theme", ["inspector-light", "inspector-ansi"])
async def test_every_theme_shows_the_same_words(theme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(header, "since", lambda ns: "0 s ago")
    async with running_app(FakeFeed(main_question()), monkeypatch, theme="inspector-dark") as ui:
        dark = ui.text
    async with running_app(FakeFeed(main_question()), monkeypatch, theme=theme) as ui:
        assert ui.text == dark


async def test_a_large_screen_shows_two_panes_beside_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_app(FakeFeed(main_question()), monkeypatch, (200, 60)) as ui:
        assert "WHAT HAPPENED" in ui.text and "5 Logs" in ui.text and "1 Processes" in ui.text
        answer, timeline = ui.line_with("✗ on the CPU"), ui.line_with("WHAT HAPPENED")
        assert answer.index("✗ on the CPU") < 80 <= timeline.index("WHAT HAPPENED")
        await ui.press("1")
        assert "2 Libraries" in ui.text and ui.line_with("ENVIRONMENT").index("ENVIRONMENT") > 80
        await ui.press("z")
        assert "✗ on the CPU" not in ui.text
        await ui.press("z")
        await ui.pilot.resize_terminal(80, 24)
        await ui.pilot.pause()
        assert "5 Logs  /" not in ui.text and "✗ on the CPU" in ui.text
        await ui.pilot.resize_terminal(200, 60)
        await ui.until_shown("inference compute")


async def test_logs_beside_the_timeline_stand_at_the_same_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_app(FakeFeed(main_question()), monkeypatch, (200, 60)) as ui:
        await ui.press("g")
        logs = [line[80:] for line in ui.lines]
        start = next(number for number, line in enumerate(logs) if " 5 Logs " in line and "LEVEL" in logs[number + 1])
        first = [line for line in logs[start:] if line.lstrip().startswith("▸")][:1]
        await ui.press("G")
        logs = [line[80:] for line in ui.lines]
        assert [line for line in logs[start:] if line.lstrip().startswith("▸")][:1] != first
