"""Look-ups of libraries and symbols as they happen: who asked, what was tried, who answered, the loader's own words."""

import os
import re
from collections.abc import Callable, Collection, Sequence

import msgspec

from inspector.stream.c_library import answers_lookups
from inspector.stream.calls import LoaderRefused, LookupsStopped, LookupsWatched
from inspector.stream.libraries import ImageRead
from inspector.stream.session import LimitNoted
from inspector.stream.text import decode

from ...elf.exits import find_exits
from ...elf.file import ElfError
from ...elf.sites import Site, find_sites
from ...kernel import procfs
from ...kernel.engine import Engine
from ...kernel.lookup_probes import SIGNALS, LookupFunction, LookupProbes
from ...kernel.lookup_programs import KINDS
from ...kernel.records import Asked, Looked, Mapped, Opened, Refused
from ..calls.attaching import Attaching
from ..calls.pending_dlopens import Pending, PendingLoads, loader_text, loader_words
from ..contract import Mapping, Session, Tracked, TreeObserver
from ..libraries.addresses import Addresses
from ..libraries.providers import Candidate, Providers, candidate_of
from ..per_file import PerFile
from ..poll_rate import Ticker
from ..processes.feed import Feed
from ..tolerant_reads import attempt
from .lookup_events import Folding, LookupEvents

FOLD_SECONDS = 1.0
SLOW_NS = 2_000_000_000
"""A dlopen that takes longer is told before it returns."""
FLUSH_SECONDS = 0.1
MOST_PER_SECOND = 3_000
_MOST_MET = 4096
_MUSL = re.compile(r"/(libc\.so|(ld-musl|libc\.musl)-[^/]*\.so\.1)$")


def _answers_by_name(image: ImageRead) -> bool:
    names = {export.name for export in image.exports if export.kind == "func"} | set(image.overrides)
    return not names.isdisjoint(KINDS)


def lookup_functions(open_path: bytes, sites: Sequence[Site]) -> list[LookupFunction]:
    """What to probe of each function. Raises ElfError when the file cannot be read.

    Known exits are enough: a look-up that leaves in another way is one whose answer was not seen.
    """
    exits = find_exits(open_path, [site for site in sites if site.name in KINDS])
    return [
        LookupFunction(site.name, site.entry, exits[site.entry].offsets if site.entry in exits else ())
        for site in sites
    ]


class _File(msgspec.Struct):
    path: str
    functions: list[str]
    number: int = -1
    """Of what it answers; none while it has no function to probe."""
    identities: dict[str, str] = msgspec.field(default_factory=dict)
    """By what mappings tell of it, and the path there: an overlay shows a file with another device."""
    since: int = 0
    """When its look-ups began to be told; 0 before."""
    answered: int = 0
    """Since the last look."""


