"""Where ld.so looks for a library, in its order, with the rule that led to each place (ld.so(8); elf/dl-load.c).

DT_RPATH of the needing object and of those that brought it in, LD_LIBRARY_PATH, DT_RUNPATH of the needing object,
/etc/ld.so.cache, the default folders. A name with a slash is a path.
"""

import errno
import os
import re
import stat
from collections.abc import Iterator
from typing import Final, Protocol

import msgspec

from inspector.stream.libraries import SearchStep
from inspector.stream.text import decode

from .cache import LoaderCache
from .file import ElfError
from .library import WRONG_CLASS, Library, LibraryCache, RefusedError
from .loader import LoaderFacts

_TOKEN: Final = re.compile(rb"\$(?:\{(ORIGIN|PLATFORM|LIB)\}|(ORIGIN|PLATFORM|LIB))")
NOT_OPENED: Final = "cannot open shared object file"
NOT_SETUID: Final = "not set-user-ID"
FROM_CACHE: Final = "ld.so.cache"
_WRONG_CLASS_RESULT: Final = "wrong class"
NO_SUCH_FILE: Final = "no such file"
PERMISSION_DENIED: Final = "permission denied"
_RESULTS: Final = {errno.ENOENT: NO_SUCH_FILE, errno.ENOTDIR: NO_SUCH_FILE, errno.EACCES: PERMISSION_DENIED}


class FileTree(Protocol):
    """The files as one process sees them and may read them."""

    def locate(self, path: bytes) -> bytes:
        """The path by which we open what the process opens by an absolute path; OSError as its open(2) would give."""
        ...


class Surroundings(msgspec.Struct, frozen=True):
    """What decides a search besides the libraries: one process's files, environment and loader."""

    files: FileTree
    loader: LoaderFacts = msgspec.field(default_factory=LoaderFacts)
    cache: LoaderCache = msgspec.field(default_factory=LoaderCache)
    library_path: bytes = b""
    """Value of LD_LIBRARY_PATH, or of --library-path, which takes its place."""
    path_by_option: bool = False
    """It was given by --library-path, where ld.so was started as a command (ld.so(8))."""
    secure: bool = False
    """AT_SECURE: LD_LIBRARY_PATH does not count, $ORIGIN only into default folders."""
    directory: bytes = b"/"
    """Working directory, for relative paths."""


class Loaded(msgspec.Struct, eq=False):
    """An object in the (predicted) link map."""

    path: bytes
    """link_map.l_name: as it was found, links unresolved."""
    library: Library
    brought_by: "Loaded | None" = None
    """l_loader: who needed it first."""
    names: set[bytes] = msgspec.field(default_factory=set)
    """Names by which it was asked for."""
    rule: str = ""
    needs: list["Loaded"] = msgspec.field(default_factory=list)
    """Its DT_NEEDED, found."""

    def answers_to(self, name: bytes) -> bool:
        """Whether the loader takes it for `name` without looking at any file (_dl_name_match_p, DT_SONAME)."""
        return name in (self.path, self.library.soname) or name in self.names


class Answer(msgspec.Struct):
    """The outcome of one search."""

    library: Library | None = None
    path: bytes = b""
    rule: str = ""
    steps: list[SearchStep] = msgspec.field(default_factory=list)
    blamed: bytes = b""
    """The name or path that the loader names when nothing was found or the search was given up."""
    error: str = ""
    """The loader's words about it; empty when something was found."""
    number: int = 0
    """errno, where the loader adds it."""
    unknown: str = ""
    """Why it cannot be said, in words."""

    @property
    def words(self) -> str:
        """What dlerror(3) says; empty when something was found."""
        reason = f": {os.strerror(self.number)}" if self.number else ""
        return f"{decode(self.blamed)}: {self.error}{reason}" if self.error else ""

    def fail(self, blamed: bytes, error: str, number: int = 0) -> None:
        """Note what the loader would say if the search ended here."""
        self.blamed, self.error, self.number = blamed, error, number


