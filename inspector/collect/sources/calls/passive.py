"""Evidence from before the first probe, without touching the process: code never executed, code patched, GOT slots.

The picture of a file's code is taken when its ELF facts are known, before anything counts its calls: a probe brings its
page in and turns it into a private copy. So this source must watch the tree before the one that counts.
"""

from collections.abc import Callable

import msgspec

from inspector.stream.libraries import ImageRead, SlotsRead

from ...elf.file import ElfError
from ...elf.relocations import FunctionSlots, function_slots
from ...kernel.memory import Memory
from ...kernel.pages import PageTable, swapped_bytes
from ...kernel.private_copies import PrivateCopies
from ..contract import Mapping, Session, Tracked, TreeObserver
from .passive_events import (
    Circumstances,
    Code,
    FileFacts,
    code_patched,
    copied,
    never_executed,
    read_facts,
    slots_read,
    start_up_code,
)

REFRESH_SECONDS = 3.0

Counted = Callable[[int, str], bool]
"""Whether calls of a file (by identity) are counted in a process (by pid)."""


class _Looked(msgspec.Struct):
    """What was looked at in one process."""

    pictured: set[str] = msgspec.field(default_factory=set)
    """Files, by identity."""
    slots: dict[str, SlotsRead] = msgspec.field(default_factory=dict)
    """By file identity, as sent."""


class PassiveSource(TreeObserver):
    """Takes pictures of the code of API providers and reads the slots of their consumers."""

    def __init__(self, session: Session, counted: Counted | None = None) -> None:
        """Where calls are not counted (`counted`; by default where the session asks for no counting) pictures are
        taken again and again: they are all that can be known."""
        self._session = session
        self._counted = counted or (lambda pid, file: session.configure.count)
        self._wanted = frozenset(function.name for api in session.plan.apis for function in api.functions)
        self._names = frozenset(name.encode() for name in self._wanted)
        self._providers: dict[str, tuple[ImageRead, FileFacts]] = {}
        self._roles: dict[str, tuple[bool, bool]] = {}
        """By file identity: whether it defines functions of the plan, and whether it calls some."""
        self._consumers: dict[str, FunctionSlots | None] = {}
        """None while it is read where the slots are."""
        self._seen: dict[int, _Looked] = {}
        self._copies = PrivateCopies()
        self._begun = session.loop.now()
        session.tree.watch(self)
        session.loop.every(REFRESH_SECONDS, self._refresh)

    def executed(self, process: Tracked) -> None:
        """A new program has new memory."""
        self._seen.pop(process.pid, None)

    def ended(self, process: Tracked) -> None:
        """Nothing more to look at."""
        self._seen.pop(process.pid, None)

    def image(self, process: Tracked, mapping: Mapping, image: ImageRead) -> None:
        """The first time that a provider is met, its picture is taken in every process, before it is probed in any."""
        roles = self._roles.get(image.file)
        if roles is None:
            provides = any(export.kind == "func" and export.name in self._wanted for export in image.exports)
            consumes = any(need.name in self._wanted for need in image.undefined)
            roles = self._roles[image.file] = provides, consumes
        if roles[0]:
            first = image.file not in self._providers
            if first:
                self._providers[image.file] = image, read_facts(mapping.open_path)
            for other in self._session.tree.processes() if first else [process]:
                self._take(other, image.file, unprobed=first and image.file not in self._session.probed)
        if roles[1]:
            self._meet_consumer(process, mapping)

    def picture(self, process: Tracked) -> None:
        """Take the pictures of all known providers in a process that were not taken yet."""
        for file in {mapping.file for mapping in process.mappings.values()} & self._providers.keys():
            self._take(process, file, unprobed=False)

    def _take(self, process: Tracked, file: str, unprobed: bool, again: bool = False) -> None:
        mappings = [mapping for mapping in process.mappings.values() if mapping.file == file]
        seen = self._seen.setdefault(process.pid, _Looked())
        if not mappings or (file in seen.pictured and not again) or not process.readable:
            return
        seen.pictured.add(file)
        image, facts = self._providers[file]
        try:
            with PageTable(process.pid) as pages:
                at = self._session.loop.now()
                code = Code.look(pages, mappings)
            if self._was_found(process) or not self._counted(process.pid, file):
                caveat = self._circumstances(process.pid, code, facts, image).caveat(code)
                event = never_executed(at, process.pid, _since(process), code, image, self._wanted, caveat)
                self._session.sink.send(event)
        except OSError:
            return  # gone, or not ours to look at
        patched = code_patched(at, process.pid, code, facts) if unprobed else None
        if patched is not None:
            self._session.sink.send(patched)

    def _was_found(self, process: Tracked) -> bool:
        """It ran before we attached. What is born here is counted from the start, and needs no picture."""
        return process.started < self._begun and not process.seen_from_its_exec

    def _circumstances(self, pid: int, code: Code, facts: FileFacts, image: ImageRead) -> Circumstances:
        """OSError when the process cannot be read."""
        ever = copied(code, self._copies.ever(pid))
        with Memory(pid) as memory:
            return Circumstances(start_up_code(memory, code, facts, image), ever, swapped_bytes(pid))

    def _meet_consumer(self, process: Tracked, mapping: Mapping) -> None:
        """Read where its slots are in the worker thread, then what they hold."""
        if mapping.file in self._consumers:
            self._read_slots(process, mapping.file)
            return
        self._consumers[mapping.file] = None

        def keep(slots: FunctionSlots) -> None:
            self._consumers[mapping.file] = slots
            for other in self._session.tree.processes():
                self._read_slots(other, mapping.file)

        self._session.loop.in_background(lambda: _slots_of(mapping.open_path, self._names), keep)

    def _read_slots(self, process: Tracked, file: str) -> None:
        consumer = [mapping for mapping in process.mappings.values() if mapping.file == file]
        slots = self._consumers.get(file)
        if not consumer or slots is None or not slots.wanted or not process.readable:
            return
        try:
            with Memory(process.pid) as memory:
                event = slots_read(self._session.loop.now(), memory, consumer, slots, list(process.mappings.values()))
        except OSError:
            return
        sent = self._seen.setdefault(process.pid, _Looked()).slots
        before = sent.get(file)
        if before is None or msgspec.structs.replace(before, at=event.at) != event:
            sent[file] = event
            self._session.sink.send(event)

    def _refresh(self) -> None:
        """Slots are bound one by one; pictures change where no probe is in the way."""
        for process in self._session.tree.processes():
            for file in {mapping.file for mapping in process.mappings.values()}:
                if file in self._consumers:
                    self._read_slots(process, file)
                if file in self._providers and not self._counted(process.pid, file):
                    self._take(process, file, unprobed=False, again=True)


def _slots_of(open_path: bytes, names: frozenset[bytes]) -> FunctionSlots:
    try:
        return function_slots(open_path, names)
    except ElfError:
        return FunctionSlots([], [])


def _since(process: Tracked) -> int:
    """When its program began: the exec, where it was seen."""
    program = process.program
    seen = program is not None and program.environment_source == "exec"
    return program.at if program is not None and seen else process.started
