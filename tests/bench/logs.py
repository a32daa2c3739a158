"""Logs: how fast they are indexed beside lnav, how fast filtered, and that nothing is lost while they rotate."""

import tempfile
import threading
import time
from pathlib import Path

from inspector.model.profiles import builtin_profiles
from inspector.stream.log_line import Level
from tests.logs.bench_logs import filter_seconds, lines_indexed_per_second, write_log
from tests.logs.lines import Drain, follow

from .figures import Figure, Measurement
from .peers import program
from .timing import command_milliseconds

_LINES = 1_000_000
_PEER_LINES = 400_000
_TURNS = 8
_A_TURN = 50_000


def rates() -> list[Figure]:
    """Lines a second from a file on disk to exact numbers, and a filter over all of them."""
    marks = builtin_profiles().plan().log_marks
    with tempfile.TemporaryDirectory(prefix="bench-logs-") as folder:
        path = Path(folder) / "server.log"
        write_log(path, _LINES)
        backlog = sorted(lines_indexed_per_second(path, marks, backlog=True) for _ in range(3))[1]
        marked = sorted(lines_indexed_per_second(path, marks) for _ in range(3))[1]
        searches = {
            "a text in every third line": filter_seconds(path, "runner.go"),
            "a text in one line": filter_seconds(path, "number 999998 "),
            "a regular expression": filter_seconds(path, "time=.* n=9+\\b"),
            "an expression without a text": filter_seconds(path, r"\b[4-9]\d{2}\b"),
            "an expression in one line": filter_seconds(path, r"\b9{5}\d\b.*[^d]$"),
            "what does not match": filter_seconds(path, "!GIN"),
            "level error": filter_seconds(path, "", Level.ERROR),
            "level info": filter_seconds(path, "", Level.INFO),
        }
        theirs = _lnav(Path(folder))
    return [
        Figure(what="log lines indexed", ours=backlog, unit="lines/s", budget=1e6, more_is_better=True, peer="lnav",
               peer_value=theirs, note="as at attach; lnav with its start"),
        Figure(what="log lines indexed, marks looked for in all", ours=marked, unit="lines/s", budget=1e6,
               more_is_better=True, peer="lnav", peer_value=theirs, note=f"{len(marks)} texts of the profiles"),
        *(
            Figure(what=f"first page of {what}, a million lines", ours=first * 1000, unit="ms", budget=50)
            for what, (first, _) in searches.items() if "in one line" not in what and what != "level error"
        ),
        *(
            Figure(what=f"search a million lines for {what}", ours=whole * 1000, unit="ms", budget=1000)
            for what, (_, whole) in searches.items()
        ),
    ]  # fmt: skip


def rotation() -> list[Figure]:
    """A log that is rotated while it is written: lines that never came, and lines that came twice."""
    with tempfile.TemporaryDirectory(prefix="bench-rotation-") as folder:
        path = Path(folder) / "server.log"
        path.touch()
        drain = Drain(follow(path))
        writer = threading.Thread(target=_write_and_rotate, args=(path,))
        writer.start()
        while writer.is_alive():
            drain.now()
            time.sleep(0.01)
        drain.now()
    numbers = [int(line) for line in drain.lines]
    lost, doubled = _TURNS * _A_TURN - len(set(numbers)), len(numbers) - len(set(numbers))
    note = f"{_TURNS * _A_TURN:,} lines through {_TURNS - 1} rotations"
    return [Figure(what="lines lost or doubled in rotation", ours=lost + doubled, unit="lines", budget=0, note=note)]


def _write_and_rotate(path: Path) -> None:
    for turn in range(_TURNS):
        with path.open("ab", buffering=0) as file:
            for begin in range(turn * _A_TURN, (turn + 1) * _A_TURN, 500):
                file.write(b"".join(b"%d\n" % number for number in range(begin, begin + 500)))
                time.sleep(0.0005)
        if turn < _TURNS - 1:
            path.rename(path.with_name(f"server.log.{_TURNS - turn}"))


def _lnav(folder: Path) -> float | None:
    """Lines a second of `lnav -n`, start included; None where it is not there."""
    path = program("lnav")
    if path is None:
        return None
    log = folder / "peer.log"
    write_log(log, _PEER_LINES)
    taken = command_milliseconds([path, "-n", "-c", ":switch-to-view log", log], 2)
    return _PEER_LINES / taken * 1000


MEASUREMENTS = [Measurement("logs", rates), Measurement("logs", rotation)]
