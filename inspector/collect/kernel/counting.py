"""All functions under counting: who called what, how often, with what result, what is inside, and at what price."""

import struct
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import msgspec

from .attach import close_all
from .budget import Budget, Load
from .call_maps import COUNTER, READ_ROOM
from .call_programs import BEGAN, ENOUGH, RETURNED, RETURNED_BODY, TIMED_CALLS
from .call_sums import CallSums, Outcome
from .counter_block import BLOCK, CounterBlock
from .engine import Engine
from .file_watch import EXIT_COST, FileWatch, Function, Group
from .frames import Frame, read_frames
from .membership import CONTROL_RESTING, HEADER, SHARED_SLOT, STRANGERS_SLOT
from .open_calls import seems_open
from .records import CallsBegan, Record, ResultsKnown, Returned
from .run_time import has_not_run, kept_waiting, run_times

_SHORTEST = 1_000_000
_PATIENCE = 10
"""Times as long as who has a processor is looked at, where nobody gets one."""
_FEW = 100
"""Calls that tell of no hot loop."""
RESULTS_PERCENT = 0.3
"""Of one CPU: what reading results may cost in all processes together, strangers' too."""
_RESULTS_BURST = 10.0
"""Seconds' worth of it that a discovery may spend at once: some 2,000 results."""


class Count(msgspec.Struct, frozen=True):
    """Entries of one function in one process so far."""

    pid: int
    function: int
    count: int
    first: int
    last: int
    """Exact for the first 64 calls; later the moment when we saw that there were more."""


class Stopped(msgspec.Struct, frozen=True):
    """A function that cost too much and was detached."""

    function: int
    per_second: float


class _CountingPeriod(msgspec.Struct):
    """Calls since the last judgement."""

    since: int
    """First call ever, where that is later."""
    calls: int = 0


