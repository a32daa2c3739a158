"""What ld.so would do with a file or name in the context of a process, from files alone, in the loader's own words.

A load by dlopen(3) with RTLD_NOW: find the file, map what it needs breadth first, check version nodes, bind every
relocation. Nothing is executed: a shim's constructor could do anything.
"""

from collections.abc import Iterable, Sequence

import msgspec

from inspector.stream.libraries import Dependency, LoadPredicted, Need
from inspector.stream.text import decode

from .file import ElfError
from .library import LibraryCache, Reference, RefusedError
from .scope import ASSERTION, MissingNode, bind, missing_nodes
from .search import Answer, Loaded, Search, Surroundings


class Present(msgspec.Struct, frozen=True):
    """A file that the process has loaded in its main namespace."""

    path: bytes
    """As the loader spells it (link_map.l_name), or as maps shows it."""
    open_path: bytes
    """By which exactly that file can be opened."""


class Situation(msgspec.Struct, frozen=True):
    """The process that would load something."""

    pid: int
    around: Surroundings
    present: Sequence[Present] = ()
    """In link-map order, the executable first, as far as known."""
    preloads: Sequence[bytes] = ()
    """Entries of LD_PRELOAD and /etc/ld.so.preload that are in force."""
    program: bytes = b""
    """The executable: what its start brings in and `present` does not show is assumed to be loaded as well (a short
    life leaves gaps). Empty: `present` is all there is."""


class Prediction(msgspec.Struct):
    """A predicted load, as far as it got."""

    root: Loaded | None = None
    objects: list[Loaded] = msgspec.field(default_factory=list)
    """The search list of the root: itself and what it needs, breadth first."""
    tree: list[Dependency] = msgspec.field(default_factory=list)
    missing: list[Dependency] = msgspec.field(default_factory=list)
    nodes: list[MissingNode] = msgspec.field(default_factory=list)
    undefined: list[tuple[Loaded, Reference]] = msgspec.field(default_factory=list)
    words: str = ""
    """The first failure."""
    unknown: str = ""

    def fail(self, words: str) -> None:
        """Note a failure; the first one is what the loader says."""
        self.words = self.words or words


