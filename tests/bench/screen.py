"""The screen in a pseudo terminal: bytes, CPU, keys, a flood and a slow link; beside htop, btop and bare Textual."""

import contextlib
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from inspector.collect.reactor.client import Reactor

from .figures import Figure, Measurement
from .peers import ours, program
from .screen_emulator import Picture
from .targets import program as target
from .targets import running
from .terminal import Terminal
from .timing import percentile
from .usage import CpuMeter, family

_STILL = ("-c", "import ctypes, json, sqlite3, ssl, time; time.sleep(600)")
_PANES = "123456"
_KEYS = 60
_FLOOD = "10000"
_LEFT = b"\x1b[?1049l"
_TABLE = """
from textual.app import App
from textual.widgets import DataTable
class Bare(App):
    def compose(self): yield DataTable(cursor_type="row")
    def on_mount(self):
        table = self.query_one(DataTable)
        table.add_columns(*"abcdef")
        table.add_rows([[f"cell {row} {column}" for column in range(6)] for row in range(200)])
Bare().run()
"""


@contextlib.contextmanager
def inspecting(*words: str) -> Iterator[Terminal]:
    """The inspector in a terminal, its first rows on the screen and silence after them."""
    with Terminal([ours(), *words]) as terminal:
        Picture(terminal).wait_for("running", 30)
        terminal.settle(1.0, 6.0)
        yield terminal


@contextlib.contextmanager
def flooded() -> Iterator[Terminal]:
    """The inspector on a program whose log grows by ten thousand lines a second."""
    with tempfile.TemporaryDirectory(prefix="bench-flood-") as folder:
        log = str(Path(folder) / "server.log")
        with running(target(), "logs", _FLOOD, log) as process, inspecting("--log", log, str(process.pid)) as terminal:
            yield terminal


_REST = 9.5
"""Seconds without a byte: of the first ten after an event the header counts each."""


def idle() -> list[Figure]:
    """Nothing changes: bytes a second and CPU of viewer and collector, beside htop and btop."""
    with running(sys.executable, *_STILL) as process, inspecting(str(process.pid)) as terminal:
        terminal.read_for(Reactor.YOUNG_SECONDS)  # so long probes are kept cheap to set: a library may come
        terminal.settle(_REST, 60.0)
        meter = CpuMeter(family(terminal.pid))
        ours_bytes = terminal.read_for(8.0) / 8
        cpu = meter.percent()
    htop, htop_cpu = _peer("htop", ["-d", "10"])
    btop, btop_cpu = _peer("btop", [])
    return [
        Figure(what="idle: bytes to the terminal", ours=ours_bytes, unit="B/s", budget=0, peer="htop", peer_value=htop),
        Figure(what="idle: CPU of both processes", ours=cpu, unit="%", budget=0.5, peer="htop", peer_value=htop_cpu),
        Figure(what="idle: bytes to the terminal (2)", ours=ours_bytes, unit="B/s", peer="btop", peer_value=btop),
        Figure(what="idle: CPU of both processes (2)", ours=cpu, unit="%", peer="btop", peer_value=btop_cpu),
    ]


def live() -> list[Figure]:
    """A call and a log line a second: bytes a second and CPU, the worst of all panes."""
    worst, rates, shares = 0.0, [], []
    with tempfile.TemporaryDirectory(prefix="bench-live-") as folder:
        log = str(Path(folder) / "server.log")
        with (
            running(target(), "logs", "1", log) as process,
            inspecting("--log", log, str(process.pid)) as terminal,
        ):
            terminal.read_for(Reactor.YOUNG_SECONDS)
            for pane in _PANES:
                terminal.key(pane.encode())
                terminal.settle(0.5, 2.0)
                meter = CpuMeter(family(terminal.pid))
                rates.append(terminal.read_for(4.0) / 4)
                shares.append(meter.percent())
    worst = max(rates)
    note = "panes 1 to 6: " + ", ".join(
        f"{rate:.0f} B/s {share:.1f} %" for rate, share in zip(rates, shares, strict=True)
    )
    return [
        Figure(what="live at 1 Hz: bytes, worst pane", ours=worst, unit="B/s", budget=1000, note=note),
        Figure(what="live at 1 Hz: CPU, mean of panes", ours=statistics.mean(shares), unit="%", budget=2),
    ]


