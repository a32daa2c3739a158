"""The report from what is known and what it means: one pure function of state, answer and profiles."""

import signal as signals
from typing import TypeVar

from inspector.model import tree
from inspector.model.state import Process, State
from inspector.model.verdict import Answer, Evidence, Finding, Ladder, Link, Reached
from inspector.stream.own_command import runnable
from inspector.stream.redact import rewritten
from inspector.stream.text import visible

from . import rows
from .clock import Clock
from .phrases import mode_words
from .schema import (
    SCHEMA_NAME,
    ApiReport,
    EvidenceRow,
    ExitStatus,
    FindingReport,
    LinkReport,
    ModeReport,
    Observation,
    ProgressReport,
    Report,
    RungReport,
    Target,
    TreeProcess,
)

T = TypeVar("T")
TIMELINE_ROWS = 5000
_MOST = {"findings": 200, "apis": 500, "calls": 5_000, "lookups": 5_000, "libraries": 10_000, "opens": 5_000}
"""Rows of each list that nobody reads further than that: a busy tree has one of each for every child."""


def report(
    state: State, answer: Answer, troubles: list[str] | None = None, timeline_rows: int = TIMELINE_ROWS
) -> Report:
    """Everything that is known, as data; the same stream gives the same report on every machine.

    `troubles` are defects of the stream itself; `timeline_rows` bounds the timeline, whose middle is left out first.
    """
    clock = Clock.of(state.session)
    timeline, timeline_left_out = rows.timeline(state, clock, timeline_rows)
    left_out: dict[str, int] = {}
    facts = Report(
        schema=SCHEMA_NAME,
        target=_target(state, clock),
        mode=_mode(answer, clock),
        apis=_newest("apis", [_api(ladder, clock) for ladder in answer.ladders], left_out),
        findings=[_finding(finding, clock) for finding in _first("findings", answer.findings, left_out)],
        calls=_newest("calls", rows.calls(state, clock), left_out),
        lookups=_newest("lookups", rows.lookups(state, clock), left_out),
        libraries=_newest("libraries", rows.libraries(state), left_out),
        logs=rows.logs(state, answer, clock),
        opens=_newest("opens", rows.opens(state, clock), left_out),
        limits=rows.limits(state),
        observation=_observation(state, answer, clock, troubles or [], timeline_left_out, left_out),
        images=rows.images(state),
        timeline=timeline,
        progress=[_progress(one, clock) for one in answer.progress],
    )
    return rewritten(facts, visible)


def _first(name: str, rows: list[T], left_out: dict[str, int]) -> list[T]:
    """The first of them: they are in order of weight."""
    if len(rows) > _MOST[name]:
        left_out[name] = len(rows) - _MOST[name]
    return rows[: _MOST[name]]


