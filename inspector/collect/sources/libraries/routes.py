"""By which route each object came in: pure rules over link-map order, needs and preload entries (ld.so(8))."""

import os
from collections.abc import Callable, Sequence

import msgspec

from inspector.stream.libraries import Route
from inspector.stream.text import decode

from .library_summaries import LibrarySummary


class Placed(msgspec.Struct, frozen=True):
    """One object as the loader placed it, in link-map order."""

    path: bytes
    """Of the mapped file, as the process sees it."""
    summary: LibrarySummary
    base: int
    name: bytes = b""
    """link_map.l_name: the path by which the loader found it, links unresolved; empty when unknown."""
    namespace: int = 0
    order: int = -1
    """Position in the link map; -1 unknown."""

    @property
    def names(self) -> frozenset[bytes]:
        """Everything that it can be asked by: its SONAME, its file name, its path."""
        paths = [path for path in (self.name, self.path) if path]
        return frozenset([self.summary.soname, *paths, *map(os.path.basename, paths)]) - {b""}


class Way(msgspec.Struct, frozen=True):
    """How one object came in."""

    route: Route
    by: str = ""
    asked: str = ""


class Start(msgspec.Struct, frozen=True):
    """What the program started with."""

    program: bytes
    interpreter: int
    """Base of ld.so (AT_BASE), 0 when there is none."""
    preloads: Sequence[tuple[bytes, str]] = ()
    """Entries in order, each with the place that names it: `LD_PRELOAD`, `/etc/ld.so.preload`."""
    audits: Sequence[bytes] = ()


def find_ways(objects: Sequence[Placed], start: Start, real: Callable[[bytes], bytes]) -> list[Way]:
    """The way of each object, in the order given; `real` resolves links as the process sees them."""
    needs: dict[tuple[int, bytes], Placed] = {}
    ways: list[Way] = []
    for place in objects:
        ways.append(_way(place, start, needs, real))
        for name in place.summary.needed:
            needs.setdefault((place.namespace, name), place)
    return ways


def _way(place: Placed, start: Start, needs: dict[tuple[int, bytes], Placed], real: Callable[[bytes], bytes]) -> Way:
    if place.order == 0 or (place.order < 0 and place.path in (start.program, real(start.program))):
        return Way("executable")
    if start.interpreter and place.base == start.interpreter:
        return Way("interpreter")
    if place.namespace == 0:
        for entry, source in start.preloads:
            if _is_entry(place, entry, real):
                return Way("preload", f"{source} entry {decode(entry)}", decode(entry))
    elif any(_is_entry(place, entry, real) for entry in start.audits):
        return Way("audit", "LD_AUDIT", decode(place.name))
    for name in sorted(place.names):
        needed_by = needs.get((place.namespace, name))
        if needed_by is not None:
            return Way("needed", decode(needed_by.path), decode(name))
    return Way("dlopen", asked=decode(os.path.basename(place.name or place.path)))


def _is_entry(place: Placed, entry: bytes, real: Callable[[bytes], bytes]) -> bool:
    if b"/" not in entry:
        return entry in place.names
    return entry == place.name or real(entry) == place.path
