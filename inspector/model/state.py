"""What is known so far: events folded into processes, libraries, calls, look-ups, logs and one timeline."""

from dataclasses import dataclass, field
from typing import Literal

from inspector.stream.calls import (
    CallCount,
    CallerCount,
    CallOutcome,
    CallReturned,
    FileOpened,
    LoaderRefused,
    LookedUp,
    OpenCall,
    WatchedFunction,
)
from inspector.stream.libraries import (
    CandidateFound,
    CodePatched,
    CopiesFound,
    ImageRead,
    LibraryMapped,
    LoaderWordsFound,
    LoadPredicted,
    NeverExecuted,
    PackageRead,
    PointersHeld,
    PreloadChecked,
    ScopeRead,
    SlotsRead,
)
from inspector.stream.logs import LogChanged, LogFound, LogLine, WritesSeen
from inspector.stream.machine import FileChanged, GpuRead, PreloadFileRead, UnitRead
from inspector.stream.processes import (
    ConstraintsRead,
    Descriptor,
    EnvironmentRead,
    ProcessEnded,
    ProcessExec,
    SameNameProcess,
    SignalDelivered,
    SocketsRead,
    ThreadWaits,
    Vitals,
)
from inspector.stream.session import LimitNoted, SessionEnded, SessionStarted, TargetMissing, WorkProgressed
from inspector.stream.stacks import StackTaken
from inspector.stream.syscalls import FolderListed, SystemCallRefused, SystemCallSum, SystemCallsWatched

from .apis import ImageApis
from .log_parsing import EndingReader, Kind, Words
from .profiles import LogRule, Profiles, builtin_profiles

MomentKind = Literal["process", "load", "lookup", "call", "open", "syscall", "log", "signal", "note"]


@dataclass(frozen=True, slots=True)
class Moment:
    """One row of the timeline."""

    at: int
    pid: int
    kind: MomentKind
    text: str
    """Plain words, already `visible`."""
    bad: bool = False
    """A failure: a NULL answer, a non-zero result, a refused load, a deadly signal."""
    key: str = ""
    """`source:number` for log lines, `pid:base` for loads, function id for calls."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One log line that a profile understands."""

    source: int
    number: int
    profile: str
    rule: LogRule
    groups: dict[str, str]
    text: str
    at: int = 0
    """CLOCK_MONOTONIC ns: of the line's own time stamp where it has one, else of its arrival; 0 unknown (backlog)."""
    pid: int = 0
    """The writing pid if the carrier or the line itself tells it, else 0."""
    backlog: bool = False
    """It was there when we first read the log."""
    read_at: int = 0
    """When it was read."""


@dataclass(frozen=True, slots=True)
class Said:
    """One thing that a program said by itself in a log line, understood without a profile."""

    source: int
    number: int
    words: Words
    at: int = 0
    """As in `Reading`."""
    pid: int = 0
    """The writing pid if the carrier gives it, else 0; `words.writer` knows more."""
    backlog: bool = False
    read_at: int = 0


_MOST_PERCENT = 100_000.0
_MOST_SAMPLES = 4_000
_SAMPLE = 1_000_000_000
"""ns that vitals are an average of."""


def _share(vitals: Vitals) -> float:
    """Of one CPU; of a torn stream it may be infinite, or no number at all."""
    return min(max(vitals.cpu, 0.0), _MOST_PERCENT) / 100 if vitals.cpu == vitals.cpu else 0.0


