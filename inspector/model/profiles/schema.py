"""The shape of a profile file: what an API, a program or a shim looks like, as data.

Every struct refuses unknown keys, so that a typing error in a user's file is named and not ignored.
"""

from typing import Literal

import msgspec

from inspector.stream.requests import Argument, NodePlan, OutValue, PlacePlan

Role = Literal[
    "init", "count", "version", "device", "attribute", "name", "memory", "properties", "context", "module",
    "alloc", "copy", "launch", "sync", "free", "lookup", "table", "error", "other",
]  # fmt: skip
"""What a function is for; `alloc`, `copy`, `launch` and `module` are past discovery: work."""

WORK: frozenset[Role] = frozenset(("alloc", "copy", "launch", "module"))
"""Roles that only a program that really computes on the device reaches."""

DECIDING: frozenset[Role] = frozenset(
    ("init", "count", "version", "device", "attribute", "name", "memory", "properties", "context", "lookup", "table")
)
"""Roles whose results a program goes by before it computes, or does not."""

KeyKind = Literal["loader", "visible-devices", "filter", "search", "setting", "debug", "ignored", "shim"]

Meaning = Literal[
    "start", "mode", "device", "no-device", "device-dropped", "discovery", "discovery-took", "devices-counted",
    "timeout", "child-started", "child-ended", "crash", "lookup-failed", "backend-loaded", "backend-failed",
    "backend-skipped", "system", "init-failed", "driver-too-old", "visible-devices", "preload-refused", "memory",
    "offload", "buffer", "call", "stub", "gate", "environment", "error", "note",
]  # fmt: skip
"""What a log line means to the model; `mode` is the program's own word about what it computes on."""

ModeWord = Literal["cuda", "rocm", "vulkan", "opencl", "cpu"]


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What all parts of a profile have in common."""


class FunctionGroup(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Functions that are watched in the same way."""

    names: list[str]
    role: Role = "other"
    returns: bool = True
    """They return a status."""
    hot: bool = False
    """Called at every launch: counted apart, detached first."""
    arguments: list[Argument] = []
    values: list[OutValue] = []


class NormalResult(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A result other than 0 that a healthy program sees."""

    codes: list[int]
    why: str
    functions: list[str] = []
    """Empty: every function of the API."""
    at_exit: bool = False
    """Normal only when the process ends within a moment."""


class Requirement(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Names that a certain consumer asks for at run time, which no import table shows."""

    by: str
    sonames: list[str]
    """Globs of the consumer's SONAME."""
    names: list[str]


class Api(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An interface between consumers and providers: its functions, its files, its results."""

    name: str
    title: str
    sonames: list[str]
    prefixes: list[str]
    """Prefixes of its function names: an upper-case letter follows, after a `_` any letter."""
    private: list[str] = []
    """Names that mark an implementation when the SONAME does not; two of them are enough."""
    borrows: list[str] = []
    """APIs that providers of this one load and ask for their own ends; that is no use of those APIs."""
    drives: list[str] = []
    """APIs that providers of this one use for their caller: a runtime drives the driver."""
    begins: list[str] = []
    """Whoever provides this API has one of these, or a way to look up names: without them nobody can begin."""
    mode: ModeWord | None = None
    """The GPU mode that work through this API proves."""
    hardware: list[str] = []
    """Globs of file names of the drivers that its loader brings in for devices; the loader itself computes nothing."""
    software: list[str] = []
    """The same of drivers that compute on the CPU: work that only these did is no work on a GPU."""
    functions: list[FunctionGroup] = []
    answers: list[str] = []
    """See `ApiPlan.answers`."""
    required: list[Requirement] = []
    results: dict[int, str] = {}
    advice: dict[int, str] = {}
    """What a result usually means and what helped others."""
    normal: list[NormalResult] = []
    attributes: dict[int, str] = {}
    tables: dict[str, str] = {}
    """Ids of private export tables and the names that people gave them."""
    needed_tables: list[str] = []
    """Tables without which the consumer gives up."""


class EnvironmentKey(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A variable that matters, and what it really does."""

    key: str
    """A trailing `*` is a prefix, a leading one an ending."""
    effect: str
    kind: KeyKind = "setting"
    mode: ModeWord | None = None
    """For kind `visible-devices`: programs of which mode it restricts."""
    truth: str = ""
    """The widespread belief that this corrects."""
    off: list[str] = []
    """Values with which no GPU is used: globs, whatever their case."""
    of: list[str] = []
    """Who reads it: globs of a program's or a mapped file's name, or with a `/` of its path; `off` means nothing to
    others. Empty: any program may."""


class ProgramOption(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An option of a command line that decides whether the GPU is used, of programs of many kinds."""

    names: list[str]
    effect: str
    off: list[str] = []
    """Values with which no GPU is used, as in `EnvironmentKey.off`; empty: the option alone says so."""


class Package(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A package of which there are builds with and without a part for the GPU, and how their files tell them apart.

    All are globs; those of `gpu` and `cpu` are relative to the folder of the file that `marks` matched.
    """

    name: str
    marks: list[str]
    """Names of files that show, once mapped, that the package is in use."""
    gpu: list[str] = []
    """Files that only builds with a part for the GPU have."""
    cpu: list[str] = []
    """Files that only builds without one have."""
    remedy: str


class LogRule(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One kind of log line."""

    id: str
    contains: str
    """A text that every such line holds; it is looked for first, because it is fast."""
    pattern: str = ""
    """Regular expression with named groups; without it `contains` is enough."""
    means: Meaning
    says: str = ""
    """Plain words; `{group}` stands for a named group."""
    mode: ModeWord | None = None
    modes: dict[str, ModeWord] = {}
    """For means `mode`: value of the group `library` in lower case -> mode."""
    bad: bool = False
    generation: str = ""
    """Generation of the program that prints it."""


class Backends(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a program keeps plug-ins that would use an API."""

    beside: list[str] = []
    environment: list[str] = []
    globs: list[str] = []
    library_path: list[str] = []
    """What the program puts before LD_LIBRARY_PATH of the child that loads the plug-in; see `BackendPlan`."""


class Program(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A program that the profile knows by name."""

    name: str
    discovery: list[str] = []
    """Words in the arguments of the children that look for devices."""
    discovery_limit: float = 0.0
    """Seconds after which it gives up waiting for such a child; 0 unknown."""
    clients: list[str] = []
    """First arguments that make it a client which computes nothing itself."""
    discards_child_output: str = ""
    """The setting that shows the children's output, if it is thrown away by default."""


class Profile(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One profile file."""

    name: str
    title: str = ""
    api: Api | None = None
    programs: list[Program] = []
    environment: list[EnvironmentKey] = []
    options: list[ProgramOption] = []
    packages: list[Package] = []
    backends: Backends | None = None
    devices: list[str] = []
    places: list[PlacePlan] = []
    nodes: list[NodePlan] = []
    ports: list[int] = []
    log_files: list[str] = []
    logs: list[LogRule] = []
