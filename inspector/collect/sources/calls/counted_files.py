"""Files whose functions are counted, each once whatever leads to it, and the probes that are set on them."""

import os
from collections.abc import Callable, Iterable, Sequence
from collections.abc import Mapping as Table
from itertools import islice

import msgspec

from inspector.stream.base import Request
from inspector.stream.calls import FunctionsRefused, FunctionsWatched, WatchedFunction
from inspector.stream.libraries import ImageRead
from inspector.stream.requests import CountFunctions
from inspector.stream.session import LimitNoted, RequestFailed
from inspector.stream.text import decode

from ...elf.exits import Exits
from ...elf.file import ElfError
from ...elf.sites import NOT_EXPORTED, Refusal, Site, find_sites
from ...kernel import procfs
from ...kernel.counting import Counting
from ...kernel.file_watch import FileWatch, Function, Group
from ...reactor.client import Reactor
from ...reactor.messages import Armed, Unable
from ...reactor.results import exit_memory, read_results
from ..contract import Mapping, Session
from ..libraries.providers import Candidate
from .attaching import Attaching
from .call_plans import NamedFunctions, PlannedFunction, function_at
from .hot_functions import HEAT_SECONDS, too_busy, too_hot
from .written_files import Key, WrittenFiles

_MOST_AT_ONCE = 4000
_MOST_OTHERS = 2000
"""Functions of one file that are counted though no profile lists them."""
_CALMER_SECONDS = (1.0, 4.0, 16.0)
"""So long is waited, each time, until is looked again at what was called too often for its results to be read."""
Attached = Callable[[Sequence[int], Table[int, float]], None]
"""Told which functions are counted from now on, and which were detached at once, with their calls a second."""
LetGo = Callable[[Sequence[int], str], None]
"""Told which functions are counted no more, and why."""


class CountedFile(msgspec.Struct):
    """A watched file."""

    path: str
    file: str
    open_path: bytes
    key: Key
    mapped: bool = False
    planned: bool = False
    """Functions of the plan were looked for."""
    whole: bool = False
    """The other functions of its APIs were looked for."""
    watches: list[FileWatch] = msgspec.field(default_factory=list)


class CountedFunction(msgspec.Struct, frozen=True):
    """A function by the number that the kernel counts it under."""

    site: Site
    function: Function
    planned: PlannedFunction | None
    listed: bool
    file: CountedFile

    @property
    def gives_results(self) -> bool:
        """Whether its result means something by the plan: others are counted only."""
        return self.planned is not None and self.planned.plan.returns


