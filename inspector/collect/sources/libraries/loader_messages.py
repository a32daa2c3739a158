"""What the loader refused before we attached: its own sentences, found in the memory of processes that lived before us.

dlerror(3) gives a text in memory that the C library keeps until the thread's next failure, and that lies there freed
for a good while after. Who never calls it leaves its two parts there, what and of which file (glibc's `dl_exception`).
A search by reading only, of what is resident and writable, in pieces behind all other work.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from inspector.stream.libraries import LoaderWordsFound
from inspector.stream.text import decode

from ...kernel import procfs
from ...kernel.memory import Memory
from ...kernel.pages import PageTable
from ...kernel.pointers import Area, writable_areas
from ..contract import Session, Tracked, TreeObserver

MOST_BYTES: Final = 256 << 20
"""Writable memory of one process that is searched."""
_PIECE: Final = 8 << 20
"""Bytes of one turn in the worker thread: some milliseconds."""
_OVERLAP: Final = 1 << 10
_MOST_FOUND: Final = 64
_NAME: Final = rb"[\w./+@~-]{1,255}"
_FILE: Final = rb"[\w./+@~-]{1,255}\.(?:so[\w.]*|node)"
SENTENCES: Final = re.compile(
    rb"(?<![\w./+@~-])(?:"
    rb"%b: cannot open shared object file: (?:No such file or directory|Permission denied|Input/output error)"
    rb"|%b: (?:wrong ELF class: ELFCLASS(?:32|64)|invalid ELF header|file too short)"
    rb"|%b: undefined symbol: [A-Za-z_]\w{1,200}(?:, version [\w.]+)?"
    rb"|%b: version `[\w.]{1,80}' not found \(required by %b\)"
    rb"|Error loading shared library %b: [A-Z][\w ]{4,60})" % (_FILE, _FILE, _NAME, _NAME, _NAME, _FILE)
)
"""dl-load.c, dl-lookup.c and dl-version.c of glibc, dynlink.c of musl."""
_PARTS: Final = re.compile(
    rb"(?<![\w./+@~-])(?P<what>cannot open shared object file|wrong ELF class: ELFCLASS(?:32|64)|invalid ELF header"
    rb"|file too short)\0(?P<file>%b)\0" % _FILE
)
"""dl-exception.c of glibc: the error and then the name of the object, each with its NUL; the errno lies elsewhere.

Loads only: who looks up a name and does not ask why it is not there can do without it."""
_HINTS: Final = (
    b"shared object file",
    b"file too short",
    b"undefined symbol: ",
    b"' not found (required",
    b"ELF ",
    b"shared library ",
)
"""One of these is in every sentence: found at gigabytes a second."""


class LoaderMessagesSource(TreeObserver):
    """Searches each process that was there before us, once."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._began = session.loop.now()

    def start(self) -> None:
        """Search those that are there; others join later."""
        self._session.tree.watch(self)
        for process in self._session.tree.processes():
            self.executed(process)

    def executed(self, process: Tracked) -> None:
        """What executes under our eyes is seen as it happens, also where its process waited for us to be ready."""
        if process.started < self._began and not process.seen_from_its_exec:
            self._turn(process, search(process.pid))

    def _turn(self, process: Tracked, found: Iterator[list[str] | None]) -> None:
        """One piece at a time, so that other work of the worker thread comes in between."""
        self._session.loop.in_background(lambda: next(found, []), lambda words: self._turned(process, found, words))

    def _turned(self, process: Tracked, found: Iterator[list[str] | None], words: list[str] | None) -> None:
        if words is None:
            self._turn(process, found)
        elif words:
            self._session.sink.send(LoaderWordsFound(at=self._session.loop.now(), pid=process.pid, words=words))


def search(pid: int) -> Iterator[list[str] | None]:
    """None after each piece, and at last the sentences that were found, each once, in order of their place."""
    found: dict[bytes, None] = {}
    try:
        with PageTable(pid) as pages:
            areas = writable_areas(pages, procfs.maps(pid))
        with Memory(pid) as memory:
            for start, end in _pieces(areas):
                found |= dict.fromkeys(sentences(_read(memory, start, end)))
                yield None
    except OSError:
        pass  # gone, or not ours to read: the doctor and the limits say so
    yield [decode(words) for words in _fullest(found)[:_MOST_FOUND]]


def _fullest(found: Iterable[bytes]) -> list[bytes]:
    """Without those that another one tells with its errno as well: both forms of one refusal may lie in memory."""
    known = list(found)
    return [one for one in known if not any(other.startswith(one + b": ") for other in known)]


def sentences(data: bytes) -> list[bytes]:
    """What a piece of memory holds of the loader's sentences."""
    found = []
    for at in (at for hint in _HINTS for at in _places(data, hint)):
        if (match := _around(data, at, SENTENCES)) is not None:
            found.append(match[0])
        elif (match := _around(data, at, _PARTS)) is not None:
            found.append(match["file"] + b": " + match["what"])
    return found


def _places(data: bytes, hint: bytes) -> Iterator[int]:
    at = data.find(hint)
    while at >= 0:
        yield at
        at = data.find(hint, at + len(hint))


def _around(data: bytes, at: int, pattern: "re.Pattern[bytes]") -> "re.Match[bytes] | None":
    """The sentence that a hint is a part of."""
    window = data[max(0, at - _OVERLAP // 2) : at + _OVERLAP // 2]
    place = at - max(0, at - _OVERLAP // 2)
    return next((match for match in pattern.finditer(window) if match.start() <= place < match.end()), None)


def _pieces(areas: Sequence[Area]) -> Iterator[tuple[int, int]]:
    """Spans of memory that overlap a little, up to the most that is searched."""
    left = MOST_BYTES
    for area in areas:
        for start in range(area.start, area.end, _PIECE):
            end = min(area.end, start + _PIECE + _OVERLAP)
            if left <= 0:
                return
            left -= end - start
            yield start, end


def _read(memory: Memory, start: int, end: int) -> bytes:
    try:
        return memory.read(start, end - start)
    except OSError:
        return b""  # unmapped meanwhile
