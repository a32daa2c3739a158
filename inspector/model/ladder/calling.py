"""Rungs called and returned: how often and by whom, with which results and values?"""

from inspector.model import evidence
from inspector.model.coverage import lower_bound, of_use
from inspector.model.formatting import duration, listed, name_of, plural
from inspector.model.usage import FunctionCalls, Use, faults
from inspector.model.verdict import Evidence, Rung, Truth

from .view import View


def called(view: View) -> Rung:
    """How often, by a consumer or by the shim itself; is a call open now?"""
    use = view.use
    if use.consumer_calls:
        busiest = sorted((c for c in use.calls.values() if c.by_consumer), key=lambda c: c.first)
        rows = [evidence.of_calls(view.process, calls, _count_words(calls)) for calls in busiest[:30]]
        least, why = _bound(view, busiest)
        detail = f"{least}{plural(use.consumer_calls, 'call')} by {_callers(busiest)}{why}"
        inside = [call for calls in use.calls.values() for call in calls.inside]
        if inside:
            oldest = min(inside, key=lambda call: call.entered)
            name = view.state.functions[oldest.function].name
            ended = view.process.ended
            stayed = duration((ended or view.state.now) - oldest.entered)
            detail += f"; was inside {name} for {stayed} when it ended" if ended else f"; inside {name} for {stayed}"
        return Rung(rung="called", state="yes", detail=detail, evidence=rows)
    rows = [evidence.of_calls(view.process, calls, _count_words(calls)) for calls in use.calls.values()][:30]
    coverage = of_use(view.state, use)
    if use.own_calls and not any(calls.by_unknown for calls in use.calls.values()):
        detail = f"{plural(use.own_calls, 'call')}, all from inside the library itself"
        truth: Truth = "no" if coverage.complete else "unknown"
        return Rung(rung="called", state=truth, detail=_with(detail, coverage.complete, coverage.words), evidence=rows)
    if use.total_calls:
        least, why = _bound(view, list(use.calls.values()))
        detail = f"{least}{plural(use.total_calls, 'call')}, caller unknown{why}"
        return Rung(rung="called", state="unknown", detail=detail, evidence=rows)
    return _never(view, coverage.complete, coverage.words)


def _bound(view: View, functions: list[FunctionCalls]) -> tuple[str, str]:
    """What stands before and behind a count that is a lower bound; nothing when it is exact."""
    bounds = (lower_bound(view.state, view.process, calls.function) for calls in functions)
    why = next((words for words in bounds if words), "")
    return ("at least ", f"; {why}") if why else ("", "")


def _with(detail: str, complete: bool, words: str) -> str:
    return detail if complete else f"{detail}; {words}"


def _never(view: View, complete: bool, words: str) -> Rung:
    if not complete:
        return Rung(rung="called", state="unknown", detail=words)
    row = evidence.of_process(view.process, f"0 calls: {words}")
    return Rung(rung="called", state="no", detail=f"0 calls, {words}", evidence=[row])


def _callers(functions: list[FunctionCalls]) -> str:
    return listed((name_of(path) for calls in functions for path in calls.callers), 3)


def _count_words(calls: FunctionCalls) -> str:
    who = []
    if calls.by_consumer:
        who.append(f"{calls.by_consumer:,} by consumers")
    if calls.by_itself:
        who.append(f"{calls.by_itself:,} by the library itself")
    if calls.borrowed:
        who.append(f"{calls.borrowed:,} by another library for its own use")
    if calls.by_unknown:
        who.append(f"{calls.by_unknown:,} by unknown callers")
    return f"{calls.name}: {', '.join(who)}{f' ({calls.stopped})' if calls.stopped else ''}"


def returned(view: View) -> Rung:
    """Which results did consumers get, by name?"""
    use = view.use
    if not use.consumer_calls:
        detail = "no consumer called it" if of_use(view.state, use).complete else "no call of a consumer was seen"
        return Rung(rung="returned", state="unknown", detail=detail)
    bad = sorted(faults(use, view.profiles), key=lambda fault: fault[0].first)
    if bad:
        calls, result, _ = bad[0]
        rows = [
            evidence.of_calls(
                view.process, c, f"{c.name}: {view.profiles.result(use.api, code)}, {plural(count, 'time')}"
            )
            for c, code, count in bad[:20]
        ]
        detail = f"{calls.name} returned {view.profiles.result(use.api, result)}"
        return Rung(rung="returned", state="no", detail=detail, evidence=rows)
    values = _values(view)
    good = sum(calls.results.get(0, 0) for calls in use.calls.values())
    if not good:
        return Rung(rung="returned", state="unknown", detail=_why_unread(use))
    read = ", all that were read" if any(calls.results_stopped for calls in use.calls.values()) else ""
    detail = f"{plural(good, 'call')} returned 0{read}{_harmless(use)}"
    if values:
        detail += f"; {listed((row.text for row in values), 3)}"
    return Rung(rung="returned", state="yes", detail=detail, evidence=values)


def _harmless(use: Use) -> str:
    """Results other than 0 that are no fault."""
    others = sum(count for calls in use.calls.values() for code, count in calls.results.items() if code != 0)
    return f", {others:,} a normal answer other than 0" if others else ""


def _why_unread(use: Use) -> str:
    """Why no result is known although it was called."""
    unproven = next((calls for calls in use.calls.values() if calls.by_consumer and calls.function.unproven), None)
    if unproven is not None:
        return f"the result of {unproven.name} cannot be read: {unproven.function.unproven}"
    return "results are not watched for the functions called"


def _values(view: View) -> list[Evidence]:
    """What discovery was told: count, version, name, memory."""
    rows = []
    for calls in view.use.with_role("count", "version", "name", "memory", "properties"):
        for sample in calls.samples[:1]:
            told = ", ".join(f"{name}={value}" for name, value in sample.values.items())
            if told:
                rows.append(evidence.of_sample(view.state, view.process, calls, sample, f"{calls.name}: {told}"))
    return rows