def keys() -> list[Figure]:
    """From a key to the first byte of what it changes, beside bare Textual."""
    with Terminal([sys.executable, "-c", _TABLE]) as bare:
        Picture(bare).wait_for("cell 9 0", 30)
        bare.settle(0.5)
        theirs = _first_bytes(bare)
    with running(sys.executable, *_STILL) as process, inspecting(str(process.pid)) as terminal:
        terminal.key(b"2")
        terminal.settle(1.0, 5.0)
        quiet = _first_bytes(terminal)
    with flooded() as terminal:
        terminal.key(b"2")
        terminal.settle(0.5, 3.0)
        flood = _first_bytes(terminal)
    return [
        *_key_figures("key to first byte", quiet, theirs),
        *_key_figures("key to first byte, log flood", flood, theirs),
    ]


def keys_in_a_flooded_pane() -> list[Figure]:
    """In the pane that the flood paints, bytes come all the time: from the key to the help being there, and back."""
    with flooded() as terminal:
        picture = Picture(terminal)
        picture.press("5", "following")
        terminal.read_for(1.0)
        times = []
        for _ in range(12):
            times.append(picture.press("?", "ID FOR REBINDING") * 1000)
            times.append(picture.press("\x1b", "following") * 1000)
    note = f"p50 {statistics.median(times):.0f} ms, whole screen there"
    return [Figure(what="help over a flooded pane, p95", ours=percentile(times, 0.95), unit="ms", note=note)]


def switches() -> list[Figure]:
    """Bytes of a pane switch, the largest of all pairs of neighbours."""
    sizes: list[int] = []
    with running(sys.executable, *_STILL) as process, inspecting(str(process.pid)) as terminal:
        for pane in _PANES:
            terminal.key(pane.encode(), quiet=0.6)
        for pane in _PANES + _PANES[::-1]:
            sizes.append(terminal.key(pane.encode(), quiet=0.5)[2])
    note = "120x36; " + ", ".join(map(str, sizes))
    return [Figure(what="pane switch, largest", ours=max(sizes) / 1000, unit="KB", budget=10, peer="stock Textual",
                   peer_value=68, note=note)]  # fmt: skip


def quit_on_a_slow_link() -> list[Figure]:
    """`q` in a flooded log pane over a link of 30 KB/s, until the terminal has its own screen back."""
    times = []
    for _ in range(3):
        with flooded() as terminal:
            terminal.rate = 30_000.0
            terminal.write(b"5")
            terminal.read_for(3.0)
            begin = time.monotonic()
            terminal.write(b"q")
            while _LEFT not in terminal.output[-4096:] and time.monotonic() < begin + 10:
                terminal.read(1.0)
            times.append(time.monotonic() - begin)
    return [Figure(what="quit under flood at 30 KB/s", ours=statistics.median(times), unit="s", budget=0.5,
                   peer="stock Textual", peer_value=5.2)]  # fmt: skip


def _first_bytes(terminal: Terminal) -> list[float]:
    """ms from a key to the first byte: down and up in turns, so that each key moves the cursor of the shortest list."""
    times = []
    for number in range(_KEYS):
        terminal.read_for(0.03)
        first, _, count = terminal.key(b"\x1b[A" if number % 2 else b"\x1b[B", quiet=0.05, limit=1.0)
        if count:
            times.append(first * 1000)
    return times


def _key_figures(what: str, times: list[float], theirs: list[float]) -> list[Figure]:
    return [
        Figure(what=f"{what}, {name}", ours=percentile(times, share), unit="ms", budget=budget, peer="bare Textual",
               peer_value=percentile(theirs, share))
        for name, share, budget in (("p50", 0.5, 10.0), ("p95", 0.95, 30.0))
    ]  # fmt: skip


def _peer(name: str, words: list[str]) -> tuple[float | None, float | None]:
    """Bytes a second and CPU of a full-screen program left alone; None where it is not there."""
    path = program(name)
    if path is None:
        return None, None
    with Terminal([path, *words]) as terminal:
        terminal.read_for(2.0)
        meter = CpuMeter(family(terminal.pid))
        return terminal.read_for(6.0) / 6, meter.percent()


MEASUREMENTS = [
    Measurement("screen", one) for one in (idle, live, keys, keys_in_a_flooded_pane, switches, quit_on_a_slow_link)
]
