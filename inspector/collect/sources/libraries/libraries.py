"""Mapped libraries of every process of the tree, as they come, move, change on disk and go."""

from functools import cache

from inspector.stream.libraries import ImageRead, LibraryMapped, LibraryUnmapped, ScopeRead
from inspector.stream.session import LimitNoted

from ...kernel.records import Exited, Looked, Mapped
from ...kernel.refusals import grant_of_rights
from ..contract import Mapping, Session, Tracked, TreeObserver
from ..poll_rate import Rounds, Ticker
from ..processes.feed import Feed
from ..processes.processes import ProcessTree
from .identity import signature
from .images import Images
from .library_cache import Shelf, shelf_of_fork, shelf_of_found
from .library_summaries import Outlines
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
        self._outlet = session.outlet
        self._tree = tree
        self._outlines = Outlines()
        self._images = Images(session.loop, session.plan, self._image_read)
        self._shelves: dict[int, Shelf] = {}
        self._refused: set[int] = set()
        self._look_asked = False
        tree.watch(self)
        feed.listen(Mapped, self._mapped)
        feed.listen(Looked, self._closed)
        feed.listen(Exited, self._leaving, first=True)
        self._ticker = Ticker(session.loop, TICK_SECONDS, self._tick)
        self._loading = Rounds(self._young, _MOST_A_TICK)
        self._settled = Rounds(lambda: [shelf for shelf in self._living() if not shelf.due])
        session.loop.every(CHECK_SECONDS, self._check)

    @property
    def busy(self) -> bool:
        """True while ELF facts of mapped files are still to come."""
        return self._images.busy

    def born(self, process: Tracked) -> None:
        """A found process waits for `executed`; a fork has its parent's libraries for now."""
        if process.program is None:
            self._shelves[process.pid] = shelf_of_found(process)
        else:
            parent = self._shelves.get(process.ppid)
            self._shelves[process.pid] = shelf_of_fork(process, parent, self._loop.now())
            self._ticker.wake()
        self._forget_long_dead()

    def executed(self, process: Tracked) -> None:
        """A new program: what was mapped before is gone without a trace."""
        before, program = self._shelves.get(process.pid), process.program
        if before is None or program is None:
            return
        process.mappings.clear()
        begun = process.started if before.by_looking else program.at
        shelf = Shelf(process, begun=begun, by_looking=False, due=self._loop.now())
        self._shelves[process.pid] = shelf
        self._ticker.wake()
        if before.by_looking:
            self._look(shelf)

    def ended(self, process: Tracked) -> None:
        """Nothing more to look at."""
        if process.pid in self._shelves:
            self._shelves[process.pid].due = 0

    def _look_soon(self, shelf: Shelf) -> None:
        shelf.due = self._loop.now()
        self._ticker.wake()

    def _mapped(self, record: Mapped) -> None:
        shelf = self._shelves.get(record.pid)
        if shelf is None or not record.inode:
            return
        shelf.note(record, self._loop.now())
        self._ticker.wake()
        if not shelf.process.alive:
            self._tell_from_records(shelf, record.at)  # its end overtook it: they come from different buffers
        elif not self._look_asked:
            self._look_asked = True
            self._loop.soon(self._look_after_batch)

    def _closed(self, record: Looked) -> None:
        """A dlclose may have unmapped something, which the kernel tells nobody."""
        shelf = self._shelves.get(record.pid)
        if record.via == "dlclose" and shelf is not None and shelf.process.alive:
            self._look_soon(shelf)
            self._loop.soon(self._look_after_batch)

    def _look_after_batch(self) -> None:
        self._look_asked = False
        self._look_at_due()

    def _living(self) -> list[Shelf]:
        return [shelf for shelf in self._shelves.values() if shelf.process.alive]

    def _young(self) -> list[Shelf]:
        now = self._loop.now()
        return [shelf for shelf in self._living() if shelf.is_young(now)]

    def _look_at_due(self) -> None:
        now = self._loop.now()
        for shelf in self._living():
            if shelf.due and shelf.due <= now:
                self._look(shelf)

    def _tick(self) -> bool:
        """Programs that are loading change all the time; True while there are any, or looks that are due later."""
        for shelf in self._loading.next():
            self._ask_if_changed(shelf)
        self._look_at_due()
        return bool(self._young()) or any(shelf.due for shelf in self._living())

    def _check(self) -> None:
        """What nobody tells of: files that changed on disk, and code that was unmapped."""
        read = cache(signature)
        for shelf in self._settled.next():
            for base in shelf.disk_changes(read):
                shelf.sent.pop(base, None)
                self._look_soon(shelf)
            if shelf.looked < self._session.lookups_probed_at:
                # A dlclose meanwhile was told by nobody, and the kernel's own page for probes may hide it in the sizes.
                self._look_soon(shelf)
            self._ask_if_changed(shelf)

    def _ask_if_changed(self, shelf: Shelf) -> None:
        if not shelf.due and shelf.code_pages_now() != shelf.code_pages:
            self._look_soon(shelf)

    def _look(self, shelf: Shelf) -> None:
        now = self._loop.now()
        shelf.due = 0
        pages = shelf.code_pages_now()  # before the look: what is unmapped meanwhile differs from it at the next check
        try:
            view = view_living(shelf.process)
        except PermissionError:
            self._note_refusal(shelf.process)
            return
        except OSError:
            return  # it is ending: its end will be told
        if not view.lines:
            return  # its memory is gone already
        shelf.looked, shelf.code_pages = now, pages
        snapshot = look(view, now, shelf.past(), self._outlines)
        if not snapshot.settled and shelf.is_young(now):
            shelf.due = now + int(TICK_SECONDS * 1e9)
            self._ticker.wake()
        shelf.parent = None
        self._send_missing(shelf, snapshot)
        self._send_changes(shelf, snapshot)
        self._read_images(shelf, snapshot)
        shelf.cost = self._loop.now() - now

    def _leaving(self, record: Exited) -> None:
        """Before its end is told: send what only records or the parent tell of its libraries."""
        shelf = self._shelves.get(record.pid)
        if shelf is None or not shelf.process.alive:
            return
        for event in shelf.inherited().values():
            self._send_library(shelf, event)
        if any(each.at >= shelf.looked for each in shelf.all_records()):
            self._tell_from_records(shelf, record.at)

    def _tell_from_records(self, shelf: Shelf, at: int) -> None:
        snapshot = look(view_gone(shelf.process, shelf.all_records()), at, shelf.past(), self._outlines)
        snapshot.libraries = {base: new for base, new in snapshot.libraries.items() if base not in shelf.sent}
        self._send_changes(shelf, snapshot)
        self._read_images(shelf, snapshot)

    def _send_missing(self, shelf: Shelf, snapshot: Snapshot) -> None:
        process = shelf.process
        for base in [base for base in shelf.sent if base not in snapshot.libraries]:
            gone = shelf.sent.pop(base)
            self._outlet.send(LibraryUnmapped(at=shelf.looked, pid=process.pid, base=base, path=gone.path))
        for start in [start for start in process.mappings if start not in snapshot.mappings]:
            mapping = process.mappings.pop(start)
            for observer in self._tree.observers:
                observer.unmapped(process, mapping)

    def _send_changes(self, shelf: Shelf, snapshot: Snapshot) -> None:
        process = shelf.process
        for base, event in snapshot.libraries.items():
            if shelf.sent.get(base) != event:
                self._send_library(shelf, event)
        for namespace, order in snapshot.scopes.items():
            if shelf.scopes.get(namespace) != order:
                shelf.scopes[namespace] = order
                self._outlet.send(ScopeRead(at=shelf.looked, pid=process.pid, namespace=namespace, order=order))
        shelf.keep_places(snapshot)
        fresh = {start: new for start, new in snapshot.mappings.items() if process.mappings.get(start) != new}
        process.mappings.update(fresh)
        for mapping in fresh.values():
            for observer in self._tree.observers:
                observer.mapped(process, mapping)

    def _send_library(self, shelf: Shelf, event: LibraryMapped) -> None:
        shelf.sent[event.base] = event
        self._outlet.send(event)

    def _read_images(self, shelf: Shelf, snapshot: Snapshot) -> None:
        for mapping in snapshot.mappings.values():
            event = shelf.sent.get(mapping.base)
            self._images.want(mapping, event.route if event else "unknown", snapshot.open_paths[mapping.file])
            image = self._images.find(mapping.file)
            if image is not None:
                self._tell_image(shelf, mapping, image)

    def _image_read(self, image: ImageRead) -> None:
        self._outlet.send(image)
        for shelf in list(self._shelves.values()):
            for mapping in list(shelf.process.mappings.values()):
                if mapping.file == image.file and shelf.parent is None:
                    self._tell_image(shelf, mapping, image)

    def _tell_image(self, shelf: Shelf, mapping: Mapping, image: ImageRead) -> None:
        if image.file in shelf.imaged:
            return
        shelf.imaged.add(image.file)
        for observer in self._tree.observers:
            observer.image(shelf.process, mapping, image)

    def _note_refusal(self, process: Tracked) -> None:
        if process.pid in self._refused:
            return
        self._refused.add(process.pid)
        why = "its memory map belongs to another user, or to a program that may not be inspected by its own user"
        grant = grant_of_rights()
        self._outlet.send(
            LimitNoted(at=self._loop.now(), what="mapped libraries", why=why, grant=grant, pid=process.pid)
        )

    def _forget_long_dead(self) -> None:
        if len(self._shelves) > 2 * _DEAD_KEPT:
            dead = [pid for pid, shelf in self._shelves.items() if not shelf.process.alive]
            for pid in dead[:-_DEAD_KEPT]:
                del self._shelves[pid]
