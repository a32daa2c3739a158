"""The report for a ticket: Markdown that reads well raw, with hostile text kept inside code."""

import re
from collections.abc import Iterable, Sequence

from inspector.model.verdict import RUNGS

from . import alike, phrases
from .schema import EvidenceRow, Report
from .short_text import file_name

_MOST_ROWS = 40
_ACTIVE = re.compile(r"[\\`*\[\]<>|~]|(?<!\w)[_#]|_(?!\w)")
_TICKS = re.compile(r"`+")


def render(report: Report) -> str:
    """The whole report as GitHub-flavoured Markdown."""
    parts = [
        [f"## {plain(phrases.headline(report))}: {plain(phrases.answer(report))}", "", plain(phrases.subject(report))],
        _answer(report),
        _section("What led to it", _chain(report)),
        _section("Evidence", _evidence(report)),
        _section("Also found", _others(report)),
        _section("Ladder", _ladder(report)),
        _section("Processes", _processes(report)),
        _section("Calls", _calls(report)),
        _section("Failed look-ups", _lookups(report)),
        _section("Failed system calls", _opens(report)),
        _section("Libraries that matter", _libraries(report)),
        _section("Logs", _logs(report)),
        _section("What could not be seen", _limits(report)),
        _section("Coverage", _coverage(report)),
    ]
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def plain(text: str) -> str:
    """Text of which Markdown makes nothing: no emphasis, link, tag or mention."""
    return _ACTIVE.sub(r"\\\g<0>", text).replace("\n", " ").replace("@", "@\u200b")


def code(text: str) -> str:
    """Text in a code span, whatever backticks it holds."""
    if not text:
        return ""
    fence = "`" * (1 + max((len(ticks) for ticks in _TICKS.findall(text)), default=0))
    pad = " " if text[0] == "`" or text[-1] == "`" else ""
    return f"{fence}{pad}{text}{pad}{fence}".replace("\n", " ")


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _table(heads: Sequence[str], rows: list[Sequence[str]]) -> list[str]:
    if not rows:
        return []
    lines = ["| " + " | ".join(heads) + " |", "|" + " --- |" * len(heads)]
    lines += ["| " + " | ".join(map(_cell, row)) + " |" for row in rows[:_MOST_ROWS]]
    return lines + ([f"\nand {len(rows) - _MOST_ROWS} more"] if len(rows) > _MOST_ROWS else [])


def _section(title: str, lines: Iterable[str]) -> list[str]:
    made = list(lines)
    return [f"### {title}", "", *made] if made else []


def _answer(report: Report) -> list[str]:
    if not report.findings:
        return []
    first = report.findings[0]
    rows = [
        f"**Why:** {plain(first.cause)}" if first.cause else "",
        f"**Next:** {plain(first.next_step)}" if first.next_step else "",
        f"**Run:** {code(first.command)}" if first.command else "",
        f"**Confidence:** {first.confidence}" + (f"; caveat: {plain(first.doubt)}" if first.doubt else ""),
        f"**Rule:** {code(first.rule)}",
    ]
    return ["  \n".join(row for row in rows if row)]


def _chain(report: Report) -> Iterable[str]:
    """From the effect to the root, each link below what it explains."""
    for depth, link in enumerate(report.findings[0].chain if report.findings else []):
        arrow = "\u2190 " if depth else ""
        yield f"{'  ' * min(depth, 8)}- {arrow}{plain(link.text)}"


def _evidence(report: Report) -> Iterable[str]:
    kinds = (
        ("", report.findings[0].evidence if report.findings else []),
        (f"mode {report.mode.verdict}: ", phrases.mode_evidence(report)),
        ("**against it:** ", report.mode.contradictions),
    )
    for before, rows in kinds:
        for row, count in alike.evidence(rows):
            times = f" ×{count}" if count > 1 else ""
            yield f"- {before}{code(row.text)}{times}{_pid_and_time(row)}"
            if row.by_hand:
                yield f"  - by hand: {code(row.by_hand)}"


def _pid_and_time(row: EvidenceRow) -> str:
    parts = [f"PID {row.pid}" if row.pid else "", phrases.time_of_day(row.at)]
    words = ", ".join(part for part in parts if part)
    return f" ({words})" if words else ""


