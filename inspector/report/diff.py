"""Two reports compared, the good with the bad: the difference that matters first."""

import re
from collections.abc import Iterable, Iterator
from typing import Literal

import msgspec

from inspector.stream.redact import rewritten

from . import phrases
from .layout import AnsiStyle, wrapped
from .schema import ImageReport, Report, TreeProcess
from .short_text import command, file_name

Area = Literal[
    "mode", "finding", "ladder", "environment", "library", "links", "symbols", "look-ups", "calls", "results",
    "processes", "files", "machine",
]  # fmt: skip
_ORDER: tuple[Area, ...] = (
    "mode", "finding", "environment", "library", "links", "symbols", "look-ups", "results", "calls", "processes",
    "files", "ladder", "machine",
)  # fmt: skip
"""Causes before their consequences, under the verdict."""


_PID = re.compile(r"\b(?:pid|PID) \d+")


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is otherwise in the bad than in the good."""

    area: Area
    what: str
    """Whose or which: a program, a library, a function."""
    good: str | None
    """None: not there."""
    bad: str | None


class Differences(msgspec.Struct, frozen=True, kw_only=True):
    """All differences, those that matter first."""

    schema: Literal["shim-inspector/diff/1"] = "shim-inspector/diff/1"
    rows: list[Difference]


def compare(good: Report, bad: Report) -> Differences:
    """What differs; pids, addresses, moments, counts above zero and a move of the whole program are no differences."""
    folders = _moved(good.target.exe, bad.target.exe)
    good, bad = (rewritten(report, lambda text: _PID.sub("PID N", text)) for report in (good, bad))
    if folders is not None:
        good = rewritten(good, lambda text: text.replace(folders[0], folders[1]))
    found = [
        *_mode(good, bad),
        *_pairs("finding", _findings(good), _findings(bad)),
        *_processes(good, bad),
        *_libraries(good, bad),
        *_images(good, bad),
        *_pairs("look-ups", _lookups(good), _lookups(bad)),
        *_pairs("results", _results(good), _results(bad)),
        *_pairs("calls", _called(good), _called(bad)),
        *_pairs("files", _opens(good), _opens(bad)),
        *_pairs("ladder", *_common(_rungs(good), _rungs(bad))),
        *_pairs("machine", _machine(good), _machine(bad)),
    ]
    if folders is not None:
        found.append(Difference(area="machine", what="directory of the program", good=folders[0], bad=folders[1]))
    return Differences(rows=sorted(found, key=lambda row: _ORDER.index(row.area)))


def _moved(good: str, bad: str) -> tuple[str, str] | None:
    """The folders above which two paths differ, when they are the same below: at least a folder and a name."""
    ours, theirs = good.split("/"), bad.split("/")
    same = 0
    while same < min(len(ours), len(theirs)) and ours[-1 - same] == theirs[-1 - same]:
        same += 1
    if good == bad or same < 2:
        return None
    above = "/".join(ours[: len(ours) - same]), "/".join(theirs[: len(theirs) - same])
    return above if all(above) else None


def as_json(found: Differences) -> bytes:
    """The differences as one JSON object."""
    return msgspec.json.format(msgspec.json.encode(found), indent=2) + b"\n"


def as_text(found: Differences, good: str, bad: str, *, width: int = 100, colour: bool = False) -> str:
    """The differences as lines: `-` is the good one's, `+` the bad one's."""
    ansi_style = AnsiStyle(colour)
    lines = [ansi_style(f"- {good}", "red"), ansi_style(f"+ {bad}", "green")]
    if not found.rows:
        return "\n".join([*lines, "", "No differences."]) + "\n"
    area = ""
    for row in found.rows:
        if row.area != area:
            area = row.area
            lines += ["", ansi_style(area.capitalize(), "bold")]
        lines += [f"  {line}" for line in wrapped(row.what, width - 2)]
        for sign, text, name in (("-", row.good, "red"), ("+", row.bad, "green")):
            said = "(not there)" if text is None else text or "(empty)"
            lines += [ansi_style(line, name) for line in wrapped(said, width, f"    {sign} ", "      ")]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _pairs(area: Area, good: dict[str, str], bad: dict[str, str]) -> Iterator[Difference]:
    """What the bad one says otherwise, in its order; last what only the good one says."""
    for what in dict.fromkeys([*bad, *good]):
        if good.get(what) != bad.get(what):
            yield Difference(area=area, what=what, good=good.get(what), bad=bad.get(what))


def _mode(good: Report, bad: Report) -> Iterator[Difference]:
    if good.mode.verdict != bad.mode.verdict:
        headlines = phrases.headline(good), phrases.headline(bad)
        yield Difference(area="mode", what="GPU mode", good=headlines[0], bad=headlines[1])


def _firsts(rows: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The first of several rows about the same thing."""
    found: dict[str, str] = {}
    for what, text in rows:
        found.setdefault(what, text)
    return found


def _findings(report: Report) -> dict[str, str]:
    return _firsts((finding.rule, finding.title) for finding in report.findings if finding.severity != "info")


# -- processes, matched by what they run -----------------------------------------------------------------------------


def _programs(report: Report) -> dict[str, TreeProcess]:
    """The first process of each program and way of calling it; numbers in arguments are no difference."""
    found: dict[str, TreeProcess] = {}
    for process in report.target.tree:
        found.setdefault(_program(process), process)
    return found


