"""The report for a person at a terminal: the answer first, then what proves it, then everything that was seen."""

from collections.abc import Iterable

from inspector.model.formatting import plural
from inspector.model.own_output import FIRST, LAST_SECTION
from inspector.model.verdict import RUNGS

from . import alike, phrases
from .layout import AnsiStyle, Table, box, padded, wrapped
from .schema import ApiReport, EvidenceRow, FindingReport, LogReport, Report, RungReport, TreeProcess
from .short_text import file_name

_NARROWEST, _WIDEST = 70, 140
_MOST_PROCESSES = 60
_MOST_ROWS = 60
_MOST_LOG_LINES = 14
_LONGEST_COMMAND = 3
_RAIL_WIDTH = sum(len(name) + 2 for name in RUNGS)
_MODE_COLOUR = {
    "cuda": "green",
    "rocm": "green",
    "vulkan": "green",
    "opencl": "green",
    "cpu": "red",
    "undecided": "yellow",
}
_SEVERITY_COLOUR = {"error": "red", "warning": "yellow", "info": "cyan"}
_RUNG_COLOUR = {"yes": "green", "no": "red", "unknown": "yellow"}


def _rung_colour(rung: RungReport) -> str:
    return _RUNG_COLOUR[rung.state] if rung.reached else "dim"


def render(report: Report, *, width: int = 100, colour: bool = False) -> str:
    """The whole report as text; `width` columns, ANSI colour only when asked for."""
    page = _Page(report, max(_NARROWEST, min(width, _WIDEST)), AnsiStyle(colour))
    return "\n".join(line.rstrip() for line in page.lines()) + "\n"


