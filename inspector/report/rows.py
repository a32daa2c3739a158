"""Rows of the report that stand as they were seen: calls, look-ups, libraries, files, logs, opens, limits, moments."""

import errno as errors
from collections import Counter
from collections.abc import Callable
from typing import TypeVar

from inspector.model import tree
from inspector.model.coverage import counted_late, lower_bound, unread_results
from inspector.model.formatting import listed, name_of, plural
from inspector.model.profiles import Profiles
from inspector.model.state import LogSource, Process, State
from inspector.model.verdict import Answer
from inspector.stream.calls import CallerCount, CallOutcome, FileOpened, LookedUp, WatchedFunction
from inspector.stream.libraries import Export, ImageRead, Need
from inspector.stream.own_command import runnable
from inspector.stream.syscalls import SystemCallRefused

from .clock import Clock, wall_iso
from .schema import (
    CallReport,
    ImageReport,
    LibraryReport,
    LimitReport,
    LogLineReport,
    LogReport,
    LookupReport,
    OpenReport,
    TimelineRow,
)
from .trace import row

_NS = 1_000_000_000
_LINES_THAT_MATTER = 200
_NEWEST_LINES = 40


def calls(state: State, clock: Clock) -> list[CallReport]:
    """Every function that was called in every process, in order of first call."""
    rows = [
        (_first(process, function), _call(process, state.functions[function], state, clock))
        for process in state.processes
        for function in _called(process)
        if function in state.functions
    ]
    return [row for _, row in sorted(rows, key=lambda pair: (pair[0], pair[1].pid, pair[1].function))]


def _called(process: Process) -> list[int]:
    counted = dict.fromkeys(function for function, count in process.counts.items() if count.count)
    inside = dict.fromkeys(call.function for call in process.open_calls)
    return list(counted | dict.fromkeys(key[0] for key in process.outcomes) | inside)


def _first(process: Process, function: int) -> int:
    count = process.counts.get(function)
    outcomes = [outcome.first for key, outcome in process.outcomes.items() if key[0] == function and outcome.first]
    return count.first if count else min(outcomes, default=0)


def _call(process: Process, function: WatchedFunction, state: State, clock: Clock) -> CallReport:
    count = process.counts.get(function.id)
    callers = process.calls_by(function.id)
    outcomes = [outcome for key, outcome in process.outcomes.items() if key[0] == function.id]
    entered = [call.entered for call in process.open_calls if call.function == function.id]
    last = max((count.last if count else 0), *(outcome.last for outcome in outcomes), 0)
    values = [call.values for call in process.calls if call.function == function.id and call.values]
    return CallReport(
        api=function.api,
        function=function.name,
        library=function.library,
        pid=process.pid,
        count=max(count.count if count else 0, sum(caller.count for caller in callers), len(entered)),
        first=clock.iso(_first(process, function.id) or min(entered, default=0)),
        last=clock.iso(last),
        inside=round(((process.ended or state.now) - min(entered)) / _NS, 6) if entered else None,
        callers=_tally(callers, lambda caller: caller.caller),
        results=_tally(outcomes, lambda outcome: state.profiles.result_name(function.api, outcome.result)),
        values=dict(values[-1]) if values else {},
        lower_bound=lower_bound(state, process, function),
        results_of=unread_results(state, process, function),
    )


_Counted = TypeVar("_Counted", CallerCount, CallOutcome)


def _tally(counts: list[_Counted], name: Callable[[_Counted], str]) -> dict[str, int]:
    counter: Counter[str] = Counter()
    for counted in counts:
        counter[name(counted)] += counted.count
    return dict(sorted(counter.items(), key=lambda item: (-item[1], item[0])))


def lookups(state: State, clock: Clock) -> list[LookupReport]:
    """Look-ups in order of appearance, equal ones together, then what the loader refused of its own accord."""
    return [row for process in state.processes for row in (*_asked(process, clock), *_refused(process, clock))]


