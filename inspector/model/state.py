"""What is known so far: events folded into processes, libraries, calls, look-ups, logs and one timeline."""

from typing import TYPE_CHECKING, Literal

from msgspec import Struct, field

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
from .log_parsing import Kind, Words
from .own_output import OwnOutput
from .profiles import LogRule, Profiles, builtin_profiles

if TYPE_CHECKING:
    from .log_parsing.endings import EndingReader

MomentKind = Literal["process", "load", "lookup", "call", "open", "syscall", "log", "signal", "note"]
EXECUTES = "executes "
"""How the moment of an exec begins."""
ENTERS = "enters "
"""How the moment begins that tells of a call which is open for long."""
WAS_THERE = "was mapped already"
"""What the moment of a load says that came before we attached: when, is not known."""


class Moment(Struct, frozen=True):
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


class Reading(Struct, frozen=True):
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


class Said(Struct, frozen=True):
    """One thing that a program said by itself in a log line, understood without a profile."""

    source: int
    number: int
    words: Words
    at: int = 0
    """As in `Reading`."""
    pid: int = 0
    """The writing pid if the carrier gives it, else 0; `log_claims.writer` knows more."""
    backlog: bool = False
    read_at: int = 0


_MOST_PERCENT = 100_000.0
_MOST_SAMPLES = 4_000
_SAMPLE = 1_000_000_000
"""ns that vitals are an average of."""


def _share(vitals: Vitals) -> float:
    """Of one CPU; of a torn stream it may be infinite, or no number at all."""
    return min(max(vitals.cpu, 0.0), _MOST_PERCENT) / 100 if vitals.cpu == vitals.cpu else 0.0


class Process(Struct, eq=False):
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
    execs: list[ProcessExec] = []
    """All execs in order; empty for a fork that has not executed (it inherits its parent's)."""
    libraries: dict[int, LibraryMapped] = {}
    """By base, in order of appearance; those unmapped again stay with state `unmapped`."""
    asked_by: set[str] = set()
    """Paths of who asked for a library of a GPU in it; empty for whoever opened one that is mapped."""
    scopes: dict[int, ScopeRead] = {}
    preloads: list[PreloadChecked] = []
    predictions: dict[str, LoadPredicted] = {}
    asked_loads: dict[str, LoadPredicted] = {}
    """Predictions that a person asked for: shown, but no evidence of what the program does."""
    candidates: dict[str, CandidateFound] = {}
    copies: dict[tuple[str, str], CopiesFound] = {}
    """By kind and asked name: where else the name is that this process asked for in vain; read it with `where_is`."""
    packages: dict[str, PackageRead] = {}
    """By name: packages in use of which there are builds without a part for the GPU."""
    loader_words: LoaderWordsFound | None = None
    """What the loader refused before we attached, by what is left in memory."""
    never_executed: dict[str, NeverExecuted] = {}
    slots: dict[str, SlotsRead] = {}
    pointers: dict[str, PointersHeld] = {}
    patched: dict[str, CodePatched] = {}
    descriptors: dict[int, Descriptor] = {}
    sockets: SocketsRead | None = None
    vitals: Vitals | None = None
    cpu: list[tuple[int, int]] = []
    """Moments of vitals and ns of CPU time spent since the vitals before, in order; see `cpu_after`."""
    counts: dict[int, CallCount] = {}
    """By function id."""
    callers: dict[int, dict[str, CallerCount]] = {}
    """By function id, then caller: all entries. Empty in old recordings; `calls_by` knows both."""
    outcomes: dict[tuple[int, str, int], CallOutcome] = {}
    """By function id, caller, result; of entries whose results were read."""
    calls: list[CallReturned] = []
    open_calls: list[OpenCall] = []
    waits: dict[int, ThreadWaits] = {}
    stacks: list[StackTaken] = []
    """Who asked: at the first refusals and deciding calls."""
    lookups: list[LookedUp] = []
    refusals: list[LoaderRefused] = []
    opens: list[FileOpened] = []
    opens_skipped: int = 0
    refused_calls: list[SystemCallRefused] = []
    """System calls that failed, opens not among them, in order of telling."""
    summed_calls: list[SystemCallSum] = []
    folders: list[FolderListed] = []
    linker_knew_not: list[tuple[str, int, int]] = []
    """Libraries that a child `ld -t -lNAME` was asked for and did not find, with its birth and its end."""
    constraints: ConstraintsRead | None = None
    """As read last."""
    environments: list[EnvironmentRead] = []
    """As the C library held it, at each occasion, since the last exec."""
    signals: list[SignalDelivered] = []
    writes: dict[int, WritesSeen] = {}
    parent: "Process | None" = None
    """The process that gave birth to it, if that is of the tree."""
    previous: "Process | None" = None
    """The dead process that had this pid before."""
    mapped_at: dict[int, int] = {}
    """By base: when the mapping was first heard of."""
    told: set[tuple[int, int]] = set()
    """Function and result pairs that the timeline shows already."""
    revision: int = 0
    """Grows with each event about this process."""
    memo: dict[str, tuple[object, object]] = {}
    """Only model/memo.py looks at it."""

    @property
    def stopped(self) -> bool:
        """A signal or a debugger holds it (T and t of proc(5)): it does nothing until it is continued."""
        return not self.ended and self.vitals is not None and self.vitals.state in ("T", "t")

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


