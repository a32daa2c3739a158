"""Getting there and back: the picker behind every screen, names that fit several or none, waiting, successors."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from inspector.stream.processes import ProcessEnded, ProcessListed, SameNameProcess
from inspector.stream.session import SessionStarted, Settled, TargetMissing
from inspector.view import app as app_module
from inspector.view import session
from inspector.view.app import InspectorApp
from inspector.view.feed import Feed

from .app_harness import AppHarness, drawn, fixed_answer
from .feeds import FakeFeed
from .sample import FIRST, SECOND_CHILD, SERVER, at, main_question

SERVE = ["/usr/local/bin/ollama", "serve"]
LISTED = [
    ProcessListed(at=1, pid=SERVER, ppid=1, argv=SERVE, known_program=True, age=60.0),
    ProcessListed(at=1, pid=900, ppid=1, argv=["/usr/local/bin/ollama", "run", "m"], known_program=True),
    ProcessListed(at=1, pid=901, ppid=1, argv=["tail", "-f", "/var/log/ollama.log"]),
    ProcessListed(at=1, pid=300, ppid=1, argv=["/usr/sbin/sshd"], unit="ssh.service"),
]


@asynccontextmanager
async def looking_at(
    feed: Feed, monkeypatch: pytest.MonkeyPatch, *, target: str = "ollama", waits: bool = False,
    started: str = "", listed: Sequence[ProcessListed] = LISTED,
) -> AsyncIterator[tuple[AppHarness, list[str]]]:  # fmt: skip
    """The screen on a target that was named on the command line, and the targets that were turned to."""
    monkeypatch.setattr(session, "draw", drawn(fixed_answer))
    monkeypatch.setattr(app_module, "LOOK_AGAIN", 1)
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    connected: list[str] = []

    def connect(target: str) -> Feed:
        connected.append(target)
        return FakeFeed(main_question())

    app = InspectorApp(feed, listed=lambda: listed, connect=connect, target=target, waits=waits, started=started)
    async with app.run_test(size=(100, 30)) as pilot:
        yield AppHarness(app, pilot), connected
    if app.session is not None:
        app.session.close()


def missing(why: str) -> TargetMissing:
    """The collector found no single target."""
    return TargetMissing(at=at(0), why=why, kind="no-such-target", help="inspector list")


def over() -> list[ProcessEnded]:
    """All processes of the main question end."""
    return [ProcessEnded(at=at(9), pid=SERVER, signal=15)]


async def test_a_name_that_fits_several_opens_the_picker_narrowed_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    feed = FakeFeed([missing("`ollama` matches 2 process trees")])
    async with looking_at(feed, monkeypatch) as (ui, connected):
        await ui.until_shown("3 match ollama")
        assert "✗ `ollama` matches 2 process trees" in ui.text and "sshd" not in ui.text
        assert "900" in ui.cursor
        await ui.press("enter")
        await ui.until_shown("✗ CPU (likely)")
        assert connected == ["900"]


async def test_a_name_that_fits_none_opens_the_picker_with_all_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    feed = FakeFeed([missing("no process has `olama` as its name")])
    async with looking_at(feed, monkeypatch, target="olama") as (ui, _):
        await ui.until_shown("no process has `olama`")
        await ui.until_shown("sshd")


async def test_escape_goes_back_one_step_at_a_time_down_to_the_picker(monkeypatch: pytest.MonkeyPatch) -> None:
    async with looking_at(FakeFeed(main_question()), monkeypatch) as (ui, connected):
        await ui.until_shown("✗ CPU (likely)")
        await ui.press("4", "z", "slash", *"call", "enter", "escape")
        assert "/call" not in ui.text and "fix" not in ui.text
        await ui.press("escape")
        assert " fix " in ui.text
        await ui.press("escape")
        await ui.until_shown("Which process?")
        await ui.until_shown("sshd")
        assert str(SERVER) in ui.cursor
        await ui.press("escape", "enter")
        await ui.until_shown("✗ CPU (likely)")
        assert not connected, "what is observed is gone back to"


async def test_another_process_can_be_chosen_from_there(monkeypatch: pytest.MonkeyPatch) -> None:
    async with looking_at(FakeFeed(main_question()), monkeypatch) as (ui, connected):
        await ui.until_shown("✗ CPU (likely)")
        await ui.press("escape")
        await ui.until_shown("sshd")
        await ui.press("k", "enter")
        await ui.until(lambda: connected == ["900"])
        await ui.until_shown("✗ CPU (likely)")
        await ui.press("escape")
        await ui.until_shown("Which process?")


async def test_a_unit_is_observed_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    async with looking_at(FakeFeed(main_question()), monkeypatch) as (ui, connected):
        await ui.until_shown("✗ CPU (likely)")
        await ui.press("escape")
        await ui.until_shown("unit ssh.service: 1 process")
        await ui.press("G", "enter")
        await ui.until(lambda: connected == ["unit:ssh.service"])


async def test_a_target_that_has_ended_offers_its_successor(monkeypatch: pytest.MonkeyPatch) -> None:
    feed = FakeFeed(main_question())
    listed = [*LISTED[1:], ProcessListed(at=1, pid=32422, ppid=1, argv=SERVE, known_program=True)]
    async with looking_at(feed, monkeypatch, listed=listed) as (ui, connected):
        await ui.until_shown("✗ CPU (likely)")
        feed.come(*over())
        await ui.until_shown("ago (SIGTERM). A new one runs: 32422. Enter switches.")
        assert "ollama serve ended 0:0" in ui.text
        await ui.press("enter")
        await ui.until(lambda: connected == ["32422"])
        await ui.until_shown("● running")


async def test_waiting_says_for_what_and_since_when_and_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    begun = SessionStarted(at=at(0), version="1", wall=1, host="h", kernel="6", uid=0, target="ollama", collector=1)
    feed = FakeFeed([begun])
    async with looking_at(feed, monkeypatch, waits=True) as (ui, _):
        await ui.until_shown("Waiting for a process named ollama · 0:00")
        await ui.until_shown("Waiting for a process named ollama · 0:01")
        assert "do not start it yet" in ui.text
        feed.come(Settled(at=at(1), id=0))
        await ui.until_shown("Start it now")
        feed.come(*main_question()[1:])
        await ui.until_shown("✗ CPU (likely)")
        assert "Waiting" not in ui.text


async def test_the_age_of_the_last_event_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    async with looking_at(FakeFeed(main_question()), monkeypatch) as (ui, _):
        await ui.until_shown("event 0 s ago")
        await ui.until_shown("event 1 s ago")


def test_the_children_of_the_main_question_are_over_before_its_server() -> None:
    ends = {event.pid for event in main_question() if isinstance(event, ProcessEnded)}
    assert ends == {FIRST, SECOND_CHILD}


async def test_leaving_a_program_that_we_started_is_asked_about_because_it_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with looking_at(FakeFeed(main_question()), monkeypatch, started="ollama") as (ui, connected):
        await ui.until_shown("q quit and end ollama")
        await ui.press("escape")
        await ui.until_shown("Which process?")
        await ui.press("slash", *"tail", "enter", "enter")
        assert "ends when you leave it" in ui.text and not connected
        await ui.press("enter")
        await ui.until(lambda: connected == ["901"])


async def test_a_process_of_the_same_name_in_another_tree_can_be_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    other = SameNameProcess(at=at(2), pid=900, argv=["ollama", "run", "m"], exe="/usr/local/bin/ollama")
    async with looking_at(FakeFeed([*main_question(), other]), monkeypatch) as (ui, connected):
        await ui.press("1", "G", "o")
        await ui.until(lambda: connected == ["900"])


async def test_a_program_that_has_ended_stays_in_the_list_and_is_opened_again(monkeypatch: pytest.MonkeyPatch) -> None:
    feed = FakeFeed(main_question())
    gone = [one for one in LISTED if one.pid != SERVER]
    async with looking_at(feed, monkeypatch, started="ollama", listed=gone) as (ui, connected):
        await ui.until_shown("q quit and end ollama")
        await ui.press("escape")
        await ui.until_shown("sshd")
        feed.come(*over())
        await ui.until_shown("○ SIGTERM  /usr/local/bin/ollama serve")
        assert "q quit and end" not in ui.text and "q quit" in ui.text
        await ui.press("g", "enter")
        await ui.until_shown("✗ CPU (likely)")
        await ui.press("escape")
        await ui.until_shown("○ SIGTERM")
        assert str(SERVER) in ui.cursor
        await ui.press("enter")
        await ui.until_shown("✗ CPU (likely)")
        assert not connected, "all that was seen of it is still known"
