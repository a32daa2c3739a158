"""What a process that makes no progress waits for, read from /proc without touching the files that it waits for.

proc_pid_syscall(5) tells the system call and its arguments; a path is in memory, a descriptor's name a link of /proc.
Waiting for events is rest and is not told.
"""

import os
from pathlib import Path
from typing import Final

from .syscall_numbers import numbers
from .text import decode

_REST: Final = frozenset((
    "clock_nanosleep", "epoll_pwait", "epoll_pwait2", "epoll_wait", "futex", "futex_waitv", "nanosleep", "pause",
    "poll", "ppoll", "pselect6", "rt_sigtimedwait", "select", "wait4", "waitid",
))  # fmt: skip
_BY_PATH: Final = {
    "open": (0, "opening"), "openat": (1, "opening"), "openat2": (1, "opening"), "stat": (0, "looking at"),
    "lstat": (0, "looking at"), "newfstatat": (1, "looking at"), "statx": (1, "looking at"),
    "access": (0, "looking at"), "faccessat": (1, "looking at"), "faccessat2": (1, "looking at"),
    "readlink": (0, "reading the link"), "readlinkat": (1, "reading the link"),
}  # fmt: skip
"""Which argument is the path, and words."""
_BY_DESCRIPTOR: Final = {
    "read": "reading", "pread64": "reading", "readv": "reading", "write": "writing to", "pwrite64": "writing to",
    "writev": "writing to", "close": "closing", "fstat": "looking at", "getdents": "listing", "getdents64": "listing",
    "mmap": "mapping", "ioctl": "asking about", "fcntl": "asking about", "flock": "locking",
}  # fmt: skip
_DESCRIPTOR_ARGUMENT: Final = {"mmap": 4}
_OTHERS: Final = {"bpf": "asking the kernel (bpf)", "perf_event_open": "asking the kernel (perf_event_open)"}
_NAMES: Final = {number: name for name, number in numbers().items()}
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
        words = _words(pid, _NAMES.get(int(number), number), [int(each, 16) for each in arguments], state)
        return words if kernel or not any(each in words for each in _KERNELS) else ""
    except (OSError, ValueError, IndexError):
        return _in_kernel(pid, tid) if state == "D" else ""


def _task(pid: int, tid: int | None) -> Path:
    return Path(f"/proc/{pid}/task/{tid or pid}")


def _words(pid: int, call: str, arguments: list[int], state: str) -> str:
    if call in _BY_PATH:
        place, verb = _BY_PATH[call]
        return f"{verb} {_path(pid, arguments[place])}"
    if call in _BY_DESCRIPTOR:
        return f"{_BY_DESCRIPTOR[call]} {_descriptor(pid, arguments[_DESCRIPTOR_ARGUMENT.get(call, 0)])}"
    if call in _OTHERS:
        return _OTHERS[call]
    return "" if call in _REST and state == "S" else f"system call {call}"


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