@dataclass(slots=True, eq=False)
class Process:
    """One process of the tree, alive or dead; identified by (pid, started)."""

    pid: int
    ppid: int
    started: int
    origin: str
    comm: str = ""
    told_at: int = 0
    """When its birth was told: the birth itself where the kernel tells it, later where it was found by looking."""
    ended: int = 0
    """Moment of its end; 0 while it lives."""
    end: ProcessEnded | None = None
    cut_short: ProcessEnded | None = None
    """How it ended when the observation was over and the collector ended the program: for the analysis it lived on."""
    execs: list[ProcessExec] = field(default_factory=list)
    """All execs in order; empty for a fork that has not executed (it inherits its parent's)."""
    libraries: dict[int, LibraryMapped] = field(default_factory=dict)
    """By base, in order of appearance; those unmapped again stay with state `unmapped`."""
    scopes: dict[int, ScopeRead] = field(default_factory=dict)
    preloads: list[PreloadChecked] = field(default_factory=list)
    predictions: dict[str, LoadPredicted] = field(default_factory=dict)
    asked_loads: dict[str, LoadPredicted] = field(default_factory=dict)
    """Predictions that a person asked for: shown, but no evidence of what the program does."""
    candidates: dict[str, CandidateFound] = field(default_factory=dict)
    copies: dict[tuple[str, str], CopiesFound] = field(default_factory=dict)
    """By kind and asked name: where else the name is that this process asked for in vain; read it with `where_is`."""
    packages: dict[str, PackageRead] = field(default_factory=dict)
    """By name: packages in use of which there are builds without a part for the GPU."""
    loader_words: LoaderWordsFound | None = None
    """What the loader refused before we came, by what is left in memory."""
    never_executed: dict[str, NeverExecuted] = field(default_factory=dict)
    slots: dict[str, SlotsRead] = field(default_factory=dict)
    pointers: dict[str, PointersHeld] = field(default_factory=dict)
    patched: dict[str, CodePatched] = field(default_factory=dict)
    descriptors: dict[int, Descriptor] = field(default_factory=dict)
    sockets: SocketsRead | None = None
    vitals: Vitals | None = None
    cpu: list[tuple[int, int]] = field(default_factory=list)
    """Moments of vitals and ns of CPU time spent since the vitals before, in order; see `cpu_after`."""
    counts: dict[int, CallCount] = field(default_factory=dict)
    """By function id."""
    callers: dict[int, dict[str, CallerCount]] = field(default_factory=dict)
    """By function id, then caller: all entries. Empty in old recordings; `calls_by` knows both."""
    outcomes: dict[tuple[int, str, int], CallOutcome] = field(default_factory=dict)
    """By function id, caller, result; of entries whose results were read."""
    calls: list[CallReturned] = field(default_factory=list)
    open_calls: list[OpenCall] = field(default_factory=list)
    waits: dict[int, ThreadWaits] = field(default_factory=dict)
    stacks: list[StackTaken] = field(default_factory=list)
    """Who asked: at the first refusals and deciding calls."""
    lookups: list[LookedUp] = field(default_factory=list)
    refusals: list[LoaderRefused] = field(default_factory=list)
    opens: list[FileOpened] = field(default_factory=list)
    opens_skipped: int = 0
    refused_calls: list[SystemCallRefused] = field(default_factory=list)
    """System calls that failed, opens not among them, in order of telling."""
    summed_calls: list[SystemCallSum] = field(default_factory=list)
    folders: list[FolderListed] = field(default_factory=list)
    constraints: ConstraintsRead | None = None
    """As read last."""
    environments: list[EnvironmentRead] = field(default_factory=list)
    """As the C library held it, at each occasion, since the last exec."""
    signals: list[SignalDelivered] = field(default_factory=list)
    writes: dict[int, WritesSeen] = field(default_factory=dict)
    parent: "Process | None" = field(default=None, repr=False)
    """The process that gave birth to it, if that is of the tree."""
    previous: "Process | None" = field(default=None, repr=False)
    """The dead process that had this pid before."""
    mapped_at: dict[int, int] = field(default_factory=dict)
    """By base: when the mapping was first heard of."""
    told: set[tuple[int, int]] = field(default_factory=set)
    """Function and result pairs that the timeline shows already."""
    revision: int = 0
    """Grows with each event about this process."""
    memo: dict[str, tuple[object, object]] = field(default_factory=dict, repr=False)
    """Only model/memo.py looks at it."""

    def spend(self, vitals: Vitals) -> None:
        """New vitals: until a second before them the last ones held."""
        before = self.vitals
        gap = max(0, vitals.at - (before.at if before is not None else self.started))
        fresh = min(gap, _SAMPLE)
        spent = _share(vitals) * fresh + (_share(before) * (gap - fresh) if before is not None else 0.0)
        self.cpu.append((vitals.at, round(spent)))
        del self.cpu[: max(0, len(self.cpu) - _MOST_SAMPLES)]
        self.vitals = vitals

    def cpu_after(self, moment: int, now: int) -> int:
        """ns of CPU time that were seen to be spent after a moment, until now or its end; a lower bound.

        Vitals are only sent when they change: in between the last ones hold.
        """
        seen = sum(spent for at, spent in self.cpu if at > moment)
        if self.vitals is not None:
            since = max(self.vitals.at, moment)
            seen += round(_share(self.vitals) * max(0, (self.ended or now) - since))
        total = self.end.cpu if self.end is not None and self.end.cpu is not None else 0
        return max(seen, total - max(0, moment - self.started))

    @property
    def program(self) -> ProcessExec | None:
        """The program that it runs, None when that is not known."""
        return self.execs[-1] if self.execs else None

    def calls_by(self, function: int) -> list[CallerCount]:
        """Calls of a function by caller, as far as it is known who called."""
        if self.callers:
            return list(self.callers.get(function, {}).values())
        return [
            CallerCount(
                pid=one.pid, function=function, caller=one.caller, own=one.own, count=one.count, first=one.first,
                last=one.last,
            )
            for one in self.outcomes.values()
            if one.function == function
        ]  # fmt: skip


