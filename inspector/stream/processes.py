"""Events about processes of the tree: births, execs, ends, signals, descriptors."""

from typing import Literal

from .base import Event, Fact


class ProcessStarted(Event, frozen=True, kw_only=True):
    """A process entered the tree. A later event of this kind with the same pid is a new process (pid reuse)."""

    pid: int
    ppid: int
    started: int
    """CLOCK_MONOTONIC ns of its birth."""
    origin: Literal["attach", "fork", "run", "map"]
    """Found at attach, born under observation, started by us, or found because it maps a watched library."""
    comm: str = ""


class ProcessExec(Event, frozen=True, kw_only=True):
    """What a process is since its last exec: program, arguments, environment, loader facts.

    Sent at attach for the program already running, and at each exec. A fork without exec inherits its parent's.
    """

    pid: int
    argv: list[str]
    exe: str
    file: str = ""
    """Key of the executable's file, see `LibraryMapped.file`."""
    comm: str = ""
    cwd: str = ""
    uid: int = -1
    environment: dict[str, str] = {}
    """Loader, GPU and profile-named keys only; values of keys that look secret are replaced."""
    environment_known: bool = True
    environment_source: Literal["exec", "proc", "unknown"] = "proc"
    """`exec`: read in the kernel at the exec itself; `proc`: /proc/PID/environ read at `at`."""
    other_keys: int = 0
    """How many environment keys were not collected."""
    unset: list[str] = []
    """Keys that the environment lacks and whose absence tells something (`DISPLAY`); empty where it is not known."""
    interpreter: str | None = None
    """PT_INTERP of the executable; None when it has none or is unknown."""
    static: bool | None = None
    elf_class: int = 0
    """32 or 64; 0 unknown."""
    secure: bool | None = None
    """AT_SECURE: the loader ignores LD_PRELOAD and LD_LIBRARY_PATH."""
    capabilities_added: str = ""
    """Names of file capabilities that make it secure, if known."""
    root: str = "/"
    """Target of /proc/PID/root."""
    mount_namespace: int = 0
    own_root: bool = False
    """True when the process sees another file tree than the collector."""
    pid_inside: int = 0
    """pid in its own pid namespace."""
    unit: str | None = None
    container: str | None = None


class ProcessEnded(Event, frozen=True, kw_only=True):
    """A process is gone; `code` or `signal` as the kernel's wait status says (wait(2)), both None when unknown."""

    pid: int
    code: int | None = None
    signal: int | None = None
    core: bool = False
    cpu: int | None = None
    """CPU time of all its threads, user and system, in ns; None when it was not told."""


class SignalDelivered(Event, frozen=True, kw_only=True):
    """A signal with a deadly default action, or a caught fault, reached a process."""

    pid: int
    tid: int
    signal: int
    si_code: int = 0
    fatal: bool
    """True when no handler was installed."""
    ip: int = 0
    library: str | None = None
    symbol: str | None = None
    offset: int = 0
    """Offset from `symbol`, or from the library's load bias without one."""
    sender: int = 0
    """pid of the process that sent it (its own: abort(3), raise(3)); 0 when the kernel did (a fault, memory), or
    nobody knows."""
    sender_name: str = ""
    """Name (comm) of the sender's thread where it is another process."""


class ResourceLimit(Fact, frozen=True, kw_only=True):
    """One row of /proc/PID/limits (getrlimit(2))."""

    name: str
    """`RLIMIT_NOFILE`, `RLIMIT_MEMLOCK`, `RLIMIT_AS`, `RLIMIT_NPROC`."""
    soft: int | None
    """In the unit of the limit (bytes, descriptors, processes); None is unlimited."""
    hard: int | None = None


