"""The search for copies of one library, in small steps: first where its loader looks, then where it lies for others."""

import os
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec
from msgspec.structs import replace

from inspector.stream.libraries import CopiesFound, Copy
from inspector.stream.requests import PlacePlan
from inspector.stream.text import decode

from ...elf.file import ElfError
from ...elf.library import LibraryCache, RefusedError
from ...elf.predict import Predictor, Situation
from ...elf.search import FileTree, Loaded, Search, Surroundings
from ..contract import Tracked
from ..libraries.candidates import Folders
from ..libraries.file_view import why_unpredictable
from ..tolerant_reads import attempt
from .install_folders import InstallFolder, likely_places
from .misspelled import folders_meant
from .refused_names import Asked
from .suitability import Suitability, alike, judge

_MOST_FOLDERS: Final = 400
_MOST_COPIES: Final = 24
_MOST_TOLD: Final = 64
_MOST_PREDICTED: Final = 3
LIBRARY_PATH: Final = "LD_LIBRARY_PATH"


class Mapped(msgspec.Struct, frozen=True):
    """A file that some process of the tree has mapped."""

    path: bytes
    open_path: bytes
    pids: Sequence[int]


class SearchContext(msgspec.Struct, frozen=True):
    """What a search builds on, taken down when the name was asked for."""

    process: Tracked
    around: Surroundings
    library_cache: LibraryCache
    plans: Sequence[PlacePlan]
    mapped: Sequence[Mapped] = ()
    """Files of the tree whose names are like the asked one."""
    outside: FileTree | None = None
    """The collector's own file tree where the process sees another one."""
    set_inside: Sequence[bytes] = ()
    """Folders of an LD_LIBRARY_PATH that the program has set itself: its loader does not look there."""


class _Found(msgspec.Struct):
    copies: list[Copy] = msgspec.field(default_factory=list)
    files: dict[tuple[bool, str], int] = msgspec.field(default_factory=dict)
    """Identity of each file, or path of one without, -> its place in `copies`."""
    folders: list[str] = msgspec.field(default_factory=list)
    complete: bool = True


