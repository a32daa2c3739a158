"""The file tree as a process sees it: its root directory and mount namespace, through /proc/PID/root.

A path that is opened below /proc/PID/root follows absolute symbolic links out of that root into ours. So links are
walked here, one component at a time, as path_resolution(7) says.
"""

import errno
import os
import stat
from collections.abc import Callable
from functools import cache
from typing import TypeVar

import msgspec

from inspector.collect.access.mounts import Mounts, mounts_of
from inspector.collect.access.opening import OpenPath
from inspector.collect.access.reader import Reader, own, reader_of

from . import procfs

T = TypeVar("T")
_MOST_LINKS = 40
"""The kernel's own limit, MAXSYMLINKS of linux/namei.h."""


class Resolved(msgspec.Struct, frozen=True):
    """Where a path leads."""

    real: bytes
    """The path without any symbolic link, as the process sees it."""
    links: list[bytes]
    """The asked path, each link's target, the real path, each once; empty when no link is on the way."""
    status: os.stat_result


class DanglingLinkError(FileNotFoundError):
    """A path is a symbolic link, and what it leads to is not there."""

    target: bytes = b""
    """What it leads to, as the process sees it."""


class Root:
    """One process's view of the file tree."""

    def __init__(self, pid: int, reader: Reader | None = None) -> None:
        """`reader`: as whom files are opened, the process itself by default. ProcessLookupError, PermissionError."""
        self.pid = pid
        self.reader = reader or _reader_unless_own(pid)
        try:
            ours = pid == os.getpid()
            self.directory, self.mount_namespace = _ours() if ours else _tree(pid)
        except FileNotFoundError:
            raise ProcessLookupError(pid) from None
        self.foreign = (self.directory, self.mount_namespace) != _ours()
        """True when it is another tree than the collector's."""
        self._prefix = os.fsencode(procfs.path_of(pid, "root")) if self.foreign else b""
        self._mounts = mounts_of(procfs.shown_as(pid))

    @property
    def key(self) -> tuple[int, bytes]:
        """Equal for processes that see the same tree."""
        return (self.mount_namespace, self.directory)

    def outside(self, real: bytes) -> OpenPath:
        """The path by which the collector opens a real path (one without links) of this tree, as its process may."""
        return OpenPath(self._prefix + real, self.reader)

    def answers(self, path: bytes) -> bool:
        """False when the file system of a path does not answer: touching it could take for ever."""
        return self._mounts.answers(path)

    def aside(self, path: bytes, look: Callable[[], T]) -> T:
        """What a look at a path gives; NotAnsweringError when its file system dies meanwhile, however far it came."""
        return self._mounts.aside(path, look)

    def inside(self, path: bytes) -> bytes:
        """A path of /proc/PID/maps as the process spells it: below its chroot the kernel shows us our own spelling."""
        if self.directory != b"/" and path.startswith(self.directory.rstrip(b"/") + b"/"):
            return path[len(self.directory.rstrip(b"/")) :]
        return path

    def resolve(self, path: bytes) -> Resolved:
        """Follow all links inside this tree; OSError (no such file, not permitted, a loop) as open(2) would give."""
        walk = _Walk(self._prefix, self._mounts)
        try:
            real, status = walk.to_end(path)
        except FileNotFoundError as error:
            if not walk.spelled:
                raise
            dangling = DanglingLinkError(error.errno, error.strerror, path)
            dangling.target = walk.spelled[-1]
            raise dangling from None
        links = [*walk.spelled, real] if walk.spelled or real != os.path.normpath(path) else []
        return Resolved(real, list(dict.fromkeys([path, *links] if links else [])), status)

    def stat(self, path: bytes) -> os.stat_result:
        """stat(2) inside this tree."""
        return os.stat(path) if not self.foreign else self.resolve(path).status


class _Walk:
    """One resolution under way."""

    def __init__(self, prefix: bytes, mounts: Mounts) -> None:
        self._prefix, self._mounts = prefix, mounts
        self._followed = 0
        self.spelled: list[bytes] = []
        """Where links that stood last in the path pointed to, in order."""

    def to_end(self, path: bytes) -> tuple[bytes, os.stat_result]:
        """The real path and what it is."""
        parts = path.split(b"/")[::-1]
        here: list[bytes] = []
        while parts:
            part = parts.pop()
            if part in (b"", b"."):
                continue
            if part == b"..":
                here = here[:-1]
                continue
            step = b"/" + b"/".join([*here, part])
            self._mounts.check(step)
            if not stat.S_ISLNK(os.lstat(self._prefix + step).st_mode):
                here.append(part)
                continue
            target = self._follow(step)
            if not any(parts):
                self.spelled.append(os.path.normpath(os.path.join(b"/" + b"/".join(here), target)))
            here = [] if target.startswith(b"/") else here
            parts += target.split(b"/")[::-1]
        real = b"/" + b"/".join(here)
        return real, os.lstat(self._prefix + real)

    def _follow(self, link: bytes) -> bytes:
        self._followed += 1
        if self._followed > _MOST_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), link)
        return os.readlink(self._prefix + link)


def _reader_unless_own(pid: int) -> Reader | None:
    """None for a process that may open what we may."""
    reader, ours = reader_of(pid), own()
    return None if reader == ours or (reader.overrides and ours.overrides) else reader


@cache
def own_root() -> Root:
    """The collector's own view."""
    return Root(os.getpid())


@cache
def _ours() -> tuple[bytes, int]:
    return _tree(os.getpid())


def _tree(pid: int) -> tuple[bytes, int]:
    return procfs.link(pid, "root"), procfs.namespace(pid, "mnt")
