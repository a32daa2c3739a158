"""First lines that a process wrote, of which no log is known: the kernel kept them as they were written."""

import re
from collections.abc import Iterator

from inspector.stream import log_line
from inspector.stream.log_line import Level
from inspector.stream.logs import WritesSeen

from . import log_parsing
from .log_parsing.endings import EndingReader
from .log_parsing.vocabulary import CONCERNS_DEVICES
from .state import Process, Said, State
from .worker import is_tool

_STDERR = 2
_LAST = 4
"""Lines of a log of which one tells what the program said last."""
_FAREWELL = re.compile(r"\W*(?:(?:exit|abort|quit|terminat|stopp)(?:ing|ed)?|bye|done)?\W*$", re.IGNORECASE)
"""Nothing, or that it ends, without a reason."""

_FAILS = re.compile(
    r"\b(?:fail(?:ed|ure)?|error|cannot|can't|could not|couldn't|unable|denied|refused)\b", re.IGNORECASE
)


def said_in_first_lines(state: State) -> Iterator[Said]:
    """What they say: the only words of a program that ended before anybody could look where its output leads."""
    written = [
        (process, event)
        for process in state.processes if not is_tool(process)
        for event in process.writes.values() if event.sample
    ]  # fmt: skip
    if not written:
        return
    known = {line.text.strip() for source in state.logs.values() for line in source.lines}
    for process, event in written:
        if known.isdisjoint(line.strip() for line in event.sample):
            yield from _said(process, event)


def _said(process: Process, event: WritesSeen) -> Iterator[Said]:
    """Of who wrote more than was kept nobody knows the last words: an error among the first was perhaps survived."""
    source = -(process.pid * 4 + event.fd)  # no log has a number below zero
    endings = EndingReader().read(event.sample) if is_all(event) else []
    for number, words in (*log_parsing.read_lines(event.sample), *endings):
        at = process.ended or event.at
        yield Said(source=source, number=number, words=words, at=at, pid=process.pid, read_at=event.at)


def is_all(event: WritesSeen) -> bool:
    """Whether the lines that were kept are all that was written there."""
    return event.bytes <= sum(len(line.encode()) + 1 for line in event.sample)


def last_line_of(state: State, process: Process) -> str:
    """What a process wrote last: in a log that it alone held, else of its first lines, where these are all."""
    sources = [one for one in state.logs.values() if one.found.pids == [process.pid] and one.lines]
    lines = [line.text for line in sources[-1].lines[-_LAST:]] if sources else _ending(process)
    shared = (line for one in state.logs.values() for line in one.lines if line.pid == process.pid)
    lines = lines or [line.text for line in shared][-_LAST:]
    telling = [line for line in lines if _FAREWELL.match(line) is None]
    return max(reversed(telling), key=_tells).strip() if telling else ""


def _ending(process: Process) -> list[str]:
    """What it wrote to its standard error, else elsewhere; nothing where it wrote more than was kept: its last words
    are not known then.
    """
    written = [event for event in process.writes.values() if event.bytes]
    written = [event for event in written if event.fd == _STDERR] or written
    return [line for event in written for line in event.sample] if all(map(is_all, written)) else []


def last_line(state: State) -> str:
    """The last line of any log that says more than that it ends, else the last of what a program wrote first; of its
    last lines an error about a device comes before another error, and that before the rest.
    """
    logs = [[line.text for line in source.lines[-_LAST:]] for source in state.logs.values()]
    if not any(logs):
        logs = [_ending(process) for process in state.processes if not is_tool(process)]
    told = [telling for lines in logs if (telling := [line for line in lines if _FAREWELL.match(line) is None])]
    return max(reversed(told[-1]), key=_tells).strip() if told else ""


def _tells(line: str) -> tuple[bool, bool, bool]:
    """How much a line tells of why a program ended."""
    failed = log_line.read(line).rank >= Level.ERROR
    return failed and CONCERNS_DEVICES.find(line, line.lower()) is not None, failed, _FAILS.search(line) is not None