def _newest(name: str, rows: list[T], left_out: dict[str, int]) -> list[T]:
    """The first tenth and the newest: they are in order of time."""
    most = _MOST[name]
    if len(rows) <= most:
        return rows
    left_out[name] = len(rows) - most
    return rows[: most // 10] + rows[len(rows) - (most - most // 10) :]


def _observation(
    state: State, answer: Answer, clock: Clock, troubles: list[str], timeline_left_out: int, left_out: dict[str, int]
) -> Observation:
    session = state.session
    return Observation(
        version=session.version if session else "",
        host=session.host if session else "",
        kernel=session.kernel if session else "",
        began=clock.iso(clock.began),
        seconds=max(0.0, clock.seconds(state.now)) if session else 0.0,
        ended=state.ended.reason if state.ended else "",
        coverage=answer.coverage,
        troubles=troubles,
        timeline_left_out=timeline_left_out,
        left_out=left_out,
        opens_left_out=sum(process.opens_skipped for process in state.processes),
        processes_left_out=state.processes_dropped,
        logs_left_out=rows.logs_left_out(state),
    )


def _target(state: State, clock: Clock) -> Target:
    root = state.processes[0] if state.processes else None
    program = root.program if root else None
    return Target(
        pid=root.pid if root else None,
        argv=program.argv if program else [],
        exe=program.exe if program else "",
        tree=[_tree_process(process, clock) for process in state.processes],
        asked=state.session.target if state.session else "",
    )


def _tree_process(process: Process, clock: Clock) -> TreeProcess:
    program = tree.program(process)
    descriptors = {str(fd): process.descriptors[fd].target for fd in (1, 2) if fd in process.descriptors}
    return TreeProcess(
        pid=process.pid,
        ppid=process.ppid,
        argv=program.argv if program else [],
        started=clock.iso(process.started),
        ended=clock.iso(process.ended),
        exit=_exit(process),
        environment=dict(sorted(program.environment.items())) if program else {},
        environment_known=program.environment_known if program else False,
        environment_changes={change.key: change.after for change in tree.environment_change(process) or []},
        origin=process.origin,
        exe=program.exe if program else "",
        comm=process.comm or (program.comm if program else ""),
        unit=program.unit if program else None,
        container=program.container if program else None,
        uid=program.uid if program else -1,
        secure=program.secure if program else None,
        static=program.static if program else None,
        output=descriptors,
        stopped=process.stopped,
    )


def _exit(process: Process) -> ExitStatus | None:
    if process.end is None:
        return None
    number = process.end.signal
    name = _signal_name(number) if number is not None else ""
    return ExitStatus(code=process.end.code, signal=number, signal_name=name)


def _signal_name(number: int) -> str:
    try:
        return signals.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _evidence(rows: list[Evidence], clock: Clock) -> list[EvidenceRow]:
    return [
        EvidenceRow(
            text=row.text, at=clock.iso(row.at), pid=row.pid, pane=row.pane, key=row.key, by_hand=row.by_hand,
            stack=row.stack,
        )
        for row in rows
    ]  # fmt: skip


def _mode(answer: Answer, clock: Clock) -> ModeReport:
    mode = answer.mode
    first = answer.findings[0] if answer.findings else None
    effect = first.chain[0].text if first is not None and first.chain else ""
    return ModeReport(
        verdict=mode.verdict,
        confidence=mode.confidence,
        evidence=_evidence(mode.evidence, clock),
        contradictions=_evidence(mode.contradictions, clock),
        words=mode_words(mode.verdict, first.rule if first is not None else "", effect, device_seen=mode.device_seen),
    )


def _api(ladder: Ladder, clock: Clock) -> ApiReport:
    rungs = [
        RungReport(
            rung=rung.rung,
            state=rung.state,
            detail=rung.detail,
            evidence=_evidence(rung.evidence, clock),
            reached=rung.reached,
        )
        for rung in ladder.rungs
    ]
    return ApiReport(
        api=ladder.api, pid=ladder.pid, provider=ladder.provider, rungs=rungs, first_broken=ladder.first_broken
    )


def _finding(finding: Finding, clock: Clock) -> FindingReport:
    return FindingReport(
        rule=finding.rule,
        severity=finding.severity,
        confidence=finding.confidence,
        title=finding.title,
        cause=finding.cause,
        next_step=finding.next_step,
        evidence=_evidence(finding.evidence, clock),
        pid=finding.pid,
        doubt=finding.doubt,
        command=runnable(finding.command),
        chain=[_link(link, clock) for link in finding.chain],
    )


def _link(link: Link, clock: Clock) -> LinkReport:
    return LinkReport(
        text=link.text, at=clock.iso(link.at), pid=link.pid, kind=link.kind, subject=link.subject, answer=link.answer,
        by_hand=link.by_hand, asked_from=link.asked_from,
    )  # fmt: skip


def _progress(one: Reached, clock: Clock) -> ProgressReport:
    return ProgressReport(
        pid=one.pid, api=one.api, stage=one.stage, at=clock.iso(one.at), by=one.by, stopped=one.stopped,
        stopped_by=one.stopped_by,
    )  # fmt: skip
