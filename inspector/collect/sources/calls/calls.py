"""Calls of API functions in every process of the tree: how often, by whom, with what result, what is still inside."""

from collections.abc import Iterable, Sequence
from collections.abc import Mapping as Table

from inspector.stream.base import Request
from inspector.stream.calls import (
    CallCount,
    CallerCount,
    CallersCounted,
    CallOutcome,
    CallReturned,
    CallsCounted,
    CallsInside,
    CountingStopped,
    OpenCall,
    OutcomesCounted,
    ResultsStopped,
)
from inspector.stream.libraries import ImageRead
from inspector.stream.requests import CountFunctions, StopCounting

from ...kernel.counting import RESULTS_PERCENT, Count, Counting
from ...kernel.frames import Frame
from ...kernel.records import CallsBegan, EndedInside, ResultsKnown, Returned
from ..contract import Mapping, Session, Tracked, TreeObserver
from ..libraries.addresses import Addresses
from ..libraries.providers import Candidate, Providers
from ..per_file import PerFile
from ..poll_rate import Ticker
from ..processes.record_source import Records
from .call_plans import arguments_of, signed, values_of
from .callers import UNKNOWN, CallerNames, CallerSums
from .counted_files import CountedFiles, candidate_of
from .handed_out import HandedOut
from .pending_dlopens import PendingLoads

TICK_SECONDS = 0.05
FLOODED_NS = 240_000_000
"""Least time between two looks while many processes are born."""
SLOW_SECONDS = 0.2
_OTHERS_AFTER = 0.1
"""Seconds from the mapping of a file until its functions that are not listed are counted: the start goes first."""
_CALLED_BY_OTHERS = "other programs call it as well: reading results would slow them down"
INSIDE_NS = 150_000_000
"""A call that is inside for less is not told: it is about to return."""


