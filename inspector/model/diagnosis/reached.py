"""How far each consumer of an API got, as rows for reports and screens."""

from inspector.model.analysis import Analysis
from inspector.model.attempts.row import Attempt
from inspector.model.attempts.wording import sentence
from inspector.model.chain import Stop
from inspector.model.formatting import name_of
from inspector.model.stages import LEVEL
from inspector.model.state import Process
from inspector.model.verdict import Reached
from inspector.stream.text import visible


def reached(analysis: Analysis) -> list[Reached]:
    """One row a process and API, in order of birth; the API of a load that names none is its family."""
    rows = []
    for process, family in analysis.progress:
        best: dict[str, Attempt] = {}
        for one in analysis.attempts[process]:
            if one.family != family or one.own_ends or one.stage is None or one.kind not in ("load", "lookup", "call"):
                continue
            api = one.api or family
            before = best.get(api)
            if before is None or (one.ok is not False and _level(one) > _level(before)):
                best[api] = one
        stop = analysis.stops.get((process, family))
        rows += [_row(process, api, one, stop) for api, one in best.items()]
    return rows


def _level(attempt: Attempt) -> int:
    return LEVEL[attempt.stage or "asked"] if attempt.ok is not False else 0


def _row(process: Process, api: str, one: Attempt, stop: Stop | None) -> Reached:
    mine = stop is not None and (stop.attempt.api or api) == api
    why = sentence(stop.attempt) if stop is not None and mine else "its process ended" if process.ended else ""
    by = f"{name_of(one.what)} by {one.asker_name}" if one.asker else name_of(one.what)
    return Reached(
        pid=process.pid,
        started=process.started,
        api=api,
        stage=one.stage if one.ok is not False and one.stage else "asked",
        at=one.begin or one.at,
        by=visible(by),
        stopped=mine or bool(process.ended),
        stopped_by=visible(why),
    )
