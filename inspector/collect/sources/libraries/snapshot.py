"""One look at what a process has mapped: maps, link map and disk merged into events and mappings."""

import msgspec

from inspector.stream.libraries import LibraryMapped
from inspector.stream.text import decode

from ...elf.linkmap import LinkMap, LoadedObject
from ...kernel.procfs import MapLine
from ..contract import Mapping
from .identity import Identity, Signature, When, identify, signature
from .library_summaries import LibrarySummaries
from .routes import Placed, Way, find_ways
from .views import View


class Snapshot(msgspec.Struct):
    """What one look found."""

    libraries: dict[int, LibraryMapped] = msgspec.field(default_factory=dict)
    """By base, in link-map order as far as known."""
    mappings: dict[int, Mapping] = msgspec.field(default_factory=dict)
    """By start address; in link-map order as far as known."""
    open_paths: dict[str, list[bytes]] = msgspec.field(default_factory=dict)
    """File identity -> paths that may lead to it, best first."""
    places: dict[int, bytes] = msgspec.field(default_factory=dict)
    """Base -> the path by which we look at that place of the disk."""
    signatures: dict[int, Signature] = msgspec.field(default_factory=dict)
    """Base -> what lay there, signed before it was looked at; only of files that are new at their place."""
    scopes: dict[int, list[str]] = msgspec.field(default_factory=dict)
    """Namespace -> paths in link-map order."""
    settled: bool = True
    """False while the loader is at work: look again soon."""


class Past(msgspec.Struct, frozen=True):
    """What earlier looks and records told of the process."""

    libraries: dict[int, LibraryMapped]
    """As sent; what only the disk tells is taken over for files that did not change."""
    mapped_at: dict[tuple[str, int], int]
    """File identity and start address -> when it was mapped there last, where a record told."""
    seen_at: dict[tuple[str, int], int]
    """File identity and base -> when a look first found it there."""
    begun: int
    """When its program began."""


class _Object(msgspec.Struct, frozen=True):
    place: Placed
    line: MapLine


def look(view: View, at: int, past: Past, summaries: LibrarySummaries) -> Snapshot:
    """Merge one view into events and mappings."""
    found = Snapshot(settled=view.link_map is None or view.link_map.consistent)
    objects = _objects(view, past, summaries, found)
    ways = find_ways([each.place for each in objects], view.start(), view.real)
    for each, way in zip(objects, ways, strict=True):
        base = each.place.base
        if view.root is not None:
            found.places[base] = view.root.outside(each.place.path)
        before = past.libraries.get(base)
        if before is None or before.file != each.line.file:
            found.signatures[base] = signature(found.places.get(base, b""))
            before = _fresh(view, at, each, past)
        found.libraries[base] = _placed(before, at, each.place, way)
    found.scopes = _scopes(objects)
    return found


def _objects(view: View, past: Past, summaries: LibrarySummaries, found: Snapshot) -> list[_Object]:
    """Objects in link-map order, those that it does not know behind; their mappings go into the snapshot."""

    def rank_of(each: _Object) -> tuple[bool, int, int, int, int]:
        """Without a link map: by time, and where no record told it, downwards, as the kernel gives addresses out."""
        place, line = each.place, each.line
        return (
            place.order < 0,
            place.namespace,
            place.order,
            past.mapped_at.get((line.file, line.start), 0),
            -line.start,
        )

    loaded = _by_base(view.link_map)
    objects: dict[int, _Object] = {}
    for line in view.lines:
        paths = view.open_paths(line)
        summary = summaries.of(line.file, paths)
        base = summary.bias(line.start, line.offset)
        order, link = loaded.get(base, (-1, None))
        path = view.inside(line)
        found.open_paths[line.file] = paths
        place = paths[0] if paths else b""  # its mount does not answer: nothing may be opened
        found.mappings[line.start] = Mapping(
            view.process.pid, decode(path), place, line.file, line.start, line.end, line.offset, base
        )
        found.settled = found.settled and (link is not None or not loaded)
        placed = Placed(path, summary, base, link.name if link else b"", link.namespace if link else 0, order)
        objects.setdefault(base, _Object(placed, line))
    ordered = sorted(objects.values(), key=rank_of)
    rank = {each.place.base: number for number, each in enumerate(ordered)}
    found.mappings = dict(sorted(found.mappings.items(), key=lambda item: rank[item[1].base]))
    return ordered


def _by_base(link_map: LinkMap | None) -> dict[int, tuple[int, LoadedObject]]:
    """Base -> position within its namespace, and the object."""
    positions: dict[int, int] = {}
    found: dict[int, tuple[int, LoadedObject]] = {}
    for each in link_map.objects if link_map else ():
        position = positions.get(each.namespace, 0)
        positions[each.namespace] = position + 1
        found.setdefault(each.base, (position, each))
    return found


def _fresh(view: View, at: int, each: _Object, past: Past) -> LibraryMapped:
    """The event for a file that was not seen at this place before."""
    told = past.mapped_at.get((each.line.file, each.line.start))
    seen = past.seen_at.get((each.line.file, each.place.base), at)
    when = When(told, told) if told is not None else When(past.begun, seen)
    if view.root is None:
        identity = Identity("unknown", "its process ended before the file could be compared with the disk")
    else:
        identity = identify(view.root, view.process.pid, each.line, each.place.name, each.place.base, when)
    return LibraryMapped(
        at=at,
        pid=view.process.pid,
        path=decode(each.place.path),
        base=each.place.base,
        file=each.line.file,
        size=identity.size,
        links=identity.links,
        state=identity.state,
        state_detail=identity.detail,
        mtime=identity.mtime,
    )


def _placed(event: LibraryMapped, at: int, place: Placed, way: Way) -> LibraryMapped:
    """The same with what this look says about its place among the others; the very same event if nothing changed."""
    now = msgspec.structs.replace(
        event, route=way.route, route_by=way.by, asked=way.asked, namespace=place.namespace, order=place.order
    )
    return event if now == event else msgspec.structs.replace(now, at=at)


def _scopes(objects: list[_Object]) -> dict[int, list[str]]:
    scopes: dict[int, list[str]] = {}
    for each in objects:
        if each.place.order >= 0:
            scopes.setdefault(each.place.namespace, []).append(decode(each.place.path))
    return scopes
