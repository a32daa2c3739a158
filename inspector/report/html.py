"""The report as one HTML file that needs nothing else: no network, no fonts, no libraries; to be mailed and printed.

Every text from a target goes through `escape`; the raw JSON is embedded with `<` written as an escape, so that no text
can close its element. Style and script are files beside this one.
"""

from collections.abc import Iterable, Sequence
from html import escape as _escape
from importlib import resources

from inspector.model.verdict import RUNGS

from . import phrases
from .schema import ApiReport, EvidenceRow, FindingReport, LogReport, Report, RungReport, to_json
from .short_text import command, file_name
from .timeline_svg import timeline

_MOST_ROWS = 400
_GOOD = ("cuda", "rocm", "vulkan", "opencl")
_ZOOM = (
    '<p class=hint><button type=button data-zoom=2 aria-label="zoom in">+</button> '
    '<button type=button data-zoom=0.5 aria-label="zoom out">&minus;</button> '
    '<button type=button data-move=-0.25 aria-label="earlier">&larr;</button> '
    '<button type=button data-move=0.25 aria-label="later">&rarr;</button> '
    "<button type=button data-zoom=0>all</button> "
    "<span>or wheel, pinch and drag; hover or tap a mark: what it is</span></p>"
)
_GLYPH = {"yes": "\u2713", "no": "\u2717", "unknown": "?"}


def escape(text: str) -> str:
    """Text that no browser takes for markup, in elements and in attributes."""
    return _escape(text, quote=True)


def render(report: Report) -> str:
    """The whole page."""
    title = f"{phrases.headline(report)}: {phrases.answer(report)}"
    return _PAGE.format(
        title=escape(title),
        style=_asset("report.css"),
        script=_asset("report.js"),
        body="\n".join(part for part in _body(report) if part),
        json=_embedded(report),
    )


