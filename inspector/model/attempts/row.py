"""One thing that was asked for, and its answer: the one kind of row that all evidence becomes."""

from typing import Literal

import msgspec

from inspector.model.failed_loads import FailedLoad
from inspector.model.formatting import name_of
from inspector.model.log_claims import Word
from inspector.model.stages import Stage
from inspector.model.state import Process, Reading
from inspector.model.usage import FunctionCalls
from inspector.stream.calls import CallReturned, FileOpened, LookedUp
from inspector.stream.libraries import LibraryMapped, LoadPredicted, PreloadChecked
from inspector.stream.processes import ProcessEnded, SignalDelivered
from inspector.stream.syscalls import SystemCallRefused

Kind = Literal["load", "lookup", "call", "system", "signal", "end", "preload", "setting", "words", "prediction"]
Source = Literal["kernel", "loader", "file", "memory", "program", "setting"]
"""Who says so: the kernel (counted, seen), the loader, a file that was read, memory, the program itself, a setting."""


class Attempt(msgspec.Struct, eq=False):
    """Who asked whom for what, when, on which thread, inside which other attempt, and what was answered."""

    process: Process
    kind: Kind
    what: str
    """The file, function, path or setting that was asked for."""
    ok: bool | None
    """None: the answer was not seen."""
    at: int
    """When it was answered; for one that did not return the end of the process, or now."""
    begin: int = 0
    """When it was asked; 0 unknown."""
    tid: int = 0
    call: str = "open"
    """For kind `system`: the system call."""
    api: str = ""
    family: str = ""
    stage: Stage | None = None
    """What its success would show."""
    asker: str = ""
    """Path of the library or program that asked; empty when not known."""
    provider: str = ""
    """Path of the library that answered."""
    answer: str = ""
    """The answer in words: `100 (CUDA_ERROR_NO_DEVICE)`, `not found`, `EMFILE`."""
    code: int = 0
    source: Source = "kernel"
    came_back: bool = True
    decisive: bool = False
    """A look-up of a name without which nobody can begin."""
    serves: Stage | None = None
    """Of a look-up: what a call of that name would reach."""
    own_ends: bool = False
    """A provider asked for itself (NVML asks the driver): no progress of a consumer, but perhaps a reason."""
    sampled: bool = True
    """False: only counted, `at` is the last time of its kind."""
    failure: FailedLoad | None = None
    calls: FunctionCalls | None = None
    sample: CallReturned | None = None
    lookup: LookedUp | None = None
    mapped: LibraryMapped | None = None
    opened: FileOpened | None = None
    refused_call: SystemCallRefused | None = None
    signal: SignalDelivered | None = None
    end: ProcessEnded | None = None
    reading: Reading | None = None
    word: Word | None = None
    prediction: LoadPredicted | None = None
    preload: PreloadChecked | None = None
    tried: frozenset[str] = frozenset()
    """Paths that a load opened on its way."""
    inside: "Attempt | None" = None
    within: list["Attempt"] = msgspec.field(default_factory=list)
    """What was asked inside it, in order."""

    @property
    def refused(self) -> bool:
        """It was answered no, or not at all."""
        return self.ok is False

    @property
    def begins(self) -> bool:
        """A call without which nothing else of its API works: `cuInit`, `vkCreateInstance`."""
        return self.calls is not None and self.calls.role == "init"

    @property
    def asker_name(self) -> str:
        """`libcudart.so.12`, or the process where nobody is known."""
        return name_of(self.asker) if self.asker else ""
