"""What a target says is hostile: markup, escape sequences, line breaks, bidirectional overrides, endless lines."""

from typing import get_args
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.style import Style

from inspector.stream.calls import FileOpened, LoaderRefused, LookedUp
from inspector.stream.events import AnyEvent
from inspector.stream.libraries import ImageRead, LibraryMapped
from inspector.stream.logs import LogFound, LogLine, LogRead
from inspector.stream.machine import FileChanged
from inspector.stream.processes import ProcessExec, ProcessStarted, SameNameProcess
from inspector.stream.session import LimitNoted, SessionStarted
from inspector.view.tables.row import Column, Tone, cell
from inspector.view.widgets.styled_text import laid_out, styled

from .app_harness import running_app
from .feeds import FakeFeed
from .sample import START, WALL, at

EVIL = (
    "[/usr/lib/x.so] [bold red]a[/] [@click=app.quit]x[/]\x1b]0;PWN\x07\x1b[2J\x9b31m\n\r\t\u202egnp.exe\ud800 log [/"
)
FORBIDDEN = {chr(code) for code in (*range(0x20), 0x7F, *range(0x80, 0xA0), 0x202E)} - {"\n"}


def evil_stream() -> list[AnyEvent]:
    """Every text of a target that reaches the screen, all of it evil."""
    return [
        SessionStarted(
            at=START, version=EVIL, wall=WALL, host=EVIL, kernel=EVIL, uid=0, target=EVIL, collector=1
        ),
        LimitNoted(at=at(0), what=EVIL, why=EVIL, grant=EVIL),
        ProcessStarted(at=at(0), pid=7, ppid=1, started=START, origin="run", comm=EVIL),
        ProcessExec(
            at=at(0), pid=7, argv=[EVIL, EVIL], exe=EVIL, file="0:0:1", cwd=EVIL, unit=EVIL, container=EVIL,
            environment={EVIL: EVIL, "LD_PRELOAD": EVIL},
        ),
        LibraryMapped(at=at(1), pid=7, path=EVIL, base=1, file="0:0:2", route="dlopen", route_by=EVIL, asked=EVIL),
        ImageRead(at=at(1), file="0:0:2", path=EVIL, soname=EVIL, needed=[EVIL], overrides=[EVIL], build_id=EVIL),
        LookedUp(
            at=at(1), pid=7, tid=7, via="dlsym", name=EVIL, requester=EVIL, found=False, error=EVIL, answered_by=EVIL
        ),
        LoaderRefused(at=at(1), pid=7, tid=7, object=EVIL, text=EVIL),
        FileOpened(at=at(1), pid=7, tid=7, path=EVIL, errno=2),
        FileChanged(at=at(1), path=EVIL, what=EVIL),
        SameNameProcess(at=at(1), pid=9, argv=[EVIL], exe=EVIL),
        LogFound(at=at(1), source=1, name=EVIL, kind="file", why=EVIL),
        LogRead(
            at=at(2), source=1, lines_total=3,
            lines=[LogLine(number=0, text=EVIL), LogLine(number=1, text=EVIL * 20_000), LogLine(number=2, text="")],
        ),
    ]  # fmt: skip


async def test_evil_texts_show_as_harmless_pictures_in_every_pane(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_app(FakeFeed(evil_stream()), monkeypatch, (120, 36)) as ui:
        for number in "123456":
            await ui.press(number, "j", "enter")
            assert not FORBIDDEN & set(ui.text), repr(ui.text)
            assert ui.app.is_running
            await ui.press("escape", "y", "Y")
            assert not FORBIDDEN & set(ui.app.clipboard)
        await ui.press("2", "enter")
        assert "[/usr/lib/x.so] [bold" in ui.text


async def test_a_picture_of_the_screen_holds_no_element_that_a_target_wrote(monkeypatch: pytest.MonkeyPatch) -> None:
    evil = "</text><script>alert(1)</script><image href='http://x'/>&#27;]52;c;YQ=="
    line = LogRead(at=at(2), source=1, lines_total=1, lines=[LogLine(number=0, text=evil)])
    async with running_app(FakeFeed([*evil_stream(), line]), monkeypatch, (120, 36)) as ui:
        for number in "123456":
            await ui.press(number)
            svg = ui.app.export_screenshot(title=evil, simplify=True)
            elements = {element.tag.rpartition("}")[2] for element in ElementTree.fromstring(svg).iter()}
            assert not elements & {"script", "image", "a", "foreignObject"}
            assert not FORBIDDEN & set(svg)


async def test_evil_texts_in_lists_over_the_screen_and_in_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_app(FakeFeed(evil_stream()), monkeypatch) as ui:
        for key in ("a", "L", "d", "l"):
            await ui.press(key)
            assert not FORBIDDEN & set(ui.text)
            await ui.press("escape")
        assert ui.app.screen is ui.app.main


async def test_an_evil_filter_finds_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_app(FakeFeed(evil_stream()), monkeypatch) as ui:
        await ui.press("2", "slash", *"[/usr(")
        assert ui.app.is_running
        assert " of 2 · /[/usr(" in ui.text
        await ui.press("backspace")
        assert "\n▸" in ui.text


@settings(max_examples=200)
@given(st.lists(st.text(max_size=60), min_size=1, max_size=4), st.integers(1, 120), st.integers(0, 50))
def test_any_text_fills_exactly_its_line(texts: list[str], width: int, shift: int) -> None:
    columns = [Column("A", 7, keep_end=True), Column("B", 5, right=True), Column("C"), Column("D", 9)][: len(texts)]
    spans = laid_out([cell(text) for text in texts], columns, width, shift)
    strip = styled(spans, dict.fromkeys(get_args(Tone), Style()), Style(), width)
    assert strip.cell_length == width
    assert not FORBIDDEN & set(strip.text) and "\n" not in strip.text
