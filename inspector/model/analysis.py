"""The one analysis that answer, ladder and report come from: attempts, progress, what is excused, stops, the worker."""

from collections.abc import Generator, Iterable, Iterator

import msgspec

from .attempts import Attempt, attempts_of
from .attempts.logged import told
from .chain import Stop, chain_of, driver_stop, lacked_drivers, stop_of, unread_stop
from .coverage import born_here
from .drivers import drivers_behind, software_drivers
from .failed_loads import is_load
from .families import DRAWING, MANAGEMENT, family_of_api
from .formatting import name_of
from .log_claims import ON_CPU, Word, last_word, words_of
from .log_runs import LogRun
from .memo import Steps, once_in_steps
from .profiles import Profiles
from .progress import Progress, progress_of, without_start
from .refusals import WITHOUT_IT, excused_by_siblings, excuses
from .settings import Setting, without_gpu
from .state import Process, State
from .worker import Worker, is_tool, serves_display, worker_of

_GIVEN_UP = 2_000_000_000
"""ns between a refusal and the words of a program that does without a GPU because of it."""


class Analysis(msgspec.Struct):
    """All conclusions about a state, before they are put into words."""

    state: State
    profiles: Profiles
    start: LogRun
    attempts: dict[Process, list[Attempt]] = msgspec.field(default_factory=dict)
    progress: dict[tuple[Process, str], Progress] = msgspec.field(default_factory=dict)
    excused: dict[Attempt, str] = msgspec.field(default_factory=dict)
    stops: dict[tuple[Process, str], Stop] = msgspec.field(default_factory=dict)
    words: list[Word] = msgspec.field(default_factory=list)
    settings: list[tuple[Process, Setting]] = msgspec.field(default_factory=list)
    """By which processes are told to use no GPU."""
    worker: Worker | None = None

    def all_attempts(self) -> Iterable[Attempt]:
        """Of all processes that are no tools of a shell."""
        for process, rows in self.attempts.items():
            if not is_tool(process) or _tells_of_another(process, rows):
                yield from rows

    def of_process(self, process: Process) -> Iterable[Progress]:
        """What a process reached, per family."""
        return (one for (owner, _), one in self.progress.items() if owner is process)

    def computing(self) -> Iterable[Progress]:
        """Progress in families through which one computes; what was drawn in software, where nothing else was asked."""
        drawn = [one for one in self.drawing() if self._in_software(one)]
        yield from (one for (_, family), one in self.progress.items() if family not in MANAGEMENT | DRAWING)
        yield from drawn

    def asking(self) -> Iterable[Progress]:
        """Of those that compute: who got a library of the API, or was refused one. Who only has a library that could
        ask, and everything of it is seen, has asked for nothing; what files foretell is no question.
        """
        asked = (one for one in self.all_attempts() if one.kind != "prediction")
        refused = {(one.process, one.family) for one in asked if one.ok is False}
        return (one for one in self.computing() if one.has_library or (one.process, one.family) in refused)

    @property
    def only_draws(self) -> bool:
        """No API to compute with was asked for: at most one to draw."""
        return not any(
            one.has_library or (process, family) in self.stops
            for (process, family), one in self.progress.items() if family not in MANAGEMENT | DRAWING
        )  # fmt: skip

    def drawing(self) -> Iterable[Progress]:
        """Progress in families that draw, where it may decide."""
        return (one for (_, family), one in self.progress.items() if family in DRAWING and self.only_draws)

    def drawn_by_device(self) -> bool:
        """Something may have been drawn by a device: no mode tells that."""
        return any(one.got_to("context") and not self._in_software(one) for one in self.drawing())

    def drawn_with(self) -> tuple[Progress, list[str]] | None:
        """What drew, and the drivers of devices behind it, where such a driver opened a device."""
        for one in self.drawing():
            if one.got_to("context"):
                behind = [drivers_behind(one.process, api, self.profiles) for api in self._apis_of(one.family)]
                drivers = [path for known in behind if known.nodes for path in known.hardware]
                if drivers:
                    return one, drivers
        return None

    def _apis_of(self, family: str) -> list[str]:
        return [api for api in self.profiles.apis if family_of_api(self.profiles, api) == family]

    def _in_software(self, one: Progress) -> bool:
        return bool(software_drivers(self.state, one.process, one.family, self.profiles))

    def chain(self, attempt: Attempt) -> list[Attempt]:
        """From an attempt to the root of its refusal."""
        return chain_of(attempt, self.excused)

    def chain_of_stop(self, stop: Stop) -> list[Attempt]:
        """From a stop to its root; a call that did not return ends in the death of its process, if that died."""
        chain = self.chain(stop.attempt)
        if not stop.attempt.came_back and not any(one.kind in ("signal", "end") for one in chain):
            deaths = self.unexcused("signal", "end")
            chain += [one for one in deaths if one.process is stop.progress.process][:1]
        return chain

    @property
    def last_word(self) -> Word | None:
        """The newest line that says what is computed on."""
        return last_word(self.words)

    def unexcused(self, *kinds: str) -> list[Attempt]:
        """Refusals of these kinds that were never made good, in order of time."""
        found = [
            one for one in self.all_attempts() if one.ok is False and one.kind in kinds and one not in self.excused
        ]
        return sorted(found, key=lambda one: one.at)