def _asked(process: Process, clock: Clock) -> list[LookupReport]:
    first: dict[tuple[object, ...], LookedUp] = {}
    counts: Counter[tuple[object, ...]] = Counter()
    for lookup in process.lookups:
        key = (lookup.via, lookup.requester, lookup.name, lookup.version, lookup.found, lookup.answer, lookup.error)
        first.setdefault(key, lookup)
        counts[key] += lookup.count
    return [
        LookupReport(
            pid=process.pid,
            via=lookup.via,
            requester=lookup.requester,
            name=lookup.name,
            count=counts[key],
            found=lookup.answer if lookup.found else None,
            answered_by=lookup.answered_by,
            error=lookup.error,
            outcome="unseen" if lookup.found is None else "found" if lookup.found else "refused",
            version=lookup.version,
            at=clock.iso(lookup.at),
        )
        for key, lookup in first.items()
    ]


def _refused(process: Process, clock: Clock) -> list[LookupReport]:
    said = {lookup.error for lookup in process.lookups}
    return [
        LookupReport(
            pid=process.pid,
            via="loader",
            requester="",
            name=refusal.object,
            count=1,
            found=None,
            answered_by="",
            error=refusal.text,
            outcome="refused",
            at=clock.iso(refusal.at),
        )
        for refusal in process.refusals
        if not any(refusal.text in error for error in said)
    ]


def libraries(state: State) -> list[LibraryReport]:
    """Every mapped file of every process, in order of appearance."""
    return [
        LibraryReport(
            pid=process.pid,
            path=library.path,
            base=library.base,
            route=library.route,
            soname=image.soname if image else None,
            build_id=image.build_id if image else "",
            state=library.state,
            state_detail=library.state_detail,
            route_by=library.route_by,
            asked=library.asked,
            links=library.links,
            namespace=library.namespace,
            order=library.order,
            size=library.size,
            file=library.file,
        )
        for process in state.processes
        for library in tree.libraries(process).values()
        for image in [state.images.get(library.file)]
    ]


def images(state: State) -> list[ImageReport]:
    """Files that offer or need API names, override libc names, are preloaded or could not be read; by path."""
    preloaded = {entry.path for process in state.processes for entry in process.preloads}
    rows = [(image, _image(image, state.profiles)) for image in state.images.values()]
    matter = [
        row
        for image, row in rows
        if row.offers or row.needs or row.error or row.overrides or image.path in preloaded
    ]  # fmt: skip
    return sorted(matter, key=lambda row: (row.path, row.file))


def _image(image: ImageRead, profiles: Profiles) -> ImageReport:
    return ImageReport(
        path=image.path,
        file=image.file,
        error=image.error,
        soname=image.soname,
        build_id=image.build_id,
        sha256=image.sha256,
        needed=image.needed,
        rpath=image.rpath,
        runpath=image.runpath,
        version_nodes=image.version_nodes,
        version_needs=image.version_needs,
        overrides=sorted(image.overrides),
        offers=sorted(_offer(export) for export in image.exports if profiles.api_of_function(export.name)),
        needs=sorted(_need(need) for need in image.undefined if profiles.api_of_function(need.name)),
    )


def _offer(export: Export) -> str:
    at = ("@@" if export.default else "@") + export.version if export.version else ""
    return export.name + at


def _need(need: Need) -> str:
    return f"{need.name}@{need.version}" if need.version else need.name


def logs(state: State, answer: Answer, clock: Clock) -> list[LogReport]:
    """Every log source with the lines that matter and the newest ones."""
    evidence = {
        row.key
        for rows in (answer.mode.evidence, answer.mode.contradictions, *(item.evidence for item in answer.findings))
        for row in rows
        if row.pane == "logs"
    }
    return [_log(source, evidence, clock) for source in state.logs.values()]


