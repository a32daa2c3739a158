"""Files under counting, each once for the machine: what a file offers, and its probes, in some 0.1 ms."""

import errno
import os
import stat
import time
from collections.abc import Callable

import msgspec

from ..access import mounts
from ..access.file_memory import FileMemory
from ..access.opening import OpenPath, open_regular
from ..elf.file import ElfError
from ..elf.sites import PLACES_DEPEND_ON, Site, find_sites
from ..kernel.attach import AttachThreads
from ..kernel.call_maps import CallMaps
from ..kernel.counter_block import CounterBlock
from ..kernel.early_programs import file_key
from ..kernel.file_watch import FileWatch, Function
from ..kernel.lock_priority import above_programs
from ..kernel.uprobes import means
from .file_claims import FileClaims
from .messages import NO_DESCRIPTOR, Armed, Group, Unable
from .results import exit_memory, read_results

_KEPT = 0.4
"""Share of all numbers, and of all probes, that is kept for files that are really opened."""
_THREADS = 12
"""That set the probes of one file side by side."""

FunctionAt = Callable[[Site], Function]
Tell = Callable[[Armed | Unable, list[int]], None]


class Interests(msgspec.Struct, frozen=True):
    """What is to be counted."""

    names: list[str]
    """Functions, the deciding ones first."""
    stems: list[str]
    """Parts of the names of files that are likely to have some."""
    places: list[str]
    """Patterns of folders in which such files lie, see `PlacePlan`."""
    function_at: FunctionAt
    """How to probe one."""
    is_awaited: Callable[[int], bool]
    """Whether a process that has just begun its program is the one that is waited for."""


class Arming:
    """Sets probes on files that define a function of interest, and tells of each file that has got some."""

    def __init__(
        self,
        owner: str,
        block: CounterBlock,
        calls: CallMaps,
        claims: FileClaims,
        interests: Interests,
        tell: Tell,
        priority: int,
    ) -> None:
        """Functions get numbers of the block, one after the other. `owner`: the process whose memory of files it is.

        `priority`: of SCHED_FIFO, that of all threads of the process; 0 for none.
        """
        self._block, self._calls, self._claims = block, calls, claims
        self._interests, self._tell = interests, tell
        known_by = "\n".join([*interests.names, PLACES_DEPEND_ON])
        self._sites: FileMemory[list[Site]] = FileMemory(f"sites-{owner}", known_by, list[Site])
        self._exits = exit_memory(owner)
        self._threads = AttachThreads(_THREADS, priority)

    def load(self) -> None:
        """Take what earlier runs learnt of files."""
        self._sites.load()
        self._exits.load()

    def save(self) -> None:
        """Leave it for the next run."""
        self._sites.save()
        self._exits.save()

    def is_known(self, key: bytes) -> bool:
        """A file of this key was looked at, or is."""
        return self._claims.is_known(key)

    def wait(self, key: bytes) -> None:
        """Return when nobody looks at a file any more, or when that takes too long."""
        self._claims.wait(key)

    def foresee(self, path: bytes) -> bool:
        """As `arm`, for a file that may never be opened: some room is kept for those that are."""
        try:
            mounts.check(path)
            status = os.lstat(path)
        except (OSError, ValueError):
            return False
        if stat.S_ISREG(status.st_mode) and self.is_known(_key_of(status)):
            return False
        return min(self._block.left / self._block.count, means().left) > _KEPT and self.arm(path)

    def arm(self, path: bytes, told: bytes = b"") -> bool:
        """Have a file's functions counted when this returns; False when it has none or cannot be read.

        `told`: the key by which the kernel told of it, where a file system has two numbers for one file.
        """
        try:
            fd = open_regular(path)
        except ValueError:
            return False
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE):
                self._tell(Unable(f"calls of {os.fsdecode(bytes(path))}", NO_DESCRIPTOR), [])
            return False
        return self.arm_opened(fd, path.seen_as if isinstance(path, OpenPath) else path, told)

    def arm_opened(self, fd: int, seen_as: bytes, told: bytes = b"") -> bool:
        """The same for a file that is open; closes the descriptor.

        `seen_as`: its path as whoever opened it has it.
        """
        try:
            status = os.fstat(fd)
            key = _key_of(status)
            if self._claims.claim(key):
                with above_programs():  # a thread that reacts may wait for this, and keep a processor meanwhile
                    return self._arm_claimed(b"/proc/self/fd/%d" % fd, seen_as, status, {key, told or key})
            self._claims.wait(key)
            return False
        finally:
            os.close(fd)

    def _arm_claimed(self, path: bytes, seen_as: bytes, status: os.stat_result, keys: set[bytes]) -> bool:
        related, written = True, False
        try:
            found = self._find(path, status)
            related = found != []
            if not found:
                return False
            if self._claims.probe(status):
                return self._arm(path, seen_as, status, found)
            written = not self._claims.is_as_probed(status)
            return False
        finally:
            for each in keys:
                self._claims.forget(each) if written else self._claims.settle(each, related=related)

    def _find(self, path: bytes, status: os.stat_result) -> list[Site] | None:
        """Functions of interest that a file defines; None when it cannot be read."""
        known = self._sites.find(status)
        if known is not None:
            return known
        try:
            found = find_sites(path, self._interests.names).found
        except (ElfError, OSError):
            return None
        self._sites.keep(status, found)
        return found

    def _arm(self, path: bytes, seen_as: bytes, status: os.stat_result, found: list[Site]) -> bool:
        first = self._block.take(len(found))
        if first is None:
            self._claims.release(status.st_dev, status.st_ino)
            self._tell(Unable(f"calls of {os.fsdecode(seen_as)}", "too many functions are counted already"), [])
            return False
        functions = [self._interests.function_at(site) for site in found]
        try:
            watch = FileWatch(self._block, self._calls, path, first, functions, True, self._threads)
        except OSError as error:
            self._claims.release(status.st_dev, status.st_ino)
            self._tell(Unable(f"calls of {os.fsdecode(seen_as)}", f"the kernel refuses to count them ({error})"), [])
            return False
        at = time.monotonic_ns()
        numbered = enumerate(zip(found, functions, strict=True), first)
        deciding = {number: site for number, (site, function) in numbered if function.decides}
        counted = {number: site for number, site in deciding.items() if number in watch.counting}
        exits = read_results(watch, path, counted, self._exits)
        file, groups = watch.given()
        shared = [Group(group.number, group.functions, len(group.links)) for group in groups]
        armed = Armed(
            at,
            bytes(seen_as),
            status.st_dev,
            status.st_ino,
            first,
            found,
            shared,
            watch.refused,
            exits,
            time.monotonic_ns(),
        )
        self._claims.probed(status)
        self._tell(armed, [file, *(link for group in groups for link in group.links), *watch.exits.links])
        return True


def _key_of(status: os.stat_result) -> bytes:
    return file_key(status.st_ino, status.st_dev, status.st_ctime_ns)