@dataclass(slots=True)
class LogSource:
    """One log and the lines of it that we hold."""

    found: LogFound
    lines: list[LogLine] = field(default_factory=list)
    """In order of their numbers; a window and the marked lines, not the whole file."""
    lines_total: int = 0
    bytes_total: int = 0
    backlog: int = 0
    """Number of the first line that was written after we came; lines before it were there already."""
    changes: list[LogChanged] = field(default_factory=list)
    seen_at: dict[int, int] = field(default_factory=dict)
    """Line number -> CLOCK_MONOTONIC ns of the event that brought it (absent for backlog)."""
    readings: dict[str, list[Reading]] = field(default_factory=dict)
    """By `profile:rule`: the first and the newest lines that a profile understands; bounded, so the middle may lack."""
    said: dict[Kind, list[Said]] = field(default_factory=dict)
    """What lines say by themselves, by kind, in order; bounded like `readings`."""
    endings: EndingReader = field(default_factory=EndingReader, repr=False)
    """In the middle of a traceback it remembers so; only folding uses it."""

    def all_said(self) -> list[Said]:
        """Everything said, in order of the lines."""
        return sorted((one for said in self.said.values() for one in said), key=lambda one: one.number)


@dataclass(slots=True)
class State:
    """Everything that the stream has told. `apply` (model/fold.py) changes it; all else only reads it."""

    profiles: Profiles = field(default_factory=builtin_profiles, repr=False)
    """What log lines and results mean."""
    session: SessionStarted | None = None
    ended: SessionEnded | None = None
    missing: TargetMissing | None = None
    cut_short_at: int = 0
    """From when on the collector ended the program that it had started; 0: it did not."""
    now: int = 0
    """`at` of the newest event."""
    processes: list[Process] = field(default_factory=list)
    """In order of birth, the dead included."""
    current: dict[int, Process] = field(default_factory=dict)
    """Newest process of each pid."""
    images: dict[str, ImageRead] = field(default_factory=dict)
    """By file identity."""
    apis: dict[str, ImageApis] = field(default_factory=dict)
    """By file identity: which APIs the file provides and could call."""
    functions: dict[int, WatchedFunction] = field(default_factory=dict)
    watched_since: dict[int, int] = field(default_factory=dict)
    stopped: dict[int, str] = field(default_factory=dict)
    """Function id -> why its counting stopped (its counts are lower bounds)."""
    results_stopped: dict[int, str] = field(default_factory=dict)
    """Function id -> why its results are read no more (they are those of its first calls)."""
    refused: dict[str, str] = field(default_factory=dict)
    """`library:name` -> why it cannot be counted."""
    unexplained: dict[str, list[tuple[Process, LibraryMapped]]] = field(default_factory=dict, repr=False)
    """Mappings, by file identity, whose image is not known yet: the timeline tells of them when it is."""
    logs: dict[int, LogSource] = field(default_factory=dict)
    units: dict[str, UnitRead] = field(default_factory=dict)
    preload_files: dict[str, PreloadFileRead] = field(default_factory=dict)
    gpu: GpuRead | None = None
    others: list[SameNameProcess] = field(default_factory=list)
    collector_waits: str = ""
    """What the collector waits for while it does not go on."""
    limits: list[LimitNoted] = field(default_factory=list)
    lost: dict[str, int] = field(default_factory=dict)
    syscalls_watched: list[SystemCallsWatched] = field(default_factory=list)
    """When opens and refused system calls began to be told, and ceased to be; empty in recordings of before."""
    work: dict[str, WorkProgressed] = field(default_factory=dict)
    changes: list[FileChanged] = field(default_factory=list)
    copies: dict[tuple[str, str], CopiesFound] = field(default_factory=dict)
    """By kind and asked name: the newest search for it, whoever asked."""
    timeline: list[Moment] = field(default_factory=list)
    """In order of time."""
    dead: int = 0
    """How many of `processes` have ended, as `folding.forgetting` counts."""
    processes_dropped: int = 0
    """How many that ended were dropped to bound the memory."""
    timeline_dropped: int = 0
    """How many of the oldest moments were dropped to bound the memory."""
    revisions: dict[str, int] = field(default_factory=dict)
    """Per pane (`processes`, `libraries`, ...) a number that grows with each change: screens repaint only then."""
