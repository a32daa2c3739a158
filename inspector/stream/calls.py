"""Events about function calls, look-ups, loads and file opens, as the kernel counted them."""

from typing import Literal

from .base import Event, Fact


class WatchedFunction(Fact, frozen=True, kw_only=True):
    """One function under counting; `id` is used by all call events of this stream."""

    id: int
    api: str
    name: str
    library: str
    """Path of the file."""
    file: str
    """Identity of the file."""
    aliases: list[str] = []
    """Other names of the same address."""
    listed: bool = True
    """A profile names it; else it is counted because its name begins as those of its API do, and later than they."""
    offset: int = 0
    """File offset of the probe."""
    cost: int = 0
    """Estimated ns a call while watched."""
    returns: bool = False
    """Its exits are watched too: results are read, until `ResultsStopped` says so."""
    callers: bool = False
    """Calls are told apart by caller at their entry (`CallersCounted`); else callers are those of its results."""
    exits: list[int] = []
    """Link-time addresses of its `ret` instructions, where results are read."""
    unproven: str = ""
    """Why its results are not read although it gives some: how its code is seen to leave is not known for sure."""


class FunctionsWatched(Event, frozen=True, kw_only=True):
    """Counting of these functions begins at `at`, in every process of the tree, now and later."""

    functions: list[WatchedFunction]
    means: Literal["bpf", "perf-uprobe", "breakpoint"] = "bpf"


class FunctionsRefused(Event, frozen=True, kw_only=True):
    """Functions that cannot be counted, and why."""

    library: str
    names: list[str]
    why: str


class CountingStopped(Event, frozen=True, kw_only=True):
    """Functions detached because they cost too much or on request; their counts are lower bounds from now on."""

    functions: list[int]
    why: str
    per_second: float = 0.0


class ResultsStopped(Event, frozen=True, kw_only=True):
    """Functions whose results are read no more, because enough are known or they cost too much; counting goes on."""

    functions: list[int]
    why: str
    per_second: float = 0.0


class LookupsWatched(Event, frozen=True, kw_only=True):
    """From `at` on the look-ups that a file answers are told, in every process of the tree, now and later."""

    path: str
    file: str
    """Identity of the file."""
    functions: list[str] = []
    """`dlopen`, `dlsym`, ...; none: it was read and has no such function."""


class LookupsStopped(Event, frozen=True, kw_only=True):
    """The look-ups that a file answers are told no more."""

    file: str
    why: str


class CallCount(Fact, frozen=True, kw_only=True):
    """Entries of one function in one process so far (a total, not a difference)."""

    pid: int
    function: int
    count: int
    first: int
    last: int


class CallsCounted(Event, frozen=True, kw_only=True):
    """Counters that changed since the last event of this kind."""

    counts: list[CallCount]


class CallerCount(Fact, frozen=True, kw_only=True):
    """Entries of one function in one process from one caller so far (a total)."""

    pid: int
    function: int
    caller: str
    """As in `CallOutcome`."""
    own: bool = False
    count: int
    first: int = 0
    last: int = 0


class CallersCounted(Event, frozen=True, kw_only=True):
    """Counts by caller that changed since the last event of this kind."""

    counts: list[CallerCount]


class CallOutcome(Fact, frozen=True, kw_only=True):
    """Returns of one function in one process with one caller and one result so far (a total)."""

    pid: int
    function: int
    caller: str
    """Path of the calling library; `[anon]`, `[jit]` or `?` where it is none."""
    own: bool = False
    """The caller is the library itself (its constructor, an internal call)."""
    result: int
    count: int
    first: int = 0
    last: int = 0


class OutcomesCounted(Event, frozen=True, kw_only=True):
    """Outcomes that changed since the last event of this kind."""

    outcomes: list[CallOutcome]


class CallReturned(Event, frozen=True, kw_only=True):
    """One call in full: the first calls of each function in each process; `at` is the moment of return."""

    pid: int
    tid: int
    function: int
    entered: int
    caller: str
    own: bool = False
    constructor: bool = False
    """It happened while the loader ran the library's constructors, if known."""
    result: int
    arguments: dict[str, int | str] = {}
    """Arguments that the profile names: `attrib`, `size`, `table`."""
    values: dict[str, int | str | float] = {}
    """Out-values that the profile names, read at return: `count`, `version`, `total`, `major`."""


class OpenCall(Fact, frozen=True, kw_only=True):
    """A call that has entered and not returned."""

    pid: int
    tid: int
    function: int
    entered: int
    caller: str = ""


class CallsInside(Event, frozen=True, kw_only=True):
    """All calls that are open at `at`; replaces the last event of this kind."""

    open: list[OpenCall]


Via = Literal["dlopen", "dlmopen", "dlsym", "dlvsym", "cuGetProcAddress", "cuGetProcAddress_v2", "cuGetExportTable"]


class LookedUp(Event, frozen=True, kw_only=True):
    """One look-up of a library or a symbol by name, answered or refused."""

    pid: int
    tid: int
    via: Via
    name: str
    """File name, symbol name, or export table id."""
    version: str = ""
    requester: str
    """Path of the library that asked."""
    found: bool | None
    """None: the result was not seen."""
    answer: str | None = None
    """Path of the library that the answer points into, or that the handle stands for."""
    symbol: str = ""
    """Symbol at the answer's address where known."""
    address: int = 0
    """The answer's address, of a symbol; 0 for libraries and where nothing was found."""
    answered_by: str = ""
    """Library whose dlopen/dlsym/... took the question: libc or an override."""
    result: int = 0
    """Status for cu* look-ups; the raw value otherwise (0 is NULL)."""
    flags: int = 0
    error: str = ""
    """The loader's own words."""
    tried: "list[TriedFile]" = []
    """Files that this thread opened between question and answer, dlopen only."""
    entered: int = 0
    """Moment of the question (`at` is the answer's, or, where none came, that of telling it), 0 unknown.

    What its thread did in between it did inside of the look-up; what a refused dlopen mapped in between is gone."""
    count: int = 1
    """Equal look-ups folded into this one."""
    lacking: list[int] = []
    """Of a private table that was handed out: places in it that are NULL."""


class TriedFile(Fact, frozen=True, kw_only=True):
    """A path opened during a dlopen with its errno (0 for success)."""

    path: str
    errno: int


class LoaderRefused(Event, frozen=True, kw_only=True):
    """The dynamic loader raised an error, in its own words, whether or not the program prints it."""

    pid: int
    tid: int
    object: str
    text: str
    occasion: str = ""


class FileOpened(Event, frozen=True, kw_only=True):
    """One open(2) family call of a process of the tree that is of interest: libraries, devices, logs, failures."""

    pid: int
    tid: int
    path: str
    errno: int = 0
    writable: bool = False
    count: int = 1
    """Equal opens in this event; only what repeats very often is folded."""
    since: int = 0
    """Moment of the first of them where `count` is above 1; `at` is then the moment of the last."""


class OpensSkipped(Event, frozen=True, kw_only=True):
    """How many opens of a process so far were of no interest and are not listed."""

    pid: int
    count: int
