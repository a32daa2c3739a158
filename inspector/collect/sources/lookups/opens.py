"""Files that the tree opens, as far as they matter here: libraries, devices, logs, what is written, what is missing."""

import os
import re
from dataclasses import dataclass, field
from fnmatch import translate

from inspector.stream.calls import FileOpened, OpensSkipped
from inspector.stream.text import decode

from ...kernel.records import Opened
from ..contract import Session
from ..pace import Ticker
from ..processes.feed import Feed

FOLD_SECONDS = 1.0
_MOST_PATHS = 3000
_LIBRARY = re.compile(rb"(\.so(\.[0-9.]+)?|\.so-[^/]*)$")
_FOLDER = re.compile(rb"/(lib|cuda|rocm|hip|vulkan|ollama|ggml|nvidia)[^/]*(/|$)")
"""Where plug-ins are looked for: that such a folder was listed tells that somebody searched it."""
_PREFIXES = (b"/proc/driver", b"/sys/bus/pci", b"/etc/ld.so.preload", b"/dev/nvidia", b"/dev/dri", b"/dev/kfd")
_NOISE = (b"/dev/null", b"/dev/tty", b"/dev/pts/", b"/dev/shm/", b"/dev/urandom")

Key = tuple[str, int, bool]


@dataclass(slots=True)
class _Process:
    """What one process opened."""

    tids: dict[Key, int] = field(default_factory=dict)
    """Thread of the first open of each path and result."""
    again: dict[Key, int] = field(default_factory=dict)
    """Opens since the last fold that were told before."""
    skipped: int = 0
    told: int = 0


class OpensSource:
    """Tells each path and result of a process once and at once; what repeats is summed up once a second."""

    def __init__(self, session: Session, feed: Feed) -> None:
        self._session = session
        self._processes: dict[int, _Process] = {}
        self._ticker = Ticker(session.loop, FOLD_SECONDS, self._fold)
        globs = [*session.plan.devices, *session.plan.log_files, *session.configure.logs]
        patterns = [translate(glob.replace("{pid}", "*")) for glob in globs]
        self._wanted = re.compile("|".join(patterns) or "(?!)")
        feed.listen(Opened, self._opened)

    def close(self) -> None:
        """Say what was not said yet."""
        self._fold()

    def _opened(self, record: Opened) -> None:
        self._ticker.wake()
        process = self._processes.setdefault(record.pid, _Process())
        writable = record.flags & os.O_ACCMODE != os.O_RDONLY
        if not self._is_of_interest(record, writable):
            process.skipped += 1
            return
        folder = "/" if _is_folder(record) and not record.path.endswith(b"/") else ""
        key = (decode(record.path) + folder, record.errno, writable)
        if key in process.tids:
            process.again[key] = process.again.get(key, 0) + 1
        elif len(process.tids) >= _MOST_PATHS:
            process.skipped += 1
        else:
            process.tids[key] = record.tid
            self._tell(record.at, record.pid, record.tid, key, 1)

    def _is_of_interest(self, record: Opened, writable: bool) -> bool:
        path = record.path
        if path.startswith(_NOISE) or not path:
            return False
        if writable or _LIBRARY.search(path) or path.startswith(_PREFIXES):
            return True
        if _is_folder(record) and _FOLDER.search(path):
            return True
        return self._wanted.match(os.fsdecode(path)) is not None

    def _tell(self, at: int, pid: int, tid: int, key: Key, count: int) -> None:
        path, errno, writable = key
        event = FileOpened(at=at, pid=pid, tid=tid, path=path, errno=errno, writable=writable, count=count)
        self._session.outlet.send(event)

    def _fold(self) -> bool:
        """There is nothing to sum up then until something more is opened."""
        now = self._session.loop.now()
        for pid, process in self._processes.items():
            for key, count in process.again.items():
                self._tell(now, pid, process.tids[key], key, count)
            process.again.clear()
            if process.skipped > process.told:
                process.told = process.skipped
                self._session.outlet.send(OpensSkipped(at=now, pid=pid, count=process.skipped))
        return False


def _is_folder(record: Opened) -> bool:
    return bool(record.flags & os.O_DIRECTORY)