class LibrarySearch:
    """One search; `steps` does it, `result` is what it gave so far."""

    def __init__(self, asked: Asked, context: SearchContext) -> None:
        self._asked, self._context = asked, context
        self._path = os.fsencode(asked.library if asked.kind == "symbol" else asked.name)
        """The file that is looked for: the one that lacks a symbol, or the one that was asked for."""
        self._name = os.path.basename(self._path)
        self._like = alike(self._name)
        self._found = _Found()
        self._seen: set[tuple[bool, bytes]] = set()

    def result(self, at: int) -> CopiesFound:
        """What is known now."""
        asked, found = self._asked, self._found
        copies = sorted(found.copies, key=lambda copy: (copy.outside, not copy.rule, copy.order))
        return CopiesFound(
            at=at,
            pid=asked.pid,
            kind=asked.kind,
            asked=asked.name,
            wanted=asked.wanted,
            library=asked.library,
            requester=asked.requester,
            copies=copies,
            places=found.folders[:_MOST_TOLD],
            complete=found.complete,
        )

    def steps(self) -> Iterator[None]:
        """One folder or file at each step."""
        yield from self._in_search_order()
        folders = Folders(self._context.around.files)
        for place in self._near_places(folders) if self._name else ():
            yield from self._in_folder(place, folders, outside=False)
        for mapped in self._context.mapped:
            self._take_mapped(mapped)
            yield
        if self._context.outside is not None and self._name:
            outer = Folders(self._context.outside)
            for place in self._near_places(outer):
                yield from self._in_folder(place, outer, outside=True)
        yield from self._predicted()

    # -- where the loader looks ------------------------------------------------------------------------------------

    def _in_search_order(self) -> Iterator[None]:
        """By the asked name, where this process's loader looks for it."""
        around = self._context.around
        if not self._name:
            return
        if self._by_path:
            self._take(self._path, "asked folder", rule="given path", order=1)
            yield
            return
        search = Search(around, self._context.library_cache)
        program = self._loaded(self._program_path())
        by = self._loaded(os.fsencode(self._asked.requester)) or program
        for order, (path, rule) in enumerate(search.places(self._name, by, program), 1):
            absolute = os.path.join(around.directory, path)
            self._take(absolute, _kind_of(rule), rule=rule, order=order)
            yield

    @property
    def _by_path(self) -> bool:
        """It was asked for by a path, so that no loader searches for it."""
        return self._asked.kind == "library" and b"/" in self._path

    def _program_path(self) -> bytes:
        program = self._context.process.program
        return os.fsencode(program.exe) if program else b""

    def _loaded(self, path: bytes) -> Loaded | None:
        if not path.startswith(b"/"):
            return None
        try:
            return Loaded(path, self._context.library_cache.read(self._context.around.files.locate(path)))
        except (OSError, ElfError, RefusedError):
            return None

    # -- where it may lie ------------------------------------------------------------------------------------------

    def _near_places(self, folders: Folders) -> Iterator[InstallFolder]:
        """Folders of one file tree, the nearest first."""
        asked, process = self._asked, self._context.process
        if b"/" in self._path:
            yield InstallFolder(os.path.dirname(self._path), "asked folder")
        listed = process.raw_environment.get(b"LD_LIBRARY_PATH", b"").replace(b";", b":").split(b":")
        named = [folder for folder in listed if folder.startswith(b"/")]
        yield from (InstallFolder(folder, LIBRARY_PATH) for folder in named)
        yield from (InstallFolder(folder, "set inside") for folder in self._context.set_inside)
        for folder in (os.path.dirname(self._path), *named) if self._by_path else named:
            yield from (InstallFolder(meant, "similar name") for meant in folders_meant(folder, folders))
        for path in (asked.requester, asked.library, decode(self._program_path())):
            if path.startswith("/"):
                yield InstallFolder(os.path.dirname(os.fsencode(path)), "beside")
        yield from (InstallFolder(folder, "default") for folder in self._context.around.loader.system_folders)
        yield from likely_places(process, self._context.plans, folders)

    def _in_folder(self, place: InstallFolder, folders: Folders, *, outside: bool) -> Iterator[None]:
        folder = os.path.normpath(place.folder)
        if (outside, folder) in self._seen:
            return
        if len(self._seen) >= _MOST_FOLDERS:
            self._found.complete = False
            return
        self._seen.add((outside, folder))
        names = folders.names(folder)
        if names and not outside:
            self._found.folders.append(decode(folder))
        matching = [name for name in names if self._like.fullmatch(name)]
        for name in sorted(matching, key=lambda name: (name != self._name, len(name))):
            self._take(os.path.join(folder, name), place.kind, outside=outside)
        yield

    # -- would it load? ----------------------------------------------------------------------------------------------

    def _predicted(self) -> Iterator[None]:
        """What the loader would say to the best of them here, found by its folder, beside what lies there."""
        ordered = sorted(self._found.copies, key=lambda copy: (not copy.rule, copy.order))
        good = [copy for copy in ordered if copy.usable and not copy.outside]
        for copy in good[:_MOST_PREDICTED] if not why_unpredictable(self._context.process.program) else ():
            words = self._refusal(os.fsencode(copy.path))
            if words:
                at = self._found.copies.index(copy)
                self._found.copies[at] = replace(copy, usable=False, problem=words, brought_by="")
            yield

    def _refusal(self, path: bytes) -> str:
        """Its words about the file itself or what it needs; empty where it would be taken, or that cannot be said."""
        around = self._context.around
        folders = b":".join([os.path.dirname(path), *filter(None, [around.library_path])])
        beside = around if around.secure else replace(around, library_path=folders)
        situation = Situation(self._context.process.pid, beside, program=self._program_path())
        predictor = Predictor(situation, self._context.library_cache)
        try:
            found = predictor.load(path, os.fsencode(self._asked.requester))
        except (OSError, ElfError, RefusedError):
            return ""
        return found.words

    # -- what is there ---------------------------------------------------------------------------------------------

    def _take(self, path: bytes, place: str, *, rule: str = "", order: int = 0, outside: bool = False) -> None:
        """Judge one path and keep it, each file once: as it was met first."""
        tree = self._context.outside if outside and self._context.outside is not None else self._context.around.files
        judged = judge(path, self._asked, tree, self._context.library_cache)
        if judged is not None:
            self._keep(path, place, judged, rule, order, outside)

    def _take_mapped(self, mapped: Mapped) -> None:
        judged = attempt(lambda: judge(mapped.open_path, self._asked, _Plain(), self._context.library_cache), None)
        if judged is None:
            return
        at = self._found.files.get((False, judged.file))
        if at is not None and judged.file:
            self._found.copies[at] = replace(self._found.copies[at], mapped_by=list(mapped.pids))
        else:
            self._keep(mapped.path, "mapped", judged, "", 0, False, mapped.pids)

    def _keep(
        self,
        path: bytes,
        place: str,
        judged: Suitability,
        rule: str,
        order: int,
        outside: bool,
        pids: Sequence[int] = (),
    ) -> None:
        found = self._found
        keys = {(outside, judged.file), (False, judged.file)} if judged.file else {(outside, decode(path))}
        if keys & found.files.keys():
            return
        if len(found.copies) >= _MOST_COPIES:
            found.complete = False
            return
        found.files[outside, judged.file or decode(path)] = len(found.copies)
        copy = Copy(
            path=decode(path),
            outside=outside,
            place=place,
            rule=rule,
            order=order,
            mapped_by=list(pids),
            soname=judged.soname,
            version_nodes=judged.version_nodes,
            usable=judged.usable,
            problem=judged.problem,
        )
        found.copies.append(replace(copy, brought_by=self._brought_by(copy, path)))

    def _brought_by(self, copy: Copy, path: bytes) -> str:
        """The setting with which this process's loader would find it next time; empty where there is none."""
        if copy.usable is False or copy.outside or self._asked.kind == "symbol":
            return ""
        folder, name = os.path.split(path)
        if name != self._name:
            return f"{decode(os.path.join(folder, self._name))} -> {decode(name)}"
        around = self._context.around
        if self._by_path or copy.order == 1 or around.secure:
            return ""
        others = [entry for entry in around.library_path.split(b":") if entry not in (b"", folder)]
        value = decode(b":".join([folder, *others]))
        return f"--library-path {value}" if around.path_by_option else f"{LIBRARY_PATH}={value}"


class _Plain:
    """Paths of the collector's own."""

    def locate(self, path: bytes) -> bytes:
        os.stat(path)
        return path


def _kind_of(rule: str) -> str:
    """Why a path of the loader's search was looked at, as `Copy.place` says it."""
    return rule if rule in (LIBRARY_PATH, "ld.so.cache", "default") else "search path"