def _program(process: TreeProcess) -> str:
    words = [file_name(word) if number == 0 else word for number, word in enumerate(process.argv)]
    return command("N" if word.isdecimal() else word for word in words) or process.comm or "?"


def _processes(good: Report, bad: Report) -> Iterator[Difference]:
    ours, theirs = _programs(good), _programs(bad)
    for name in dict.fromkeys([*ours, *theirs]):
        one, other = ours.get(name), theirs.get(name)
        if one is None or other is None:
            ends = (_end(one) if one else None, _end(other) if other else None)
            yield Difference(area="processes", what=name, good=ends[0], bad=ends[1])
            continue
        yield from _pairs("processes", {f"{name}: end": _end(one)}, {f"{name}: end": _end(other)})
        yield from _pairs("processes", {f"{name}: facts": _properties(one)}, {f"{name}: facts": _properties(other)})
        if one.environment_known and other.environment_known:
            yield from _pairs("environment", _environment(name, one), _environment(name, other))


def _end(process: TreeProcess) -> str:
    return phrases.fate(process).split(" after ")[0]


def _properties(process: TreeProcess) -> str:
    parts = [
        process.exe,
        f"uid {process.uid}",
        "AT_SECURE" if process.secure else "",
        "static" if process.static else "",
    ]
    return ", ".join(part for part in parts if part)


def _environment(name: str, process: TreeProcess) -> dict[str, str]:
    return {f"{key} of {name}": value for key, value in process.environment.items()}


# -- libraries, matched by SONAME or file name ------------------------------------------------------------------------


def _libraries(good: Report, bad: Report) -> Iterator[Difference]:
    yield from _pairs("library", _mapped(good), _mapped(bad))
    yield from _pairs("links", *_common(_links(good), _links(bad)))


def _mapped(report: Report) -> dict[str, str]:
    found: dict[str, list[str]] = {}
    for row in report.libraries:
        build = f", build-id {row.build_id[:12]}" if row.build_id else ""
        state = f", {row.state}" if row.state not in ("current", "unknown") else ""
        found.setdefault(row.soname or file_name(row.path), []).append(f"{row.path}{build}{state}")
    return {name: "; ".join(sorted(set(paths))) for name, paths in found.items()}


def _links(report: Report) -> dict[str, str]:
    return {row.links[0]: " -> ".join(row.links) for row in report.libraries if len(row.links) > 1}


def _images(good: Report, bad: Report) -> Iterator[Difference]:
    ours, theirs = _by_name(good), _by_name(bad)
    for name in sorted(ours.keys() & theirs.keys()):
        one, other = ours[name], theirs[name]
        for label, before, after in _aspects(one, other):
            gone, new = sorted(set(before) - set(after)), sorted(set(after) - set(before))
            if gone or new:
                yield Difference(area="symbols", what=f"{name}: {label}", good=_some(gone), bad=_some(new))


def _by_name(report: Report) -> dict[str, ImageReport]:
    return {image.soname or file_name(image.path): image for image in report.images}


def _aspects(one: ImageReport, other: ImageReport) -> Iterator[tuple[str, list[str], list[str]]]:
    yield "offers", one.offers, other.offers
    yield "needs", one.needs, other.needs
    yield "defines version nodes", one.version_nodes, other.version_nodes
    yield "overrides for the whole process", one.overrides, other.overrides
    yield "needs libraries", one.needed, other.needed


def _some(names: list[str]) -> str | None:
    if not names:
        return None
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")


# -- what happened ----------------------------------------------------------------------------------------------------


def _lookups(report: Report) -> dict[str, str]:
    return _firsts(
        (f"{row.via} {row.name} by {file_name(row.requester) or 'the loader'}", phrases.lookup(row))
        for row in sorted(report.lookups, key=lambda row: row.found is not None)
    )


def _called(report: Report) -> dict[str, str]:
    found: dict[str, set[str]] = {}
    for row in report.calls:
        callers = {"itself" if caller == row.library else file_name(caller) for caller in row.callers}
        found.setdefault(row.function, set()).update(callers)
    return {name: _by(callers) for name, callers in found.items()}


def _by(callers: Iterable[str]) -> str:
    names = ", ".join(sorted(callers))
    return f"called by {names}" if names else "called"


def _results(report: Report) -> dict[str, str]:
    found: dict[str, set[str]] = {}
    for row in report.calls:
        values = {f"{name}={value}" for name, value in row.values.items() if isinstance(value, int)}
        found.setdefault(row.function, set()).update({*row.results, *values})
    return {name: ", ".join(sorted(results)) for name, results in found.items() if results}


def _opens(report: Report) -> dict[str, str]:
    return _firsts((row.path if row.call == "open" else f"{row.call} {row.path}", row.result) for row in report.opens)


def _rungs(report: Report) -> dict[str, str]:
    names = {process.pid: _program(process) for process in reversed(report.target.tree)}
    return _firsts(
        (f"{ladder.api} in {names.get(ladder.pid, ladder.pid)}", ladder.first_broken or "whole")
        for ladder in report.apis
    )


def _common(good: dict[str, str], bad: dict[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Only what both have: a process that is not there was said already."""
    return {key: good[key] for key in good if key in bad}, {key: bad[key] for key in bad if key in good}


def _machine(report: Report) -> dict[str, str]:
    seen = report.observation
    return {"kernel": seen.kernel, "inspector": seen.version, "host": seen.host}
