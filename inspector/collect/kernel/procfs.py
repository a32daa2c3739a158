"""/proc as plain values: bytes stay bytes, times become CLOCK_MONOTONIC ns (proc_pid_stat(5) and its siblings).

Every reader raises what the kernel answers: ProcessLookupError when the process is gone, PermissionError when it is
not ours to read, other OSError for the rest.
"""

import os
import struct
import time
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import msgspec

PROC = Path("/proc")
PAGE = os.sysconf("SC_PAGESIZE")
_BLOCK = 1 << 16
_OF_RECORDS = ("maps", "net/")
_TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
_KERNEL_THREAD = 0x00200000
"""PF_KTHREAD of linux/sched.h, field `flags` of /proc/PID/stat."""

AT_PHDR, AT_PHENT, AT_PHNUM, AT_BASE, AT_ENTRY = 3, 4, 5, 7, 9
AT_SECURE, AT_SYSINFO_EHDR = 23, 33
"""elf.h, getauxval(3)."""


class Stat(msgspec.Struct, frozen=True):
    """The fields of /proc/PID/stat that anybody here needs."""

    pid: int
    comm: bytes
    state: str
    """`Z` is a zombie, `X` dead; see proc_pid_stat(5)."""
    ppid: int
    kernel_thread: bool
    cpu_ticks: int
    """User and system time of all threads, in clock ticks."""
    threads: int
    start_ticks: int
    """Birth in clock ticks since boot: with the pid it names one process for ever."""
    rss: int
    """Bytes resident."""
    stack: int
    """Where its stack begins: random since the last exec, so another number is another program; 0 when refused."""

    @property
    def alive(self) -> bool:
        """False for a zombie: it has no memory, no files and no program any more.

        Where only the first thread has ended the process reads as one, and lives on in the others.
        """
        return self.threads > 1 or self.state not in ("Z", "X", "x")

    @property
    def started(self) -> int:
        """Birth as CLOCK_MONOTONIC ns, as exact as a clock tick (10 ms)."""
        return self.start_ticks * _TICK_NS - suspended()


class MapLine(msgspec.Struct, frozen=True):
    """One line of /proc/PID/maps."""

    start: int
    end: int
    permissions: str
    offset: int
    major: int
    minor: int
    inode: int
    path: bytes
    """Without ` (deleted)`; empty for anonymous memory; `[stack]`, `[vdso]` and the like as they stand."""
    deleted: bool = False

    @property
    def executable(self) -> bool:
        """True when code may run there."""
        return self.permissions[2] == "x"

    @property
    def file(self) -> str:
        """Identity of the mapped file as `LibraryMapped.file` spells it."""
        return file_key(self.major, self.minor, self.inode)


@lru_cache(4096)
def file_key(major: int, minor: int, inode: int) -> str:
    """The identity of a file as all events spell it: `MAJOR:MINOR:INODE` in hexadecimal, hexadecimal, decimal."""
    return f"{major:x}:{minor:x}:{inode}"


def stat_key(status: os.stat_result) -> str:
    """The identity of a file from stat(2)."""
    return file_key(os.major(status.st_dev), os.minor(status.st_dev), status.st_ino)