def _ending_reader() -> "EndingReader":
    from .log_parsing.endings import EndingReader  # compiles many expressions: the first paint comes before any log

    return EndingReader()


class LogSource(Struct):
    """One log and the lines of it that we hold."""

    found: LogFound
    lines: list[LogLine] = []
    """In order of their numbers; a window and the marked lines, not the whole file."""
    lines_total: int = 0
    bytes_total: int = 0
    backlog: int = 0
    """Number of the first line that was written after we attached; lines before it were there already."""
    changes: list[LogChanged] = []
    seen_at: dict[int, int] = {}
    """Line number -> CLOCK_MONOTONIC ns of the event that brought it (absent for backlog)."""
    readings: dict[str, list[Reading]] = {}
    """By `profile:rule`: the first and the newest lines that a profile understands; bounded, so the middle may lack."""
    said: dict[Kind, list[Said]] = {}
    """What lines say by themselves, by kind, in order; bounded like `readings`."""
    endings: "EndingReader" = field(default_factory=_ending_reader)
    """In the middle of a traceback it remembers so; only folding uses it."""
    own_output: OwnOutput = field(default_factory=OwnOutput)
    """In the middle of a report of ours it remembers so; only folding uses it."""
    own: set[int] = set()
    """Numbers of the held lines that we wrote ourselves: they say nothing of the program."""
    refusals: set[int] = set()
    """Numbers of the held lines that are understood, and tell that something was refused or given up."""

    def all_said(self) -> list[Said]:
        """Everything said, in order of the lines."""
        return sorted((one for said in self.said.values() for one in said), key=lambda one: one.number)


class State(Struct):
    """Everything that the stream has told. `apply` (model/fold.py) changes it; all else only reads it."""

    profiles: Profiles = field(default_factory=builtin_profiles)
    """What log lines and results mean."""
    session: SessionStarted | None = None
    ended: SessionEnded | None = None
    missing: TargetMissing | None = None
    cut_short_at: int = 0
    """From when on the collector ended the program that it had started; 0: it did not."""
    now: int = 0
    """`at` of the newest event."""
    processes: list[Process] = []
    """In order of birth, the dead included."""
    current: dict[int, Process] = {}
    """Newest process of each pid."""
    images: dict[str, ImageRead] = {}
    """By file identity."""
    apis: dict[str, ImageApis] = {}
    """By file identity: which APIs the file provides and could call."""
    functions: dict[int, WatchedFunction] = {}
    watched_since: dict[int, int] = {}
    stopped: dict[int, str] = {}
    """Function id -> why its counting stopped (its counts are lower bounds)."""
    results_stopped: dict[int, str] = {}
    """Function id -> why its results are read no more (they are those of its first calls)."""
    refused: dict[str, str] = {}
    """`library:name` -> why it cannot be counted."""
    lookups_watched: dict[str, int] = {}
    """File identity -> since when the look-ups that it answers are told; 0 where it answers none."""
    lookups_stopped: dict[str, str] = {}
    """File identity -> why they are told no more."""
    unexplained: dict[str, list[tuple[Process, LibraryMapped]]] = {}
    """Mappings, by file identity, whose image is not known yet: the timeline tells of them when it is."""
    logs: dict[int, LogSource] = {}
    units: dict[str, UnitRead] = {}
    preload_files: dict[str, PreloadFileRead] = {}
    gpu: GpuRead | None = None
    others: list[SameNameProcess] = []
    collector_waits: str = ""
    """What the collector waits for while it does not go on."""
    settled: bool = False
    """It has had nothing under way since it began: who is started now is observed from the first instruction on."""
    limits: list[LimitNoted] = []
    lost: dict[str, int] = {}
    syscalls_watched: list[SystemCallsWatched] = []
    """When opens and refused system calls began to be told, and ceased to be; empty in recordings of before."""
    work: dict[str, WorkProgressed] = {}
    changes: list[FileChanged] = []
    copies: dict[tuple[str, str], CopiesFound] = {}
    """By kind and asked name: the newest search for it, whoever asked."""
    timeline: list[Moment] = []
    """In order of time."""
    dead: int = 0
    """How many of `processes` have ended, as `folding.eviction` counts."""
    processes_dropped: int = 0
    """How many that ended were dropped to bound the memory."""
    timeline_dropped: int = 0
    """How many of the oldest moments were dropped to bound the memory."""
    revisions: dict[str, int] = {}
    """Per pane (`processes`, `libraries`, ...) a number that grows with each change: screens repaint only then."""
