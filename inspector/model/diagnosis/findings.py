"""From the decision to findings: the first is the answer, with its chain; everything else stands beside it."""

from collections.abc import Iterable, Iterator

import msgspec
from msgspec.structs import replace

from inspector.model.attempts.row import Attempt
from inspector.model.attempts.wording import link_of, word_row
from inspector.model.causes.context import Case, Context
from inspector.model.causes.on_devices import NOTHING_BROKEN
from inspector.model.causes.registry import CAUSES, CONCLUSIONS, PATTERNS
from inspector.model.causes.rule import Hit, Pattern, Place, Rule
from inspector.model.chain import Stop
from inspector.model.decision import BEFORE, Decision
from inspector.model.evidence import short
from inspector.model.log_claims import ON_CPU
from inspector.model.refusals import failed_beside
from inspector.model.stacks import asked_from, stack_of
from inspector.model.state import Process
from inspector.model.verdict import Confidence, Evidence, Finding, Link, Severity
from inspector.model.worker import is_tool

from . import call_sites
from .commands import command_of, shown_by_hand
from .effects import effect_words
from .farewell import farewell

_MOST_EVIDENCE = 40
_SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")
_PLACES: tuple[Place, ...] = (
    "which process", "environment", "mapped", "exported", "reachable", "resolved", "called", "returned", "end",
    "used", "logged",
)  # fmt: skip
_UNEXPLAINED = ("told", "unknown", "nothing-called")
"""Reasons behind which no refusal stands: a warning may be the cause there."""


class Told(msgspec.Struct):
    """One thing that is said, with its place in the order."""

    rule: Rule
    hit: Hit
    order: tuple[int, ...]
    chain: list[Attempt] = msgspec.field(default_factory=list)
    answer: bool = False
    """It explains the decision itself."""
    family: str = ""


def subject_of(one: Told) -> tuple[str, str]:
    """What it is about without its process: the same of several processes is one finding."""
    return one.rule.id, one.hit.subject or one.hit.title


def explained(context: Context, chain: list[Attempt], alternatives: Iterable[str] = ()) -> tuple[Rule, Hit] | None:
    """The first cause that has something to say of a chain."""
    case = Case(context, chain, tuple(alternatives))
    for cause in CAUSES:
        hit = cause.explain(case)
        if hit is not None:
            return cause, hit
    return None


def told(context: Context) -> Iterator[Told]:
    """Everything that is said, the answer, other stops, patterns; in steps, not in order."""
    decision = context.decision
    answer = _answer(context, decision)
    if answer is not None:
        yield answer
    yield from _other_stops(context, decision)
    for number, pattern in enumerate(PATTERNS):
        if pattern.notice or not context.in_use:
            for hit in pattern.find(context):
                yield Told(pattern, hit, _order_of_pattern(context, pattern, hit, number))


def _weaker(confidence: Confidence) -> Confidence:
    """What is proven is likely where only its place in time is known."""
    return "likely" if confidence == "proven" else confidence


def _answer(context: Context, decision: Decision) -> Told | None:
    if decision.chain and decision.reason != "works":
        names = decision.stop.alternatives if decision.stop is not None else ()
        found = explained(context, decision.chain, names)
        if found is not None:
            if decision.reason == "own-error" and decision.confidence == "likely":
                found[1].confidence = _weaker(found[1].confidence)  # what came before an error need not be its cause
            if decision.reason == "node" and decision.confidence == "guess":
                found[1].confidence = "guess"
            family = decision.progress.family if decision.progress is not None else ""
            return Told(*found, (1,), decision.chain, answer=True, family=family)
    for conclusion in CONCLUSIONS:
        if decision.reason in conclusion.reasons:
            hit = conclusion.conclude(context, decision)
            if hit is not None:
                family = decision.progress.family if decision.progress is not None else ""
                return Told(conclusion, hit, (1 if context.in_use else 3,), answer=True, family=family)
    return None


