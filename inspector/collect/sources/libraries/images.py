"""The ELF facts of mapped files, read in the background, each file once, what matters most first."""

import heapq
import itertools
import os
from collections.abc import Callable, Sequence

from inspector.stream.libraries import ImageRead
from inspector.stream.requests import Plan

from ...elf.image import is_system_library, read_image
from ...elf.image_cache import ImageCache
from ..contract import Loop, Mapping
from .library_summaries import same_file

Done = Callable[[ImageRead], None]


class Images:
    """A queue of files to read and the answers so far, by file identity."""

    def __init__(self, loop: Loop, plan: Plan, cache: ImageCache, done: Done) -> None:
        """`done` is called in the loop, once per file."""
        self._loop = loop
        self._plan, self._cache = plan, cache
        self._done = done
        self._sonames = tuple(soname.partition(".so")[0] for api in plan.apis for soname in api.sonames)
        self._known: dict[str, ImageRead | None] = {}
        """None while the file waits."""
        self._waiting: list[tuple[int, int, Mapping, Sequence[bytes]]] = []
        self._order = itertools.count()
        self._busy = False

    def find(self, file: str) -> ImageRead | None:
        """What is known of a file so far."""
        return self._known.get(file)

    @property
    def busy(self) -> bool:
        """True while files wait or one is being read."""
        return self._busy

    def want(self, mapping: Mapping, route: str, open_paths: Sequence[bytes]) -> None:
        """Read this file when its turn comes, by the first of the paths that still leads to it."""
        if mapping.file in self._known:
            return
        self._known[mapping.file] = None
        heapq.heappush(self._waiting, (self._urgency(mapping, route), next(self._order), mapping, open_paths))
        self._read_next()

    def _urgency(self, mapping: Mapping, route: str) -> int:
        name = os.path.basename(mapping.path)
        ranks = (
            route == "executable",
            route in ("preload", "audit"),
            bool(self._sonames) and name.startswith(self._sonames),
            not is_system_library(mapping.path),
        )
        return ranks.index(True) if True in ranks else len(ranks)

    def _read_next(self) -> None:
        if self._busy or not self._waiting:
            return
        self._busy = True
        _, _, mapping, open_paths = heapq.heappop(self._waiting)
        self._loop.in_background(lambda: self._read(mapping, open_paths), self._finished)

    def _read(self, mapping: Mapping, open_paths: Sequence[bytes]) -> ImageRead:
        """In the worker thread; never raises, for the files behind it wait."""
        why = "the mapped file is no longer at its path, and only root may open it while its process lives"
        try:
            for path in open_paths:
                if _leads_to(path, mapping.file):
                    return read_image(path, mapping.path, mapping.file, self._loop.now(), self._plan, self._cache)
        except Exception as error:
            why = f"our reader failed on it: {type(error).__name__}: {error}"
        return ImageRead(at=self._loop.now(), file=mapping.file, path=mapping.path, error=why)

    def _finished(self, image: ImageRead) -> None:
        self._busy = False
        self._known[image.file] = image
        self._read_next()
        self._done(image)


def _leads_to(path: bytes, file: str) -> bool:
    try:
        return same_file(str(os.stat(path).st_ino), file.rpartition(":")[2])
    except OSError:
        return False
