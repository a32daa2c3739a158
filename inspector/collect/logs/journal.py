"""The journal of a unit, as journalctl follows it in a process of ours (journalctl(1), systemd.journal-fields(7))."""

import os
import shutil
import subprocess
from collections import deque
from collections.abc import Sequence
from itertools import islice

import msgspec

from inspector.stream.logs import LogLine
from inspector.stream.requests import ReadLog
from inspector.stream.secrets import hide_lines
from inspector.stream.text import decode, decode_line

from .generation import LINE_LIMIT
from .reader import BACKLOG_LINES
from .search import Page, among, window

FIRST_LINES = 2_000
"""Entries that are read from the start of the program on, before the newest ones."""
_KEPT = 20_000
"""Lines that can be paged; older ones journald keeps."""
_READ = 1 << 18
_FORMAT = ("-o", "json", "--output-fields=MESSAGE,_PID", "--all", "--no-pager")
_FOLDERS = ("/run/log/journal", "/var/log/journal")


class _Entry(msgspec.Struct):
    """One journal entry; MESSAGE is a list of bytes when it is no UTF-8."""

    message: str | list[int | str] | None = msgspec.field(name="MESSAGE", default=None)
    pid: str | list[str] | None = msgspec.field(name="_PID", default=None)
    wall: str = msgspec.field(name="__REALTIME_TIMESTAMP", default="0")
    cursor: str = msgspec.field(name="__CURSOR", default="")


_DECODER = msgspec.json.Decoder(_Entry)


class JournalRefusedError(Exception):
    """There is no journal to follow; the message says why."""


class Journal:
    """Follows the journal of one unit; lines are numbered from the first one that we got."""

    def __init__(
        self, unit: str, command: str = "journalctl", folders: tuple[str, ...] = _FOLDERS, *, since: int = 0
    ) -> None:
        """Starts journalctl; JournalRefusedError when there is none or journald keeps no journal here.

        `since`: wall ns of the program's start; its first entries are read before the newest ones. 0: only those.
        """
        program = shutil.which(command)
        if program is None:
            raise JournalRefusedError("journalctl is not installed")
        if not any(os.path.isdir(folder) for folder in folders):
            raise JournalRefusedError("journald keeps no journal on this machine")
        self.unit = unit
        self.total = 0
        self.opened = 0
        """How often journalctl was begun: `fd` is another one each time."""
        self._in_key = False
        self._rest = b""
        self._kept: deque[LogLine] = deque(maxlen=_KEPT)
        self._first: set[str] = set()
        """Cursors of the entries since the start, which the newest ones may be among."""
        newest = [program, "-u", unit, "-f", "-n", str(BACKLOG_LINES), *_FORMAT]
        first = [program, "-u", unit, f"--since=@{since // 1_000_000_000}", *_FORMAT]
        self._next = newest if since else []
        """What is asked when the first entries are read."""
        self._process = self._open(first if since else newest)

    def _open(self, command: list[str]) -> "subprocess.Popen[bytes]":
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "LC_ALL": "C", "SYSTEMD_COLORS": "0"},
            start_new_session=True,
        )
        assert process.stdout is not None
        os.set_blocking(process.stdout.fileno(), False)
        self.opened += 1
        return process

    @property
    def fd(self) -> int:
        """Readable when lines wait."""
        assert self._process.stdout is not None
        return self._process.stdout.fileno()

    def read(self) -> list[LogLine] | None:
        """The lines that wait; None when journalctl has ended."""
        try:
            raw = os.read(self.fd, _READ)
        except BlockingIOError:
            return []
        if not raw and not self._next:
            return None
        *whole, self._rest = (self._rest + raw).split(b"\n")
        lines = [line for entry in whole if entry for line in self._lines(entry)]
        if self._next and (not raw or len(self._first) >= FIRST_LINES):
            self._go_on()
        self._kept.extend(lines)
        return lines

    def _go_on(self) -> None:
        """The first entries are read: ask for the newest, and for what comes."""
        self.end()
        command, self._next, self._rest = self._next, [], b""
        self._process = self._open(command)

    def page(self, request: ReadLog) -> Page:
        """A page of the lines that are kept; `total` counts only these when a filter is set."""
        if request.filter or request.level:
            return among(self._kept, request)
        begin, end = window(request, self.total)
        hidden = self.total - len(self._kept)
        lines = list(islice(self._kept, max(0, begin - hidden), max(0, end - hidden)))
        return Page(self.total, lines, True, self.total, self.total)

    @property
    def kept(self) -> Sequence[LogLine]:
        """The lines that can be paged."""
        return self._kept

    def end(self) -> str:
        """End journalctl; answers what it had to say."""
        if self._process.poll() is None:
            self._process.terminate()
        try:
            _, words = self._process.communicate(timeout=1)
        except subprocess.TimeoutExpired:
            self._process.kill()
            _, words = self._process.communicate()
        return decode(words.strip()) or f"journalctl ended with {self._process.returncode}"

    def _lines(self, raw: bytes) -> list[LogLine]:
        wall, pid, texts = parse_entry(raw)
        if self._next:
            self._first.add(_cursor(raw))
        elif self._first and _cursor(raw) in self._first:
            return []
        first = self.total
        self.total += len(texts)
        shown, self._in_key = hide_lines(texts, self._in_key)
        return [LogLine(number=first + step, text=text, wall=wall, pid=pid) for step, text in enumerate(shown)]


def _cursor(raw: bytes) -> str:
    """What names an entry; what is no entry is named by itself."""
    try:
        return _DECODER.decode(raw).cursor
    except (ValueError, msgspec.MsgspecError):
        return decode_line(raw[:LINE_LIMIT])


def parse_entry(raw: bytes) -> tuple[int, int, list[str]]:
    """Wall time in ns, pid and lines of one entry; what is no entry becomes a line as it is."""
    try:
        entry = _DECODER.decode(raw)
    except (ValueError, msgspec.MsgspecError):
        return 0, 0, [decode_line(raw[:LINE_LIMIT])]
    message = entry.message
    if isinstance(message, list):
        content = bytes(byte & 0xFF for byte in message if isinstance(byte, int))
    else:
        content = (message or "").encode("utf-8", "surrogateescape")
    pid = entry.pid if isinstance(entry.pid, str) else ""
    wall = int(entry.wall) * 1000 if entry.wall.isdecimal() and entry.wall.isascii() else 0
    texts = [decode_line(line[:LINE_LIMIT]) for line in content.removesuffix(b"\n").split(b"\n")]
    return wall, int(pid) if pid.isdecimal() and pid.isascii() else 0, texts
