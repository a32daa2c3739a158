"""Where logs are: files that a process writes, files that the watch plan names, as the process sees them."""

import glob
import os
import pwd
import re
from collections.abc import Iterable, Iterator
from fnmatch import translate
from functools import cache

import msgspec

from inspector.collect.access import mounts
from inspector.collect.access.mounts import mounts_of
from inspector.collect.access.opening import OpenPath
from inspector.collect.access.reader import NO_GROUP, Reader
from inspector.stream.files import stranger_on_the_way

from ...kernel import procfs
from ...kernel.rootfs import Root
from ..contract import Tracked
from ..tolerant_reads import attempt
from .open_files import OpenFile

OUTPUT_NAMES = {1: "stdout", 2: "stderr"}
_PID = "{pid}"
_TRANSLATED = re.compile(r"\(\?s:(.*)\)\\[Zz]", re.DOTALL)
"""What fnmatch.translate puts around a pattern."""


class LogPath(msgspec.Struct, frozen=True):
    """A file that may be a log."""

    name: bytes
    """Path as the process sees it."""
    opens: OpenPath
    """Path by which the collector opens exactly this file now."""
    path: OpenPath | None
    """Path at which the collector would find its successor; None when it has no name any more."""
    why: str
    pid: int = 0
    """Whose file tree `path` goes through; 0 for ours."""
    named: bool = True
    """A person, a profile or an output names it: it is followed even when it does not look like text."""


def written(process: Tracked, file: OpenFile, root: Root | None) -> LogPath:
    """The place of a regular file that a process holds open for writing."""
    pid = process.pid
    name = root.inside(file.path) if root else file.path
    path = root.outside(name) if root else None
    same = path is not None and (attempt(lambda: _is(path, file), False) or _was_renamed(pid, file))
    output = OUTPUT_NAMES.get(file.fd)
    return LogPath(
        name=name,
        opens=OpenPath(os.fsencode(procfs.path_of(pid, "fd", str(file.fd))), root.reader if root else None, held=True),
        path=path if same else None,
        why=f"{output} of PID {pid}" if output else f"open for writing by PID {pid}",
        pid=pid if root is not None and root.foreign else 0,
        named=output is not None,
    )


def _is(path: bytes, file: OpenFile) -> bool:
    status = os.stat(path)
    return (status.st_dev, status.st_ino) == (file.device, file.inode)


def _was_renamed(pid: int, file: OpenFile) -> bool:
    """Whether a log was rotated between the look at its descriptor and the one at its name, which goes on being it."""
    held = procfs.path_of(pid, "fd", str(file.fd))
    now = attempt(lambda: os.fsencode(os.readlink(held)), file.target)
    return now != file.target and attempt(lambda: _is(os.fsencode(held), file), False)


def given(path: str, roots: Iterable[Root]) -> LogPath:
    """A path that a person gave: as we see it, else as a process of the tree sees it.

    It is opened as whoever can put another file in its place may, so that they show us what is theirs only.
    """
    here = os.fsencode(os.path.abspath(path))
    if mounts_of(os.getpid()).answers(here) and not os.path.exists(here):
        for root in roots:
            if root.foreign and (real := attempt(lambda root=root: root.resolve(here).real, None)):  # type: ignore[misc]
                outside = root.outside(real)
                return LogPath(here, outside, outside, "given with --log", root.pid)
    opens = OpenPath(here, attempt(lambda: _reader_of(os.path.dirname(here)), None))
    return LogPath(here, opens, opens, "given with --log")


def _reader_of(folder: bytes) -> Reader | None:
    """As whom opens files who owns a folder, or something on the way to it, or may write there: None when only we can.

    Where everybody may write, as nobody: what all may read.
    """
    mounts.check(folder)
    uid = stranger_on_the_way(os.fsdecode(folder))
    if uid is None:
        return None
    try:
        user = pwd.getpwuid(uid)
    except KeyError:
        return Reader(uid, NO_GROUP)
    return Reader(uid, user.pw_gid, tuple(sorted(os.getgrouplist(user.pw_name, user.pw_gid))))


class _Folder(msgspec.Struct):
    """One folder in which names are looked for."""

    patterns: list[str] = msgspec.field(default_factory=list)
    time: int = -1
    """When a name came or went, as it was when it was listed."""


class PlannedFiles(msgspec.Struct):
    """Files that the plan's globs name in one file tree; folders are listed again only when they changed."""

    patterns: list[str]
    root: Root
    _folders: dict[bytes, _Folder] = msgspec.field(default_factory=dict)

    def find(self, pids: set[int]) -> Iterator[LogPath]:
        """All files there are now; `{pid}` stands for one of these pids."""
        self._folders.clear()
        for pattern in self.patterns:
            for folder in self._folders_of(os.path.dirname(pattern)):
                self._folders.setdefault(folder, _Folder()).patterns.append(pattern)
        yield from self.find_changed(pids)

    def find_changed(self, pids: set[int]) -> Iterator[LogPath]:
        """Those in folders that got or lost a name since the last look."""
        for place, folder in self._folders.items():
            time = _time(self.root.outside(place))
            if time != folder.time:
                folder.time = time
                names = sorted(attempt(lambda place=place: os.listdir(self.root.outside(place)), list[bytes]()))  # type: ignore[misc]
                for pattern in folder.patterns:
                    yield from self._files(pattern, place, names, pids)

    def _folders_of(self, folder: str) -> list[bytes]:
        if glob.has_magic(folder):
            return [] if self.root.foreign else [os.fsencode(one) for one in glob.glob(folder)]
        real = attempt(lambda: self.root.resolve(os.fsencode(folder or "/")).real, b"")
        return [real] if real else []

    def _files(self, pattern: str, folder: bytes, names: list[bytes], pids: set[int]) -> Iterator[LogPath]:
        wanted = name_pattern(os.path.basename(pattern))
        for name in names:
            match = wanted.fullmatch(os.fsdecode(name))
            if match and all(int(pid) in pids for pid in match.groups()):
                inside = os.path.join(folder, name)
                real = attempt(lambda inside=inside: self.root.resolve(inside).real, None)  # type: ignore[misc]
                if real is not None:
                    path = self.root.outside(real if self.root.foreign else inside)
                    pid = self.root.pid if self.root.foreign else 0
                    yield LogPath(inside, path, path, f"named by a profile: {pattern}", pid)


@cache
def name_pattern(glob_name: str) -> re.Pattern[str]:
    """A glob for a file name as a pattern; each `{pid}` becomes a group of digits."""
    parts = [_TRANSLATED.sub(r"\1", translate(part)) for part in glob_name.split(_PID)]
    return re.compile(r"(\d{1,10})".join(parts), re.DOTALL)


def _time(folder: bytes) -> int:
    return attempt(lambda: os.stat(folder).st_mtime_ns, 0)
