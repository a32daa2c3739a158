"""The system calls that are watched, by their numbers on x86-64, and what of each matters.

Numbers: arch/x86/entry/syscalls/syscall_64.tbl. Arguments lie in di, si, dx, r10, r8, r9 in that order.
"""

from dataclasses import dataclass
from enum import Enum

REGISTERS = (112, 104, 96, 56, 72, 64)
"""Places of the first six arguments in struct pt_regs of x86-64."""
_NONE = -1


class Shape(Enum):
    """How a call is told."""

    OPEN = "open"
    """Each one, with path and flags."""
    WRITE = "write"
    """Summed up for descriptors 1 and 2."""
    LISTING = "listing"
    """The descriptor of a folder whose end was reached."""
    SEARCH = "search"
    """When it failed; that a path is not there only for devices, libraries, and inside of a watched call."""
    TERMINAL = "terminal"
    """When it failed; that a file is no terminal is only counted."""
    ADDRESS = "address"
    """When it failed, with the socket address; that it is under way is only counted."""
    PLAIN = "plain"
    """When it failed."""


@dataclass(frozen=True, slots=True)
class Call:
    """One system call. Arguments are named as in its manual page; `_` is one that says nothing."""

    name: str
    number: int
    shape: Shape = Shape.PLAIN
    path: int = _NONE
    """Which argument is a string, from 0."""
    arguments: tuple[str, ...] = ()
    """Names of the arguments from the first on; what is told of a failure are the numbers among them."""
    kernel_name: str = ""
    """Of its function in the kernel, where that differs."""
    flags: int = _NONE
    """Which argument has the flags of an open."""
    flags_behind_pointer: bool = False
    sampled: bool = False
    """The bytes written lie behind its second argument."""
    limits: int = _NONE
    """Which argument points to a struct rlimit64 that is to be set."""

    @property
    def function(self) -> str:
        """The kernel's own function for it, which takes the user registers (arch/x86/include/asm/syscall_wrapper.h)."""
        return f"__x64_sys_{self.kernel_name or self.name}"


CALLS = (
    Call("openat", 257, Shape.OPEN, path=1, flags=2),
    Call("open", 2, Shape.OPEN, path=0, flags=1),
    Call("openat2", 437, Shape.OPEN, path=1, flags=2, flags_behind_pointer=True),
    Call("write", 1, Shape.WRITE, sampled=True),
    Call("writev", 20, Shape.WRITE),
    Call("getdents64", 217, Shape.LISTING),
    Call("access", 21, Shape.SEARCH, path=0, arguments=("_", "mode")),
    Call("faccessat", 269, Shape.SEARCH, path=1, arguments=("_", "_", "mode")),
    Call("faccessat2", 439, Shape.SEARCH, path=1, arguments=("_", "_", "mode", "flags")),
    Call("stat", 4, Shape.SEARCH, path=0, kernel_name="newstat"),
    Call("lstat", 6, Shape.SEARCH, path=0, kernel_name="newlstat"),
    Call("newfstatat", 262, Shape.SEARCH, path=1, arguments=("_", "_", "_", "flags")),
    Call("statx", 332, Shape.SEARCH, path=1, arguments=("_", "_", "flags", "_")),
    Call("ioctl", 16, Shape.TERMINAL, arguments=("fd", "request")),
    Call("connect", 42, Shape.ADDRESS, arguments=("fd",)),
    Call("bind", 49, Shape.ADDRESS, arguments=("fd",)),
    Call("socket", 41, arguments=("domain", "type", "protocol")),
    Call("mmap", 9, arguments=("_", "length", "prot", "flags", "fd")),
    Call("mprotect", 10, arguments=("_", "length", "prot")),
    Call("mlock", 149, arguments=("_", "length")),
    Call("memfd_create", 319, path=0, arguments=("_", "flags")),
    Call("prlimit64", 302, arguments=("pid", "resource"), limits=2),
    Call("setrlimit", 160, arguments=("resource",), limits=1),
    Call("clone", 56, arguments=("flags",)),
    Call("clone3", 435),
    Call("execve", 59, path=0),
    Call("execveat", 322, path=1, arguments=("fd",)),
)
BY_NUMBER = {call.number: call for call in CALLS}
BY_NAME = {call.name: call for call in CALLS}