def suspended() -> int:
    """Nanoseconds that the machine slept since boot: what CLOCK_BOOTTIME, the clock of /proc, has more than ours."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) - time.monotonic_ns()


_STAND_INS: dict[int, int] = {}
"""By process whose first thread has ended: a thread that lives, under which the kernel still shows its memory."""


def shown_as(pid: int) -> int:
    """Under which number /proc shows what a process holds: its own, or that of a thread which outlived the first."""
    return _STAND_INS.get(pid, pid)


def path_of(pid: int, *parts: str) -> str:
    """`/proc/PID/...` as text."""
    return "/".join((f"/proc/{_STAND_INS.get(pid, pid)}", *parts))


def read(pid: int, name: str) -> bytes:
    """One file of /proc/PID as it is; ProcessLookupError when the process does not exist (any more)."""
    try:
        path = f"/proc/{pid}/stat" if name == "stat" else path_of(pid, name)
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise ProcessLookupError(pid) from None
    try:
        pieces = [os.read(fd, _BLOCK)]
        # A file of many records comes in pieces of a page (fs/seq_file.c); a short read is the whole of every other.
        while pieces[-1] and (name.startswith(_OF_RECORDS) or len(pieces[-1]) == _BLOCK):
            pieces.append(os.read(fd, _BLOCK))
        return b"".join(pieces)
    finally:
        os.close(fd)


def link(pid: int, name: str) -> bytes:
    """Target of a link of /proc/PID (`exe`, `cwd`, `root`); a kernel thread has none (FileNotFoundError)."""
    return os.readlink(os.fsencode(path_of(pid, name)))


def pids() -> list[int]:
    """All processes that this mount of /proc shows."""
    return [int(name) for name in os.listdir(PROC) if name.isdigit()]


def exists(pid: int) -> bool:
    """True while the pid is in use, be it by a zombie."""
    return os.path.exists(path_of(pid))


def stat(pid: int) -> Stat:
    """What the kernel counts about a process; notes who stands in for a first thread that has ended."""
    found = parse_stat(read(pid, "stat"))
    if found.state == "Z" and found.threads > 1:
        _find_stand_in(pid)
    elif _STAND_INS:
        _STAND_INS.pop(pid, None)
    return found


def _find_stand_in(pid: int) -> None:
    for name in os.listdir(f"/proc/{pid}/task"):
        tid = int(name)
        try:
            if tid != pid and parse_stat(read(tid, "stat")).state not in ("Z", "X", "x"):
                _STAND_INS[pid] = tid
                return
        except OSError:
            continue


def parse_stat(raw: bytes) -> Stat:
    """One line of /proc/PID/stat; the name in parentheses may itself hold spaces and parentheses."""
    opening, closing = raw.index(b"("), raw.rindex(b")")
    fields = raw[closing + 2 :].split()
    return Stat(
        pid=int(raw[:opening]),
        comm=raw[opening + 1 : closing],
        state=fields[0].decode("ascii"),
        ppid=int(fields[1]),
        kernel_thread=bool(int(fields[6]) & _KERNEL_THREAD),
        cpu_ticks=int(fields[11]) + int(fields[12]),
        threads=int(fields[17]),
        start_ticks=int(fields[19]),
        rss=int(fields[21]) * PAGE,
        stack=int(fields[25]),
    )


def all_stats() -> Iterator[Stat]:
    """The stat line of every process; those that end while we read are left out."""
    for pid in pids():
        try:
            yield stat(pid)
        except OSError:
            continue


def argv(pid: int) -> list[bytes]:
    """The argument list as the process shows it now (it may have rewritten it)."""
    return split_strings(read(pid, "cmdline"))


def environment(pid: int) -> dict[bytes, bytes]:
    """The environment block as exec laid it out (later setenv calls do not show)."""
    return parse_environment(read(pid, "environ"))


def split_strings(raw: bytes) -> list[bytes]:
    """NUL-separated strings; a process that overwrote its arguments may leave NULs at the end."""
    return raw.rstrip(b"\0").split(b"\0") if raw.strip(b"\0") else []


def parse_environment(raw: bytes) -> dict[bytes, bytes]:
    """NUL-separated KEY=VALUE strings; of equal keys the first wins, as in getenv(3)."""
    found: dict[bytes, bytes] = {}
    for entry in raw.split(b"\0"):
        key, equals, value = entry.partition(b"=")
        if equals and key:
            found.setdefault(key, value)
    return found


def auxiliary(pid: int) -> dict[int, int]:
    """The auxiliary vector (getauxval(3)); a 32-bit process has 32-bit entries."""
    return parse_auxiliary(read(pid, "auxv"))


def parse_auxiliary(raw: bytes) -> dict[int, int]:
    """Pairs of words up to AT_NULL; entries are 32-bit when the 64-bit reading makes no sense."""
    wide = _pairs(raw, "<QQ")
    return wide if all(kind < 1 << 32 for kind in wide) else _pairs(raw, "<II")


def _pairs(raw: bytes, form: str) -> dict[int, int]:
    size = struct.calcsize(form)
    found: dict[int, int] = {}
    for kind, value in struct.iter_unpack(form, raw[: len(raw) // size * size]):
        if kind == 0:
            break
        found[kind] = value
    return found


def maps(pid: int) -> list[MapLine]:
    """All mappings in address order."""
    return [line for line in map(parse_map_line, read(pid, "maps").splitlines()) if line is not None]


def executable_maps(pid: int) -> list[MapLine]:
    """Only mappings of files that code may run in: cheap also for a process with thousands of mappings."""
    found = (parse_map_line(raw) for raw in read(pid, "maps").splitlines() if b"xp " in raw or b"xs " in raw)
    return [line for line in found if line is not None and line.executable and line.inode]


def parse_map_line(raw: bytes) -> MapLine | None:
    """One line of maps; None when it is not one. The kernel writes a newline in a path as `\\012`, and only that."""
    fields = raw.split(None, 5)
    try:
        start, _, end = fields[0].partition(b"-")
        major, _, minor = fields[3].partition(b":")
        path = fields[5] if len(fields) > 5 else b""
        deleted = path.endswith(b" (deleted)")
        return MapLine(
            start=int(start, 16),
            end=int(end, 16),
            permissions=fields[1].decode("ascii").ljust(4, "-"),
            offset=int(fields[2], 16),
            major=int(major, 16),
            minor=int(minor, 16),
            inode=int(fields[4]),
            path=path.removesuffix(b" (deleted)").replace(b"\\012", b"\n"),
            deleted=deleted,
        )
    except (IndexError, ValueError):
        return None


def status(pid: int) -> dict[bytes, bytes]:
    """/proc/PID/status as key and value."""
    lines = (line.partition(b":") for line in read(pid, "status").splitlines())
    return {key: value.strip() for key, _, value in lines}


def cgroup(pid: int) -> str:
    """The path of its control group: the unified one, or systemd's own, or the longest of the others (cgroups(7))."""
    return parse_cgroup(read(pid, "cgroup"))


def parse_cgroup(raw: bytes) -> str:
    """The most telling path of /proc/PID/cgroup."""
    paths: dict[bytes, bytes] = {}
    for line in raw.splitlines():
        _, _, rest = line.partition(b":")
        controllers, _, path = rest.partition(b":")
        paths[controllers] = path
    named = [path for key in (b"", b"name=systemd") if (path := paths.get(key, b"/")) != b"/"]
    best = named[0] if named else max(paths.values(), key=len, default=b"/")
    return best.decode("utf-8", "backslashreplace")


def namespace(pid: int, kind: str) -> int:
    """Inode number of a namespace (`mnt`, `pid`, ...): equal numbers are the same namespace."""
    text = link(pid, f"ns/{kind}")
    return int(text.partition(b"[")[2].rstrip(b"]") or 0)