def _log(source: LogSource, evidence: set[str], clock: Clock) -> LogReport:
    found = source.found
    understood = {reading.number for readings in source.readings.values() for reading in readings}
    matters = {
        line.number for line in source.lines if line.number in understood or f"{found.source}:{line.number}" in evidence
    }
    newest = {line.number for line in source.lines[-_NEWEST_LINES:]}
    wanted = set(sorted(matters)[-_LINES_THAT_MATTER:]) | newest
    return LogReport(
        source=found.source,
        name=found.name,
        kind=found.kind,
        why=found.why,
        pids=found.pids,
        readable=found.readable,
        problem=found.problem,
        lines_total=source.lines_total,
        lines=[
            LogLineReport(
                number=line.number,
                text=line.text,
                at=wall_iso(line.wall) if line.wall else clock.iso(source.seen_at.get(line.number, 0)),
                pid=line.pid,
                matters=line.number in matters,
            )
            for line in source.lines
            if line.number in wanted
        ],
    )


def logs_left_out(state: State) -> int:
    """Lines that exist and are not among those that the collector sent."""
    return sum(max(0, source.lines_total - len(source.lines)) for source in state.logs.values())


def opens(state: State, clock: Clock) -> list[OpenReport]:
    """Opens of interest and other system calls that were refused, equal ones together, in order of appearance."""
    rows: dict[tuple[int, str, str, int], OpenReport] = {}
    for process in state.processes:
        for opened in process.opens:
            _add(rows, process, "open", opened.path, opened, clock)
        for refused in process.refused_calls:
            _add(rows, process, refused.call, refused.subject, refused, clock)
    return list(rows.values())


def _add(
    rows: dict[tuple[int, str, str, int], OpenReport],
    process: Process,
    call: str,
    path: str,
    event: FileOpened | SystemCallRefused,
    clock: Clock,
) -> None:
    key = (process.pid, call, path, event.errno)
    before = rows.get(key)
    rows[key] = OpenReport(
        pid=process.pid,
        path=path,
        result=errors.errorcode.get(event.errno, str(event.errno)) if event.errno else "ok",
        count=event.count + (before.count if before else 0),
        at=before.at if before else clock.iso(event.since or event.at),
        call=call,
        arguments=event.arguments if isinstance(event, SystemCallRefused) else {},
    )


def limits(state: State) -> list[LimitReport]:
    """What cannot be known here: noted by the collector, refused by the machine, let go or lost on the way."""
    rows = [LimitReport(what=limit.what, why=limit.why, grant=runnable(limit.grant)) for limit in state.limits]
    for capability in state.session.capabilities if state.session else []:
        if capability.lost:
            rows.append(LimitReport(what=capability.lost, why=capability.why, grant=runnable(capability.grant)))
    for function, why in state.stopped.items():
        if function in state.functions:
            rows.append(LimitReport(what=f"all calls of {state.functions[function].name}", why=why, grant=""))
    for late in counted_late(state):
        pids = listed((f"PID {process.pid}" for process in late.processes), 3)
        which = "calls of" if late.listed else "calls of functions that no profile lists of"
        rows.append(
            LimitReport(what=f"{which} {name_of(late.path)} in {pids} before counting began", why=late.words, grant="")
        )
    if state.processes_dropped:
        what = f"{plural(state.processes_dropped, 'process')} that ended, the oldest and plainest"
        rows.append(LimitReport(what=what, why="dropped to bound memory, with everything counted in them", grant=""))
    for source, count in state.lost.items():
        rows.append(
            LimitReport(
                what=f"{count} records of {source}", why="they arrived faster than they could be read", grant=""
            )
        )
    return list({(row.what, row.why): row for row in rows}.values())


def timeline(state: State, clock: Clock, rows: int) -> tuple[list[TimelineRow], int]:
    """Moments in order of time and how many were left out of the middle; calls seen in full have their length."""
    durations = {
        (process.pid, str(call.function), call.at): (call.at - call.entered) / _NS
        for process in state.processes
        for call in process.calls
    }
    moments = sorted(state.timeline, key=lambda moment: moment.at)
    left_out = max(0, len(moments) - rows)
    if left_out:
        moments = moments[: rows // 2] + moments[len(moments) - (rows - rows // 2) :]
    made = [
        row(moment, clock, durations.get((moment.pid, moment.key, moment.at)) if moment.kind == "call" else None)
        for moment in moments
    ]
    return made, left_out