def _other_stops(context: Context, decision: Decision) -> Iterator[Told]:
    """Stops that did not decide; in use only what went wrong at the work itself, of a worker, or does not return."""
    for (process, family), stop in context.analysis.stops.items():
        for other in stop.beside if not context.in_use else ():
            beside = explained(context, context.analysis.chain(other))
            if beside is not None:
                yield Told(
                    *beside, (4, 1, context.rank(process), other.at), context.analysis.chain(other), family=family
                )
        if stop is decision.stop and decision.reason != "works":
            continue
        failed = context.in_use and _failed_beside_work(context, stop)
        if context.in_use and not (stop.after_work or not stop.attempt.came_back or failed):
            continue
        chain = context.analysis.chain_of_stop(stop)
        found = explained(context, chain, stop.alternatives)
        if found is not None:
            rule, hit = found
            if not context.in_use and not decision.chain:
                hit.severity = "info"  # the analysis has seen that it decides nothing
            if failed:
                hit.severity = "warning"
            hit.despite_use |= _ended_over(stop)
            at_work = context.in_use and stop.after_work and hit.despite_use
            yield Told(rule, hit, (0,) if at_work else (4, _weight(hit), context.rank(process), stop.attempt.at), chain,
                       family=family)  # fmt: skip


def _ended_over(stop: Stop) -> bool:
    """The device was used until this was refused, and the process ended with a failure."""
    progress = stop.progress
    failed = progress.process.end is not None and bool(progress.process.end.code)
    return failed and stop.after_work and stop.attempt.at > progress.launched_until


def _failed_beside_work(context: Context, stop: Stop) -> bool:
    """A call was refused to one of several workers, which ended with a failure; none that came later made it good."""
    process, family = stop.progress.process, stop.progress.family
    others = [one for one in context.analysis.progress.values() if one.family == family and one.launched is not None]
    beside = all(one.process is not process and failed_beside(stop.attempt, one) for one in others)
    return bool(others) and beside and not is_tool(process)


def _weight(hit: Hit) -> int:
    return _SEVERITIES.index(hit.severity)


def _order_of_pattern(context: Context, pattern: Pattern, hit: Hit, number: int) -> tuple[int, ...]:
    """In front of a conclusion, since it explains it; behind a chain, which tells what was refused."""
    process = context.rank(hit.process) if pattern.place != "which process" else 0
    within = (process, _PLACES.index(pattern.place), number, hit.at)
    if context.in_use:
        return (0, *within) if hit.despite_use else (4, _weight(hit), *within)
    if pattern.place == "which process" and hit.severity == "error":
        return 0, *within
    explains = hit.severity == "error" or (
        hit.severity == "warning" and pattern.place != "logged" and context.decision.reason in _UNEXPLAINED
    )
    said_only = all(one.kind == "words" for one in context.decision.chain)
    if explains and said_only and context.decision.reason in pattern.answers:
        return 2, _weight(hit), *within
    return 4, _weight(hit), *within


def findings(context: Context, said: list[Told]) -> list[Finding]:
    """In order; the same subject in several processes becomes one finding."""
    ordered = sorted(said, key=lambda one: one.order)
    merged: dict[tuple[str, str], list[Told]] = {}
    for one in ordered:
        merged.setdefault(subject_of(one), []).append(one)
    groups = list(merged.values())
    if len(groups) > 1 and groups[0][0].rule.id != groups[1][0].rule.id:
        groups = [group for group in groups if group is groups[0] or not _silent(group[0], groups[0][0])]
    return _with_the_rest([_finding(context, group, first=number == 0) for number, group in enumerate(groups)])


def _with_the_rest(found: list[Finding]) -> list[Finding]:
    """A GPU in use names what is wrong beside it: nobody turns a page behind "nothing is broken"."""
    warning = next((one for one in found if one.severity == "warning"), None)
    if not found or warning is None or not found[0].cause.startswith(NOTHING_BROKEN):
        return found
    return [replace(found[0], cause=f"It works. Also: {warning.title}."), *found[1:]]


def _silent(one: Told, first: Told) -> bool:
    """A conclusion adds nothing behind what explains it."""
    return one.answer and not one.chain and first is not one and not first.answer and one.order[0] == 3


