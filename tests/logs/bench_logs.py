"""How fast a log is taken in, for the benchmark: bytes to exact line numbers, marked lines found, pages by filter."""

import time
from pathlib import Path

from inspector.collect.logs.line_rate_limit import LineLimiter
from inspector.collect.logs.reader import Reader
from inspector.collect.logs.search import Pager
from inspector.collect.logs.watched_lines import Marks
from inspector.stream.requests import ReadLog

from .lines import follow

_SHAPES = (
    b'time=2026-01-02T03:04:05.678Z level=DEBUG source=runner.go:437 msg="nothing that a profile marks" n=%d',
    b'[GIN] 2026/01/02 - 03:04:05 | 200 | 1.2ms | 127.0.0.1 | GET "/api/tags" %d',
    b"plain short line number %d of the flood",
)


def write_log(path: Path, lines: int) -> None:
    """A log of usual line lengths without a marked line."""
    path.write_bytes(b"".join(_SHAPES[number % 3] % number + b"\n" for number in range(lines)))


def lines_indexed_per_second(path: Path, marks: list[str], backlog: bool = False) -> float:
    """Lines a second from a file on disk to exact numbers, newest and marked lines chosen; `path` holds the log.

    `backlog`: as at attach, where only the last lines are searched for marks; else all of them are, as under a flood.
    """
    tail = follow(path)
    reader = Reader(tail, LineLimiter(Marks(marks)), path.stat().st_size if backlog else 0)
    begin = time.perf_counter()
    reader.read()
    while reader.more:
        reader.read()
    seconds = time.perf_counter() - begin
    total = tail.lines_total
    tail.close()
    return total / seconds


def filter_seconds(path: Path, text: str, level: int = 0) -> tuple[float, float]:
    """Seconds until the first answer with a line and until the last one, in a log that is indexed already."""
    tail = follow(path)
    tail.step()
    while tail.more:
        tail.step()
    pager, request = Pager(tail), ReadLog(source=1, filter=text, level=level)
    begin = time.perf_counter()
    page = pager.page(request, 0.03)
    first = time.perf_counter() - begin if page.lines else 0.0
    while not page.complete:
        page = pager.page(request, 0.03)
        first = first or (time.perf_counter() - begin if page.lines else 0.0)
    seconds = time.perf_counter() - begin
    tail.close()
    return first or seconds, seconds
