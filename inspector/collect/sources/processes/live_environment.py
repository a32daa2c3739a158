"""The environment as a program's C library holds it now: setenv(3) changes that, not what /proc/PID/environ shows."""

import errno
import re
import struct
from collections.abc import Iterable, Iterator

import msgspec

from inspector.stream.processes import EnvironmentRead
from inspector.stream.text import decode

from ...elf.file import ElfError, ElfFile
from ...elf.symbols import SymbolTable
from ...kernel.memory import Memory
from ...kernel.records import Looked, RefusedCall, Returned
from ...rate_limit import RateLimit
from ..contract import Mapping, Session, Tracked, TreeObserver
from .feed import Feed
from .program import Keys

_LOADS = ("dlopen", "dlmopen")
_NAMES = (b"environ", b"__environ", b"_environ")
_C_LIBRARY = re.compile(r"/(libc\.so\.6|libc-2\.\d+\.so|ld-musl-[^/]*\.so\.1|libc\.musl-[^/]*\.so\.1|libc\.so)$")
_MOST_VARIABLES = 4096
_LONGEST = 32768
_PAGE = 4096
_OF_ONE_A_SECOND, _OF_ONE_AT_ONCE = 5, 20
"""Readings of one process: a start loads, sets and is refused many things within milliseconds."""
_AT_LOADS_A_SECOND, _AT_LOADS_AT_ONCE = 20, 100
"""Readings at loads that succeeded, of all processes together: a flood of children loads libraries, too."""


class _Candidate(msgspec.Struct, frozen=True):
    """Where the pointer may lie: a file that may define it, and its load bias in the process."""

    path: str
    file: str
    open_path: bytes
    base: int


class _Reading:
    """Of one process, again and again."""

    def __init__(self, pointer: int) -> None:
        self.limit = RateLimit(_OF_ONE_A_SECOND, _OF_ONE_AT_ONCE)
        self._pointer = pointer
        self._texts: list[int] = []

    def read(self, pid: int, whole: bool) -> dict[bytes, bytes] | None:
        """The variables; None when they cannot be read, or unless `whole` are where they were at the last time: setenv
        gives a variable another place.
        """
        try:
            with Memory(pid) as memory:
                texts = list(texts_of(memory, self._pointer))
                if texts == self._texts and not whole:
                    return None
                self._texts = texts
                return variables(memory, texts)
        except OSError:
            return None