def _finding(context: Context, group: list[Told], *, first: bool) -> Finding:
    one = group[0]
    hit = one.hit
    return Finding(
        rule=one.rule.id,
        severity=_severity(context, one, first=first),
        confidence=hit.confidence,
        title=hit.title,
        cause=hit.cause + _until_then(context, one) + call_sites.asked_by(one.chain) + _also(group),
        next_step=hit.next_step,
        command=command_of(context, hit),
        evidence=[
            shown_by_hand(context, row) for row in (*_evidence(group), *call_sites.rows(context.state, one.chain))
        ],
        pid=hit.process.pid if hit.process is not None else None,
        doubt=hit.doubt,
        chain=_links(context, one, first=first),
    )


def _until_then(context: Context, one: Told) -> str:
    """That the device was in use until this was refused."""
    decision = context.decision
    ended = one.answer and decision.verdict == "cpu" and decision.stop is not None and decision.stop.after_work
    if not ended or not decision.contradictions:
        return ""
    return f" The device was in use until then: {decision.contradictions[0].text.removeprefix(BEFORE)}."


def _severity(context: Context, one: Told, *, first: bool) -> Severity:
    if context.in_use and one.hit.severity == "error" and not one.hit.despite_use:
        return "warning"
    if not first and not one.answer and one.hit.severity == "error" and _answered(context, one):
        return "warning"  # beside what decides it is one more thing to look at
    return one.hit.severity


def _answered(context: Context, one: Told) -> bool:
    """The decision stands on something else than this."""
    return (
        bool(context.decision.chain)
        or not isinstance(one.rule, Pattern)
        or context.decision.reason not in one.rule.answers
    )


def _links(context: Context, one: Told, *, first: bool) -> list[Link]:
    """From the effect to the root."""
    links = [_link(context, attempt, one.hit.process) for attempt in one.chain]
    blames = one.hit.severity == "error" or (one.hit.severity == "warning" and context.decision.verdict == "cpu")
    if (first or one.answer) and (links or blames):
        said = farewell(context, one.chain)
        links = [*_effect(context, one.rule.id, failed=one.hit.severity == "error"), *([said] if said else []), *links]
        root = one.hit.root or (one.hit.title if not one.chain else "")
        if root:
            pid = one.hit.process.pid if one.hit.process is not None else None
            links.append(Link(text=root, pid=pid, kind="root", subject=one.rule.id))
    return links


def _link(context: Context, attempt: Attempt, owner: Process | None) -> Link:
    """One step; a death of another process than the one of the finding names it."""
    stack = stack_of(attempt)
    link = link_of(context.state, attempt)
    if attempt.kind == "signal" and owner is not None and attempt.process is not owner:
        link = replace(link, answer=f"{link.answer} of {short(attempt.process)}")
    return replace(link, asked_from=asked_from(stack)) if stack is not None else link


def _effect(context: Context, rule: str, *, failed: bool) -> Iterator[Link]:
    decision = context.decision
    yield Link(text=effect_words(context, rule, failed=failed), kind="mode", subject=decision.verdict)
    if decision.word is not None and decision.word.saying in ON_CPU:
        row = word_row(context.state, decision.word)
        yield Link(text=f"the program says: {row.text[:240]}", at=row.at, pid=row.pid, kind="words", subject=row.key,
                   by_hand=row.by_hand)  # fmt: skip


def _also(group: list[Told]) -> str:
    own = group[0].hit.process
    pids = list(dict.fromkeys(
        str(one.hit.process.pid) for one in group[1:] if one.hit.process is not None and one.hit.process is not own
    ))  # fmt: skip
    if not pids:
        return ""
    more = f" and {len(pids) - 5} more" if len(pids) > 5 else ""
    return f" The same in PID {', '.join(pids[:5])}{more}."


def _evidence(group: list[Told]) -> list[Evidence]:
    rows: dict[tuple[object, ...], Evidence] = {}
    for one in group:
        for row in one.hit.evidence:
            if len(rows) < _MOST_EVIDENCE:
                rows.setdefault((row.text, row.at, row.pid, row.key), row)
    return list(rows.values())