class LookupsSource(TreeObserver):
    """Sets probes on whatever answers look-ups: the C library, overrides in shims, drivers."""

    def __init__(
        self,
        session: Session,
        engine: Engine,
        feed: Feed,
        addresses: Addresses,
        pending: PendingLoads,
        providers: Providers,
    ) -> None:
        self._session = session
        self._lookup_probes = LookupProbes(engine)
        plan = session.plan
        self._lookup_probes.decide(one.name for api in plan.apis for one in api.functions if one.decides)
        self._attaching = Attaching(session.loop)
        self._events = LookupEvents(addresses)
        self._folding = Folding()
        self._pending = pending
        providers.listen(self._offered)
        self._files: dict[tuple[int, int], _File | None] = {}
        self._met: set[str] = set()
        """Files that were looked at, by the identity that mappings tell: a library comes again with each process."""
        self._answers = PerFile(_answers_by_name)
        self._words: dict[int, Refused] = {}
        """The loader's last words to a thread that is in no dlopen: about a dlsym, or about the start of a program."""
        session.tree.watch(self)
        self._fold_ticker = Ticker(session.loop, FOLD_SECONDS, self._fold)
        self._flush_ticker = Ticker(session.loop, FLUSH_SECONDS, self._flush)
        feed.listen(Asked, self._asked)
        feed.listen(Opened, self._pending.opened)
        feed.listen(Refused, self._refused)
        feed.listen(Looked, self._looked)
        feed.listen(Mapped, self._mapped)

    def start(self) -> None:
        """Begin with our own C library, which is most likely the one of what starts next, and with what is there."""
        for line in attempt(lambda: procfs.executable_maps(os.getpid()), list[procfs.MapLine]()):
            self._watch_loader(Candidate(line.path, line.path, line.file))
        for process in self._session.tree.processes():
            for mapping in list(process.mappings.values()):
                self.mapped(process, mapping)
        self._attaching.finish()

    def _offered(self, candidate: Candidate) -> None:
        """A driver or shim that some process may map."""
        if not self._watch_loader(candidate):
            self._watch(candidate, KINDS)

    def mapped(self, process: Tracked, mapping: Mapping) -> None:
        """A C library or loader, perhaps of a container."""
        if mapping.file not in self._met and answers_lookups(mapping.path):
            self._watch_loader(Candidate(os.fsencode(mapping.path), mapping.open_path, mapping.file))

    def image(self, process: Tracked, mapping: Mapping, image: ImageRead) -> None:
        """A file that overrides dlopen or dlsym, or a driver that answers by name."""
        if self._answers.of(image) and mapping.file not in self._met:
            self._watch(Candidate(os.fsencode(mapping.path), mapping.open_path, mapping.file), KINDS)

    def executed(self, process: Tracked) -> None:
        """Another program is in its place: nothing of the one before is open."""
        self._pending.leave(process.pid)

    def ended(self, process: Tracked) -> None:
        """What it was in the middle of, nobody will answer."""
        for pending in self._pending.leave(process.pid):
            if not pending.told:
                self._send_unanswered(pending)
        self._flush_words(process.pid)

    @property
    def busy(self) -> bool:
        """Whether probes are being set."""
        return self._attaching.busy

    def close(self) -> None:
        """Say what was not said yet and take all probes away."""
        self._attaching.close()
        self._flush_words()
        self._fold()
        self._lookup_probes.close()

    def _mapped(self, record: Mapped) -> None:
        """At the very moment: the first look-up of a new process may come a millisecond later."""
        met = procfs.file_key(record.major, record.minor, record.inode) in self._met
        if record.inode and not met and answers_lookups(decode(record.path)):
            self._watch_loader(candidate_of(record))

    def _watch_loader(self, candidate: Candidate) -> bool:
        """False when the file is no part of a C library."""
        if candidate.file in self._met:
            return True
        if not answers_lookups(decode(candidate.path)):
            return False
        self._watch(candidate, (*KINDS, *SIGNALS))
        return True

    def _watch(self, candidate: Candidate, names: Collection[str]) -> None:
        """Probe the look-up functions that a file exports; each file once."""
        try:
            status = os.stat(candidate.open_path)
        except OSError:
            return
        key = (status.st_dev, status.st_ino)
        if len(self._met) < _MOST_MET:
            self._met.add(candidate.file)
        if key in self._files:
            self._also(self._files[key], candidate)
            return
        self._files[key] = None
        try:
            sites = find_sites(candidate.open_path, names).found
            functions = lookup_functions(candidate.open_path, [site for site in sites if site.name in names])
        except ElfError:  # also when its process, through which it is seen, has just ended
            return
        path = decode(candidate.path)
        file = self._files[key] = _File(path, sorted({function.kind for function in functions}))
        file.identities[candidate.file] = path
        if not functions:
            self._watched(file, self._session.loop.now())
            return
        number = file.number = self._lookup_probes.reserve()
        self._say_silent(path, functions)
        self._session.probed.add(candidate.file)

        def attach() -> Callable[[], None]:
            try:
                self._lookup_probes.watch(number, candidate.open_path, functions)
            except OSError as error:
                why = f"the kernel refuses to watch {path} ({error})"
                limit = LimitNoted(at=self._session.loop.now(), what="look-ups", why=why)
                return lambda: self._session.sink.send(limit)
            since = self._session.loop.now()
            return lambda: self._watched(file, since)

        self._attaching.begin(attach)

    def _watched(self, file: _File, since: int) -> None:
        file.since = since
        self._session.lookups_probed_at = self._session.loop.now()
        for identity, path in file.identities.items():
            self._send_watched(file, identity, path)

    def _also(self, file: _File | None, candidate: Candidate) -> None:
        """The same file under another identity."""
        if file is not None and candidate.file not in file.identities:
            path = file.identities[candidate.file] = decode(candidate.path)
            if file.since:
                self._send_watched(file, candidate.file, path)

    def _send_watched(self, file: _File, identity: str, path: str) -> None:
        self._session.sink.send(LookupsWatched(at=file.since, path=path, file=identity, functions=file.functions))

    def _asked(self, record: Asked) -> None:
        self._pending.begin(record)
        self._flush_ticker.wake()

    def _say_silent(self, path: str, functions: Sequence[LookupFunction]) -> None:
        """A C library that answers dlopen and is not glibc keeps the reason of a failure to itself."""
        kinds = {function.kind for function in functions}
        if _MUSL.search(path) and "dlopen" in kinds and not kinds & set(SIGNALS):
            why = f"{path} is not glibc: its loader's errors pass no function that could be watched"
            what = "why a library or symbol was not found, in the loader's own words, in programs of that C library"
            self._session.sink.send(LimitNoted(at=self._session.loop.now(), what=what, why=why))

    def _refused(self, record: Refused) -> None:
        """An error passes several functions of the loader on its way: it is told once."""
        words = loader_words(record)
        before = self._words.get(record.tid)
        self._words[record.tid] = record
        self._flush_ticker.wake()
        if self._pending.refused(record.tid, words) and (before is None or loader_words(before) != words):
            self._send_refused(record)

    def _looked(self, record: Looked) -> None:
        """A dlclose asks for nothing; what it took away, the mapped libraries tell."""
        if record.via == "dlclose":
            return
        self._fold_ticker.wake()
        now = self._session.loop.now()
        words = self._words.pop(record.tid, None)
        file = self._file(record.cookie)
        pending = self._pending.end(record) if record.via in ("dlopen", "dlmopen") else None
        answered_by = file.path if file else ""
        event = self._events.answered(record, answered_by, pending, loader_words(words) if words else "", now)
        if self._folding.is_new(event):
            self._session.sink.send(event)
        if file is not None:
            file.answered += 1

    def _send_refused(self, record: Refused) -> None:
        self._session.sink.send(
            LoaderRefused(
                at=record.at,
                pid=record.pid,
                tid=record.tid,
                object=decode(record.object),
                text=loader_text(record),
                occasion=decode(record.occasion),
            )
        )

    def _send_unanswered(self, pending: Pending) -> None:
        pending.told = True
        file = self._file(pending.asked.cookie)
        answered_by = file.path if file else ""
        self._session.sink.send(self._events.unanswered(pending, answered_by, self._session.loop.now()))

    def _file(self, number: int) -> _File | None:
        return next((file for file in self._files.values() if file and file.number == number), None)

    def _flush(self) -> bool:
        """Words that no look-up claimed, and look-ups that take long; True while there may be more of either."""
        now = self._session.loop.now()
        self._flush_words(before=now - int(FLUSH_SECONDS * 1e9))
        for pending in self._pending.older_than(now - SLOW_NS):
            self._send_unanswered(pending)
        return bool(self._words) or any(self._pending.older_than(now))

    def _flush_words(self, pid: int | None = None, before: int | None = None) -> None:
        for tid, record in list(self._words.items()):
            if (pid is None or record.pid == pid) and (before is None or record.at < before):
                del self._words[tid]
                if not self._pending.is_inside(tid):
                    self._send_refused(record)

    def _fold(self) -> bool:
        """There is nothing more to fold then until something is looked up."""
        for event in self._folding.take():
            self._session.sink.send(event)
        for file in self._files.values():
            if file is not None and file.number >= 0:
                if file.answered > MOST_PER_SECOND * FOLD_SECONDS:
                    self._let_go(file)
                file.answered = 0
        return False

    def _let_go(self, file: _File) -> None:
        """Telling so many look-ups would slow the target down."""
        self._lookup_probes.detach(file.number)
        self._pending.forget(file.number)
        why = f"{file.path} answers more than {MOST_PER_SECOND:,} look-ups a second: they are no longer reported"
        now = self._session.loop.now()
        for identity in file.identities:
            self._session.sink.send(LookupsStopped(at=now, file=identity, why=why))
        self._session.sink.send(LimitNoted(at=now, what="look-ups", why=why))
