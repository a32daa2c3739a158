"""The picker: those that have to do with a GPU first, why one cannot be observed, and the way to the screen."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from inspector.stream.processes import ProcessListed
from inspector.view import session
from inspector.view.app import InspectorApp
from inspector.view.feed import Feed

from .app_harness import AppHarness, drawn, fixed_answer
from .feeds import FakeFeed
from .sample import main_question

LISTED = [
    ProcessListed(at=1, pid=1, ppid=0, argv=["/sbin/init"], observable="no", why="needs root: sudo inspector 1"),
    ProcessListed(at=1, pid=300, ppid=1, argv=["sshd: [bold]me[/]"], user="root", age=90.0, rss=9_000_000),
    ProcessListed(
        at=1, pid=4711, ppid=1, argv=["/usr/local/bin/ollama", "serve"], user="ollama", unit="ollama.service",
        apis=["cuda-driver"], libraries=["/opt/vgpu/lib/libvgpu-cuda.so.1"], preloads=["/opt/vgpu/lib/libcuda.so.1"],
        known_program=True, rss=47_000_000, age=7200.0,
    ),
    ProcessListed(at=1, pid=555, ppid=1, argv=["python3", "train.py"], user="me", apis=["nvml"], observable="partly"),
]  # fmt: skip


@asynccontextmanager
async def picking(
    monkeypatch: pytest.MonkeyPatch, feed: Feed | None = None, listed: Sequence[ProcessListed] | OSError = LISTED
) -> AsyncIterator[tuple[AppHarness, list[str]]]:
    """The picker on a stage, and the targets that were connected to."""
    monkeypatch.setattr(session, "draw", drawn(fixed_answer))
    connected: list[str] = []

    def look() -> Sequence[ProcessListed]:
        if isinstance(listed, OSError):
            raise listed
        return listed

    def connect(target: str) -> Feed:
        connected.append(target)
        if feed is None:
            raise OSError("the collector cannot be started: [no] such file")
        return feed

    app = InspectorApp(listed=look, connect=connect)
    async with app.run_test(size=(100, 30)) as pilot:
        yield AppHarness(app, pilot), connected
    if app.session is not None:
        app.session.close()


async def test_what_has_to_do_with_a_gpu_stands_first(monkeypatch: pytest.MonkeyPatch) -> None:
    async with picking(monkeypatch) as (ui, _):
        await ui.until_shown("4 processes, 2 with a GPU library or a preload")
        rows = [line.lstrip("▸ ?✗").split()[0] for line in ui.lines[2:7]]
        assert rows == ["4711", "555", "300", "1", "unit"]
        assert ui.lines[1].split() == ["PID", "USER", "AGE", "GPU", "COMMAND"]
        assert "ollama   2 h cuda-driver, preload" in ui.line_with("ollama serve")
        assert "[bold]me[/]" in ui.text


async def test_a_process_that_cannot_be_observed_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    async with picking(monkeypatch) as (ui, _):
        await ui.until_shown("/sbin/init")
        assert "✗ 1" in ui.line_with("/sbin/init") and "? 555" in ui.line_with("train.py")
        await ui.press("G", "k")
        assert "needs root: sudo inspector 1" in ui.text


async def test_enter_on_a_process_that_cannot_be_observed_stays_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    async with picking(monkeypatch) as (ui, connected):
        await ui.until_shown("/sbin/init")
        await ui.press("G", "k", "enter")
        assert "cannot be observed: needs root: sudo inspector 1" in ui.text and not connected
        await ui.press("k")
        assert "it cannot be observed" not in ui.text and "Enter inspect" in ui.text


async def test_enter_leads_to_the_screen_of_the_chosen_process(monkeypatch: pytest.MonkeyPatch) -> None:
    async with picking(monkeypatch, FakeFeed(main_question())) as (ui, connected):
        await ui.until_shown("ollama serve")
        await ui.press("slash", *"train")
        assert "1 match train" in ui.text and "sbin" not in ui.text
        await ui.press("enter", "enter")
        await ui.until_shown("✗ CPU (likely)")
        assert connected == ["555"]


async def test_a_target_that_cannot_be_connected_leads_back_to_the_picker(monkeypatch: pytest.MonkeyPatch) -> None:
    async with picking(monkeypatch) as (ui, connected):
        await ui.until_shown("ollama serve")
        await ui.press("enter")
        await ui.until_shown("cannot be started: [no] such file")
        await ui.until_shown("Which process?")
        assert connected == ["4711"]


async def test_a_list_that_cannot_be_made_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    async with picking(monkeypatch, listed=OSError("no /proc here")) as (ui, _):
        await ui.until_shown("cannot list processes: no /proc here")


async def test_looking_again_keeps_the_cursor_on_its_process(monkeypatch: pytest.MonkeyPatch) -> None:
    listed = list(LISTED)
    async with picking(monkeypatch, listed=listed) as (ui, _):
        await ui.until_shown("ollama serve")
        await ui.press("G", "k")
        listed.insert(0, ProcessListed(at=1, pid=400, ppid=1, argv=["new"], apis=["nvml"]))
        await ui.until_shown("400 ")
        assert "/sbin/init" in ui.cursor


async def test_q_leaves_the_picker(monkeypatch: pytest.MonkeyPatch) -> None:
    async with picking(monkeypatch) as (ui, _):
        await ui.press("q")
        await ui.until(lambda: not ui.app.is_running)


async def test_the_picker_is_sorted_by_the_same_keys_as_the_panes(monkeypatch: pytest.MonkeyPatch) -> None:
    async with picking(monkeypatch) as (ui, _):
        await ui.until_shown("4 processes")
        await ui.press("s", "enter")
        pids = [line.lstrip("▸ ?✗").split()[0] for line in ui.lines[2:6]]
        assert "PID ▴" in ui.text and pids == ["1", "300", "555", "4711"]
        await ui.press("S")
        pids = [line.lstrip("▸ ?✗").split()[0] for line in ui.lines[2:7]]
        assert "PID ▾" in ui.text and [one for one in pids if one.isdecimal()] == ["4711", "555", "300", "1"]


async def test_the_picker_has_a_help_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    async with picking(monkeypatch) as (ui, _):
        await ui.until_shown("? keys")
        await ui.press("question_mark")
        await ui.until_shown("Filter the rows")
        assert "Fuzzy" in ui.text or "lists" in ui.text
        await ui.press("escape")
        await ui.until_shown("COMMAND")
