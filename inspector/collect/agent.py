"""One target under inspection: finds it, starts the sources, answers requests, ends in order."""

import os
import signal
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Protocol, runtime_checkable

from msgspec import structs

from inspector.stream.base import Request
from inspector.stream.requests import Configure, Quit, Settle
from inspector.stream.session import CollectorWaits, LimitNoted, ProgramCutShort, RequestFailed
from inspector.stream.text import visible

from .elf.image_cache import ImageCache
from .event_writer import EventWriter
from .kernel import procfs, uprobes
from .kernel.permissions import capabilities, try_probes
from .kernel.refusals import grant_of_rights
from .launch import Launch
from .loop import CollectorLoop
from .making_way import MakingWay
from .options import Options
from .priority import step_back
from .reactor.client import Reactor
from .reactor.remembered_files import recall, remember
from .request_reader import RequestReader
from .session_events import asked, ended, missing, started
from .settling import Settling
from .sources.contract import Session, Tracked, TreeObserver
from .sources.processes.joining import (
    ExecArrivals,
    MappingArrivals,
    OverlookedArrivals,
    PolledArrivals,
    program_of_exec,
)
from .sources.processes.processes import SAME_BIRTH, Origin, ProcessTree
from .sources.processes.program import Keys
from .sources.processes.record_source import open_records
from .sources.processes.vitals import VitalsSource, WaitsSource
from .sources.tolerant_reads import attempt
from .target import Target, TargetError, check_permitted, is_mapping_of, parse_target, processes_mapping
from .watchdog import Watchdog

PATIENCE_SECONDS = 1.5
"""Between SIGTERM and SIGKILL for the command that we started."""
LAST_WORDS_SECONDS = 0.15
"""After the last process has ended: for its last records, counters and log lines."""
READING_SECONDS = 3.0
"""At most so long, then, for files that are still to be read."""
FIRST_LOOK_SECONDS = 5.0
GROUP_SECONDS, WAIT_SECONDS = 1.0, 0.05


@runtime_checkable
class Startable(Protocol):
    """A source that reads what is there and then follows."""

    def start(self) -> None:
        """Read what is there and begin to follow it; called once, before the first event is due."""


@runtime_checkable
class Answering(Protocol):
    """A source that carries out requests."""

    def handle(self, request: Request) -> bool:
        """True when the request was its own."""


@runtime_checkable
class Closing(Protocol):
    """A source with something to give back or a last word to say."""

    def close(self) -> None:
        """Give back descriptors, threads and probes; called once, also after a fault."""


