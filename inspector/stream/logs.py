"""Events about logs: sources found by themselves or given, and their lines."""

from typing import Literal

from .base import Event, Fact

ENDED_BEFORE = "the process ended before the file could be opened"
"""Why a log was not read that only its process could name: no right would help."""


class LogFound(Event, frozen=True, kw_only=True):
    """A log source; the same `source` again replaces what was known."""

    source: int
    """Number used by the other log events of this stream."""
    name: str
    """Path as the process sees it, or `journal of ollama.service`, `stderr of PID 812`."""
    kind: Literal["file", "journal", "pipe", "tty"]
    why: str
    """How it was found: `open for writing by pid 812`, `fd 2`, `named by profile ollama`, `given with --log`."""
    pids: list[int] = []
    readable: bool = True
    problem: str = ""
    size: int = 0
    file: str = ""
    born: int = 0
    """Wall ns of the file's birth, 0 unknown: all lines of one that is younger than the program are of this start."""
    modified: int = 0
    """Wall ns of the last write before it was first read, 0 unknown: of what was written before the program began, no
    line is of this start."""
    shared: bool = False
    """Whoever started the process writes to the same file, and is not of the tree: lines may be of others."""


class LogLine(Fact, frozen=True, kw_only=True):
    """One line."""

    number: int
    """From 0 within its source, counting through rotations; the same number again replaces the line: it was still
    being written."""
    text: str
    wall: int = 0
    """Wall time in ns since the epoch if the carrier gives it (journal), else 0."""
    pid: int = 0
    """The writing pid if the carrier gives it, else 0."""


class LogRead(Event, frozen=True, kw_only=True):
    """Lines read from one source: the tail at attach, all lines that the watch plan marks, then what is appended.

    Under a flood only marked lines and the newest are sent; `lines_total` always counts all of them.
    """

    source: int
    lines: list[LogLine]
    lines_total: int
    bytes_total: int = 0
    backlog: bool = False
    """True for lines that were there before we attached."""


class LogChanged(Event, frozen=True, kw_only=True):
    """Something happened to a source, or a defect was found in it."""

    source: int
    what: Literal["rotated", "truncated", "deleted", "unreadable", "nul-bytes", "binary", "long-line", "back"]
    detail: str = ""


class WritesSeen(Event, frozen=True, kw_only=True):
    """Bytes that a process wrote to fd 1 or 2 so far, counted in the kernel; shows output that goes nowhere."""

    pid: int
    fd: int
    writes: int
    bytes: int
    failed: int = 0
    sample: list[str] = []
    """First lines written to a descriptor that nobody reads."""