class Predictor:
    """Predicts loads in one process; files that were read are shared through the library cache."""

    def __init__(self, situation: Situation, library_cache: LibraryCache) -> None:
        self._situation = situation
        self._library_cache = library_cache
        self._search = Search(situation.around, library_cache)
        self._unreadable: list[str] = []
        self._present = self._read_present()
        self._program = self._present[0] if self._present else None
        self._new: list[Loaded] = []
        if situation.program:
            self._assume_start()

    def load(self, name: bytes, requester: bytes = b"") -> Prediction:
        """A dlopen of `name`, asked for by the file `requester` (the executable when it is not loaded)."""
        asked_by = next((place for place in self._present if place.path == requester), self._program)
        prediction = Prediction()
        root = self._obtain(prediction, name, asked_by, is_root=True)
        if root is not None:
            prediction.root = root
            if root in self._new:
                self._complete(prediction, root, self._global_scope())
        return prediction

    def start(self, path: bytes) -> Prediction:
        """The start of a program, or of a library as if it were one (`ld.so FILE`)."""
        prediction = Prediction()
        answer = self._search.find(path, None, None)
        prediction.unknown, prediction.words = answer.unknown, answer.words
        if answer.library is not None:
            root = Loaded(path, answer.library, rule="given path")
            self._program = prediction.root = root
            self._new.append(root)
            self._complete(prediction, root, [])
        return prediction

    def _read_present(self) -> list[Loaded]:
        """What is loaded, with the names that it answers to and who brought it in, as far as the files tell."""
        places: list[Loaded] = []
        for present in self._situation.present:
            try:
                library = self._library_cache.read(present.open_path)
            except (OSError, ElfError, RefusedError):
                self._unreadable.append(decode(present.path))
                continue
            places.append(Loaded(present.path, library, rule="loaded"))
        for place in places:
            for name in place.library.needed:
                needed = next((other for other in places if _is_called(other, name)), None)
                if needed is not None:
                    needed.names.add(name)
                    place.needs.append(needed)
                    if needed.brought_by is None and needed is not places[0]:
                        needed.brought_by = place
        for name in self._situation.preloads:
            for place in places:
                if _is_called(place, name):
                    place.names.add(name)
        return places

    def _assume_start(self) -> None:
        """Add what the start of the program must have loaded and nobody saw."""
        ignored = Prediction()
        if self._program is None or self._program.path != self._situation.program:
            answer = self._search.find(self._situation.program, None, None)
            if answer.library is None:
                return
            self._program = Loaded(self._situation.program, answer.library)
            self._present.insert(0, self._program)
        starting = [self._program]
        for name in () if self._situation.around.secure else self._situation.preloads:
            preloaded = self._obtain(ignored, name, self._program)
            starting += [preloaded] if preloaded else []
        for place in starting:  # grows while it is walked
            for name in place.library.needed:
                needed = self._obtain(ignored, name, place)
                if needed is not None and needed not in place.needs:
                    place.needs.append(needed)
                if needed is not None and needed not in starting:
                    starting.append(needed)
        self._present += self._new
        self._new = []

    def _global_scope(self) -> list[Loaded]:
        """The start-up objects in load order: the program, preloads, and all that they need."""
        preloads = [p for p in self._present if any(_is_called(p, name) for name in self._situation.preloads)]
        first = [self._program] if self._program else []
        reached = set(_breadth_first([*first, *preloads]))
        return [place for place in self._present if place in reached]

    def _complete(self, prediction: Prediction, root: Loaded, scope: Sequence[Loaded]) -> None:
        """Map all that is needed, then check versions, then bind."""
        for place in self._new:  # grows while it is walked: breadth first
            for name in place.library.needed:
                needed = self._obtain(prediction, name, place)
                if needed is not None:
                    place.needs.append(needed)
        prediction.objects = _breadth_first([root])
        try:
            self._check_versions(prediction)
            if not prediction.missing:
                self._bind_all(prediction, [*scope, *(p for p in prediction.objects if p not in scope)])
        except ElfError as error:
            prediction.unknown = prediction.unknown or f"a file of its scope cannot be read: {error}"

    def _obtain(self, prediction: Prediction, name: bytes, by: Loaded | None, is_root: bool = False) -> Loaded | None:
        """The object behind a name: loaded already, or found and added; None when it is missing."""
        known = next((place for place in [*self._present, *self._new] if place.answers_to(name)), None)
        if known is not None:
            _note(prediction, name, known.path, by, "loaded")
            return known
        answer = self._search.find(name, by, self._program)
        if answer.library is None:
            self._note_missing(prediction, name, by, answer)
            return None
        known = next((p for p in [*self._present, *self._new] if p.library.identity == answer.library.identity), None)
        if known is not None:
            known.names.add(name)
            _note(prediction, name, known.path, by, "loaded")
            return known
        _note(prediction, name, answer.path, by, answer.rule, answer if is_root else None)
        if answer.library.refusal:
            prediction.fail(f"{decode(answer.path)}: {answer.library.refusal}")
            return None
        place = Loaded(answer.path, answer.library, by, {name}, answer.rule)
        self._new.append(place)
        return place

    def _note_missing(self, prediction: Prediction, name: bytes, by: Loaded | None, answer: Answer) -> None:
        missing = Dependency(name=decode(name), path=None, by=decode(by.path) if by else "", steps=answer.steps)
        prediction.tree.append(missing)
        prediction.missing.append(missing)
        if answer.unknown:
            prediction.unknown = prediction.unknown or answer.unknown
        elif self._unreadable:
            prediction.unknown = prediction.unknown or f"loaded but unreadable: {', '.join(self._unreadable[:3])}"
        else:
            prediction.fail(answer.words)

    def _check_versions(self, prediction: Prediction) -> None:
        objects = [*self._present, *self._new]
        for place in prediction.objects:
            if place in self._new:
                prediction.nodes += missing_nodes(place, objects)
        for node in prediction.nodes:
            prediction.fail(node.words)

    def _bind_all(self, prediction: Prediction, scope: Sequence[Loaded]) -> None:
        """Bind in the loader's order: what is needed before who needs it."""
        others = [place for place in self._present if place not in scope]
        for place in _needed_first(self._new):
            for reference in place.library.symbols.references:
                bound = bind(reference, scope)
                if bound.aborts:
                    prediction.undefined.append((place, reference))
                    prediction.fail(ASSERTION)
                elif bound.provider is None and not reference.weak:
                    self._note_undefined(prediction, place, reference, others)

    def _note_undefined(
        self, prediction: Prediction, place: Loaded, reference: Reference, others: Sequence[Loaded]
    ) -> None:
        perhaps = bind(reference, others).provider
        if perhaps is not None and not prediction.words:
            prediction.unknown = prediction.unknown or (
                f"{decode(reference.name)} is defined by {decode(perhaps.path)}, "
                "which this load can use only if it was opened with RTLD_GLOBAL"
            )
            return
        if perhaps is None:
            prediction.fail(undefined_words(place, reference))
        prediction.undefined.append((place, reference))


