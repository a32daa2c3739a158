"""What the viewer asks of the collector, and the watch plan that tells it what to look for."""

import re
from collections.abc import Iterable
from typing import Literal

import msgspec

from .base import Event, Fact, Request
from .lazy_pattern import lazy
from .libraries import Export
from .logs import LogLine

ValueKind = Literal["i32", "u32", "i64", "u64", "f32", "f64", "pointer", "string", "hex", "uuid", "bytes"]


_PLACEHOLDER = lazy(r"^\{(\w+)\}")


class OutValue(Fact, frozen=True, kw_only=True):
    """A value that a function writes through a pointer argument, read at return."""

    name: str
    argument: int
    """Index of the pointer argument, from 0."""
    kind: ValueKind = "i32"
    offset: int = 0
    """Bytes from the pointer."""
    size: int = 0
    """Bytes for string, hex and bytes."""


class Argument(Fact, frozen=True, kw_only=True):
    """An argument shown with a call."""

    name: str
    index: int
    kind: ValueKind = "u64"
    size: int = 0
    """For string/uuid/bytes behind a pointer argument: bytes to read at entry."""


class FunctionPlan(Fact, frozen=True, kw_only=True):
    """A function to count."""

    name: str
    returns: bool = True
    """It is a C function that returns a status."""
    decides: bool = False
    """What it answers decides what a program does next: its results are read as long as that costs little."""
    hot: bool = False
    """Known to be called at every launch: counted in a link of its own, detached first."""
    arguments: list[Argument] = []
    values: list[OutValue] = []


class ApiPlan(Fact, frozen=True, kw_only=True):
    """An API to watch: which files provide it and which functions matter."""

    api: str
    sonames: list[str]
    """Names by which consumers ask for it: `libcuda.so.1`."""
    prefixes: list[str]
    """Prefixes of its function names, see `prefix_pattern`: `cu`, `nvml`, `cuda`, `hsa_`."""
    functions: list[FunctionPlan]
    """Those that matter most: counted from the first call on."""
    answers: list[str] = []
    """Globs of the functions that answer a status, of all with its prefixes; the first that matches counts, one with
    `!` in front says that they answer something else. Empty: functions that are not listed are not counted.
    """
    private: list[str] = []
    """Names that mark an implementation when the SONAME does not: any file that exports two or more is a provider."""


def prefix_pattern(prefixes: Iterable[str]) -> str:
    """A regular expression of names with one of these prefixes: an upper-case letter follows, after `_` any letter."""
    ordered = sorted(set(prefixes), key=len, reverse=True)
    return (
        "|".join(re.escape(prefix) + ("[a-zA-Z]" if prefix.endswith("_") else "[A-Z]") for prefix in ordered) or "(?!)"
    )


class BackendPlan(Fact, frozen=True, kw_only=True):
    """Where a program keeps plug-ins that would use an API."""

    profile: str
    beside: list[str]
    """Globs relative to the program's real directory: `../lib/ollama/*/libggml-*.so`."""
    environment: list[str] = []
    """Environment keys that hold directories to look in."""
    globs: list[str] = []
    """Globs applied in those directories."""
    library_path: list[str] = []
    """Directories that the program puts before LD_LIBRARY_PATH of the child that loads the plug-in, in order:
    `{root}` is the directory that holds the plug-in's directory, `{directory}` the plug-in's own. To be assumed when
    the load is predicted for a process that is not that child."""


class PlacePlan(Fact, frozen=True, kw_only=True):
    """Folders in which libraries lie that no loader looks for by itself."""

    kind: str
    """`driver`, `toolkit`, `stubs`, `compat`, `wsl`, `wheel`, `conda`, `node-modules`."""
    folders: list[str]
    """Globs of absolute paths, or such that begin with `{program}`, `{cwd}`, `{site}` or `{KEY}` of a variable."""


def split_placeholder(pattern: str) -> tuple[str, str]:
    """Placeholder that a pattern of `PlacePlan.folders` begins with, empty for none, and what follows it."""
    match = _PLACEHOLDER().match(pattern)
    return (match[1], pattern[match.end() :].lstrip("/")) if match else ("", pattern.lstrip("/"))


class NodePlan(Fact, frozen=True, kw_only=True):
    """A device node and what makes it."""

    glob: str
    module: str = ""
    """Kernel module that brings the device."""
    registered: str = ""
    """Its name in /proc/devices."""
    made_by: str = ""
    """Command that makes the node when the module is there."""


class PackagePlan(Fact, frozen=True, kw_only=True):
    """How builds of a package with and without a part for the GPU are told apart by their files; see `Package`."""

    name: str
    marks: list[str]
    gpu: list[str] = []
    cpu: list[str] = []


class Plan(Fact, frozen=True, kw_only=True):
    """Everything that profiles ask the collector to look for, merged."""

    apis: list[ApiPlan] = []
    environment: list[str] = []
    """Environment keys to collect; a trailing `*` is a prefix, a leading one an ending."""
    log_files: list[str] = []
    """Globs of log and marker files, as the process sees them; `{pid}` stands for a pid of the tree."""
    log_marks: list[str] = []
    """Regular expressions of log lines that are always sent."""
    backends: list[BackendPlan] = []
    devices: list[str] = []
    """Globs of device files and proc files whose opens matter."""
    places: list[PlacePlan] = []
    nodes: list[NodePlan] = []
    packages: list[PackagePlan] = []
    ports: list[int] = []
    program_names: list[str] = []
    """Program names that profiles know (picker and same-name search)."""