class ConstraintsRead(Event, frozen=True, kw_only=True):
    """What the kernel holds a process to: user, groups, limits, seccomp, capabilities, mounts without execution.

    Read at attach, after an exec, and at the first refusal of a kind that one of them may have caused; replaces what
    was known of the process. From /proc/PID/status, limits, mountinfo (proc(5)).
    """

    pid: int
    why: str = ""
    """Occasion, in words: `attach`, `exec`, `open: EMFILE`."""
    uid: int = -1
    """Effective; -1 unknown."""
    gid: int = -1
    groups: list[int] = []
    """Supplementary groups."""
    group_names: list[str] = []
    """Names of `gid` and `groups` where this machine has one, in that order; else the number."""
    limits: list[ResourceLimit] = []
    descriptors: int = -1
    """Open file descriptors at that moment; -1 unknown."""
    seccomp: Literal["none", "strict", "filter", "unknown"] = "unknown"
    no_new_privileges: bool = False
    capabilities: str = ""
    """Effective set, as hexadecimal digits (CapEff)."""
    noexec: list[str] = []
    """Mount points of its mount namespace from which nothing can be executed or mapped executable."""


class EnvironmentRead(Event, frozen=True, kw_only=True):
    """The environment as the C library holds it now (`environ`), read from the memory of the process.

    Watched keys only, secrets replaced, as in `ProcessExec.environment`, with which it is to be compared: a program
    that calls setenv(3) changes this one, and what it looks up later finds this one.
    """

    pid: int
    why: str
    """Occasion, in words: `attach`, `dlopen`, `dlopen refused`, `cuInit refused`."""
    environment: dict[str, str] = {}
    changed: list[str] = []
    """Watched keys whose value differs from that at exec: other, added or removed since."""


class Descriptor(Fact, frozen=True, kw_only=True):
    """One open file descriptor of interest: 0 to 2, devices, logs, sockets."""

    fd: int
    target: str
    kind: Literal["null", "file", "pipe", "socket", "tty", "device", "journal", "other", "closed"]
    writable: bool = False
    file: str = ""
    peer: str = ""
    """For pipes and sockets: who holds the other end, if known (`pid 812 ollama`, `journald`)."""


class DescriptorsRead(Event, frozen=True, kw_only=True):
    """The descriptors of interest of a process, replacing what was known before."""

    pid: int
    descriptors: list[Descriptor]


class Vitals(Event, frozen=True, kw_only=True):
    """How a process is doing; sent at most once a second and only when something changed."""

    pid: int
    cpu: float
    """Percent of one CPU since the last sample."""
    rss: int
    """Bytes."""
    threads: int
    state: str = ""


class SocketsRead(Event, frozen=True, kw_only=True):
    """TCP ports that a process serves, and loopback services that it talks to, with the process behind them."""

    pid: int
    listening: list[str] = []
    """`127.0.0.1:11434`."""
    connected: "list[Peer]" = []


class Peer(Fact, frozen=True, kw_only=True):
    """A loopback connection's other end."""

    address: str
    pid: int | None = None
    argv: str = ""


class SameNameProcess(Event, frozen=True, kw_only=True):
    """Another process on this machine with the same program name or port: perhaps the one that really answers."""

    pid: int
    argv: list[str]
    exe: str
    unit: str | None = None
    listening: list[str] = []
    in_tree: bool = False


class ThreadWaits(Event, frozen=True, kw_only=True):
    """Where a thread of a process that is inside a watched call is waiting in the kernel."""

    pid: int
    tid: int
    syscall: str = ""
    wchan: str = ""
    busy: bool = False
    """It does not wait: it was on a processor, in the same call, at every look."""
    again: bool = False
    """It slept, woke and slept again, in the same call at every look."""


class ProcessListed(Event, frozen=True, kw_only=True):
    """One row of the picker and of `inspector list` (`inspector collect --list` prints one a process)."""

    pid: int
    ppid: int
    argv: list[str]
    exe: str = ""
    user: str = ""
    unit: str | None = None
    container: str | None = None
    apis: list[str] = []
    """APIs whose providers or consumers it maps: `cuda-driver`, `nvml`."""
    libraries: list[str] = []
    """Paths of those libraries."""
    preloads: list[str] = []
    """Entries of its LD_PRELOAD."""
    known_program: bool = False
    """A profile names this program."""
    observable: Literal["yes", "partly", "no"] = "yes"
    why: str = ""
    """Why it can only partly or not be observed, and what would help."""
    rss: int = 0
    age: float = 0.0
    """Seconds since its birth."""