def _others(report: Report) -> Iterable[str]:
    for finding in report.findings[1:]:
        yield f"- **{finding.severity}** {plain(finding.title)} ({code(finding.rule)}, {finding.confidence})"
        if finding.next_step:
            yield f"  - next: {plain(finding.next_step)}"
        if finding.command:
            yield f"  - run: {code(finding.command)}"


def _ladder(report: Report) -> list[str]:
    rows: list[Sequence[str]] = [
        (code(ladder.api), phrases.pids(pids), *phrases.rail(ladder.rungs))
        for ladder, pids in phrases.same_rails(report)
    ]
    lines = _table(("API", "PID", *RUNGS), rows) if rows else []
    for ladder in phrases.chosen_ladders(report):
        broken = next((rung for rung in ladder.rungs if rung.rung == ladder.first_broken), None)
        if broken is not None:
            where = f"{ladder.api} in PID {ladder.pid}"
            lines += ["", f"First broken rung of {where}: **{broken.rung}**, {plain(broken.detail)}"]
    return lines


def _processes(report: Report) -> Iterable[str]:
    tree = report.target.tree
    pids = {process.pid for process in tree}
    shown, rest = phrases.telling_processes(report)
    for process, *others in alike.processes(shown, tree)[:_MOST_ROWS]:
        indent = "  " * phrases.depth(process, tree)
        who, words = alike.named([process, *others])
        yield f"{indent}- {who} {phrases.fate(process)}: {code(words)}"
        for line in phrases.environment(process, is_root=process.ppid not in pids):
            yield f"{indent}  - {code(line)}"
    if rest:
        yield f"- and {sum(rest.values())} that ended without using a GPU: {plain(phrases.tally(rest))}"


def _calls(report: Report) -> list[str]:
    rows, left_out = phrases.calls_by_likes(report, _MOST_ROWS)
    made = _table(
        ("PID", "function", "calls", "results, callers, values"),
        [
            (phrases.pids([like.pid for like in likes]), code(row.function), str(row.count), code(phrases.call(row)))
            for row, likes in rows
        ],
    )
    return [*made, "", f"and {left_out} more"] if left_out else made


def _lookups(report: Report) -> list[str]:
    return _table(
        ("PID", "via", "name", "asked by", "answer"),
        [
            (
                phrases.pids([like.pid for like in group]),
                row.via,
                code(row.name),
                code(file_name(row.requester)),
                code(phrases.lookup(row)),
            )
            for row, group in phrases.folded(
                phrases.failed_lookups(report), lambda row: (row.via, row.name, row.requester, phrases.lookup(row))
            )
        ],
    )


def _opens(report: Report) -> list[str]:
    return _table(
        ("PID", "result", "path"), [(who, result, code(path)) for who, result, path in phrases.failed_opens(report)]
    )  # fmt: skip


def _libraries(report: Report) -> list[str]:
    return _table(
        ("PID", "file", "state", "route", "build-id"),
        [
            (
                str(row.pid),
                code(row.path),
                code(phrases.library_state(row)),
                code(phrases.route(row)),
                code(row.build_id),
            )
            for row in phrases.striking_libraries(report)
        ],
    )


def _logs(report: Report) -> Iterable[str]:
    for log in report.logs:
        trouble = f"; **not readable:** {plain(log.problem)}" if not log.readable else ""
        yield f"- {code(log.name)} ({plain(log.why)}; {phrases.lines(log.lines_total)}{trouble})"
        for line in [line for line in log.lines if line.matters][-8:]:
            yield f"  - {code(line.text)}"


def _limits(report: Report) -> Iterable[str]:
    for limit in report.limits:
        grant = f" To grant it: {code(limit.grant)}" if limit.grant else ""
        yield f"- {plain(limit.what)}: {plain(limit.why)}.{grant}"


def _coverage(report: Report) -> Iterable[str]:
    seen = report.observation
    yield plain(seen.coverage)
    for trouble in seen.troubles:
        yield f"- {plain(trouble)}"
    if seen.ended:
        yield f"- The observation ended: {plain(seen.ended)}."
