"""Mapped libraries of every process of the tree, as they come, move, change on disk and go."""

from contextlib import suppress
from functools import cache

from inspector.stream.libraries import ImageRead, LibraryMapped, LibraryUnmapped, ScopeRead
from inspector.stream.session import LimitNoted

from ...kernel.records import Exited, Looked, Mapped
from ...kernel.refusals import grant_of_rights
from ..contract import Mapping, Session, Tracked, TreeObserver
from ..poll_rate import Rounds, Ticker
from ..processes.feed import Feed
from ..processes.processes import ProcessTree
from .departed import Departed
from .identity import signature
from .images import Images
from .library_cache import ProcessLibraries, cache_of_fork, cache_of_found
from .library_summaries import LibrarySummaries
from .snapshot import Snapshot, look
from .views import view_gone, view_living

TICK_SECONDS = 0.05
"""Between two looks at programs that are loading."""
CHECK_SECONDS = 1.0
_MOST_A_TICK = 12
_DEAD_KEPT = 500


class Libraries(TreeObserver):
    """Watches what every process has mapped; sends libraries, scopes and ELF facts, and tells the tree's observers."""

    def __init__(self, session: Session, tree: ProcessTree, feed: Feed) -> None:
        self._session = session
        self._loop = session.loop
        self._sink = session.sink
        self._tree = tree
        self._summaries = LibrarySummaries()
        self._departed = Departed()
        self._images = Images(session.loop, session.plan, session.images, self._image_read)
        self._cache: dict[int, ProcessLibraries] = {}
        self._refused: set[int] = set()
        self._look_asked = False
        tree.watch(self)
        feed.listen(Mapped, self._mapped)
        feed.listen(Looked, self._closed)
        feed.listen(Exited, self._leaving, first=True)
        self._ticker = Ticker(session.loop, TICK_SECONDS, self._tick)
        self._loading = Rounds(self._young, _MOST_A_TICK)
        self._settled = Rounds(lambda: [cached for cached in self._living() if not cached.due])
        session.loop.every(CHECK_SECONDS, self._check)

    @property
    def busy(self) -> bool:
        """True while ELF facts of mapped files are still to come."""
        return self._images.busy

    def rehearse(self, process: Tracked) -> None:
        """Look once and tell nobody: what every program maps is read before the first one begins."""
        with suppress(OSError):
            look(view_living(process), self._loop.now(), cache_of_found(process).past(), self._summaries)

    def born(self, process: Tracked) -> None:
        """A found process waits for `executed`; a fork has its parent's libraries for now."""
        if process.program is None:
            self._cache[process.pid] = cache_of_found(process)
        else:
            parent = self._cache.get(process.ppid)
            self._cache[process.pid] = cache_of_fork(process, parent, self._loop.now())
            self._ticker.wake()
        self._forget_long_dead()

    def executed(self, process: Tracked) -> None:
        """A new program: what was mapped before is gone without a trace."""
        before, program = self._cache.get(process.pid), process.program
        if before is None or program is None:
            return
        process.mappings.clear()
        begun = process.started if before.by_looking else program.at
        cached = ProcessLibraries(process, begun=begun, by_looking=False, due=self._loop.now())
        self._cache[process.pid] = cached
        self._ticker.wake()
        if before.by_looking:
            self._look(cached)

    def ended(self, process: Tracked) -> None:
        """Nothing more to look at."""
        if process.pid in self._cache:
            self._cache[process.pid].due = 0

    def _look_soon(self, cached: ProcessLibraries) -> None:
        cached.due = self._loop.now()
        self._ticker.wake()

    def _mapped(self, record: Mapped) -> None:
        cached = self._cache.get(record.pid)
        if cached is None or not record.inode:
            return
        cached.note(record, self._loop.now())
        self._ticker.wake()
        if not cached.process.alive:
            self._tell_from_records(cached, record.at)  # its end overtook it: they come from different buffers
        elif not self._look_asked:
            self._look_asked = True
            self._loop.soon(self._look_after_batch)

    def _closed(self, record: Looked) -> None:
        """A dlclose may have unmapped something, which the kernel tells nobody."""
        cached = self._cache.get(record.pid)
        if record.via == "dlclose" and cached is not None and cached.process.alive:
            self._look_soon(cached)
            self._loop.soon(self._look_after_batch)

    def _look_after_batch(self) -> None:
        self._look_asked = False
        self._look_at_due()

    def _living(self) -> list[ProcessLibraries]:
        found = ((process, self._cache.get(process.pid)) for process in self._tree.processes())
        return [cached for process, cached in found if cached is not None and cached.process is process]

    def _young(self) -> list[ProcessLibraries]:
        now = self._loop.now()
        return [cached for cached in self._living() if cached.is_young(now)]

    def _look_at_due(self) -> None:
        now = self._loop.now()
        for cached in self._living():
            if cached.due and cached.due <= now:
                self._look(cached)

    def _tick(self) -> bool:
        """Programs that are loading change all the time; True while there are any, or looks that are due later."""
        for cached in self._loading.next():
            self._ask_if_changed(cached)
        self._look_at_due()
        return bool(self._young()) or any(cached.due for cached in self._living())

    def _check(self) -> None:
        """What nobody tells of: files that changed on disk, and code that was unmapped."""
        read = cache(signature)
        for cached in self._settled.next():
            for base in cached.disk_changes(read):
                cached.sent.pop(base, None)
                self._look_soon(cached)
            if cached.looked < self._session.lookups_probed_at:
                # A dlclose meanwhile was told by nobody, and the kernel's own page for probes may hide it in the sizes.
                self._look_soon(cached)
            self._ask_if_changed(cached)

    def _ask_if_changed(self, cached: ProcessLibraries) -> None:
        if not cached.due and cached.code_pages_now() != cached.code_pages:
            self._look_soon(cached)

    def _look(self, cached: ProcessLibraries) -> None:
        now = self._loop.now()
        cached.due = 0
        pages = cached.code_pages_now()  # before the look: what is unmapped meanwhile differs from it at the next check
        try:
            view = view_living(cached.process)
        except PermissionError:
            self._note_refusal(cached.process)
            return
        except OSError:
            return  # it is ending: its end will be told
        if not view.lines:
            return  # its memory is gone already
        cached.looked, cached.code_pages = now, pages
        snapshot = look(view, now, cached.past(), self._summaries)
        if not snapshot.settled and cached.is_young(now):
            cached.due = now + int(TICK_SECONDS * 1e9)
            self._ticker.wake()
        cached.parent = None
        self._send_missing(cached, snapshot)
        self._send_changes(cached, snapshot)
        self._read_images(cached, snapshot)
        cached.cost = self._loop.now() - now

    def _leaving(self, record: Exited) -> None:
        """Before its end is told: send what only records or the parent tell of its libraries."""
        cached = self._cache.get(record.pid)
        if cached is None or not cached.process.alive:
            return
        for event in cached.inherited().values():
            self._send_library(cached, event)
        if any(each.at >= cached.looked for each in cached.all_records()):
            self._tell_from_records(cached, record.at)

    def _tell_from_records(self, cached: ProcessLibraries, at: int) -> None:
        records = cached.all_records()

        def alone() -> Snapshot:
            return look(view_gone(cached.process, records), at, cached.past(), self._summaries)

        strange = cached.sent or cached.parent is not None or cached.looked
        snapshot = alone() if strange else self._departed.look(cached.process, records, at, alone)
        snapshot.libraries = {base: new for base, new in snapshot.libraries.items() if base not in cached.sent}
        self._send_changes(cached, snapshot)
        self._read_images(cached, snapshot)

    def _send_missing(self, cached: ProcessLibraries, snapshot: Snapshot) -> None:
        process = cached.process
        for base in [base for base in cached.sent if base not in snapshot.libraries]:
            gone = cached.sent.pop(base)
            self._sink.send(LibraryUnmapped(at=cached.looked, pid=process.pid, base=base, path=gone.path))
        for start in [start for start in process.mappings if start not in snapshot.mappings]:
            mapping = process.mappings.pop(start)
            self._tree.tell("unmapped", process, mapping)

    def _send_changes(self, cached: ProcessLibraries, snapshot: Snapshot) -> None:
        process = cached.process
        for base, event in snapshot.libraries.items():
            if cached.sent.get(base) != event:
                self._send_library(cached, event)
        for namespace, order in snapshot.scopes.items():
            if cached.scopes.get(namespace) != order:
                cached.scopes[namespace] = order
                self._sink.send(ScopeRead(at=cached.looked, pid=process.pid, namespace=namespace, order=order))
        cached.keep_places(snapshot)
        fresh = {start: new for start, new in snapshot.mappings.items() if process.mappings.get(start) != new}
        process.mappings.update(fresh)
        for mapping in fresh.values():
            self._tree.tell("mapped", process, mapping)

    def _send_library(self, cached: ProcessLibraries, event: LibraryMapped) -> None:
        cached.sent[event.base] = event
        self._sink.send(event)

    def _read_images(self, cached: ProcessLibraries, snapshot: Snapshot) -> None:
        for mapping in snapshot.mappings.values():
            event = cached.sent.get(mapping.base)
            self._images.want(mapping, event.route if event else "unknown", snapshot.open_paths[mapping.file])
            image = self._images.find(mapping.file)
            if image is not None:
                self._tell_image(cached, mapping, image)

    def _image_read(self, image: ImageRead) -> None:
        self._sink.send(image)
        for cached in list(self._cache.values()):
            for mapping in list(cached.process.mappings.values()):
                if mapping.file == image.file and cached.parent is None:
                    self._tell_image(cached, mapping, image)

    def _tell_image(self, cached: ProcessLibraries, mapping: Mapping, image: ImageRead) -> None:
        if image.file in cached.imaged:
            return
        cached.imaged.add(image.file)
        self._tree.tell("image", cached.process, mapping, image)

    def _note_refusal(self, process: Tracked) -> None:
        if process.pid in self._refused:
            return
        self._refused.add(process.pid)
        why = "its memory map belongs to another user, or to a program that may not be inspected by its own user"
        grant = grant_of_rights()
        self._sink.send(LimitNoted(at=self._loop.now(), what="mapped libraries", why=why, grant=grant, pid=process.pid))

    def _forget_long_dead(self) -> None:
        if len(self._cache) > 2 * _DEAD_KEPT:
            dead = [pid for pid, cached in self._cache.items() if not cached.process.alive]
            for pid in dead[:-_DEAD_KEPT]:
                del self._cache[pid]
