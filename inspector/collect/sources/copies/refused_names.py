"""Names that were asked for in vain, read out of events: files, symbols, version nodes, device nodes."""

import errno
import os
import re
from collections.abc import Iterator
from fnmatch import translate
from typing import Final, Literal

import msgspec

from inspector.stream.base import Event
from inspector.stream.calls import FileOpened, LoaderRefused, LookedUp
from inspector.stream.libraries import LoaderWordsFound, LoadPredicted, PreloadChecked
from inspector.stream.requests import Plan, prefix_pattern

Kind = Literal["library", "symbol", "version", "device", "provider"]

_RTLD_NOLOAD: Final = 4
"""dlopen(3): such a question only asks whether it is loaded already (bits/dlfcn.h)."""
_NO_NODE: Final = frozenset((errno.ENOENT, errno.EACCES, errno.EPERM, errno.ENXIO, errno.ENODEV))
_VERSION: Final = re.compile(r"^(?P<file>\S.*?): version `(?P<node>[^']*)' not found(?: \(required by (?P<by>.*)\))?")
_SYMBOL: Final = re.compile(r"^(?:(?P<file>\S.*?): )?undefined symbol: (?P<name>[^,\s]+)(?:, version (?P<node>\S+))?")
_FILE: Final = re.compile(
    r"^(?P<file>\S.*?): (?:cannot open shared object file|wrong ELF class|invalid ELF header|file too short|ELF file)"
)
"""Words of dlerror(3): elf/dl-load.c, dl-version.c and dl-lookup.c of glibc."""


TELLING = frozenset((LookedUp, LoaderRefused, LoadPredicted, PreloadChecked, LoaderWordsFound, FileOpened))
"""Events that may say what was asked for in vain."""


class Asked(msgspec.Struct, frozen=True):
    """One name and who asked for it."""

    pid: int
    kind: Kind
    name: str
    wanted: str = ""
    """See `CopiesFound.wanted`."""
    library: str = ""
    requester: str = ""
    open_path: bytes = b""
    """By which the collector can open `library`; empty: by its own path."""


class Names:
    """Reads names out of events by what a plan is interested in."""

    def __init__(self, plan: Plan) -> None:
        self._function = re.compile(prefix_pattern(prefix for api in plan.apis for prefix in api.prefixes))
        nodes = [os.path.basename(node.glob) for node in plan.nodes]
        self._node = re.compile("|".join(map(translate, nodes)) or "(?!)")

    def of(self, event: Event) -> Iterator[Asked]:
        """What this event says was asked for in vain; most events say nothing."""
        match event:
            case FileOpened():
                if event.errno in _NO_NODE and self._node.fullmatch(event.path.rpartition("/")[2]):
                    yield Asked(event.pid, "device", event.path)
            case LookedUp(found=False):
                yield from self._of_lookup(event)
            case LoaderRefused():
                words = f"{event.object}: {event.text}" if event.object else event.text
                yield from self._of_words(event.pid, words, "")
            case LoadPredicted(ok=False, asked=False):
                for missing in event.missing:
                    yield Asked(event.pid, "library", missing.name, requester=missing.by)
            case PreloadChecked(usable=False):
                yield Asked(event.pid, "library", event.entry)
            case LoaderWordsFound():
                for words in event.words:
                    yield from self._of_words(event.pid, words, "")

    def _of_lookup(self, event: LookedUp) -> Iterator[Asked]:
        if event.via in ("dlopen", "dlmopen"):
            if event.flags & _RTLD_NOLOAD or not event.name:
                return
            told = list(self._of_words(event.pid, event.error, event.requester, event.name))
            yield from told or [Asked(event.pid, "library", event.name, requester=event.requester)]
        elif event.via != "cuGetExportTable" and self._function.match(event.name):
            named = _SYMBOL.match(event.error)
            library = (named["file"] if named else "") or event.answered_by
            yield Asked(event.pid, "symbol", event.name, event.version, library, event.requester)

    def _of_words(self, pid: int, words: str, requester: str, loaded: str = "") -> Iterator[Asked]:
        """The loader names what failed, which may lie deeper than what was asked for (`loaded`)."""
        if match := _VERSION.match(words):
            by = match["by"] or requester
            yield Asked(pid, "version", os.path.basename(match["file"]), match["node"], match["file"], by)
        elif match := _SYMBOL.match(words):
            node = match["node"] or ""
            library = node if ".so" in node else ""  # many version nodes are called like the file that defines them
            if library or self._function.match(match["name"]):
                yield Asked(pid, "symbol", match["name"], node, library, match["file"] or requester)
        elif match := _FILE.match(words):
            by = requester if match["file"] == loaded else (loaded or requester)
            yield Asked(pid, "library", match["file"], requester=by)
