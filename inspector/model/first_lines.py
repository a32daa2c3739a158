"""First lines that a process wrote, of which no log is known: the kernel kept them as they were written."""

from collections.abc import Iterator

from . import log_parsing
from .log_parsing.endings import EndingReader
from .state import Process, Said, State
from .worker import is_tool


def said_in_first_lines(state: State) -> Iterator[Said]:
    """What they say: the only words of a program that ended before anybody could look where its output leads."""
    written = [
        (process, event.fd, event.at, event.sample)
        for process in state.processes if not is_tool(process)
        for event in process.writes.values() if event.sample
    ]  # fmt: skip
    if not written:
        return
    known = {line.text.strip() for source in state.logs.values() for line in source.lines}
    for process, descriptor, at, sample in written:
        if known.isdisjoint(line.strip() for line in sample):
            yield from _said(process, descriptor, at, sample)


def _said(process: Process, descriptor: int, at: int, lines: list[str]) -> Iterator[Said]:
    source = -(process.pid * 4 + descriptor)  # no log has a number below zero
    for number, words in (*log_parsing.read_lines(lines), *EndingReader().read(lines)):
        yield Said(source=source, number=number, words=words, at=process.ended or at, pid=process.pid, read_at=at)


def last_line(state: State) -> str:
    """The last line of any log of this start, else the last of the first lines that a program of the tree wrote."""
    lines = [line.text for source in state.logs.values() for line in source.lines[-1:] if line.text.strip()]
    lines = lines or [
        line for process in state.processes if not is_tool(process)
        for event in process.writes.values() for line in event.sample[-1:] if line.strip()
    ]  # fmt: skip
    return lines[-1].strip() if lines else ""
