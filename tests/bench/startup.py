"""How long commands take, as whole processes, beside peers; and what they import."""

import subprocess
import sys
import time

from .figures import Figure, Measurement
from .peers import ours, python_program
from .terminal import Terminal

_BARE = (
    "from textual.app import App\nfrom textual.widgets import Static\n"
    "class A(App):\n    def compose(self): yield Static('painted')\nA().run()"
)


def best_of(argv: list[str], runs: int = 7) -> float:
    """Shortest wall time of a command in ms."""
    times = []
    for _ in range(runs):
        begin = time.monotonic()
        subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        times.append((time.monotonic() - begin) * 1000)
    return min(times)


def first_paint(argv: list[str], text: bytes, runs: int = 3) -> float:
    """Shortest time in ms from the start of a program until `text` is on the screen."""
    times = []
    for _ in range(runs):
        with Terminal(argv) as screen:
            times.append(screen.wait_for(text) * 1000)
    return min(times)


def commands() -> list[Figure]:
    """`--help`, `--version`, `list`: budget 100 ms."""
    peer = python_program("py-spy")
    heavy = python_program("memray")
    light = best_of([peer, "--version"]) if peer else None
    figures = [
        Figure(what=f"inspector {name}", ours=best_of([ours(), name]), unit="ms", budget=100.0,
               peer="py-spy --version", peer_value=light)
        for name in ("--help", "--version", "list")
    ]  # fmt: skip
    if heavy:
        figures.append(
            Figure(what="inspector --version (2)", ours=best_of([ours(), "--version"]), unit="ms",
                   peer="memray --version", peer_value=best_of([heavy, "--version"], 3))
        )  # fmt: skip
    return figures


def paints() -> list[Figure]:
    """First paint and first rows after attach: budgets 250 and 500 ms."""
    target = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    try:
        time.sleep(0.3)
        bare = first_paint([sys.executable, "-c", _BARE], b"painted")
        paint = first_paint([ours(), str(target.pid)], b"inspector")
        rows = first_paint([ours(), str(target.pid)], b"time.sleep(600)")
    finally:
        target.kill()
        target.wait()
    return [
        Figure(what="first paint", ours=paint, unit="ms", budget=250.0, peer="bare Textual", peer_value=bare),
        Figure(
            what="first rows after attach", ours=rows, unit="ms", budget=500.0, peer="bare Textual", peer_value=bare
        ),
    ]


MEASUREMENTS = [Measurement("startup", commands), Measurement("startup", paints)]
