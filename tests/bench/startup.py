"""How long commands take, as whole processes, beside peers: medians, because others use the machine too."""

import statistics
import sys
import time

from .figures import Figure, Measurement
from .peers import ours, python_program
from .screen_emulator import Picture
from .targets import running
from .terminal import Terminal
from .timing import command_milliseconds

_BARE = (
    "from textual.app import App\nfrom textual.widgets import Static\n"
    "class A(App):\n    def compose(self): yield Static('painted')\nA().run()"
)
_MARK = "time.sleep(600)"
_REST = 1.5
"""Seconds until what we ended hard has gone: its collector takes its probes away meanwhile."""


def first_paint(argv: list[str], text: str, runs: int = 5) -> float:
    """Median time in ms from the start of a program until its screen shows a text."""
    times = []
    for _ in range(runs):
        with Terminal(argv) as screen:
            times.append((Picture(screen).wait_for(text) - screen.started) * 1000)
        time.sleep(_REST)
    return statistics.median(times)


def commands() -> list[Figure]:
    """`--help`, `--version`, `list`: budget 100 ms."""
    light, heavy = python_program("py-spy"), python_program("memray")
    python = command_milliseconds([sys.executable, "-c", "pass"])
    peer = command_milliseconds([light, "--version"]) if light else None
    figures = [
        Figure(what=f"inspector {name}", ours=command_milliseconds([ours(), name]), unit="ms", budget=100.0,
               peer="py-spy --version", peer_value=peer, note=f"of it {python:.0f} ms are `python -c pass`")
        for name in ("--help", "--version", "list")
    ]  # fmt: skip
    if heavy:
        theirs = command_milliseconds([heavy, "--version"], 3)
        version = figures[1].ours
        figures.append(
            Figure(what="inspector --version (2)", ours=version, unit="ms", peer="memray --version", peer_value=theirs)
        )
    return figures


def paints() -> list[Figure]:
    """First paint and first rows after attach: budgets 250 and 500 ms."""
    with running(sys.executable, "-c", f"import time; {_MARK}") as process:
        bare = first_paint([sys.executable, "-c", _BARE], "painted")
        paint = first_paint([ours(), str(process.pid)], "1 Processes")
        rows = first_paint([ours(), str(process.pid)], _MARK)
    return [
        Figure(what="first paint", ours=paint, unit="ms", budget=250.0, peer="bare Textual", peer_value=bare),
        Figure(
            what="first rows after attach", ours=rows, unit="ms", budget=500.0, peer="bare Textual", peer_value=bare
        ),
    ]


MEASUREMENTS = [Measurement("startup", commands), Measurement("startup", paints)]
