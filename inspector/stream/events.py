"""All events of the stream in one union, in the order in which a newcomer wants to read about them."""

from .calls import (
    CallersCounted,
    CallReturned,
    CallsCounted,
    CallsInside,
    CountingStopped,
    FileOpened,
    FunctionsRefused,
    FunctionsWatched,
    LoaderRefused,
    LookedUp,
    LookupsStopped,
    LookupsWatched,
    OpensSkipped,
    OutcomesCounted,
    ResultsStopped,
)
from .libraries import (
    CandidateFound,
    CodePatched,
    CopiesFound,
    ImageRead,
    LibraryMapped,
    LibraryUnmapped,
    LoaderWordsFound,
    LoadPredicted,
    NeverExecuted,
    PackageRead,
    PointersHeld,
    PreloadChecked,
    ScopeRead,
    SlotsRead,
)
from .logs import LogChanged, LogFound, LogRead, WritesSeen
from .machine import FileChanged, GpuRead, PreloadFileRead, UnitRead
from .processes import (
    ConstraintsRead,
    DescriptorsRead,
    EnvironmentRead,
    ProcessEnded,
    ProcessExec,
    ProcessListed,
    ProcessStarted,
    SameNameProcess,
    SignalDelivered,
    SocketsRead,
    ThreadWaits,
    Vitals,
)
from .requests import LineFound, LogPage, SymbolPage
from .session import (
    CollectorWaits,
    EventsLost,
    LimitNoted,
    ProgramCutShort,
    RequestFailed,
    SessionEnded,
    SessionStarted,
    Settled,
    TargetMissing,
    WorkProgressed,
)
from .stacks import StackTaken
from .syscalls import FolderListed, SystemCallRefused, SystemCallsSummed, SystemCallsWatched

AnyEvent = (
    SessionStarted
    | SessionEnded
    | ProgramCutShort
    | TargetMissing
    | LimitNoted
    | CollectorWaits
    | WorkProgressed
    | EventsLost
    | RequestFailed
    | Settled
    | ProcessStarted
    | ProcessExec
    | ProcessEnded
    | SignalDelivered
    | ConstraintsRead
    | EnvironmentRead
    | DescriptorsRead
    | Vitals
    | SocketsRead
    | SameNameProcess
    | ProcessListed
    | ThreadWaits
    | LibraryMapped
    | LibraryUnmapped
    | ImageRead
    | ScopeRead
    | PreloadChecked
    | LoadPredicted
    | CandidateFound
    | CopiesFound
    | PackageRead
    | LoaderWordsFound
    | NeverExecuted
    | SlotsRead
    | PointersHeld
    | CodePatched
    | FunctionsWatched
    | FunctionsRefused
    | CountingStopped
    | ResultsStopped
    | CallersCounted
    | CallsCounted
    | OutcomesCounted
    | CallReturned
    | CallsInside
    | StackTaken
    | LookupsWatched
    | LookupsStopped
    | LookedUp
    | LoaderRefused
    | FileOpened
    | OpensSkipped
    | FolderListed
    | SystemCallRefused
    | SystemCallsSummed
    | SystemCallsWatched
    | LogFound
    | LogRead
    | LogChanged
    | WritesSeen
    | UnitRead
    | PreloadFileRead
    | GpuRead
    | FileChanged
    | SymbolPage
    | LogPage
    | LineFound
)
