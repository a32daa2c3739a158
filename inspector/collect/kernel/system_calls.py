"""The system calls that are watched, as far as this processor has them, and what of each matters."""

from enum import Enum

import msgspec

from inspector.stream.syscall_numbers import number

from .registers import HERE

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


class Call(msgspec.Struct, frozen=True):
    """One system call. Arguments are named as in its manual page; `_` is one that says nothing."""

    name: str
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
    def number(self) -> int:
        """Here; -1 where the processor has no such call."""
        return number(self.name)

    @property
    def function(self) -> str:
        """The kernel's own function for it, which takes the user registers (arch/x86/include/asm/syscall_wrapper.h)."""
        return f"{HERE.call_prefix}{self.kernel_name or self.name}"


_CALLS = (
    Call("openat", Shape.OPEN, path=1, flags=2),
    Call("open", Shape.OPEN, path=0, flags=1),
    Call("openat2", Shape.OPEN, path=1, flags=2, flags_behind_pointer=True),
    Call("write", Shape.WRITE, sampled=True),
    Call("writev", Shape.WRITE),
    Call("getdents64", Shape.LISTING),
    Call("access", Shape.SEARCH, path=0, arguments=("_", "mode")),
    Call("faccessat", Shape.SEARCH, path=1, arguments=("_", "_", "mode")),
    Call("faccessat2", Shape.SEARCH, path=1, arguments=("_", "_", "mode", "flags")),
    Call("stat", Shape.SEARCH, path=0, kernel_name="newstat"),
    Call("lstat", Shape.SEARCH, path=0, kernel_name="newlstat"),
    Call("newfstatat", Shape.SEARCH, path=1, arguments=("_", "_", "_", "flags")),
    Call("statx", Shape.SEARCH, path=1, arguments=("_", "_", "flags", "_")),
    Call("ioctl", Shape.TERMINAL, arguments=("fd", "request")),
    Call("connect", Shape.ADDRESS, arguments=("fd",)),
    Call("bind", Shape.ADDRESS, arguments=("fd",)),
    Call("socket", arguments=("domain", "type", "protocol")),
    Call("mmap", arguments=("_", "length", "prot", "flags", "fd")),
    Call("mprotect", arguments=("_", "length", "prot")),
    Call("mlock", arguments=("_", "length")),
    Call("memfd_create", path=0, arguments=("_", "flags")),
    Call("prlimit64", arguments=("pid", "resource"), limits=2),
    Call("setrlimit", arguments=("resource",), limits=1),
    Call("clone", arguments=("flags",)),
    Call("clone3"),
    Call("execve", path=0),
    Call("execveat", path=1, arguments=("fd",)),
)
CALLS = tuple(call for call in _CALLS if call.number >= 0)
BY_NUMBER = {call.number: call for call in CALLS}
BY_NAME = {call.name: call for call in CALLS}