class _Page:
    def __init__(self, report: Report, width: int, ansi_style: AnsiStyle) -> None:
        self.report, self.width, self.ansi_style = report, width, ansi_style

    def lines(self) -> Iterable[str]:
        for line in wrapped(f"{FIRST}{phrases.subject(self.report)}", self.width):
            yield self.ansi_style(line, "dim")
        yield ""
        yield from self._answer()
        sections = (
            ("What led to it", self._chain()),
            ("Evidence", self._proof()),
            ("Evidence against it", self._contradictions()),
            ("Also found", self._other_findings()),
            ("Ladder", self._ladders()),
            (self._process_title(), self._processes()),
            ("Calls", self._calls()),
            ("Failed look-ups", self._lookups()),
            (self._library_title(), self._libraries()),
            ("Failed system calls", self._opens()),
            ("Logs", self._logs()),
            ("What could not be seen", self._limits()),
            (LAST_SECTION, self._coverage()),
        )
        for title, lines in sections:
            made = list(lines)
            if made:
                yield ""
                yield self.ansi_style(title, "bold")
                yield from made

    def _answer(self) -> Iterable[str]:
        report, inner = self.report, self.width - 4
        colour = _MODE_COLOUR[report.mode.verdict]
        lines = [phrases.headline(report), "", *wrapped(phrases.answer(report), inner, hard=True)]
        if report.findings:
            first = report.findings[0]
            lines += ["", *wrapped(first.cause, inner, "Why   ", hard=True)] if first.cause else []
            lines += wrapped(first.next_step, inner, "Next  ", hard=True) if first.next_step else []
            lines += wrapped(first.command, inner, "Run   ", hard=True) if first.command else []
            sure = first.confidence + (f"; caveat: {first.doubt}" if first.doubt else "")
            lines += wrapped(sure, inner, "Sure  ", hard=True)
            lines += wrapped(first.rule, inner, "Rule  ")
        for number, line in enumerate(box(lines, self.width)):
            yield self.ansi_style(line, colour, "bold") if number == 1 else line

    def _chain(self) -> Iterable[str]:
        """From the effect to the root, one link a line, each deeper than the one that it explains."""
        links = self.report.findings[0].chain if self.report.findings else []
        for depth, link in enumerate(links):
            arrow = "<- " if depth else ""
            place = ", ".join(
                part for part in (f"PID {link.pid}" if link.pid else "", phrases.time_of_day(link.at)) if part
            )
            indent = "  " + "  " * min(depth, 8)
            yield from wrapped(
                f"{link.text}" + (f"  [{place}]" if place else ""), self.width, f"{indent}{arrow}",
                indent + " " * len(arrow),
            )  # fmt: skip

    def _proof(self) -> Iterable[str]:
        if self.report.findings:
            yield from self._evidence(self.report.findings[0].evidence)
        yield from self._evidence(phrases.mode_evidence(self.report), f"mode {self.report.mode.verdict}: ")

    def _contradictions(self) -> Iterable[str]:
        """What speaks against the mode, where it is not what the answer itself stands on: that was shown."""
        against = self.report.mode.contradictions
        proof = self.report.findings[0].evidence if self.report.findings else []
        shown = {(row.text, row.pid, row.at) for row in proof}
        if against and all((row.text, row.pid, row.at) in shown for row in against):
            return ["  - the evidence above"]
        return self._evidence(against)

    def _evidence(self, rows: Iterable[EvidenceRow], before: str = "") -> Iterable[str]:
        for row, count in alike.evidence(rows):
            place = ", ".join(
                part for part in (f"PID {row.pid}" if row.pid else "", phrases.time_of_day(row.at)) if part
            )
            times = f" ×{count}" if count > 1 else ""
            yield from wrapped(f"{before}{row.text}{times}" + (f"  [{place}]" if place else ""), self.width, "  - ")
            if row.by_hand:
                yield self.ansi_style(f"      by hand: {row.by_hand}", "dim")

    def _other_findings(self) -> Iterable[str]:
        for finding in self.report.findings[1:]:
            yield from self._finding(finding)

    def _finding(self, finding: FindingReport) -> Iterable[str]:
        word = padded(finding.severity, 8)
        first, *rest = wrapped(f"{finding.title}  ({finding.rule}, {finding.confidence})", self.width - 10)
        yield f"  {self.ansi_style(word, _SEVERITY_COLOUR[finding.severity])}{first}"
        yield from (" " * 10 + line for line in rest)
        yield from wrapped(finding.cause, self.width, " " * 10) if finding.cause else []
        yield from wrapped(finding.next_step, self.width, " " * 10 + "next: ") if finding.next_step else []
        yield from wrapped(finding.command, self.width, " " * 10 + "run: ") if finding.command else []

    def _ladders(self) -> Iterable[str]:
        for ladder in phrases.chosen_ladders(self.report):
            yield from self._ladder(ladder)
        if len(phrases.rails(self.report)) > 1:
            yield ""
            yield from self._rails()

    def _ladder(self, ladder: ApiReport) -> Iterable[str]:
        provider = ladder.provider or "no mapped library provides it"
        yield from wrapped(f"{ladder.api} in PID {ladder.pid}: {provider}", self.width, "  ", "    ")
        for rung in ladder.rungs:
            word = self.ansi_style(padded(phrases.rung_word(rung), 4), _rung_colour(rung))
            mark = "  <-- first broken rung" if rung.rung == ladder.first_broken else ""
            first, *rest = wrapped(rung.detail + mark, self.width - 22)
            yield f"    {word} {padded(rung.rung, 12)} {first}"
            yield from (" " * 22 + line for line in rest)

    def _rails(self) -> Iterable[str]:
        rows = phrases.same_rails(self.report)
        apis = max(len(ladder.api) for ladder, _ in rows)
        room = self.width - apis - 14
        names = [name if room >= _RAIL_WIDTH else name[:3] for name in RUNGS]
        yield self.ansi_style("  " + padded("API", apis) + "  " + padded("PID", 8) + "  " + "  ".join(names), "dim")
        for ladder, pids in rows[:_MOST_ROWS]:
            words = [
                self.ansi_style(padded(phrases.rung_word(rung), len(name)), _rung_colour(rung))
                for rung, name in zip(ladder.rungs, names, strict=True)
            ]
            yield f"  {padded(ladder.api, apis)}  {padded(phrases.pids(pids), 8)}  {'  '.join(words)}"

    def _process_title(self) -> str:
        tree = self.report.target.tree
        alive = sum(process.ended is None for process in tree)
        return f"Processes ({alive} running, {len(tree) - alive} ended)"

    def _processes(self) -> Iterable[str]:
        tree = self.report.target.tree
        pids = {process.pid for process in tree}
        shown, rest = phrases.telling_processes(self.report)
        groups = alike.processes(shown, tree)
        for process, *others in groups[:_MOST_PROCESSES]:
            indent = "  " + "  " * phrases.depth(process, tree)
            yield from self._process([process, *others], indent)
            for line in phrases.environment(process, is_root=process.ppid not in pids):
                yield from wrapped(line, self.width, indent + "      ", indent + "          ")
            for descriptor, where in process.output.items():
                yield f"{indent}      fd {descriptor} -> {where}"
        yield from _more(len(groups), _MOST_PROCESSES, "processes")
        if rest:
            words = f"and {sum(rest.values())} that ended without using a GPU: {phrases.tally(rest)}"
            yield from wrapped(words, self.width, "  ")

    def _process(self, group: list[TreeProcess], indent: str) -> Iterable[str]:
        process, (who, name) = group[0], alike.named(group)
        place = process.unit or process.container
        bad = process.exit is not None and bool(process.exit.code or process.exit.signal)
        colours = ("red",) if bad else ("dim",) if process.ended else ()
        text = f"{who}  {phrases.fate(process)}  {name}" + (f"  [{place}]" if place else "")
        for line in wrapped(text, self.width, indent, indent + "    ")[:_LONGEST_COMMAND]:
            yield self.ansi_style(line, *colours)

    def _calls(self) -> Iterable[str]:
        table = Table(("PID", "function", "calls", "first", "results, callers, values"), numbers=(2,))
        rows, left_out = phrases.calls_by_likes(self.report, _MOST_ROWS)
        for row, likes in rows:
            who, first = phrases.pids([like.pid for like in likes]), phrases.time_of_day(row.first)
            table.add(who, row.function, str(row.count), first, phrases.call(row))
        yield from table.lines(self.width, self.ansi_style)
        yield from _more(_MOST_ROWS + left_out, _MOST_ROWS, "functions")

    def _lookups(self) -> Iterable[str]:
        rows = phrases.folded(
            phrases.failed_lookups(self.report), lambda row: (row.via, row.name, row.requester, phrases.lookup(row))
        )
        table = Table(("PID", "via", "name", "asked by", "times", "answer"), numbers=(4,))
        for row, likes in rows[:_MOST_ROWS]:
            who, times = phrases.pids([like.pid for like in likes]), sum(like.count for like in likes)
            name, requester = file_name(row.name), file_name(row.requester)
            table.add(who, row.via, name, requester, str(times), phrases.lookup(row))
        yield from table.lines(self.width, self.ansi_style)
        yield from _more(len(rows), _MOST_ROWS, "look-ups")

    def _library_title(self) -> str:
        return f"Libraries that matter ({len(self.report.libraries)} are mapped in all)"

    def _libraries(self) -> Iterable[str]:
        rows = phrases.folded(
            phrases.striking_libraries(self.report),
            lambda row: (row.path, row.state, row.state_detail, phrases.route(row)),
        )
        table = Table(("PID", "state", "file"))
        for row, likes in rows[:_MOST_ROWS]:
            table.add(phrases.pids([like.pid for like in likes]), row.state, row.path)
            table.add("", "", "; ".join(part for part in (phrases.route(row), row.state_detail) if part))
        yield from table.lines(self.width, self.ansi_style)
        yield from _more(len(rows), _MOST_ROWS, "libraries")

    def _opens(self) -> Iterable[str]:
        rows = phrases.failed_opens(self.report)
        table = Table(("PID", "result", "path"))
        for row in rows[:_MOST_ROWS]:
            table.add(*row)
        yield from table.lines(self.width, self.ansi_style)
        yield from _more(len(rows), _MOST_ROWS, "refused system calls")

    def _logs(self) -> Iterable[str]:
        for log in self.report.logs:
            if log.problem.startswith("binary data"):
                continue  # a database or the like that happens to be open for writing
            trouble = (
                f"; NOT READABLE: {log.problem}" if not log.readable else f"; {log.problem}" if log.problem else ""
            )
            yield from wrapped(
                f"{log.name}  ({log.why}; {phrases.lines(log.lines_total)}{trouble})", self.width, "  ", "    "
            )
            yield from self._log_lines(log)

    def _log_lines(self, log: LogReport) -> Iterable[str]:
        matter = [line for line in log.lines if line.matters][-_MOST_LOG_LINES:]
        for line in matter or log.lines[-3:]:
            when = padded(phrases.time_of_day(line.at), 12)
            yield from wrapped(line.text, self.width, f"    {when}  ", " " * 18)

    def _limits(self) -> Iterable[str]:
        limits = self.report.limits
        for place, limit in enumerate(limits):
            yield from wrapped(f"{limit.what}: {limit.why}" if limit.why else limit.what, self.width, "  - ")
            if limit.grant and [one.grant for one in limits[place + 1 : place + 2]] != [limit.grant]:
                yield self.ansi_style(f"      to grant it: {limit.grant}", "dim")

    def _coverage(self) -> Iterable[str]:
        seen = self.report.observation
        notes = [
            seen.coverage,
            *(f"The stream: {trouble}." for trouble in seen.troubles),
            _left_out(seen.opens_left_out),
            *(f"{count} more {name} are not listed." for name, count in seen.left_out.items()),
            f"The observation ended: {seen.ended}." if seen.ended else "",
        ]
        for note in notes:
            yield from wrapped(note, self.width, "  ") if note else []


def _left_out(opens: int) -> str:
    return f"{plural(opens, 'open')} of no interest {'is' if opens == 1 else 'are'} not listed." if opens else ""


def _more(count: int, most: int, what: str) -> Iterable[str]:
    if count > most:
        yield f"  and {count - most} more {what}: --format json has all of them"