_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:">
<title>{title}</title>
<style>
{style}</style>
</head>
<body>
<main>
{body}
</main>
<script type="application/json" id="report">
{json}</script>
<script>
{script}</script>
</body>
</html>
"""  # noqa: E501  (one attribute, one line)


def _asset(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _embedded(report: Report) -> str:
    return to_json(report).decode().replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _body(report: Report) -> Iterable[str]:
    yield _header(report)
    yield _section("chain", "What led to it", _chain(report))
    yield _section("proof", "Evidence", _proof(report))
    yield _section("others", "Also found", "".join(_finding(finding) for finding in report.findings[1:]))
    yield _section("ladder", "Ladder", _ladders(report))
    yield _section("timeline", "Timeline", _timeline(report))
    yield _section("processes", "Processes", _processes(report))
    yield _section("calls", "Calls", _calls(report))
    yield _section("lookups", "Failed look-ups", _lookups(report))
    yield _section("opens", "Failed system calls", _opens(report))
    yield _section("libraries", "Libraries", _libraries(report))
    yield _section("logs", "Logs", "".join(_log(log) for log in report.logs))
    yield _section("limits", "What could not be seen", _limits(report))
    yield _footer(report)


def _section(name: str, title: str, content: str) -> str:
    return f'<section id="{name}"><h2>{title}</h2>\n{content}</section>' if content else ""


def _header(report: Report) -> str:
    verdict = report.mode.verdict
    kind = "good" if verdict in _GOOD else "bad" if verdict == "cpu" else "open"
    rows = []
    if report.findings:
        first = report.findings[0]
        rows = [
            ("Why", escape(first.cause)),
            ("Next", escape(first.next_step)),
            ("Run", f"<code>{escape(first.command)}</code>" if first.command else ""),
            ("Sure", escape(first.confidence + (f"; caveat: {first.doubt}" if first.doubt else ""))),
            ("Rule", f"<code>{escape(first.rule)}</code>"),
        ]
    listed = "".join(f"<dt>{name}</dt><dd>{text}</dd>" for name, text in rows if text)
    return (
        f'<header class="{kind}"><p class="badge">{escape(phrases.headline(report))}</p>'
        f"<h1>{escape(phrases.answer(report))}</h1>"
        f"{f'<dl>{listed}</dl>' if listed else ''}"
        f'<p class="subject">{escape(phrases.subject(report))}</p></header>'
    )


def _chain(report: Report) -> str:
    """From the effect to the root, one link a line."""
    links = report.findings[0].chain if report.findings else []
    rows = []
    for depth, link in enumerate(links):
        place = ", ".join(
            part for part in (f"PID {link.pid}" if link.pid else "", phrases.time_of_day(link.at)) if part
        )
        rows.append(
            f'<li style="margin-left:{min(depth, 8)}em">{"&larr; " if depth else ""}{escape(link.text)}'
            f"{f' <small>{escape(place)}</small>' if place else ''}"
            f"{f'<code class=hand>{escape(link.by_hand)}</code>' if link.by_hand else ''}</li>"
        )
    return f'<ul class="evidence">{"".join(rows)}</ul>' if rows else ""


def _proof(report: Report) -> str:
    rows = [_evidence(row, "") for row in (report.findings[0].evidence if report.findings else [])]
    rows += [_evidence(row, f"mode {report.mode.verdict}") for row in phrases.mode_evidence(report)]
    rows += [_evidence(row, "against it") for row in report.mode.contradictions]
    return f'<ul class="evidence">{"".join(rows)}</ul>' if rows else ""


def _evidence(row: EvidenceRow, label: str) -> str:
    place = ", ".join(part for part in (f"PID {row.pid}" if row.pid else "", phrases.time_of_day(row.at)) if part)
    return (
        f"<li>{f'<b>{escape(label)}:</b> ' if label else ''}{escape(row.text)}"
        f"{f' <small>{escape(place)}</small>' if place else ''}"
        f"{f'<code class=hand>{escape(row.by_hand)}</code>' if row.by_hand else ''}"
        f"{''.join(f'<br><small>{escape(line)}</small>' for line in row.stack)}</li>"
    )


def _finding(finding: FindingReport) -> str:
    evidence = "".join(_evidence(row, "") for row in finding.evidence)
    return (
        f'<details class="finding {finding.severity}"><summary><span class="tag">{finding.severity}</span> '
        f"{escape(finding.title)}</summary><p>{escape(finding.cause)}</p>"
        f"{f'<p><b>Next:</b> {escape(finding.next_step)}</p>' if finding.next_step else ''}"
        f"{f'<p><b>Run:</b> <code>{escape(finding.command)}</code></p>' if finding.command else ''}"
        f"{f'<ul class=evidence>{evidence}</ul>' if evidence else ''}"
        f"<p><code>{escape(finding.rule)}</code> <small>{finding.confidence}</small></p></details>"
    )


def _ladders(report: Report) -> str:
    if not phrases.rails(report):
        return ""
    chosen = "".join(_ladder(ladder) for ladder in phrases.chosen_ladders(report))
    rows = []
    for ladder, pids in phrases.same_rails(report):
        words = zip(ladder.rungs, phrases.rail(ladder.rungs), strict=True)
        cells = "".join(f'<td class="{_class(rung)}">{word}</td>' for rung, word in words)
        rows.append(f"<tr><th>{escape(ladder.api)}</th><td>{phrases.pids(pids)}</td>{cells}</tr>")
    heads = "".join(f"<th>{name}</th>" for name in ("API", "PID", *RUNGS))
    rails = f'<table class="rails"><thead><tr>{heads}</tr></thead><tbody>{"".join(rows)}</tbody></table>'
    return f'<div class="ladders">{chosen}</div><div class="wide">{rails}</div>'


def _class(rung: RungReport) -> str:
    return rung.state if rung.reached else "unreached"


def _ladder(ladder: ApiReport) -> str:
    rungs = "".join(
        f'<li class="{_class(rung)}{" broken" if rung.rung == ladder.first_broken else ""}">'
        f'<span class="glyph" aria-hidden="true">{_GLYPH[rung.state] if rung.reached else "·"}</span>'
        f"<b>{rung.rung}</b> <span class=word>{phrases.rung_word(rung)}</span>"
        f"<span class=detail>{escape(rung.detail)}</span></li>"
        for rung in ladder.rungs
    )
    provider = escape(ladder.provider) if ladder.provider else "no mapped library provides it"
    return (
        f"<div class=ladder><h3>{escape(ladder.api)} <small>in PID {ladder.pid}</small></h3>"
        f"<p class=path>{provider}</p><ol>{rungs}</ol></div>"
    )


def _timeline(report: Report) -> str:
    picture = timeline(report, escape)
    if not picture:
        return ""
    rows = [
        (escape(phrases.time_of_day(row.at)), str(row.pid), row.kind, escape(row.text), "bad" if row.bad else "")
        for row in report.timeline[:_MOST_ROWS]
    ]
    body = "".join(
        f'<tr class="{bad}"><td>{time}</td><td>{pid}</td><td>{kind}</td><td>{text}</td></tr>'
        for time, pid, kind, text, bad in rows
    )
    table = _table(("time", "PID", "kind", "what"), body, len(report.timeline))
    return (
        f"{picture}{_ZOOM}"
        f"<p id=what aria-live=polite></p><details><summary>All {len(report.timeline)} events as a table</summary>"
        f"{table}</details>"
    )


def _table(heads: Sequence[str], body: str, count: int) -> str:
    if not body:
        return ""
    more = f"<p>and {count - _MOST_ROWS} more, in the JSON below</p>" if count > _MOST_ROWS else ""
    head = "".join(f"<th>{name}</th>" for name in heads)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>{more}'


def _rows(rows: Iterable[Sequence[str]], classes: Iterable[str] = ()) -> str:
    named = list(classes)
    made = []
    for number, row in enumerate(rows):
        name = f' class="{named[number]}"' if number < len(named) and named[number] else ""
        made.append(f"<tr{name}>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>")
    return "".join(made)


def _processes(report: Report) -> str:
    tree = report.target.tree
    pids = {process.pid for process in tree}
    items = []
    for process in tree[:_MOST_ROWS]:
        bad = process.exit is not None and bool(process.exit.code or process.exit.signal)
        kind = "bad" if bad else "dead" if process.ended else "alive"
        lines = [*phrases.environment(process, is_root=process.ppid not in pids)]
        lines += [f"fd {descriptor} \u2192 {where}" for descriptor, where in process.output.items()]
        place = process.unit or process.container
        items.append(
            f'<li class="{kind}" style="--depth:{phrases.depth(process, tree)}"><b>{process.pid}</b> '
            f"<span class=fate>{escape(phrases.fate(process))}</span> "
            f"<code>{escape(command(process.argv) or process.comm or '?')}</code>"
            f"{f' <small>{escape(place)}</small>' if place else ''}"
            f"{''.join(f'<code class=line>{escape(line)}</code>' for line in lines)}</li>"
        )
    return f'<ul class="tree">{"".join(items)}</ul>' if items else ""


def _calls(report: Report) -> str:
    rows = [
        (str(row.pid), f"<code>{escape(row.function)}</code>", str(row.count), phrases.time_of_day(row.first),
         escape(phrases.call(row)))
        for row in report.calls[:_MOST_ROWS]
    ]  # fmt: skip
    kinds = ["bad" if phrases.failed_call(row) else "" for row in report.calls[:_MOST_ROWS]]
    return _table(
        ("PID", "function", "calls", "first", "results, callers, values"), _rows(rows, kinds), len(report.calls)
    )  # fmt: skip


def _lookups(report: Report) -> str:
    failed = phrases.failed_lookups(report)
    rows = [
        (str(row.pid), row.via, f"<code>{escape(row.name)}</code>", escape(file_name(row.requester)),
         escape(phrases.lookup(row)))
        for row in failed[:_MOST_ROWS]
    ]  # fmt: skip
    return _table(("PID", "via", "name", "asked by", "answer"), _rows(rows), len(failed))


def _opens(report: Report) -> str:
    failed = phrases.failed_opens(report)
    rows = [(who, result, f"<code>{escape(path)}</code>") for who, result, path in failed[:_MOST_ROWS]]
    return _table(("PID", "result", "path"), _rows(rows), len(failed))


def _libraries(report: Report) -> str:
    striking = phrases.striking_libraries(report)
    keys = {(row.pid, row.base) for row in striking}
    rest = [row for row in report.libraries if (row.pid, row.base) not in keys]
    parts = []
    for rows in (striking, rest):
        cells = [
            (str(row.pid), f"<code>{escape(row.path)}</code>", escape(phrases.library_state(row)),
             escape(phrases.route(row)), f"<code>{escape(row.build_id[:16])}</code>")
            for row in rows[:_MOST_ROWS]
        ]  # fmt: skip
        kinds = ["bad" if row.state in ("replaced", "deleted", "modified") else "" for row in rows[:_MOST_ROWS]]
        parts.append(_table(("PID", "file", "state", "route", "build-id"), _rows(cells, kinds), len(rows)))
    if parts[1]:
        parts[1] = f"<details><summary>{len(rest)} other mapped files</summary>{parts[1]}</details>"
    return "".join(parts)


def _log(log: LogReport) -> str:
    trouble = f"<b class=warn>not readable: {escape(log.problem)}</b>" if not log.readable else escape(log.problem)
    lines = "".join(
        f"<div{' class=matters' if line.matters else ''}><time>{phrases.time_of_day(line.at)}</time>"
        f"{escape(line.text)}</div>"
        for line in log.lines
    )
    return (
        f"<details open><summary><code>{escape(log.name)}</code> <small>{escape(log.why)}, "
        f"{phrases.lines(log.lines_total)}</small> {trouble}</summary><div class=lines>{lines}</div></details>"
    )


def _limits(report: Report) -> str:
    items = "".join(
        f"<li>{escape(limit.what)}: {escape(limit.why)}"
        f"{f'<code class=hand>{escape(limit.grant)}</code>' if limit.grant else ''}</li>"
        for limit in report.limits
    )
    return f'<ul class="evidence">{items}</ul>' if items else ""


def _footer(report: Report) -> str:
    seen = report.observation
    notes = [seen.coverage, *seen.troubles, f"The observation ended: {seen.ended}." if seen.ended else ""]
    listed = "".join(f"<p>{escape(note)}</p>" for note in notes if note)
    return (
        f"<footer>{listed}<p>Linux {escape(seen.kernel)}, inspector {escape(seen.version)}. "
        "<button id=copy type=button>Copy the raw JSON</button> "
        "<button id=save type=button>Save it</button></p></footer>"
    )
