"""Events about system calls of the tree that the kernel refused, and about folders that were listed.

Opens are `FileOpened`, refused ones too: one system call is told by one event.
"""

from typing import Literal

from .base import Event, Fact


class SystemCallRefused(Event, frozen=True, kw_only=True):
    """One system call that failed, told at `at`, the moment it came back to the program.

    A system call begins and ends inside of the same functions of its thread: it happened inside each call, load and
    look-up of the same `tid` that was entered before `at` and left after it. The same holds for `FileOpened`.
    """

    pid: int
    tid: int
    call: str
    """Name as in syscalls(2): `ioctl`, `connect`, `execve`, `newfstatat`, `mmap`."""
    errno: int
    """As in errno(3); a positive number."""
    subject: str = ""
    """What it was about: the path (of a relative one as the program wrote it), the address (`unix:/run/x.sock`,
    `127.0.0.1:80`, `[::1]:80`), the file behind the descriptor (`/dev/nvidiactl`), the name of a memory file, the
    limit (`RLIMIT_MEMLOCK`); empty where the call has none or it could not be read."""
    arguments: dict[str, int] = {}
    """Those that matter, by their names in the manual page: `fd`, `request`, `length`, `prot`, `flags`, `mode`,
    `domain`, `type`, `protocol`, `soft`, `hard`."""
    count: int = 1
    """Equal ones (pid, call, errno, subject) in this event; only what repeats very often is folded."""
    since: int = 0
    """Moment of the first of them where `count` is above 1; `at` is then the moment of the last."""


class SystemCallSum(Fact, frozen=True, kw_only=True):
    """Failures of one kind in one process so far (a total)."""

    call: str
    errno: int
    count: int
    first: int
    last: int


class SystemCallsSummed(Event, frozen=True, kw_only=True):
    """Harmless frequent failures (EAGAIN, EINTR, EINPROGRESS; ENOENT of a search) that are only counted.

    Replaces what was known of the process.
    """

    pid: int
    sums: list[SystemCallSum]


class FolderListed(Event, frozen=True, kw_only=True):
    """A process read the names in a folder of libraries (getdents64(2)): it searched there, whatever it then opened."""

    pid: int
    tid: int
    path: str
    """As the program wrote it."""


class SystemCallsWatched(Event, frozen=True, kw_only=True):
    """From `at` on opens and refused system calls of the tree are told, or not any more; silence says nothing then."""

    on: bool
    means: Literal["fexit", "kretprobe", "tracepoint", "none"]
    """By programs on the kernel's own functions (always on), or by a tracepoint that is on only while it can matter."""
