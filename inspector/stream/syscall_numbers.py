"""Numbers of system calls on this machine's processor, by name.

arch/x86/entry/syscalls/syscall_64.tbl; include/uapi/asm-generic/unistd.h, which arm64 has, without the older calls.
"""

import platform
from typing import Final

_X86_64: Final = {
    "read": 0, "write": 1, "open": 2, "close": 3, "stat": 4, "fstat": 5, "lstat": 6, "poll": 7, "mmap": 9,
    "mprotect": 10, "munmap": 11, "ioctl": 16, "pread64": 17, "pwrite64": 18, "readv": 19, "writev": 20,
    "access": 21, "select": 23, "sched_yield": 24, "madvise": 28, "shmget": 29, "pause": 34, "nanosleep": 35,
    "sendfile": 40, "connect": 42, "socket": 41, "accept": 43, "sendto": 44, "recvfrom": 45, "sendmsg": 46,
    "recvmsg": 47, "bind": 49, "clone": 56, "fork": 57, "vfork": 58, "execve": 59, "wait4": 61, "semop": 65,
    "msgsnd": 69, "msgrcv": 70, "fcntl": 72, "flock": 73, "fsync": 74, "fdatasync": 75, "getdents": 78,
    "readlink": 89, "mlock": 149, "setrlimit": 160, "rt_sigtimedwait": 128, "rt_sigsuspend": 130, "futex": 202,
    "io_getevents": 208, "getdents64": 217, "clock_nanosleep": 230, "epoll_wait": 232, "waitid": 247,
    "ioprio_set": 251, "openat": 257, "newfstatat": 262, "readlinkat": 267, "faccessat": 269, "pselect6": 270,
    "ppoll": 271, "epoll_pwait": 281, "accept4": 288, "perf_event_open": 298, "recvmmsg": 299, "prlimit64": 302,
    "sendmmsg": 307, "sched_setattr": 314, "memfd_create": 319, "bpf": 321, "execveat": 322,
    "copy_file_range": 326, "statx": 332,
    "io_uring_enter": 426, "clone3": 435, "openat2": 437, "faccessat2": 439, "epoll_pwait2": 441, "futex_waitv": 449,
    "futex_wait": 455,
}  # fmt: skip
_AARCH64: Final = {
    "epoll_pwait": 22, "fcntl": 25, "ioctl": 29, "ioprio_set": 30, "flock": 32, "faccessat": 48, "openat": 56,
    "close": 57, "getdents64": 61, "read": 63, "write": 64, "readv": 65, "writev": 66, "pread64": 67, "pwrite64": 68,
    "sendfile": 71, "pselect6": 72, "ppoll": 73, "readlinkat": 78, "newfstatat": 79, "fstat": 80, "fsync": 82,
    "fdatasync": 83, "waitid": 95, "futex": 98, "nanosleep": 101, "io_getevents": 4, "clock_nanosleep": 115,
    "sched_yield": 124, "rt_sigsuspend": 133, "rt_sigtimedwait": 137, "setrlimit": 164, "msgrcv": 188, "msgsnd": 189,
    "semop": 193, "shmget": 194, "socket": 198, "bind": 200, "accept": 202, "connect": 203, "sendto": 206,
    "recvfrom": 207, "sendmsg": 211, "recvmsg": 212, "munmap": 215, "clone": 220, "execve": 221, "mmap": 222,
    "mprotect": 226, "mlock": 228, "madvise": 233, "perf_event_open": 241, "accept4": 242, "recvmmsg": 243,
    "wait4": 260, "prlimit64": 261, "sendmmsg": 269, "sched_setattr": 274, "memfd_create": 279, "bpf": 280,
    "execveat": 281,
    "copy_file_range": 285, "statx": 291, "io_uring_enter": 426, "clone3": 435, "openat2": 437, "faccessat2": 439,
    "epoll_pwait2": 441, "futex_waitv": 449, "futex_wait": 455,
}  # fmt: skip
_NUMBERS: Final = {"x86_64": _X86_64, "aarch64": _AARCH64}


def numbers(machine: str = platform.machine()) -> dict[str, int]:
    """Name -> number; empty for a processor that is not known."""
    return _NUMBERS.get(machine, {})


def number(name: str) -> int:
    """The number of a call here; -1, which the kernel refuses, for one that this processor has not."""
    return numbers().get(name, -1)
