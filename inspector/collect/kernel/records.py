"""Plain records as the kernel reports them, before they become events; times are CLOCK_MONOTONIC ns.

`pid` is always the process (tgid), `tid` the thread, both as the collector's pid namespace numbers them.
"""

from msgspec import Struct

from .frames import Frame


class Forked(Struct, frozen=True):
    """A new process (not a thread) was born in the tree."""

    at: int
    ppid: int
    pid: int


class Executed(Struct, frozen=True):
    """A process of the tree executed a program; argv and environment as they were at that moment."""

    at: int
    pid: int
    filename: bytes
    argv: bytes
    """NUL-separated; empty when it could not be read in the kernel."""
    environment: bytes
    """NUL-separated; empty when it could not be read in the kernel."""
    truncated: bool = False


class Exited(Struct, frozen=True):
    """The last thread of a process is gone; `status` as wait(2) encodes it, None when unknown."""

    at: int
    pid: int
    status: int | None
    cpu: int | None = None
    """ns of CPU time of all its threads."""


class Mapped(Struct, frozen=True):
    """A file was mapped executable (perf MMAP2 record)."""

    at: int
    pid: int
    tid: int
    start: int
    length: int
    offset: int
    major: int
    minor: int
    inode: int
    path: bytes


class Signalled(Struct, frozen=True):
    """A signal was delivered; `ip` is where the thread was in user space, 0 when unknown."""

    at: int
    pid: int
    tid: int
    signal: int
    code: int
    handled: bool
    ip: int


class SignalSent(Struct, frozen=True):
    """A process sent a signal to a member; the signal may be handled, or be delivered later."""

    at: int
    pid: int
    """The receiver."""
    signal: int
    sender: int
    name: bytes
    """Of the sender's thread (comm)."""


class Opened(Struct, frozen=True):
    """An openat/open/openat2 of the tree; `errno` 0 for success."""

    at: int
    pid: int
    tid: int
    path: bytes
    errno: int
    flags: int
    fd: int = -1
    """The descriptor that it got, -1 when it failed."""
    inside: bool = False
    """It failed inside of a watched call or look-up."""


class RefusedCall(Struct, frozen=True):
    """A system call of the tree that failed (those of `system_calls.CALLS`, opens not among them)."""

    at: int
    pid: int
    tid: int
    call: str
    errno: int
    arguments: tuple[int, ...]
    """The first six, as they lay in the registers."""
    data: bytes = b""
    """Path or name without its end, socket address, or two 64-bit words of a limit."""


class Listed(Struct, frozen=True):
    """A folder was listed to its end (getdents64)."""

    at: int
    pid: int
    tid: int
    fd: int


class CallSum(Struct, frozen=True):
    """Failures of one kind that are only counted, so far."""

    pid: int
    call: str
    errno: int
    count: int
    first: int
    last: int


class Looked(Struct, frozen=True):
    """A dlopen/dlmopen/dlclose/dlsym/dlvsym/cuGetProcAddress/cuGetExportTable that returned."""

    entered: int
    at: int
    pid: int
    tid: int
    cookie: int
    """Number of the watched file that took the question."""
    via: str
    """Which function of it: `dlopen`, `cuGetProcAddress_v2`, ..."""
    name: bytes
    """The string asked for; of cuGetExportTable the id of 16 bytes."""
    version: bytes
    handle: int
    flags: int
    caller: int
    """Return address: who asked."""
    status: int
    """Return value (pointer, or status of cu* functions)."""
    answer: int
    """Pointer that the caller got (the return value, or the out-parameter of cu* functions)."""
    second_status: int = 0
    """CUdriverProcAddressQueryResult of cuGetProcAddress_v2: 1 not found, 2 newer than the version asked for."""
    base: int = 0
    """Load bias of the library that dlopen or dlmopen opened."""
    table: bytes = b""
    """Of cuGetExportTable what lies at its answer, the first 240 bytes; zeros where that could not be read."""


class Asked(Struct, frozen=True):
    """A dlopen or dlmopen that began; its `Looked` follows, unless the process ends or stays inside."""

    at: int
    pid: int
    tid: int
    cookie: int
    via: str
    name: bytes
    """Empty also when it lies on a page that is not in memory yet."""
    flags: int
    caller: int
    """Return address: who asked."""


class Refused(Struct, frozen=True):
    """The dynamic loader raised an error (_dl_signal_exception / _dl_signal_error of ld.so)."""

    at: int
    pid: int
    tid: int
    object: bytes
    text: bytes
    occasion: bytes
    errno: int = 0


class Returned(Struct, frozen=True):
    """One call of a watched function in full."""

    entered: int
    at: int
    pid: int
    tid: int
    cookie: int
    caller: int
    result: int
    arguments: tuple[int, ...]
    """First six integer arguments."""
    memory: tuple[bytes, ...]
    """What was read behind pointer arguments at return, one for each read; empty where it was not readable."""


Text = tuple[int, int, bytes]
"""A string of CPython: length in characters, state, the last bytes."""


class InterpreterFrame(Struct, frozen=True):
    """One frame of CPython as it lay in memory."""

    code: int
    """Address of the code object."""
    instruction: int
    """Address, or number, of the instruction."""
    first_line: int
    owner: int
    file: Text
    name: Text
    table_size: int
    """Bytes of the whole table of lines."""
    table: bytes
    """Its first bytes."""


class StackCopied(Struct, frozen=True):
    """The call stack of a thread at the moment of an event, as it lay in memory."""

    at: int
    pid: int
    tid: int
    occasion: int
    """See `stack_requests`."""
    function: int
    """Number of the function, or the signal."""
    moment: int
    """When the call began, or the `at` of the signal."""
    registers: tuple[int, ...]
    """rip, rsp, rbp, rbx, r12 to r15."""
    stack: bytes
    """From rsp on."""
    python: int
    """How the search for frames of CPython ended, see `stack_programs`."""
    frames: tuple[InterpreterFrame, ...]
    """The innermost first."""
    more: bool
    """There may be more frames."""


class EndedInside(Struct, frozen=True):
    """A thread ended in the middle of watched calls."""

    at: int
    pid: int
    tid: int
    frames: tuple[Frame, ...]
    """The oldest first; empty when it had left all of them."""


class ResultsKnown(Struct, frozen=True):
    """So many results of a function as are enough were read."""

    at: int
    cookie: int
    """The number of the function."""


class CallsBegan(Struct, frozen=True):
    """The first call of a counted function, in whatever process, since counting was suspended."""

    at: int


class Written(Struct, frozen=True):
    """What a process wrote to its descriptor 1 or 2 so far (totals)."""

    pid: int
    fd: int
    calls: int
    size: int
    """Bytes."""
    failed: int
    sample: bytes
    """The first bytes."""


class Lost(Struct, frozen=True):
    """Records dropped by a full buffer."""

    source: str
    count: int
    at: int = 0
    """When, is not told."""


OfMember = (
    Exited
    | Mapped
    | Signalled
    | SignalSent
    | Opened
    | RefusedCall
    | Listed
    | Asked
    | Looked
    | Refused
    | Returned
    | StackCopied
    | EndedInside
    | Written
)
"""What concerns one process that is observed."""
Record = Forked | Executed | OfMember | CallsBegan | ResultsKnown | Lost
