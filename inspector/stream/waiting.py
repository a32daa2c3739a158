"""What a process that does not go on waits for, read from /proc without a look at the files that it waits for.

proc_pid_syscall(5) tells the system call and its arguments; a path is in memory, a descriptor's name a link of /proc.
Waiting for events is rest and is not told.
"""

import os
from pathlib import Path
from typing import Final

from .text import decode

_REST: Final = frozenset((7, 23, 34, 35, 61, 128, 202, 230, 232, 247, 270, 271, 281, 441, 449))
"""poll select pause nanosleep wait4 rt_sigtimedwait futex clock_nanosleep epoll_wait waitid pselect6 ppoll epoll_pwait
epoll_pwait2 futex_waitv, by their numbers on x86-64."""
_BY_PATH: Final = {2: (0, "opening"), 257: (1, "opening"), 437: (1, "opening"), 4: (0, "looking at"),
                   6: (0, "looking at"), 262: (1, "looking at"), 332: (1, "looking at"), 21: (0, "looking at"),
                   269: (1, "looking at"), 439: (1, "looking at"), 89: (0, "reading the link"),
                   267: (1, "reading the link")}  # fmt: skip
"""open openat openat2 stat lstat newfstatat statx access faccessat faccessat2 readlink readlinkat: argument, words."""
_BY_DESCRIPTOR: Final = {0: "reading", 17: "reading", 19: "reading", 1: "writing to", 18: "writing to",
                         20: "writing to", 3: "closing", 5: "looking at", 78: "listing", 217: "listing", 9: "mapping",
                         16: "asking about", 72: "asking about", 73: "locking"}  # fmt: skip
"""read pread64 readv write pwrite64 writev close fstat getdents getdents64 mmap ioctl fcntl flock."""
_DESCRIPTOR_ARGUMENT: Final = {9: 4}
_OTHERS: Final = {321: "asking the kernel (bpf)", 298: "asking the kernel (perf_event_open)"}
_KERNELS: Final = ("asking the kernel", "anon_inode:")
KERNEL_SECONDS: Final = 10.0
"""A wait for the kernel's own objects, for probes to be set say, is told after this: a busy machine takes its time."""
_LONGEST: Final = 4096


def state_of(pid: int, tid: int | None = None) -> str:
    """`R`, `S`, `D`, `T`, ... of proc_pid_stat(5); empty when it is gone or cannot be asked."""
    try:
        stat = (_task(pid, tid) / "stat").read_bytes()
    except OSError:
        return ""
    return stat.rpartition(b")")[2].split()[:1][0].decode("ascii", "replace") if b")" in stat else ""


def waits_for(pid: int, tid: int | None = None, *, kernel: bool = True) -> str:
    """What a thread (by default the first one) waits for, in words; empty when it runs, rests or cannot be asked.

    With `kernel` False a wait for the kernel's own objects, probes say, counts as rest: that ends by itself.
    """
    state = state_of(pid, tid)
    if state in ("T", "t"):
        return "SIGCONT: it is stopped"
    if state not in ("S", "D"):
        return ""
    try:
        number, *arguments = (_task(pid, tid) / "syscall").read_text().split()
        words = _words(pid, int(number), [int(each, 16) for each in arguments], state)
        return words if kernel or not any(each in words for each in _KERNELS) else ""
    except (OSError, ValueError, IndexError):
        return _in_kernel(pid, tid) if state == "D" else ""


def _task(pid: int, tid: int | None) -> Path:
    return Path(f"/proc/{pid}/task/{tid or pid}")


def _words(pid: int, number: int, arguments: list[int], state: str) -> str:
    if number in _BY_PATH:
        place, verb = _BY_PATH[number]
        return f"{verb} {_path(pid, arguments[place])}"
    if number in _BY_DESCRIPTOR:
        return f"{_BY_DESCRIPTOR[number]} {_descriptor(pid, arguments[_DESCRIPTOR_ARGUMENT.get(number, 0)])}"
    if number in _OTHERS:
        return _OTHERS[number]
    return "" if number in _REST and state == "S" else f"system call {number}"


def _in_kernel(pid: int, tid: int | None) -> str:
    """For one that waits outside of any system call, for a page of a mapped file say."""
    try:
        place = (_task(pid, tid) / "wchan").read_text()
    except OSError:
        place = ""
    return f"the kernel ({place})" if place.strip("0") else "the kernel"


def _path(pid: int, address: int) -> str:
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        raw = os.pread(memory.fileno(), _LONGEST - address % _LONGEST, address)
        if b"\0" not in raw:
            raw += os.pread(memory.fileno(), _LONGEST, address + len(raw))
    return decode(raw.partition(b"\0")[0]) or "a file"


def _descriptor(pid: int, number: int) -> str:
    try:
        return decode(os.fsencode(Path(f"/proc/{pid}/fd/{number & 0xFFFFFFFF}").readlink()))
    except OSError:
        return f"descriptor {number}"