class CountedFiles:
    """By the reactor where there is one, else aside; each function by the number that the kernel counts it under."""

    def __init__(
        self, session: Session, counting: Counting, reactor: Reactor | None, attached: Attached, let_go: LetGo
    ) -> None:
        self._session, self._counting, self._reactor, self._told = session, counting, reactor, attached
        self._let_go = let_go
        self._planned = NamedFunctions(session.plan)
        self._attaching = Attaching(session.loop)
        self._exits = exit_memory("collector")
        self._exits.load()
        self._files: dict[Key, CountedFile] = {}
        self._written = WrittenFiles(session.loop, reactor.release if reactor else None, self._gone)
        self._met: set[str] = set()
        """Identities of mapped files among them: every child maps the same few."""
        self.functions: dict[int, CountedFunction] = {}
        if reactor is not None:
            reactor.listen(self._told_by_reactor)
            session.loop.on_readable(reactor.fd, reactor.drain)

    @property
    def busy(self) -> bool:
        """Whether probes are being set, or exits decoded."""
        return self._attaching.busy

    def settle(self) -> None:
        """When this returns, calls of what is known by now are counted."""
        if self._reactor is not None:
            self._reactor.settle()
        self._attaching.finish()

    def close(self) -> None:
        """Begin nothing more."""
        self._attaching.close()
        self._written.close()
        self._exits.save()

    def is_planned(self, name: str) -> bool:
        """Whether a function is one of the plan."""
        return self._planned.is_listed(name)

    def is_counted(self, name: str) -> bool:
        """Whether a function is counted without being asked for."""
        return self._planned.is_counted(name)

    def exports_planned(self, image: ImageRead) -> bool:
        """Whether a file exports a function of the plan."""
        return any(export.kind == "func" and self.is_planned(export.name) for export in image.exports)

    def watch_planned(self, candidate: Candidate) -> None:
        """By the reactor, which may know the file already, where there is one."""
        if candidate.mapped and candidate.file in self._met:
            return
        file = self._file(candidate)
        if file is None:
            return
        if candidate.mapped:
            self._met.add(candidate.file)
        if file.planned:
            return
        file.planned = True
        if self._reactor is not None:
            self._reactor.arm(candidate.open_path, candidate.path)
            return
        try:
            sites = find_sites(file.open_path, self._planned.listed)
        except ElfError:
            return
        if sites.found:
            self._refuse(file, [each for each in sites.refused if each.why != NOT_EXPORTED])
            self._watch(file, sites.found)

    def watch_others(self, candidate: Candidate) -> None:
        """All other functions of the APIs that a mapped file exports, aside: what is listed decides, and goes first."""
        file = self._file(candidate)
        if file is None or file.whole:
            return
        file.whole = True

        def find() -> Callable[[], None]:
            try:
                found = find_sites(file.open_path).found
            except ElfError:
                return lambda: None
            names = ((site, (site.name, *site.aliases)) for site in found)
            others = [site for site, known in names if not any(map(self._planned.is_listed, known))
                      and any(map(self._planned.is_counted, known))]  # fmt: skip
            return lambda: self._watch(file, others[:_MOST_OTHERS]) if others else None

        self._attaching.begin(find)

    def watch_found(self, candidate: Candidate, find: Callable[[], list[Site]]) -> None:
        """Functions that are found aside, and are counted nowhere yet."""
        file = self._file(candidate)
        if file is None:
            return

        def search() -> Callable[[], None]:
            sites = find()
            return lambda: self._watch(file, fresh) if (fresh := self._fresh(file, sites)) else None

        self._attaching.begin(search)

    def _fresh(self, file: CountedFile, sites: Iterable[Site]) -> list[Site]:
        counted = {offset for watch in file.watches for offset in self._offsets(watch)}
        return [site for site in sites if not {site.entry, site.offset} & counted]

    def _told_by_reactor(self, told: Armed | Unable, descriptors: list[int]) -> None:
        """A file is counted: some process of the tree may be in the middle of its first call."""
        if isinstance(told, Unable):
            self._session.sink.send(LimitNoted(at=self._session.loop.now(), what=told.what, why=told.why))
            return
        opened, *links = descriptors
        identity = procfs.file_key(os.major(told.device), os.minor(told.device), told.inode)
        file = self._file(Candidate(told.path, b"/proc/self/fd/%d" % opened, identity))
        assert file is not None
        functions = self._note(file, told.sites, told.first)
        left = iter(links)
        groups = [Group(each.number, each.functions, 0, list(islice(left, each.links))) for each in told.groups]
        watch = self._counting.adopt(opened, told.first, functions, groups)
        self._hold((told.device, told.inode), b"/proc/self/fd/%d" % opened, watch)
        watch.refused |= told.refused
        proven = {number: each.offsets for number, each in told.exits.items() if not each.unproven}
        watch.exits.adopt(proven, list(left), told.exits_at)
        self._attaching.begin(lambda: self._read_results(told.at, file, watch, told.exits))

    def _file(self, candidate: Candidate) -> CountedFile | None:
        """The file by what it is, whatever leads to it; its identity is spelled as the mappings spell it."""
        try:
            status = os.stat(candidate.open_path)
        except OSError:
            return None
        key = (status.st_dev, status.st_ino)
        known = self._files.get(key)
        if known is None:
            known = CountedFile(decode(candidate.path), candidate.file, candidate.open_path, key)
            self._files[key] = known
        known.mapped |= candidate.mapped
        return known

    def _watch(self, file: CountedFile, sites: Sequence[Site]) -> None:
        """Count functions of a file; what the kernel refuses is said."""
        first = self._counting.reserve(len(sites))
        functions = self._note(file, sites, first)

        def attach() -> Callable[[], None]:
            try:
                watch = self._counting.attach(file.open_path, functions, first, file.mapped)
            except OSError as error:
                why = f"the kernel refuses to count calls of {file.path} ({error})"
                limit = LimitNoted(at=self._session.loop.now(), what="calls", why=why)
                return lambda: self._session.sink.send(limit)
            self._hold(file.key, file.open_path, watch)
            return self._read_results(self._session.loop.now(), file, watch, None)

        self._attaching.begin(attach)

    def _hold(self, key: Key, path: bytes, watch: FileWatch) -> None:
        why = self._written.hold(key, path, watch)
        if why:
            what = "writes to libraries whose functions are counted: start it again after you replaced one"
            self._session.sink.send(LimitNoted(at=self._session.loop.now(), what=what, why=why))

    def _gone(self, key: Key, watches: Sequence[FileWatch]) -> None:
        """A file is written to and has no probe any more; what it holds now is another file, to be met anew."""
        file = self._files.pop(key, None)
        if file is None:
            return
        self._met.discard(file.file)
        for watch in watches:
            numbers = [each for each, _ in enumerate(watch.functions, watch.first) if each not in watch.refused]
            self._let_go(numbers, f"{file.path} was written to")
            if watch in file.watches:
                self._counting.remove(watch)
        mapping = self._mapping_of(file.file)
        if mapping is not None:
            self.watch_planned(candidate_of(mapping))

    def _read_results(
        self, at: int, file: CountedFile, watch: FileWatch, known: Table[int, Exits] | None
    ) -> Callable[[], None]:
        """Watch the exits of what gives results, the deciding functions first; counting began at `at`.

        `known`: exits that are watched already; None when this file is counted since a moment, so that what is hot may
        go in a hurry and counting begin anew.

        A program may be in the middle of a hot loop: how often its functions are called is seen before the exits of the
        others are probed, for the kernel takes its time to let a probe go.
        """
        found = dict(known or {})
        giving = [number for number in watch.counting if self.functions[number].gives_results]
        numbers = [number for number in giving if number not in found]
        deciding = [number for number in numbers if self.functions[number].function.decides]
        found |= self._read(file, watch, deciding)
        rates = self._counting.hot_functions(watch, HEAT_SECONDS)
        functions = {number: self.functions[number].function for number in rates}
        hot = too_hot(rates, functions, self._session.configure.budget)
        if hot:
            watch.detach(hot, hurried=known is None)
            at = self._session.loop.now() if known is None else at
        busy = {number: exits for number, exits in too_busy(rates).items() if number in numbers and number not in found}
        others = [number for number in numbers if number not in found and number not in busy]
        found |= busy | self._read(file, watch, others)

        def told() -> None:
            self._attached(at, file, watch, found, hot)
            self._read_when_calm(file, watch, [number for number in busy if number not in hot], _CALMER_SECONDS)

        return told

    def _read(self, file: CountedFile, watch: FileWatch, numbers: Iterable[int]) -> dict[int, Exits]:
        return read_results(
            watch, file.open_path, {number: self.functions[number].site for number in numbers}, self._exits
        )

    def _read_when_calm(self, file: CountedFile, watch: FileWatch, busy: Sequence[int], waits: Sequence[float]) -> None:
        """What a start calls a thousand times at once is in no hot loop: results are read when that is over."""
        again = [number for number in busy if not self.functions[number].function.hot]
        if not again or not waits:
            return

        def look() -> Callable[[], None]:
            busy = too_busy(self._counting.hot_functions(watch, HEAT_SECONDS))
            found = self._read(file, watch, [number for number in again if number in watch.counting - busy.keys()])
            return lambda: calmed(found, [number for number in again if number in busy])

        def calmed(found: dict[int, Exits], busy: Sequence[int]) -> None:
            counted = [describe(number, self.functions[number], exits) for number, exits in found.items()]
            if counted:
                self._session.sink.send(FunctionsWatched(at=self._session.loop.now(), functions=counted))
            self._read_when_calm(file, watch, busy, waits[1:])

        self._session.loop.after(waits[0], lambda: self._attaching.begin(look))

    def _note(self, file: CountedFile, sites: Sequence[Site], first: int) -> list[Function]:
        """Know functions by their numbers from now on."""
        planned = [self._planned.get(site.name) for site in sites]
        functions = [
            function_at(site, known.plan if known else None) for site, known in zip(sites, planned, strict=True)
        ]
        for number, (site, function, known) in enumerate(zip(sites, functions, planned, strict=True), first):
            listed = any(map(self._planned.is_listed, (site.name, *site.aliases)))
            self.functions[number] = CountedFunction(site, function, known, listed, file)
        self._session.probed.add(file.file)
        return functions

    def _attached(
        self, at: int, file: CountedFile, watch: FileWatch, exits: Table[int, Exits], hot: Table[int, float]
    ) -> None:
        """Say what is counted since `at`."""
        file.watches.append(watch)
        self._counting.add(watch)
        numbers = range(watch.first, watch.first + len(watch.functions))
        counted = [
            describe(number, self.functions[number], exits.get(number))
            for number in numbers
            if number not in watch.refused
        ]
        self._session.sink.send(FunctionsWatched(at=at, functions=counted))
        self._refuse(file, [Refusal((self.functions[number].site.name,), why) for number, why in watch.refused.items()])
        self._told(numbers, hot)

    def _refuse(self, file: CountedFile, refusals: Iterable[Refusal]) -> None:
        by_reason: dict[str, list[str]] = {}
        for refusal in refusals:
            by_reason.setdefault(refusal.why, []).extend(refusal.names)
        for why, names in by_reason.items():
            at = self._session.loop.now()
            self._session.sink.send(FunctionsRefused(at=at, library=file.path, names=names, why=why))

    def count_on_request(self, request: CountFunctions) -> None:
        """Count what a person asked for, at most so many functions at once; a refusal is sent in words."""
        mapping = self._mapping_of(request.file)
        file = self._file(candidate_of(mapping)) if mapping else None
        if file is None:
            self._fail(request, f"no process of the tree maps {request.path}")
            return
        try:
            sites = find_sites(file.open_path, request.names)
        except ElfError as error:
            self._fail(request, f"{request.path}: {error}")
            return
        fresh = self._fresh(file, sites.found)
        if len(fresh) > _MOST_AT_ONCE:
            self._fail(request, f"{len(fresh):,} functions are too many at once: name at most {_MOST_AT_ONCE:,}")
            return
        self._refuse(file, sites.refused)
        if fresh:
            self._watch(file, fresh)

    def _offsets(self, watch: FileWatch) -> set[int]:
        return {watch.functions[number - watch.first].offset for number in watch.counting}

    def _mapping_of(self, file: str) -> Mapping | None:
        processes = self._session.tree.processes()
        mappings = (mapping for process in processes for mapping in process.mappings.values())
        return next((mapping for mapping in mappings if mapping.file == file), None)

    def _fail(self, request: Request, why: str) -> None:
        self._session.sink.send(RequestFailed(at=self._session.loop.now(), id=request.id, why=why))


def candidate_of(mapping: Mapping) -> Candidate:
    """A file that a process maps."""
    return Candidate(os.fsencode(mapping.path), mapping.open_path, mapping.file, mapped=True)


def describe(number: int, counted: CountedFunction, exits: Exits | None) -> WatchedFunction:
    """As the viewer hears of it."""
    return WatchedFunction(
        id=number,
        api=counted.planned.api if counted.planned else "",
        name=counted.site.name,
        library=counted.file.path,
        file=counted.file.file,
        aliases=list(counted.site.aliases),
        listed=counted.listed,
        offset=counted.function.offset,
        cost=counted.function.cost,
        returns=exits is not None and not exits.unproven,
        callers=counted.function.at_entry,
        exits=list(exits.addresses) if exits is not None and not exits.unproven else [],
        unproven=exits.unproven if exits is not None else "",
    )