class Configure(Request, frozen=True, kw_only=True):
    """First request of every session: what to look for and how."""

    plan: Plan
    logs: list[str] = []
    """Paths given with --log."""
    count: bool = True
    """False: passive evidence only."""
    budget: float = 1.0
    """Percent of one CPU that counting may cost in the whole tree."""
    redact: bool = False
    """Names will be hidden: tell those of the machine with the first event."""


class CountFunctions(Request, frozen=True, kw_only=True):
    """Begin to count these functions of a file."""

    file: str
    path: str
    names: list[str] = []
    """Empty: all exported functions."""


class StopCounting(Request, frozen=True, kw_only=True):
    """Stop counting these functions."""

    functions: list[int]


class ReadSymbols(Request, frozen=True, kw_only=True):
    """A page of dynamic symbols: of one file or of all files mapped in a process."""

    pid: int
    file: str = ""
    """Empty: all files of the process."""
    filter: str = ""
    """A pattern as a person types it (`patterns.typed`)."""
    kind: Literal["all", "defined", "undefined"] = "all"
    offset: int = 0
    limit: int = 200
    sort: Literal["", "name", "library"] = ""
    """Empty: in link-map order of the files, in each by name."""
    descending: bool = False
    ahead: list[str] = []
    """`file:name` of rows that come first, in this order: what only the viewer knows to sort by."""


class ReadLog(Request, frozen=True, kw_only=True):
    """A page of lines of one source, optionally only lines that match; lines are answered in ascending order.

    A search through a large file is answered more than once, with what is found so far; the last answer is `complete`.
    """

    source: int
    first: int = 0
    """Position among the lines that match (without a filter: the line's number), from 0."""
    limit: int = 200
    filter: str = ""
    """A pattern as a person types it (`patterns.typed`)."""
    level: int = 0
    """Lines of this level (`log_line.Level`) and above, with the lines that continue them; 0 is all lines."""
    backwards: bool = False
    """Count `first` from the end: 0 is the newest page, 200 the one before it."""


class StopSearch(Request, frozen=True, kw_only=True):
    """Nobody waits any more for the answer to a `ReadSymbols`, `ReadLog` or `FindLine`."""

    search: int
    """The id of that request."""


class FindLine(Request, frozen=True, kw_only=True):
    """The number of the next line of one source that is of a level, or at which a moment is reached."""

    source: int
    start: int = 0
    """The line behind which, or with `backwards` before which, it is looked for."""
    backwards: bool = False
    level: int = 0
    """At least this level (`log_line.Level`)."""
    wall: int = 0
    """Wall ns: the first line that was written then or later; `start`, `backwards` and `level` do not count."""


class AddLog(Request, frozen=True, kw_only=True):
    """Follow another log file."""

    path: str


class ScanPointers(Request, frozen=True, kw_only=True):
    """Search the writable memory of a process for addresses of API functions."""

    pid: int


class PredictLoad(Request, frozen=True, kw_only=True):
    """Say what ld.so would do with a file or name in a process."""

    pid: int
    name: str
    requester: str = ""


class Settle(Request, frozen=True, kw_only=True):
    """Say when everything that is known by now was read and is counted, however busy the machine is."""


class Quit(Request, frozen=True, kw_only=True):
    """End the observation in order."""

    why: str = ""
    """What `session-ended` gives as its reason; empty: a person has asked."""


AnyRequest = (
    Configure
    | CountFunctions
    | StopCounting
    | ReadSymbols
    | ReadLog
    | StopSearch
    | FindLine
    | AddLog
    | ScanPointers
    | PredictLoad
    | Settle
    | Quit
)


class SymbolRow(Fact, frozen=True, kw_only=True):
    """One dynamic symbol of one file."""

    file: str
    path: str
    symbol: Export
    defined: bool = True
    demangled: str = ""


class SymbolPage(Event, frozen=True, kw_only=True):
    """Answer to ReadSymbols, given more than once when it takes long; the last one is `complete`."""

    id: int
    total: int
    """How many match; of an incomplete search so far."""
    offset: int
    rows: list[SymbolRow]
    files: int = 1
    all_total: int = 0
    """How many there are without the filter."""
    complete: bool = True
    """False while names are searched or sorted."""
    searched: int = 0
    """Names that were looked at so far, of `all_total`."""


class LogPage(Event, frozen=True, kw_only=True):
    """Answer to ReadLog."""

    id: int
    source: int
    total: int
    """How many lines match (without a filter: how many there are); of an incomplete search so far."""
    lines: list[LogLine]
    complete: bool = True
    """False while the search goes on: another answer follows."""
    searched: int = 0
    """Lines that were searched so far, of `all_total`."""
    all_total: int = 0


class LineFound(Event, frozen=True, kw_only=True):
    """Answer to FindLine."""

    id: int
    source: int
    number: int
    """-1: there is none."""


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(AnyRequest)


def encode_request(request: Request) -> bytes:
    """A request as one JSON line."""
    return _ENCODER.encode(request) + b"\n"


def decode_request(line: bytes) -> AnyRequest:
    """One JSON line as a request; raises msgspec.MsgspecError on anything else."""
    request: AnyRequest = _DECODER.decode(line)
    return request