class LiveEnvironmentSource(TreeObserver):
    """Reads it of processes that we found, and of each when it loads a library or something is refused to it; tells it
    when it is news.

    At once, in the loop: a program that was refused something may end soon, and it takes less than 1 ms.
    """

    def __init__(self, session: Session, keys: Keys, feed: Feed) -> None:
        self._session = session
        self._keys = keys
        self._symbols: dict[str, int | None] = {}
        """By file: link-time address of the pointer, None where the file does not define it."""
        self._readings: dict[int, _Reading] = {}
        self._at_loads = RateLimit(_AT_LOADS_A_SECOND, _AT_LOADS_AT_ONCE)
        self._told: dict[int, EnvironmentRead] = {}
        self._waiting: dict[int, str] = {}
        """By process: why it is to be read as soon as its C library is known."""
        session.tree.watch(self)
        feed.listen(Looked, self._looked)
        feed.listen(Returned, self._returned)
        feed.listen(RefusedCall, self._refused)

    def start(self) -> None:
        """Programs that run already may have changed it long ago."""
        for process in self._session.tree.processes():
            self._look(process, "attach")

    def executed(self, process: Tracked) -> None:
        """Another program, with an environment of its own."""
        self.ended(process)

    def ended(self, process: Tracked) -> None:
        """Nothing more can be read of it."""
        self._readings.pop(process.pid, None)
        self._told.pop(process.pid, None)
        self._waiting.pop(process.pid, None)

    def mapped(self, process: Tracked, mapping: Mapping) -> None:
        """Perhaps what a reading waits for: mappings are told later than what their code does."""
        if process.pid in self._waiting and _C_LIBRARY.search(mapping.path):
            self._look(process, self._waiting.pop(process.pid))

    def _looked(self, record: Looked) -> None:
        if record.via not in _LOADS:
            return
        if not record.answer:
            self._look_again(record.pid, f"{record.via} refused")
        elif self._at_loads.grant():
            self._look_again(record.pid, record.via)  # programs set what libraries read before they load them

    def _returned(self, record: Returned) -> None:
        if record.result != 0:
            self._look_again(record.pid, "a watched call refused")

    def _refused(self, record: RefusedCall) -> None:
        if record.errno not in (errno.ENOENT, errno.ENOTDIR):
            self._look_again(record.pid, f"{record.call} refused")

    def _look_again(self, pid: int, why: str) -> None:
        process = self._session.tree.find(pid)
        if process is not None and process.alive:
            self._look(process, why)

    def _look(self, process: Tracked, why: str) -> None:
        if process.program is None or process.program.elf_class == 32:
            return
        reading = self._readings.get(process.pid)
        if reading is None:
            pointer = self._pointer(process, why)
            if pointer is None:
                return
            reading = self._readings[process.pid] = _Reading(pointer)
        if reading.limit.grant() and (found := reading.read(process.pid, why not in _LOADS)) is not None:
            self._tell(process, why, found)

    def _pointer(self, process: Tracked, why: str) -> int | None:
        """Where it lies; None when no file defines it, or none is known yet, which is waited for."""
        places = _places(process)
        if not any(_C_LIBRARY.search(place.path) for place in places):
            self._waiting[process.pid] = why
            return None
        values = ((place, self._symbol(place)) for place in places)
        return next((place.base + value for place, value in values if value is not None), None)

    def _symbol(self, place: _Candidate) -> int | None:
        if place.file not in self._symbols:
            self._symbols[place.file] = find_environ(place.open_path)
        return self._symbols[place.file]

    def _tell(self, process: Tracked, why: str, found: dict[bytes, bytes]) -> None:
        before, now = self._keys.shown(process.raw_environment), self._keys.shown(found)
        raw = {decode(key): value for key, value in process.raw_environment.items()}
        live = {decode(key): value for key, value in found.items()}
        changed = sorted(key for key in {*before, *now} if raw.get(key) != live.get(key))
        event = EnvironmentRead(at=self._session.loop.now(), pid=process.pid, why=why, environment=now, changed=changed)
        last = self._told.get(process.pid)
        if last is None or (last.environment, last.changed) != (now, changed):
            self._told[process.pid] = event
            self._session.sink.send(event)


def _places(process: Tracked) -> list[_Candidate]:
    """The program first: it holds the pointer itself when it was linked to name it (a copy relocation)."""
    mappings = list(process.mappings.values())
    exe = process.program.exe if process.program is not None else ""
    ordered: list[Mapping] = [one for one in mappings if one.path == exe]
    ordered += [one for one in mappings if _C_LIBRARY.search(one.path)]
    return [_Candidate(one.path, one.file, one.open_path, one.base) for one in ordered]


def find_environ(open_path: bytes) -> int | None:
    """Link-time address of the pointer to the environment, None when the file does not define it."""
    try:
        with ElfFile(open_path) as elf:
            table = SymbolTable(elf)
            for name in _NAMES:
                for index in table.find(name):
                    return table.symbol(index).value
    except ElfError:
        return None
    return None


def read_environment(pid: int, pointer: int) -> dict[bytes, bytes]:
    """The variables behind a `char **environ`; OSError when unreadable."""
    with Memory(pid) as memory:
        return variables(memory, texts_of(memory, pointer))


def variables(memory: Memory, texts: Iterable[int]) -> dict[bytes, bytes]:
    """What stands at these addresses, of a name the first, as getenv(3) has it."""
    found: dict[bytes, bytes] = {}
    for text in texts:
        key, equals, value = memory.text(text, _LONGEST).partition(b"=")
        if equals:
            found.setdefault(key, value)
    return found


def texts_of(memory: Memory, pointer: int) -> Iterator[int]:
    """The addresses in the array behind a `char **environ`, which ends with NULL, in pages; OSError."""
    place = memory.word(pointer)
    if place % 8:
        raise OSError(f"no array of pointers: {place:#x}")
    for _ in range(_MOST_VARIABLES * 8 // _PAGE if place else 0):
        here = memory.read(place, _PAGE - place % _PAGE)
        for (text,) in struct.iter_unpack("<Q", here):
            if not text:
                return
            yield text
        place += len(here)