def analyse(state: State, profiles: Profiles, start: LogRun) -> Generator[None, None, Analysis]:
    """The analysis, in steps of one process, so that a screen can answer keys in between."""
    analysis = Analysis(state, profiles, start)
    analysis.words = words_of(start, profiles)
    for process in state.processes:
        analysis.attempts[process] = yield from attempts_of(state, process, profiles)
        yield
    _hear(analysis)
    for process in analysis.attempts:
        yield from _judge(analysis, process)
        yield
    analysis.excused |= excused_by_siblings(_open_refusals(analysis), analysis.progress)
    for attempt in list(_given_up_for(analysis)):
        del analysis.excused[attempt]
    for (process, family), progress in analysis.progress.items():
        rows = analysis.attempts[process]
        stop = stop_of(state, progress, rows, analysis.excused) or unread_stop(state, progress, rows)
        stop = stop or driver_stop(state, progress, rows)
        if stop is not None and _asks(process, rows):
            for lacked in lacked_drivers(stop, rows, analysis.excused):
                for one in (lacked, *lacked.within):
                    analysis.excused.pop(one, None)
                stop.attempt.within.append(lacked)
                stop.before = True
            analysis.stops[process, family] = stop
    analysis.settings = [
        (process, setting)
        for process in state.processes
        if process.execs and not is_tool(process)
        for setting in without_gpu(process, profiles)
    ]
    analysis.worker = worker_of(state)
    yield
    return analysis


def _given_up_for(analysis: Analysis) -> Iterator[Attempt]:
    """Names that were the last that a living consumer asked for, just before its program said that it is on the CPU."""
    last = analysis.last_word
    if last is None or last.saying not in ON_CPU:
        return
    told = [word.at for word in analysis.words if word.saying in ON_CPU and word.at]
    for process, family in analysis.progress:
        asked = [row for row in analysis.attempts[process] if row.family == family and not row.own_ends]
        newest = max(asked, key=lambda row: row.at, default=None)
        if newest is None or newest.kind != "lookup" or analysis.excused.get(newest) != WITHOUT_IT:
            continue
        until = min(newest.at + _GIVEN_UP, process.ended or newest.at + _GIVEN_UP)
        if any(newest.at - _GIVEN_UP < at <= until for at in told):
            yield newest


def _hear(analysis: Analysis) -> None:
    """Put what the programs say beside what was seen of them."""
    asked_only = {
        (process, name_of(one.name)) for process in analysis.attempts for one in process.lookups
        if one.via in ("dlopen", "dlmopen") and not is_load(one)
    }  # fmt: skip
    seen = [row for rows in analysis.attempts.values() for row in rows]
    for attempt in told(analysis.state, analysis.profiles, analysis.words, seen, asked_only):
        rows = analysis.attempts.get(attempt.process, [])
        rows = [row for row in rows if not _the_same(row, attempt)]
        analysis.attempts[attempt.process] = sorted([*rows, attempt], key=lambda row: row.at)


def _the_same(row: Attempt, told: Attempt) -> bool:
    """What was only counted, or only read from a table, and is now told in the program's own words."""
    counted = row.ok is None and row.calls is not None and row.calls is told.calls
    return counted or (row.source == "file" and (row.kind, row.what) == (told.kind, told.what) and row.kind == "lookup")


def _judge(analysis: Analysis, process: Process) -> Steps[None]:
    rows = analysis.attempts[process]
    heard = tuple(id(row.word) for row in rows if row.word is not None)

    def compute() -> Steps[tuple[dict[Attempt, str], dict[str, Progress]]]:
        hollow = without_start(rows)
        excused = yield from excuses(process, rows, hollow)
        return excused, progress_of(process, rows, hollow)

    excused, progress = yield from once_in_steps(
        "judgement", analysis.state, process, analysis.profiles, compute, (len(rows), heard)
    )
    analysis.excused |= excused
    for family, one in progress.items():
        if _asks(process, rows) and not (family in DRAWING and serves_display(process)):
            analysis.progress[process, family] = one


def _asks(process: Process, rows: list[Attempt]) -> bool:
    """No shell and no tool of one, but where a shell from before us holds the log in which somebody tells of a refusal
    who has ended since.
    """
    told = any(row.word is not None and row.kind in ("load", "lookup", "call") for row in rows)
    return not is_tool(process) or (told and not born_here(process))


def _tells_of_another(process: Process, rows: list[Attempt]) -> bool:
    """What is known of a shell from before us is only what others left in its log."""
    return not born_here(process) and any(row.word is not None for row in rows)


def _open_refusals(analysis: Analysis) -> list[Attempt]:
    return [row for row in analysis.all_attempts() if row.ok is False and row not in analysis.excused]