class CallsSource(TreeObserver):
    """Turns what the probes on files of a watched API tell into events; `counted_files` sets them."""

    def __init__(
        self,
        session: Session,
        records: Records,
        addresses: Addresses,
        loads: PendingLoads,
        providers: Providers,
    ) -> None:
        """Must hear the tree after the source of passive evidence: probes change the pages that it looks at."""
        self._session = session
        assert records.engine is not None
        feed, engine, reactor = records.feed, records.engine, records.reactor
        self._feed, self._engine = feed, engine
        self._counting = Counting(engine, session.configure.budget, reactor.block if reactor else None)
        self._files = CountedFiles(session, self._counting, reactor, self._attached, self._say_stopped)
        self._handed_out = HandedOut(session, feed, addresses, self._files)
        self._exports_planned = PerFile(self._files.exports_planned)
        self._names = CallerNames(addresses)
        self._callers, self._outcomes = CallerSums(self._names), CallerSums(self._names)
        self._loads = loads
        self._announced: set[int] = set()
        self._others_asked: set[str] = set()
        """Files whose functions that no profile lists will be looked for in a moment."""
        self._early: list[Returned | EndedInside] = []
        """Calls of functions that are not announced yet."""
        self._unannounced: list[Count] = []
        self._stopped: set[int] = set()
        self._results_stopped: set[int] = set()
        self._known: list[int] = []
        """Functions of which enough results were read."""
        self._inside: list[OpenCall] = []
        self._ended_in: dict[int, list[OpenCall]] = {}
        """By process that ends: the calls that its threads ended in."""
        self._soon = False
        self._looked = 0
        """When the last look was."""
        self._moved = False
        """Something was told since the last tick."""
        self._under_way = False
        """Calls were counted since the last slow tick, or open at it: their returns are still to be told."""
        self._ticker = Ticker(session.loop, TICK_SECONDS, self._tick)
        self._slow_ticker = Ticker(session.loop, SLOW_SECONDS, self._slow_tick)
        session.tree.watch(self)
        feed.listen(CallsBegan, self._began)
        feed.listen(Returned, self._returned)
        feed.listen(ResultsKnown, self._results_known)
        feed.listen(EndedInside, self._ended_inside)
        providers.listen(self._offered)

    def start(self) -> None:
        """When this returns, calls of what is known by now are counted."""
        self._files.settle()
        self._ticker.wake()

    def ended(self, process: Tracked) -> None:
        """What its threads ended in was told before."""
        self._ended_in.pop(process.pid, None)

    def executed(self, process: Tracked) -> None:
        """Its callers are others now."""
        self._names.forget(process.pid)

    def forgotten(self, process: Tracked) -> None:
        """No count of it is to come."""
        for each in (self._names, self._callers, self._outcomes):
            each.forget(process.pid)

    def _offered(self, candidate: Candidate) -> None:
        """A file that some process may map soon; if others map it, their picture is taken first, see `image`."""
        others = [process for process in self._session.tree.processes() if process.pid != candidate.pid]
        if not any(mapping.file == candidate.file for each in others for mapping in each.mappings.values()):
            self._files.watch_planned(candidate)

    def image(self, process: Tracked, mapping: Mapping, image: ImageRead) -> None:
        """A mapped file that exports functions of the plan is counted at once."""
        if self._exports_planned.of(image) and self._session.configure.count:
            self._files.watch_planned(candidate_of(mapping))
            if mapping.file not in self._others_asked:
                self._others_asked.add(mapping.file)
                self._session.loop.after(_OTHERS_AFTER, lambda: self._watch_others(mapping))

    def _watch_others(self, mapping: Mapping) -> None:
        self._others_asked.discard(mapping.file)  # whoever maps it next asks again, should this one have ended
        self._files.watch_others(candidate_of(mapping))

    def handle(self, request: Request) -> bool:
        """True when the request was ours."""
        if isinstance(request, CountFunctions):
            self._files.count_on_request(request)
        elif isinstance(request, StopCounting):
            self._counting.detach(request.functions)
            self._say_stopped(request.functions, "asked to stop")
        else:
            return False
        return True

    @property
    def busy(self) -> bool:
        """Whether probes are being set, or callers are not named yet."""
        return self._files.busy or self._waiting or self._soon

    def close(self) -> None:
        """Say the last counts and take all probes away: also those of files that are only being announced."""
        self._files.settle()
        self._files.close()
        self._look()
        self._slow_tick()
        self._counting.close()

    def _attached(self, numbers: Sequence[int], hot: Table[int, float]) -> None:
        """After it was told what is counted: what was detached at once, then the calls that were told meanwhile."""
        self._ticker.wake()
        self._announced.update(numbers)
        for number, rate in hot.items():
            self._say_stopped([number], self._over_budget(rate), rate)
        self._look_soon()
        early, self._early = self._early, []
        for record in early:
            self._returned(record) if isinstance(record, Returned) else self._ended_inside(record)

    def _over_budget(self, per_second: float) -> str:
        budget = self._session.configure.budget
        return f"{per_second:,.0f} calls a second would cost more than {budget:g} % of a CPU"

    def _say_stopped(self, functions: Iterable[int], why: str, per_second: float = 0.0) -> None:
        going = [number for number in functions if number in self._files.functions and number not in self._stopped]
        if going:
            self._stopped.update(going)
            at = self._session.loop.now()
            self._session.sink.send(CountingStopped(at=at, functions=going, why=why, per_second=per_second))

    def _results_known(self, record: ResultsKnown) -> None:
        """So that it costs no more than its count from now on; those that are known together go together."""
        if not self._known:
            self._session.loop.soon(self._detached_known)
        self._known.append(record.cookie)

    def _detached_known(self) -> None:
        known, self._known = self._known, []
        self._counting.detach_results(known)
        read = [number for number in known if self._counting.has_result(number)]
        self._say_results_stopped(read, "enough results were read")
        self._say_results_stopped([number for number in known if number not in read], _CALLED_BY_OTHERS)

    def _say_results_stopped(self, functions: Iterable[int], why: str, per_second: float = 0.0) -> None:
        going = [number for number in functions if number not in self._results_stopped]
        if going:
            self._results_stopped.update(going)
            at = self._session.loop.now()
            self._session.sink.send(ResultsStopped(at=at, functions=going, why=why, per_second=per_second))

    def _began(self, _: CallsBegan) -> None:
        """The first call after reading was suspended."""
        self._look_soon()
        self._ticker.wake()

    def _look_soon(self) -> None:
        """At once after a rest; while something moves the ticker looks anyway."""
        rested = FLOODED_NS if self._feed.flooded else TICK_SECONDS * 1e9
        if not self._soon and self._session.loop.now() - self._looked >= rested:
            self._soon = True
            self._session.loop.soon(self._look)
        else:
            self._ticker.wake()

    def _tick(self) -> bool:
        """Look until nothing moves; then the kernel tells of the next call. Under a flood each second time."""
        if self._feed.flooded and self._session.loop.now() - self._looked < FLOODED_NS:
            return True
        self._look()
        moved, self._moved = self._moved, False
        if moved:
            self._slow_ticker.wake()
        elif self._counting.suspended:
            return False
        else:
            self._counting.suspend()
        return True

    def _look(self) -> None:
        """Counters that changed, and what they cost."""
        self._soon, self._looked = False, self._session.loop.now()
        batch = self._engine.drain()  # mappings alone do not wake us; last counts come one drain later
        self._feed.hand_out(batch)
        now = self._session.loop.now()
        counts = self._announced_counts()
        self._moved |= bool(batch or counts or self._waiting)
        if counts:
            self._under_way = True
            self._session.sink.send(CallsCounted(at=now, counts=[_count_event(count) for count in counts]))
        for stopped in self._counting.judge(now):
            self._say_stopped([stopped.function], self._over_budget(stopped.per_second), stopped.per_second)
        for stopped in self._counting.judge_results(now):
            why = f"{stopped.per_second:,.0f} results a second would cost more than {RESULTS_PERCENT:g} % of a CPU"
            self._say_results_stopped([stopped.function], why, stopped.per_second)
        if counts or self._waiting:
            self._tell_sums(now)

    def _announced_counts(self) -> list[Count]:
        """What changed, of functions that were told; the rest when they are."""
        counts = [*self._unannounced, *self._counting.counts()]
        self._unannounced = [count for count in counts if count.function not in self._announced]
        return [count for count in counts if count.function in self._announced]

    @property
    def _waiting(self) -> bool:
        return self._callers.waiting or self._outcomes.waiting

    def _tell_sums(self, now: int) -> None:
        """Entries and results by caller."""
        counts = self._callers.add(self._counting.callers(), self._files_of, now)
        if counts:
            self._session.sink.send(CallersCounted(at=now, counts=[_caller_event(each) for each in counts]))
        outcomes = self._outcomes.add(self._counting.outcomes(), self._files_of, now)
        if outcomes:
            self._session.sink.send(OutcomesCounted(at=now, outcomes=outcomes))

    def _files_of(self, function: int) -> str | None:
        """The identity of a function's file; None until it is told that it is counted."""
        return self._files.functions[function].file.file if function in self._announced else None

    def _slow_tick(self) -> bool:
        """Calls that are open, and returns of calls that began long ago; False when no call is under way any more."""
        now = self._session.loop.now()
        inside = [frame for frame in self._counting.inside() if frame.function in self._announced]
        if inside or self._under_way:
            self._tell_sums(now)
        self._under_way = bool(inside)
        self._tell_inside(now, [self._open(frame) for frame in inside if now - frame.entered > INSIDE_NS])
        return self._under_way

    def _ended_inside(self, record: EndedInside) -> None:
        """Told before the end of its process, so that it is known what it died in."""
        if any(frame.function not in self._announced for frame in record.frames):
            self._early.append(record)
            return
        if record.frames:
            self._ended_in.setdefault(record.pid, []).extend(self._open(frame) for frame in record.frames)
            self._tell_inside(record.at, [call for call in self._inside if call.pid != record.pid])
        process = self._session.tree.find(record.pid)
        if process is None or not process.alive:
            self._ended_in.pop(record.pid, None)

    def _tell_inside(self, at: int, living: list[OpenCall]) -> None:
        """All calls that are open, if they are others than those that were told last."""
        now_open = [*living, *(call for calls in self._ended_in.values() for call in calls)]
        if now_open != self._inside:
            self._inside = now_open
            self._session.sink.send(CallsInside(at=at, open=now_open))

    def _open(self, frame: Frame) -> OpenCall:
        return OpenCall(
            pid=frame.pid,
            tid=frame.tid,
            function=frame.function,
            entered=frame.entered,
            caller=self._caller(frame.pid, frame.caller, frame.function),
        )

    def _caller(self, pid: int, address: int, function: int) -> str:
        if not address:
            return ""
        caller = self._names.name(pid, address, self._files.functions[function].file.file, self._session.loop.now())
        return caller.path if caller else UNKNOWN

    def _returned(self, record: Returned) -> None:
        """One call in full. Its mapping record came before it, so its caller is known."""
        if record.cookie not in self._announced:
            self._early.append(record)
            return
        counted = self._files.functions[record.cookie]
        if counted.planned is None:
            return
        plan = counted.planned.plan
        caller = self._names.name(record.pid, record.caller, counted.file.file, self._session.loop.now())
        own = caller.own if caller else False
        self._session.sink.send(
            CallReturned(
                at=record.at,
                pid=record.pid,
                tid=record.tid,
                function=record.cookie,
                entered=record.entered,
                caller=caller.path if caller else UNKNOWN,
                own=own,
                constructor=own and self._loads.is_inside(record.tid),
                result=signed(record.result),
                arguments=arguments_of(plan, record.arguments, record.memory),
                values=values_of(plan, record.memory),
            )
        )
        self._look_soon()


def _count_event(count: Count) -> CallCount:
    return CallCount(pid=count.pid, function=count.function, count=count.count, first=count.first, last=count.last)


def _caller_event(counted: CallOutcome) -> CallerCount:
    return CallerCount(
        pid=counted.pid,
        function=counted.function,
        caller=counted.caller,
        own=counted.own,
        count=counted.count,
        first=counted.first,
        last=counted.last,
    )
