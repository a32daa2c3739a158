"""Rows that prove something: each names its pane and its place there, and the command that shows it by hand."""

from bisect import bisect_left
from shlex import quote

from inspector.stream.calls import CallReturned, FileOpened, LookedUp
from inspector.stream.invocation import program_name
from inspector.stream.libraries import LibraryMapped
from inspector.stream.text import visible

from . import commands_by_hand
from .start_again import loader_trace
from .state import Moment, Process, Reading, State
from .usage import FunctionCalls
from .verdict import Evidence


def of_process(process: Process, text: str, *, at: int = 0, by_hand: str = "") -> Evidence:
    """A fact about a process: its end, its program, its parent."""
    return Evidence(
        text=visible(text), at=at, pid=process.pid, pane="processes", key=str(process.pid),
        by_hand=by_hand or commands_by_hand.tree(process.pid),
    )  # fmt: skip


def of_environment(process: Process, key: str, text: str) -> Evidence:
    """A fact about one variable of a process."""
    by_hand = commands_by_hand.environment(process.pid, key)
    at = process.execs[-1].at if process.execs else 0
    return Evidence(text=visible(text), at=at, pid=process.pid, pane="processes", key=str(process.pid), by_hand=by_hand)


def of_library(process: Process, library: LibraryMapped, text: str, *, by_hand: str = "") -> Evidence:
    """A fact about a mapped file."""
    at = process.mapped_at.get(library.base, library.at)
    return Evidence(
        text=visible(text), at=at, pid=process.pid, pane="libraries", key=f"{process.pid}:{library.base}",
        by_hand=by_hand or commands_by_hand.maps(process.pid, library.path),
    )  # fmt: skip


def of_file(process: Process, path: str, text: str, *, by_hand: str = "") -> Evidence:
    """A fact about a file that need not be mapped."""
    for library in process.libraries.values():
        if library.path == path:
            return of_library(process, library, text, by_hand=by_hand)
    return Evidence(
        text=visible(text),
        pid=process.pid,
        pane="libraries",
        by_hand=by_hand or commands_by_hand.identity(process, path),
    )


def of_symbol(process: Process, file: str, name: str, text: str, *, by_hand: str = "") -> Evidence:
    """A fact about a name that a file offers or needs."""
    return Evidence(text=visible(text), pid=process.pid, pane="symbols", key=f"{file}:{name}", by_hand=by_hand)


def of_calls(process: Process, calls: FunctionCalls, text: str, *, at: int = 0) -> Evidence:
    """A fact about a counted function: with its results where they are known."""
    function = calls.function
    exits = function.exits if calls.results else ()
    by_hand = commands_by_hand.results(process, function.library, function.name, exits)
    return Evidence(
        text=visible(text), at=at or calls.first, pid=process.pid, pane="symbols",
        key=f"{function.file}:{function.name}", by_hand=by_hand,
    )  # fmt: skip


def of_sample(state: State, process: Process, calls: FunctionCalls, sample: CallReturned, text: str) -> Evidence:
    """A fact about one call."""
    by_hand = commands_by_hand.results(process, calls.function.library, calls.name, calls.function.exits)
    return of_moment(state, process, sample.at, text, by_hand=by_hand)


def of_lookup(state: State, process: Process, lookup: LookedUp, text: str) -> Evidence:
    """A fact about one look-up."""
    return of_moment(state, process, lookup.at, text, by_hand=loader_trace(process))


def of_open(state: State, process: Process, opened: FileOpened, text: str) -> Evidence:
    """A fact about one open."""
    return of_moment(state, process, opened.at, text, by_hand=commands_by_hand.descriptors(process.pid))


def of_moment(state: State, process: Process, at: int, text: str, *, by_hand: str = "") -> Evidence:
    """A fact that stands in the timeline."""
    return Evidence(
        text=visible(text), at=at, pid=process.pid, pane="timeline", key=moment_key(state, at, process.pid),
        by_hand=by_hand,
    )  # fmt: skip


def of_reading(state: State, reading: Reading, text: str = "") -> Evidence:
    """A log line."""
    source = state.logs.get(reading.source)
    name = source.found.name if source is not None else ""
    return Evidence(
        text=f"{text}: {visible(reading.text)}" if text else visible(reading.text),
        at=reading.at, pid=reading.pid or None, pane="logs", key=f"{reading.source}:{reading.number}",
        by_hand=commands_by_hand.log(name, reading.number, reading.text),
    )  # fmt: skip


def of_file_on_disk(path: str, text: str, *, by_hand: str = "") -> Evidence:
    """A fact about a file of the machine that no process maps: a unit, a preload file."""
    return Evidence(text=visible(text), by_hand=by_hand or f"ls -l {quote(path)}")


def moment_key(state: State, at: int, pid: int) -> str:
    """Index of the moment in the timeline as it is now; empty when it is not there."""
    timeline = state.timeline
    index = bisect_left(timeline, at, key=_at)
    while index < len(timeline) and timeline[index].at == at:
        if timeline[index].pid == pid:
            return str(index)
        index += 1
    return ""


def _at(moment: Moment) -> int:
    return moment.at


def short(process: Process) -> str:
    """`PID 850 (runner)`."""
    program = process.program or (process.parent.program if process.parent else None)
    name = program_name(program.argv, program.exe) if program else process.comm
    return f"PID {process.pid} ({name})" if name else f"PID {process.pid}"