def undefined_words(place: Loaded, reference: Reference) -> str:
    """What the loader says about a reference that nothing answers."""
    version = f", version {decode(reference.node.node)}" if reference.node else ""
    return f"{decode(place.path)}: undefined symbol: {decode(reference.name)}{version}"


def predict_load(
    situation: Situation, library_cache: LibraryCache, name: bytes, requester: bytes, at: int
) -> LoadPredicted:
    """The prediction of one dlopen as an event."""
    prediction = Predictor(situation, library_cache).load(name, requester)
    return LoadPredicted(
        at=at,
        pid=situation.pid,
        name=decode(name),
        requester=decode(requester),
        ok=None if prediction.unknown and not prediction.words else not prediction.words,
        words=prediction.words,
        unknown_because="" if prediction.words else prediction.unknown,
        tree=prediction.tree,
        missing=prediction.missing,
        undefined=[_need(reference) for _, reference in prediction.undefined],
        offered_instead=_offered_instead(prediction),
    )


def _need(reference: Reference) -> Need:
    node = reference.node
    return Need(
        name=decode(reference.name),
        version=decode(node.node) if node else "",
        file=decode(node.file) if node else "",
        weak=reference.weak,
        function=reference.function,
    )


def _offered_instead(prediction: Prediction) -> dict[str, str]:
    """For undefined names: who has them under another version node, or without any."""
    instead: dict[str, str] = {}
    for _, reference in prediction.undefined:
        for place in prediction.objects:
            symbols = place.library.symbols
            offers = symbols.offers.get(reference.name, [])
            called = decode(place.library.soname or place.path)
            if offers and not symbols.has_versions:
                instead[decode(reference.name)] = f"{called} defines it without any version table"
            elif offers:
                nodes = ", ".join(f"@{decode(offer.node)}" if offer.node else "without version" for offer in offers)
                instead[decode(reference.name)] = f"{called} defines it {nodes}"
    return instead


def _note(
    prediction: Prediction, name: bytes, path: bytes, by: Loaded | None, rule: str, answer: Answer | None = None
) -> None:
    dependency = Dependency(
        name=decode(name),
        path=decode(path),
        by=decode(by.path) if by else "",
        rule=rule,
        steps=answer.steps if answer else [],
    )
    prediction.tree.append(dependency)


def _is_called(place: Loaded, name: bytes) -> bool:
    """Whether a loaded file is what a name stands for: by path, SONAME or the last part of its path."""
    return place.answers_to(name) or (b"/" not in name and place.path.rpartition(b"/")[2] == name)


def _breadth_first(roots: Iterable[Loaded]) -> list[Loaded]:
    found = list(dict.fromkeys(roots))
    seen = set(found)
    for place in found:  # grows while it is walked
        for needed in place.needs:
            if needed not in seen:
                seen.add(needed)
                found.append(needed)
    return found


def _needed_first(places: Sequence[Loaded]) -> list[Loaded]:
    """Depth first from the last object, each behind what it needs (elf/dl-sort-maps.c): the order of relocation."""
    order: list[Loaded] = []
    left = set(places)
    for start in reversed(places):
        stack = [start] if start in left else []
        left.discard(start)
        while stack:
            following = next((needed for needed in stack[-1].needs if needed in left), None)
            if following is None:
                order.append(stack.pop())
            else:
                left.discard(following)
                stack.append(following)
    return order
