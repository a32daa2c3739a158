"""File systems that may never answer (a server that is gone, a FUSE program that hangs): asked before they are used.

A system call on such a file cannot be ended, so a thread that may be lost asks first. A mount that does not answer in
time is refused until that thread comes back: no second one is spent on it.
"""

import errno
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import lru_cache
from typing import TypeVar

import msgspec

T = TypeVar("T")

ANSWER_SECONDS = 0.5
"""How long a file system may take for its first answer."""
_FRESH_SECONDS = 2.0
"""For so long an answer and a table of mounts are believed."""
_MOST_NAMESPACES = 64
_STALLING = frozenset(
    ("nfs", "nfs4", "cifs", "smb3", "9p", "ceph", "glusterfs", "afs", "lustre", "beegfs", "gpfs", "orangefs", "coda")
)


class NotAnsweringError(OSError):
    """The file system of a path does not answer."""

    def __init__(self, mount: bytes, path: bytes) -> None:
        super().__init__(errno.ETIMEDOUT, f"its file system, mounted at {os.fsdecode(mount)}, does not answer", path)


class _Asked(msgspec.Struct):
    """One question to a mount."""

    done: threading.Event = msgspec.field(default_factory=threading.Event)
    at: float = 0.0


class Mounts:
    """The mounts of one mount name space, as far as they may stall; safe for several threads."""

    def __init__(self, pid: int | None = None) -> None:
        """`pid`: a process that lives there, None for ours."""
        self._table = f"/proc/{pid or 'thread-self'}/mountinfo"
        self._prefix = b"" if pid is None else b"/proc/%d/root" % pid
        self._read_at = -_FRESH_SECONDS
        self._stalling: tuple[bytes, ...] = ()
        self._asked: dict[bytes, _Asked] = {}
        self._lock = threading.Lock()

    def check(self, path: bytes) -> None:
        """NotAnsweringError when the path lies on a mount that does not answer."""
        mount = self._silent(path)
        if mount is not None:
            raise NotAnsweringError(mount, path)

    def answers(self, path: bytes) -> bool:
        """Whether the file system of the path answers."""
        return self._silent(path) is None

    def aside(self, path: bytes, look: Callable[[], T]) -> T:
        """What a look at a path gives: on a mount that may stall by a thread that may be lost, for it may die just now.

        NotAnsweringError when it does not come back in time.
        """
        mount = next(self._above(path), None)
        if mount is None:
            return look()
        if not self._answers(mount):
            raise NotAnsweringError(mount, path)
        asked = _Asked(at=time.monotonic())
        found: list[T | Exception] = []

        def look_aside() -> None:
            try:
                found.append(look())
            except Exception as error:  # whoever asked is to get it, whatever it is
                found.append(error)
            asked.done.set()

        threading.Thread(target=look_aside, name="looks-at-mount", daemon=True).start()
        if not asked.done.wait(ANSWER_SECONDS):
            with self._lock:
                self._asked[mount] = asked  # until that thread comes back it does not answer
            raise NotAnsweringError(mount, path)
        if isinstance(found[0], Exception):
            raise found[0]
        return found[0]

    def _silent(self, path: bytes) -> bytes | None:
        return next((mount for mount in self._above(path) if not self._answers(mount)), None)

    def _above(self, path: bytes) -> Iterator[bytes]:
        """Mounts on which the path lies and that may stall."""
        return (mount for mount in self._suspects() if path == mount or path.startswith(mount.rstrip(b"/") + b"/"))

    def _suspects(self) -> tuple[bytes, ...]:
        now = time.monotonic()
        if now - self._read_at > _FRESH_SECONDS:
            self._read_at = now
            try:
                with open(self._table, "rb") as file:
                    self._stalling = stalling(file.read())
            except OSError:
                pass  # the process is gone: what was known stays
        return self._stalling

    def _answers(self, mount: bytes) -> bool:
        now = time.monotonic()
        with self._lock:
            asked = self._asked.get(mount)
            if asked is None or (asked.done.is_set() and now - asked.at > _FRESH_SECONDS):
                asked = self._asked[mount] = _Asked(at=now)
                place = self._prefix + mount
                threading.Thread(target=_ask, args=(place, asked.done), name="asks-mount", daemon=True).start()
        return asked.done.wait(max(0.0, asked.at + ANSWER_SECONDS - now))


def _ask(place: bytes, done: threading.Event) -> None:
    """statfs(2) goes to the server of every network file system, and to the program behind a FUSE mount."""
    try:
        os.statvfs(place)
    except OSError:
        pass  # an error is an answer
    done.set()


def stalling(raw: bytes) -> tuple[bytes, ...]:
    """Mount points in a /proc/PID/mountinfo (proc_pid_mountinfo(5)) whose file systems may never answer."""
    found = []
    for line in raw.splitlines():
        before, _, behind = line.partition(b" - ")
        fields, kind = before.split(b" "), behind.split(b" ", 1)[0].decode("ascii", "replace")
        if len(fields) > 4 and (kind in _STALLING or kind.startswith("fuse")):
            found.append(_unescaped(fields[4]))
    return tuple(found)


def _unescaped(path: bytes) -> bytes:
    """The table writes space, tab, newline and backslash in octal."""
    for code in (b"\\040", b"\\011", b"\\012", b"\\134"):
        path = path.replace(code, bytes([int(code[1:], 8)]))
    return path


def mounts_of(pid: int) -> Mounts:
    """The mounts that a process sees; ProcessLookupError when it is gone."""
    try:
        theirs = os.readlink(f"/proc/{pid}/ns/mnt")
    except FileNotFoundError:
        raise ProcessLookupError(pid) from None
    own = _own_namespace(os.getpid())
    return _mounts_in(own, None) if theirs == own else _mounts_in(theirs, pid)


@lru_cache(1)
def _own_namespace(pid: int) -> str:
    """Ours, which we never leave."""
    return os.readlink(f"/proc/{pid}/ns/mnt")


@lru_cache(_MOST_NAMESPACES)
def _mounts_in(namespace: str, pid: int | None) -> Mounts:
    return Mounts(pid)


_OF_PROCESS = re.compile(rb"/proc/(\d+)/root(?=/)")


def check(path: str | bytes) -> None:
    """NotAnsweringError when a path of our own tree, or /proc/PID/root/..., lies on a mount that does not answer."""
    mounts, inside = _mounts_and_path(os.fsencode(path))
    mounts.check(inside)


def aside(path: str | bytes, look: Callable[[], T]) -> T:
    """What a look at such a path gives, as `Mounts.aside`."""
    mounts, inside = _mounts_and_path(os.fsencode(path))
    return mounts.aside(inside, look)


def _mounts_and_path(path: bytes) -> tuple[Mounts, bytes]:
    theirs = _OF_PROCESS.match(path)
    if theirs:
        return mounts_of(int(theirs[1])), path[theirs.end() :]
    return _mounts_in(_own_namespace(os.getpid()), None), path


def close(fd: int) -> None:
    """Close a file that may lie on such a mount: closing tells its server, who may be gone, or never answer."""
    done = threading.Event()

    def close() -> None:
        with suppress(OSError):  # the descriptor is free all the same (close(2))
            os.close(fd)
        done.set()

    threading.Thread(target=close, name="closes-file", daemon=True).start()
    done.wait(ANSWER_SECONDS)