class Search:
    """Searches in the surroundings of one process."""

    def __init__(self, around: Surroundings, library_cache: LibraryCache) -> None:
        self._around, self._library_cache = around, library_cache
        self._missing_folders: set[bytes] = set()

    def find(self, name: bytes, by: Loaded | None, program: Loaded | None, *, preload: bool = False) -> Answer:
        """Look for a name or path that the object `by` asks for.

        `preload`: it comes from the environment, so a program with AT_SECURE takes only set-user-ID files, and none
        that only the cache names.
        """
        answer = Answer()
        careful = preload and self._around.secure
        if b"/" in name:
            self._try(answer, self.expand(name, by), "given path", careful)
            return answer
        for path, rule in self.places(name, by, program):
            if (rule == FROM_CACHE and careful) or not self._try(answer, path, rule, careful):
                continue
            return answer
        if any(step.result == _WRONG_CLASS_RESULT for step in answer.steps):
            answer.fail(name, WRONG_CLASS)
        else:
            answer.fail(name, NOT_OPENED, errno.ENOENT)
        return answer

    def expand(self, text: bytes, by: Loaded | None) -> bytes:
        """Replace $ORIGIN, $LIB and $PLATFORM as `by` sees them; empty when that is not allowed."""
        loader = self._around.loader
        origin = os.path.dirname(self._absolute(by.path)) if by else b""
        values = {b"ORIGIN": origin, b"LIB": loader.lib, b"PLATFORM": loader.processor.loader.platform}
        tokens = {match[1] or match[2] for match in _TOKEN.finditer(text)}
        expanded = _TOKEN.sub(lambda match: values[match[1] or match[2]], text)
        if self._around.secure and b"ORIGIN" in tokens and not self._trusted(expanded):
            return b""
        return expanded

    def _trusted(self, path: bytes) -> bool:
        plain = os.path.normpath(path)
        return any(plain == folder or plain.startswith(folder + b"/") for folder in self._around.loader.system_folders)

    def places(self, name: bytes, by: Loaded | None, program: Loaded | None) -> Iterator[tuple[bytes, str]]:
        """All paths that the loader tries for a name without a slash, each with its rule."""
        for folder, rule in self._named_folders(by, program):
            yield from ((path, rule) for path in self._in_folder(folder, name))
        no_defaults = by.library.no_default_folders if by else False
        loader = self._around.loader
        cached = self._around.cache.find(name, loader.hwcaps, loader.processor.loader.cache_flags)
        if cached is not None and not (no_defaults and self._trusted(os.path.dirname(cached))):
            yield cached, FROM_CACHE
        if not no_defaults:
            for folder in self._around.loader.system_folders:
                yield from ((path, "default") for path in self._in_folder(folder, name))

    def _named_folders(self, by: Loaded | None, program: Loaded | None) -> Iterator[tuple[bytes, str]]:
        if by is None or by.library.runpath is None:
            for place in self._rpath_owners(by, program):
                yield from ((folder, f"DT_RPATH of {decode(place.path)}") for folder in self._rpath(place))
        if not self._around.secure and self._around.library_path:
            for folder in re.split(rb"[:;]", self._around.library_path):
                yield from ((path, "LD_LIBRARY_PATH") for path in self._folder(folder, program))
        if by is not None and by.library.runpath:
            for folder in by.library.runpath.split(b":"):
                yield from ((path, f"DT_RUNPATH of {decode(by.path)}") for path in self._folder(folder, by))

    def _rpath_owners(self, by: Loaded | None, program: Loaded | None) -> Iterator[Loaded]:
        """The needing object, who brought it in, and so on up, and the program at last."""
        seen: set[int] = set()
        here = by
        while here is not None and id(here) not in seen:
            seen.add(id(here))
            yield here
            here = here.brought_by
        if program is not None and id(program) not in seen:
            yield program

    def _rpath(self, place: Loaded) -> Iterator[bytes]:
        for folder in (place.library.rpath or b"").split(b":") if place.library.rpath else ():
            yield from self._folder(folder, place)

    def _folder(self, folder: bytes, by: Loaded | None) -> Iterator[bytes]:
        """One entry of a path list: tokens replaced, an empty one is the working directory."""
        expanded = self.expand(folder, by) if folder else b"."
        if expanded:
            yield expanded.rstrip(b"/") or b"/"

    def _in_folder(self, folder: bytes, name: bytes) -> Iterator[bytes]:
        """The paths tried in one folder: its glibc-hwcaps and older subfolders that exist, then itself."""
        if not self._exists(folder):
            yield os.path.join(folder, name)
            return
        for subfolder in self._around.loader.subfolders:
            path = os.path.join(folder, subfolder)
            if self._exists(os.path.join(folder, subfolder.partition(b"/")[0])) and self._exists(path):
                yield os.path.join(path, name)
        yield os.path.join(folder, name)

    def _absolute(self, path: bytes) -> bytes:
        return os.path.join(self._around.directory, path)

    def _exists(self, folder: bytes) -> bool:
        if folder in self._missing_folders:
            return False
        try:
            self._around.files.locate(self._absolute(folder))
        except OSError:
            self._missing_folders.add(folder)
            return False
        return True

    def _try(self, answer: Answer, path: bytes, rule: str, careful: bool) -> bool:
        """Try one path; True when the search ends with it: found, or a file that makes the loader give up."""
        ends = True
        try:
            open_path = self._around.files.locate(self._absolute(path))
            if careful and not os.stat(open_path).st_mode & stat.S_ISUID:
                raise RefusedError(NOT_SETUID, skipped=True)
            answer.library = self._library_cache.read(open_path, self._around.loader.processor.machine)
            answer.path, answer.rule, answer.error = path, rule, ""
            result = "found"
        except OSError as error:
            number = error.errno or errno.EIO
            result = _RESULTS.get(number, os.strerror(number))
            answer.fail(path, NOT_OPENED, number)
            ends = False
        except RefusedError as error:
            result = _WRONG_CLASS_RESULT if str(error) == WRONG_CLASS else str(error)
            ends = not error.skipped
            if ends or result == _WRONG_CLASS_RESULT:
                answer.fail(path, str(error), error.number)
            else:
                answer.fail(path, NOT_OPENED, errno.ENOENT)
        except ElfError as error:
            result = str(error)
            answer.unknown = f"{decode(path)} cannot be checked: {error}"
        answer.steps.append(SearchStep(path=decode(path), rule=rule, result=result))
        return ends
