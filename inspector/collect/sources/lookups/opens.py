"""Files that the tree opens, as far as they matter here: libraries, devices, logs, what is written, what is missing."""

import errno
import os
import re
from fnmatch import translate

import msgspec
from msgspec.structs import replace

from inspector.stream.calls import FileOpened, OpensSkipped
from inspector.stream.session import OPENS_UNTOLD, LimitNoted
from inspector.stream.text import decode

from ...kernel.records import Opened
from ..contract import Session, Tracked, TreeObserver
from ..poll_rate import Ticker
from ..processes.feed import Feed
from .folders import is_library_folder

FOLD_SECONDS = 1.0
SINGLY = 20
"""So many equal opens are told one by one, each with its own moment and thread."""
_MOST_PATHS = 3000
"""Of one process: of devices, drivers and refusals, and as many again of everything else."""
_MOST_KNOWN = 1024
_LIBRARY = re.compile(rb"(\.so(\.[0-9.]+)?|\.so-[^/]*)$")
_PREFIXES = (b"/proc/driver", b"/sys/bus/pci", b"/etc/ld.so.preload", b"/dev/nvidia", b"/dev/dri", b"/dev/kfd")
_NOISE = (b"/dev/null", b"/dev/tty", b"/dev/pts/", b"/dev/urandom")
_SHARED_MEMORY = b"/dev/shm/"
_SPECIAL = (b"/dev/", b"/proc/", b"/sys/")

Key = tuple[str, int, bool]


class _Process(msgspec.Struct):
    """What one process opened."""

    told: dict[Key, int] = msgspec.field(default_factory=dict)
    """How many of each path and result were told one by one."""
    deciding: int = 0
    """Paths among them that have room of their own."""
    full: bool = False
    """Some were left out that were of interest."""
    again: dict[Key, FileOpened] = msgspec.field(default_factory=dict)
    """What was folded since the last look: the newest of each kind, with its count."""
    skipped: int = 0
    skipped_told: int = 0


class OpensSource(TreeObserver):
    """Tells each open of interest at once; what repeats very often is summed up once a second."""

    def __init__(self, session: Session, feed: Feed) -> None:
        self._session = session
        self._processes: dict[int, _Process] = {}
        self._known: dict[tuple[bytes, int, int, bool], Key | None] = {}
        """What opens are told as, by path, error, flags and whether inside of a call."""
        self._said = False
        self._untold: set[int] = set()
        """Processes that opened something since the last look."""
        self._ticker = Ticker(session.loop, FOLD_SECONDS, self._fold)
        globs = [*session.plan.devices, *session.plan.log_files, *session.configure.logs]
        patterns = [translate(glob.replace("{pid}", "*")) for glob in globs]
        self._wanted = re.compile("|".join(patterns) or "(?!)")
        session.tree.watch(self)
        feed.listen(Opened, self._opened)

    def executed(self, process: Tracked) -> None:
        """What 32-bit programs ask of the kernel goes by other entries than those that are watched."""
        program = process.program
        if program is not None and program.elf_class == 32 and not self._said:
            self._said = True
            why = f"{program.exe} is a 32-bit program: its system calls are not watched"
            limit = LimitNoted(at=program.at, what=OPENS_UNTOLD, why=why, pid=process.pid)
            self._session.sink.send(limit)

    def forgotten(self, process: Tracked) -> None:
        """It opens nothing more."""
        self._processes.pop(process.pid, None)

    def close(self) -> None:
        """Say what was not said yet."""
        self._fold()

    def _opened(self, record: Opened) -> None:
        self._ticker.wake()
        process = self._processes.setdefault(record.pid, _Process())
        self._untold.add(record.pid)
        key = self._key_of(record)
        if key is None:
            process.skipped += 1
            return
        path, error, writable = key
        event = FileOpened(at=record.at, pid=record.pid, tid=record.tid, path=path, errno=error, writable=writable)
        told = process.told.get(key, 0)
        if told >= SINGLY:
            before = process.again.get(key)
            since = before.since if before else record.at
            process.again[key] = replace(event, count=before.count + 1 if before else 1, since=since)
        elif told or self._has_room(process, record):
            process.told[key] = told + 1
            self._session.sink.send(event)
        else:
            process.skipped += 1
            self._say_full(process, record)

    def _has_room(self, process: _Process, record: Opened) -> bool:
        """A crowd of files does not keep what decides from being told."""
        if not _decides(record):
            return len(process.told) - process.deciding < _MOST_PATHS
        process.deciding += process.deciding < _MOST_PATHS
        return process.deciding < _MOST_PATHS

    def _say_full(self, process: _Process, record: Opened) -> None:
        if not process.full:
            process.full = True
            why = f"it opened, or tried to, more than {_MOST_PATHS:,} different files of interest"
            limit = LimitNoted(at=record.at, what=OPENS_UNTOLD, why=why, pid=record.pid)
            self._session.sink.send(limit)

    def _key_of(self, record: Opened) -> Key | None:
        """None for what is of no interest; children that are alike open the same files."""
        kind = (record.path, record.errno, record.flags, record.inside)
        if kind not in self._known:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            writable = record.flags & os.O_ACCMODE != os.O_RDONLY
            folder = "/" if _is_folder(record) and not record.path.endswith(b"/") else ""
            wanted = self._is_of_interest(record, writable)
            self._known[kind] = (decode(record.path) + folder, record.errno, writable) if wanted else None
        return self._known[kind]

    def _is_of_interest(self, record: Opened, writable: bool) -> bool:
        path = record.path
        if path.startswith(_NOISE) or not path:
            return False
        if record.errno and _tells_a_refusal(record):
            return True
        if path.startswith(_SHARED_MEMORY) and not _LIBRARY.search(path):
            return False
        if writable or _LIBRARY.search(path) or path.startswith(_PREFIXES):
            return True
        if _is_folder(record) and is_library_folder(path):
            return True
        return self._wanted.match(os.fsdecode(path)) is not None

    def _fold(self) -> bool:
        """There is nothing to sum up then until something more is opened."""
        now = self._session.loop.now()
        untold, self._untold = self._untold, set()
        for pid, process in ((pid, self._processes[pid]) for pid in untold if pid in self._processes):
            for event in process.again.values():
                self._session.sink.send(event)
            process.again.clear()
            if process.skipped > process.skipped_told:
                process.skipped_told = process.skipped
                self._session.sink.send(OpensSkipped(at=now, pid=pid, count=process.skipped))
        return False


def _decides(record: Opened) -> bool:
    refused = record.errno not in (0, errno.ENOENT, errno.ENOTDIR)
    return refused or record.inside or record.path.startswith(_PREFIXES)


def _tells_a_refusal(record: Opened) -> bool:
    """Programs look for many files that are not there: of those, what was asked inside of a call, and special files."""
    missing = record.errno in (errno.ENOENT, errno.ENOTDIR)
    return not missing or record.inside or record.path.startswith(_SPECIAL)


def _is_folder(record: Opened) -> bool:
    return bool(record.flags & os.O_DIRECTORY)