class Agent(TreeObserver):
    """Composes everything that looks at one target."""

    def __init__(
        self,
        options: Options,
        configure: Configure,
        request_reader: RequestReader,
        launch: Launch | None,
        reactor: Reactor | None,
    ) -> None:
        self._options = options
        self._configure = structs.replace(configure, logs=[*configure.logs, *options.logs])
        self._request_reader = request_reader
        self._launch, self._reactor = launch, reactor
        self._loop = CollectorLoop(self._failed)
        self._sink = EventWriter(1, self._reader_gone)
        self._watchdog = Watchdog(self._loop.works, self._waits_for)
        self._sources: list[object] = []
        self._said: set[tuple[str, type]] = set()
        self._reason, self._in_order = "", True
        self._living: Callable[[], list[Tracked]] = list
        self._settling = Settling(
            self._loop, lambda: self._records.feed.drain(), self._sink.send, reactor, self._sources
        )
        self._images: ImageCache | None = None

    def run(self) -> int:
        """Observe until there is a reason to end."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda number, _: self._leave(f"ended by {signal.Signals(number).name}"))
        self._step_back()
        self._request_reader.open(self._loop, self._handle, self._refuse, lambda: self._leave("the viewer is gone"))
        try:
            self._begin()
        except TargetError as error:
            self._sink.send(missing(error))
            self._stop(error.why, in_order=False)
        self._loop.run()
        self._close()
        return 0

    def _step_back(self) -> None:
        """At once before a program that begins; after the first look at one that runs, which must come soon."""
        if self._launch is not None or self._options.wait:
            step_back()
        else:
            self._loop.after(FIRST_LOOK_SECONDS, step_back)

    def ended(self, process: Tracked) -> None:
        """Collect the command that we started."""
        if self._launch is not None and process.pid == self._launch.pid:
            self._launch.reap()

    def _names(self) -> dict[str, str]:
        if not self._configure.redact:
            return {}
        from .redaction_names import names  # 20 ms for psutil, which nothing else here needs

        return names()

    def _begin(self) -> None:
        # Records first: asking for the rights opens and closes a tracepoint, and opening one then takes 20 ms.
        self._records = open_records(self._loop, self._reactor)
        allowed = capabilities(self._records.refusal, try_probes())
        self._sink.send(started(asked(self._options), allowed, self._names()))
        target = parse_target(self._options.target) if self._launch is None else None
        pids = self._find(target)
        births = {pid: _birth(pid) for pid in pids}
        for limit in self._records.limits:
            self._sink.send(limit)
        self._waits = WaitsSource(self._sink)
        self._tree = ProcessTree(
            self._loop, self._waits, Keys(self._configure.plan.environment), self._records.feed, self._emptied
        )
        self._living = self._tree.processes
        self._tree.watch(making_way := MakingWay())
        self._loop.makes_way, self._sink.make_way = making_way.wanted, self._loop.make_way
        self._tree.attach(pids, _origin(target))  # told at once: what looks at them closely is imported after that
        _check_births(self._tree, births)
        self._sink.flush()
        self._make_sources()
        self._tree.introduce()
        if self._launch is not None:
            self._records.feed.follow(self._launch.pid)
            self._tree.expect(self._launch.pid, "run", self._loop.now())
        self._images = self._session.images
        self._loop.in_background(self._images.load, lambda _: None)
        self._start_sources()
        if not pids:
            from .rehearsal import rehearse

            own = self._launch.pid if self._launch else os.getpid()
            rehearse(own, Keys(self._configure.plan.environment), self._libraries, self._loop.now())
        self._records.feed.begin(self._loop)
        if self._reactor is not None:  # not earlier: sources take a picture of pages that a probe changes
            self._reactor.observe(Reactor.YOUNG_SECONDS)
            self._reactor.settle()
            self._records.defer_opens(process.program for process in self._tree.processes())
        if target is not None:
            self._await(target)
        if self._launch is not None:
            self._launch.go()

    def _find(self, target: Target | None) -> list[int]:
        """The processes to begin with; TargetError when there are none and none is waited for."""
        if target is None:
            return []
        try:
            pids = target.find(self._options.wait)
        except TargetError as error:
            if self._options.wait and error.kind == "no-such-target":
                return []
            raise
        if len(pids) == 1:
            check_permitted(pids[0])
        return pids

    def _make_sources(self) -> None:
        """What hears of the tree from its first process on, in the order in which it hears."""
        from .composition import source_makers  # a tenth of a second, with the next three
        from .sources.copies.copies import ListeningSink
        from .sources.libraries.libraries import Libraries
        from .sources.lookups.signals import SignalsSource

        feed, heard = self._records.feed, ListeningSink(self._waits)
        self._session = session = Session(self._loop, heard, self._tree, self._configure)
        if self._launch is not None:
            session.captured = self._launch.captured()
        self._libraries = Libraries(session, self._tree, feed)
        self._sources += [
            self._libraries,
            VitalsSource(session, self._tree),
            SignalsSource(session, self._tree, feed),
        ]
        for name, make in source_makers(session, self._records, self._options.target, heard):
            try:
                self._sources.append(make())
            except Exception as error:
                self._failed(name, error)
        self._tree.watch(self)
        self._loop.every(1.0, lambda: self._waits.look(self._loop.now()))

    def _start_sources(self) -> None:
        """Those that first read what is there; one that fails is said and the rest goes on."""
        for source in self._sources:
            if isinstance(source, Startable):
                try:
                    source.start()
                except Exception as error:
                    self._failed(type(source).__name__, error)

    def _await(self, target: Target) -> None:
        """Let later processes join that belong to the target without being born in its tree."""
        lost = ""
        if target.kind == "library":
            arrivals = MappingArrivals(
                self._loop,
                self._tree,
                lambda record: is_mapping_of(target.value, record),
                lambda: processes_mapping(target.value),
            )
            lost = (
                ""
                if arrivals.told_by_kernel
                else f"processes that map the library for less than {arrivals.LOOK_SECONDS:.0f} s"
            )
        elif self._options.wait and self._records.engine is not None:
            ExecArrivals(self._tree, self._records.feed, target.matches)
            names = target.process_names
            self._records.engine.wait_for(lambda record: target.matches(program_of_exec(record)), names)
            if names:
                OverlookedArrivals(self._loop, self._tree, target.matches)
            if self._reactor is not None:
                for path in recall(target.text):
                    self._reactor.arm(path, path)
                self._reactor.wait_for(target.process_names, target.value if target.kind == "name" else "")
        elif self._options.wait or target.is_group:
            seconds = WAIT_SECONDS if self._options.wait else GROUP_SECONDS
            PolledArrivals(self._loop, self._tree, target.matches, seconds)
            lost = f"the first moments of processes that join later, and all of those that live less than {seconds:g} s"
        else:
            return
        if lost:
            why = "without kernel records, new processes are found by polling"
            self._sink.send(LimitNoted(at=self._loop.now(), what=lost, why=why, grant=grant_of_rights()))
        self._tree.attach(_found_now(target, self._options.wait), _origin(target))  # whoever came since the first look
        if not self._tree.processes():
            absent = target.kind == "library" and not Path(target.value).exists()
            state = ", which is not there yet" if absent else ": start it now"
            print(f"inspector: waiting for {target.text}{state}", file=sys.stderr)
        self._settling.ask(0)

    def _handle(self, request: Request) -> None:
        if isinstance(request, Quit):
            self._leave(visible(request.why) or "asked to quit")
            return
        if isinstance(request, Settle):
            self._settling.ask(request.id)
            return
        why = f"{type(request).__name__} is not possible here"
        for source in self._sources:
            try:
                if isinstance(source, Answering) and source.handle(request):
                    return
            except Exception as error:  # whoever asked is answered all the same
                why = f"{type(request).__name__} failed: {type(error).__name__}: {error}"
                break
        self._sink.send(RequestFailed(at=self._loop.now(), id=request.id, why=why))

    def _refuse(self, why: str) -> None:
        self._sink.send(RequestFailed(at=self._loop.now(), id=0, why=why))

    def _emptied(self) -> None:
        """The last process has ended: read what is left of it, then go, unless others may still join."""
        stays = self._options.wait or self._options.target.startswith("lib:")
        if self._options.wait and not self._reason:
            print(f"inspector: it has ended; waiting for the next start of {self._options.target}", file=sys.stderr)
        if self._reason:
            self._loop.stop()  # we were leaving, and this was all that we waited for
        elif not stays:
            self._loop.after(LAST_WORDS_SECONDS, lambda: self._stop_when_read(self._loop.now()))

    def _stop_when_read(self, since: int) -> None:
        if self._tree.processes():
            return  # somebody joined meanwhile
        if self._libraries.busy and self._loop.now() - since < READING_SECONDS * 1e9:
            self._loop.after(LAST_WORDS_SECONDS / 3, lambda: self._stop_when_read(since))
        else:
            self._stop(
                "the command and everything it started have ended" if self._launch else "the whole tree has ended"
            )

    def _leave(self, reason: str) -> None:
        """End what we started, if anything, and then ourselves."""
        if self._launch is None or self._options.keep or not (self._launch.lives or self._living()):
            self._stop(reason)
        elif not self._reason:
            self._reason = reason
            self._sink.send(ProgramCutShort(at=self._loop.now(), reason=reason))
            self._launch.ask_to_end(self._living())
            self._loop.soon(lambda: self._loop.after(PATIENCE_SECONDS, self._launch_must_end))

    def _launch_must_end(self) -> None:
        if self._launch is not None:
            self._launch.make_it_end(self._living())
        self._loop.after(LAST_WORDS_SECONDS, self._loop.stop)

    def _stop(self, reason: str, in_order: bool = True) -> None:
        if not self._reason:
            self._reason, self._in_order = reason, in_order
        self._loop.stop()

    def _reader_gone(self) -> None:
        """Called from the writing thread: nobody will read why we end."""
        self._loop.soon(lambda: self._leave("the viewer is gone"))

    def _waits_for(self, doing: str) -> None:
        """Called from the thread of the watchdog."""
        self._sink.send(CollectorWaits(at=self._loop.now(), doing=doing))

    def _close(self) -> None:
        self._records.feed.drain()
        for source in reversed(self._sources):
            if isinstance(source, Closing):
                try:
                    source.close()
                except Exception as error:
                    self._failed(type(source).__name__, error)
        self._watchdog.close()
        self._sink.send(ended(self._reason, self._in_order))
        self._sink.close()
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the reader need not wait until the kernel has let all probes go
        if self._images is not None:
            self._images.save()
        if self._reactor is not None:
            if self._options.wait:
                remember(self._options.target, ((each.path, each.device, each.inode) for each in self._reactor.met))
            self._reactor.close()
        if self._records.engine is not None:
            self._records.engine.close()  # at once: at our exit the kernel would take one after the other away
        uprobes.finish()

    def _failed(self, what: str, error: Exception) -> None:
        """A fault of ours: said once per kind, never the end of the rest."""
        if os.environ.get("INSPECTOR_DEBUG"):
            traceback.print_exception(error, file=sys.stderr)
        if (what, type(error)) not in self._said:
            self._said.add((what, type(error)))
            why = f"{type(error).__name__}: {error}"
            self._sink.send(LimitNoted(at=self._loop.now(), what=f"what {what} would have told", why=why))


def _birth(pid: int) -> int:
    return attempt(lambda: procfs.stat(pid).started, 0)


def _origin(target: Target | None) -> Origin:
    return "map" if target is not None and target.kind == "library" else "attach"


def _found_now(target: Target, waits: bool) -> list[int]:
    with suppress(TargetError):
        return target.find(waits)
    return []


def _check_births(tree: ProcessTree, births: dict[int, int]) -> None:
    """TargetError when a process ended while attaching, or its number went to another one."""
    for pid, birth in births.items():
        process, why = tree.find(pid), f"PID {pid} ended while attaching"
        if process is None:
            raise TargetError("ended", why, "inspector list")
        if abs(process.started - birth) > SAME_BIRTH:
            raise TargetError("ended", f"{why}; another process has that number now", "inspector list")