class Counting:
    """Functions of any number of files, counted in the members of an engine. A source of `Returned` records."""

    def __init__(self, engine: Engine, percent: float = 1.0, early: CounterBlock | None = None) -> None:
        """`percent` of one CPU is what counting may cost in all processes together; `early`: numbers that another
        process gives to functions, see `adopt`."""
        self._engine = engine
        self._maps = engine.maps.calls
        self._budget = Budget(percent)
        self._results_budget = Budget(RESULTS_PERCENT, _RESULTS_BURST)
        self._results_judged = 0
        self._passed: dict[int, int] = {}
        """How often an exit of each function was passed, at the last judgement."""
        self._files: list[FileWatch] = []
        self._early = early
        self._blocks = [early] if early else []
        self._lock = threading.Lock()
        self._rows: dict[tuple[int, int], bytes] = {}
        self._finals: list[Count] = []
        self._outcomes = CallSums(self._maps.outcomes)
        self._callers = CallSums(self._maps.callers)
        self._loads: dict[int, _CountingPeriod] = {}
        self._leaving: list[threading.Thread] = []
        self._judged = 0
        engine.add_slot_user(self)
        engine.add_source(self)

    @property
    def fd(self) -> int:
        """Readable when `drain` has something to tell."""
        return self._maps.ring.fd

    def reserve(self, count: int) -> int:
        """The first of so many consecutive function numbers."""
        with self._lock:
            last = self._blocks[-1] if self._blocks else None
            first = last.take(count) if last is not None and last is not self._early else None
            if first is None:
                following = last.first + last.count if last is not None else 0
                block = CounterBlock(self._engine.members, self._maps, following, max(count, BLOCK))
                self._blocks.append(block)
                first = block.take(count)
        assert first is not None
        return first

    def attach(self, path: bytes, functions: Sequence[Function], first: int, mapped: bool = False) -> FileWatch:
        """Set the probes of a file under reserved numbers; waits for the kernel, so any thread may call it.

        They count at once; `add` has them told. `mapped`: some process maps the file. OSError when all is refused.
        """
        block = next(each for each in self._blocks if each.first <= first < each.first + each.count)
        return FileWatch(block, self._maps, path, first, functions, mapped)

    def adopt(self, file: int, first: int, functions: Sequence[Function], groups: list[Group]) -> FileWatch:
        """Probes that another process has set under numbers of the early block, with their descriptors."""
        assert self._early is not None
        return FileWatch.adopt(self._early, self._maps, file, first, functions, groups)

    def hot_functions(self, watch: FileWatch, seconds: float) -> dict[int, float]:
        """Calls a second of each function of a file, by whomever, while this waits; in any thread.

        Empty where none was called often since it is counted, though who wants to run did: that is no hot loop. On a
        busy machine a loop may stand still for the whole time: only that in which a program could run counts.
        """
        pids, patience = self._engine.processes(), seconds * _PATIENCE
        begun, times = time.monotonic(), run_times(pids)
        while max(self._totals(watch).values(), default=0) < _FEW:
            if time.monotonic() - begun > patience or not has_not_run(times, run_times(pids), _SHORTEST):
                return {}
            time.sleep(_SHORTEST / 1e9)
        begun, times, before, could_run = time.monotonic(), run_times(pids), self._totals(watch), 0.0
        while could_run < seconds / 2 and time.monotonic() - begun < patience:
            time.sleep(seconds)
            elapsed = time.monotonic() - begun
            could_run = elapsed - kept_waiting(times, run_times(pids), int(elapsed * 1e9)) / 1e9
        after, could_run = self._totals(watch), max(could_run, seconds / 4)
        return {number: (after[number] - before[number]) / could_run for number in after}

    def _totals(self, watch: FileWatch) -> dict[int, int]:
        numbers = range(watch.first, watch.first + len(watch.functions))
        totals = dict.fromkeys(numbers, 0)
        for slot in {STRANGERS_SLOT, SHARED_SLOT, *(slot for _, slot in self._engine.slots())}:
            for number, counter in zip(numbers, COUNTER.iter_unpack(watch.row(slot)), strict=True):
                totals[number] += counter[0]
        return totals

    def add(self, watch: FileWatch) -> None:
        """Tell of the functions of a file from now on."""
        self._files.append(watch)

    def watch(self, path: bytes, functions: Sequence[Function], mapped: bool = False) -> FileWatch:
        """Begin to count functions of a file, and to tell of them. OSError when the kernel refuses it all."""
        watch = self.attach(path, functions, self.reserve(len(functions)), mapped)
        self.add(watch)
        return watch

    def remove(self, watch: FileWatch) -> None:
        """Take all probes of a file away and forget its counts."""
        self._files.remove(watch)
        watch.close()

    def detach(self, functions: Iterable[int]) -> None:
        """Stop counting these and reading their results, in the background: the kernel takes its time."""
        going = list(functions)
        self.detach_results(going)
        for watch in self._files:
            if watch.counting.intersection(going):
                self._aside(watch.detach, going)

    def detach_results(self, functions: Iterable[int]) -> None:
        """Read no more results of these and go on counting them, in the background."""
        going = list(functions)
        for watch in self._files:
            if watch.exits.watched.intersection(going):
                self._aside(watch.exits.detach, going)

    def _aside(self, work: Callable[[list[int]], None], functions: list[int]) -> None:
        thread = threading.Thread(target=work, args=(functions,), name="let-go", daemon=True)
        thread.start()
        self._leaving = [*(thread for thread in self._leaving if thread.is_alive()), thread]

    def counts(self) -> list[Count]:
        """What changed since the last call."""
        changed, self._finals = self._finals, []
        slots = {slot: pid for pid, slot in self._engine.slots()}
        for block in self._blocks:
            for slot in {STRANGERS_SLOT, SHARED_SLOT, *slots}:
                rows = list(self._changes(block, slot))  # also of strangers: the budget must see what they pay
                if slot in slots and slot != SHARED_SLOT:
                    changed += [Count(slots[slot], *row) for row in rows]
        return changed

    def judge(self, now: int) -> list[Stopped]:
        """Detach what cost too much since the last call (of `counts` and of this)."""
        loads = {number: Load(spell.calls, self._cost(number)) for number, spell in self._loads.items()}
        begun = {number: max(spell.since, self._judged) for number, spell in self._loads.items()}
        elapsed, self._judged, self._loads = now - self._judged, now, {}
        if not loads or elapsed <= 0:
            return []
        going = self._budget.judge(loads, elapsed)
        if going:
            self.detach(going)
        return [Stopped(number, loads[number].calls * 1e9 / max(now - begun[number], _SHORTEST)) for number in going]

    def judge_results(self, now: int) -> list[Stopped]:
        """Read no more results of what cost too much by it since the last call: first of what does not decide."""
        loads: dict[int, Load] = {}
        for watch in self._files:
            for number in watch.exits.watched:
                passed = watch.exits_passed(number)
                if calls := passed - self._passed.get(number, 0):
                    self._passed[number] = passed
                    loads[number] = Load(calls, EXIT_COST, watch.functions[number - watch.first].decides)
        elapsed, self._results_judged = now - self._results_judged, now
        if not loads or elapsed <= 0:
            return []
        going = self._results_budget.judge(loads, elapsed)
        self.detach_results(going)
        return [Stopped(number, loads[number].calls * 1e9 / max(elapsed, _SHORTEST)) for number in going]

    def has_result(self, function: int) -> bool:
        """Whether a result of this function was read in any observed process."""
        watches = (each for each in self._files if each.first <= function < each.first + len(each.functions))
        return any(watch.results_read(function) for watch in watches)

    def outcomes(self) -> list[Outcome]:
        """Results by caller that changed since the last call."""
        return self._outcomes.changed(self._pids())

    def callers(self) -> list[Outcome]:
        """Entries by caller that changed since the last call; their result means nothing."""
        return self._callers.changed(self._pids())

    def inside(self) -> list[Frame]:
        """Calls that have entered and not returned, as far as their exits are watched."""
        since = {
            number: watch.exits.since[number]
            for watch in self._files
            for number in watch.exits.watched
            if number in watch.exits.since
        }
        return [
            frame
            for frame in read_frames(self._maps.frames)
            if frame.function in since and seems_open(frame, frame.entered >= since[frame.function])
        ]

    def _pids(self) -> dict[int, int]:
        return {slot: pid for pid, slot in self._engine.slots()}

    def drain(self) -> list[Record]:
        """Calls in full, and the first one since `suspend`."""
        records: list[Record] = []
        for raw in self._maps.ring.drain():
            record = parse_record(raw)
            if isinstance(record, CallsBegan):
                self._judged = max(self._judged, record.at)
            if record is not None:
                records.append(record)
        return records

    def suspend(self) -> None:
        """Nobody will ask for what changed until a `CallsBegan` record tells that something does.

        A call may be counted just before: ask once more, and suspend when `suspended` is still true then.
        """
        self._engine.members.report_next_call()

    @property
    def suspended(self) -> bool:
        """No call was counted since `suspend`."""
        return self._engine.members.control_word(CONTROL_RESTING) != 0

    def settle(self, gone: Mapping[int, int | None]) -> None:
        """Processes are gone: keep the last counts of ours until the next `counts`, and clear their slots."""
        called = {slot: pid for slot, pid in gone.items() if slot != SHARED_SLOT and self._settle(slot, pid)}
        if called:
            self._outcomes.settle(called)
            self._callers.settle(called)

    def _settle(self, slot: int, pid: int | None) -> bool:
        """Whether the process called anything."""
        called = False
        for block in self._blocks:
            row = block.row(slot)
            if row != bytes(len(row)):
                called = True
                last = list(self._changes(block, slot))
                self._finals += [Count(pid, *row) for row in last] if pid is not None else []
                block.clear(slot)
            self._rows.pop((block.first, slot), None)
        return called

    def close(self) -> None:
        """Take all probes away."""
        for thread in self._leaving:
            thread.join()
        close_all([link for watch in self._files for link in watch.take_links()])
        for watch in self._files:
            watch.close()
        for block in self._blocks:
            if block is not self._early:
                block.close()

    def _changes(self, block: CounterBlock, slot: int) -> Iterator[tuple[int, int, int, int]]:
        """Function, count, first and last of the counters of a slot that changed; notes what they cost."""
        place = (block.first, slot)
        seen = time.monotonic_ns()
        row, before = block.row(slot), self._rows.get(place, b"")
        if row == before:
            return
        self._rows[place] = row
        old = COUNTER.iter_unpack(before.ljust(len(row), b"\0"))
        for number, (now, then) in enumerate(zip(COUNTER.iter_unpack(row), old, strict=True), block.first):
            if now[0] != then[0]:
                self._loads.setdefault(number, _CountingPeriod(now[1])).calls += now[0] - then[0]
                yield number, now[0], now[1], now[2] if now[0] <= TIMED_CALLS else seen

    def _cost(self, number: int) -> int:
        for watch in self._files:
            if watch.first <= number < watch.first + len(watch.functions):
                return watch.functions[number - watch.first].cost if number in watch.counting else 0
        return 0


def parse_record(raw: bytes) -> Returned | CallsBegan | ResultsKnown | None:
    """One record of the ring of calls; None when it is none."""
    try:
        kind, pid, tid, function, at = HEADER.unpack_from(raw)
        if kind == BEGAN:
            return CallsBegan(at)
        if kind == ENOUGH:
            return ResultsKnown(at, function)
        entered, caller, result, *rest = RETURNED_BODY.unpack_from(raw, HEADER.size)
    except struct.error:
        return None
    if kind != RETURNED:
        return None
    *arguments, readable = rest
    memory = raw[HEADER.size + RETURNED_BODY.size :]
    reads = tuple(
        memory[place * READ_ROOM : (place + 1) * READ_ROOM] if readable >> place & 1 else b""
        for place in range(len(memory) // READ_ROOM)
    )
    return Returned(entered, at, pid, tid, function, caller, result, tuple(arguments), reads)
