"""How the screen ends: by a signal, by a terminal that is closed, and how it lives through sizes that show nothing."""

import os
import pty
import signal
import subprocess
import sys
from contextlib import suppress

import pytest

from inspector.view.app import InspectorApp
from inspector.view.driver import BackpressureDriver, PendingOutput
from inspector.view.screens.main import MainScreen

from .feeds import FakeFeed
from .sample import main_question
from .terminal import Terminal

LEFT = b"\x1b[?1049l"
"""The sequence that gives the terminal back."""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_in_order_and_gives_the_terminal_back(number: signal.Signals) -> None:
    terminal = Terminal((80, 24), {})
    terminal.read_until("q quit")
    os.kill(terminal.pid, number)
    assert terminal.read_to_end() == 128 + number
    assert LEFT in terminal.received and b"Traceback" not in terminal.received


def test_a_terminal_that_is_closed_ends_it() -> None:
    terminal = Terminal((80, 24), {})
    terminal.read_until("q quit")
    assert terminal.close() in (128 + signal.SIGHUP, -signal.SIGHUP)


def test_a_terminal_that_is_closed_ends_it_also_where_it_is_nobodys_controlling_terminal() -> None:
    ours, its = pty.openpty()
    program = [sys.executable, "-m", "tests.view.program"]
    environment = {**os.environ, "TERM": "xterm-256color"}
    with subprocess.Popen(program, stdin=its, stdout=its, stderr=its, start_new_session=True, env=environment) as shown:
        os.close(its)
        received = b""
        while b"quit" not in received:
            received += os.read(ours, 4096)
        os.close(ours)
        assert shown.wait(20) == 128 + signal.SIGHUP


def test_what_a_terminal_that_is_gone_does_not_take_is_no_error() -> None:
    ours, its = pty.openpty()
    with os.fdopen(its, "w") as file:
        pending = PendingOutput(file)
        os.close(ours)
        pending.write("x" * 100_000)
        pending.flush()
        with suppress(OSError):
            file.close()


async def test_who_is_ended_before_the_screen_is_whole_mounts_nothing_more() -> None:
    app = InspectorApp(FakeFeed(main_question()))
    async with app.run_test(size=(80, 24)):
        shown = app.screen
        assert isinstance(shown, MainScreen)
        app._completes = MainScreen(shown.session, "", app.settings)
        app.action_complete()
        assert app._completes is None


def test_a_terminal_from_which_somebody_else_took_the_keys_is_not_gone() -> None:
    ours, its = os.pipe()
    os.set_blocking(ours, False)
    driver = BackpressureDriver.__new__(BackpressureDriver)
    driver.fileno = ours
    assert driver._read_keys() is None
    os.close(its)
    assert driver._read_keys() == b""
    os.close(ours)


def test_it_lives_through_a_size_of_one_cell_and_comes_back() -> None:
    terminal = Terminal((80, 24), {})
    terminal.read_until("q quit")
    for size in ((1, 1), (2, 1), (20, 5), (80, 24)):
        terminal.resize(*size)
        terminal.wait(0.3)
    terminal.read_until("Processes 3")
    terminal.press("q")
    assert terminal.read_to_end() == 0 and b"Traceback" not in terminal.received
