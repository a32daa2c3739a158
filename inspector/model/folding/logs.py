"""Log sources, their lines, and what the lines mean by the profiles."""

from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise
from typing import TypeVar

from inspector.model import log_parsing
from inspector.model.formatting import name_of
from inspector.model.log_meanings import harmless, line_time, read_lines
from inspector.model.state import LogSource, Reading, Said, State
from inspector.stream.logs import LogChanged, LogFound, LogLine, LogRead, WritesSeen

from .timeline import keep, process_at, tell, touch

LINES_KEPT = 20_000
"""Lines held a source; the collector answers for older ones."""
READINGS_KEPT = 500
"""Understood lines held a source and rule: the first hundred and the newest."""
_FIRST_READINGS = 100
_MOMENTS_A_RULE = 200
_MOST_CHANGES = 1_000
_BAD_WORDS = frozenset(("dropped", "given-nothing", "no-device", "no-memory", "not-built", "error", "ended"))
T = TypeVar("T")


def found(state: State, event: LogFound) -> None:
    source = state.logs.get(event.source)
    if source is None:
        state.logs[event.source] = LogSource(found=event)
    else:
        source.found = event
    touch(state, "logs")


def read(state: State, event: LogRead) -> None:
    source = state.logs.get(event.source)
    if source is None:
        unknown = LogFound(
            at=event.at, source=event.source, name=f"log {event.source}", kind="file", why="not announced"
        )
        source = state.logs[event.source] = LogSource(found=unknown)
    lines = _new_lines(source, event.lines)
    source.lines_total = max(source.lines_total, event.lines_total)
    source.bytes_total = max(source.bytes_total, event.bytes_total)
    if event.backlog:
        source.backlog = max(source.backlog, event.lines_total, lines[-1].number + 1 if lines else 0)
    else:
        source.seen_at.update((line.number, event.at) for line in lines)
    _leave_out_ours(source, lines)
    telling: dict[int, Reading | Said] = {}
    for number, readings in groupby(_readings(state, source, event, lines), key=lambda reading: reading.number):
        of_line = list(readings)
        for reading in of_line:
            _keep(source.readings.setdefault(f"{reading.profile}:{reading.rule.id}", []), reading)
        telling[number] = next((one for one in of_line if one.rule.bad), of_line[0])
    for said in _said(state, source, event, lines):
        _keep(source.said.setdefault(said.words.kind, []), said)
        known = telling.get(said.number)
        if known is None or (isinstance(known, Said) and _says_bad(said)):
            telling[said.number] = said
    for number in sorted(telling):
        _tell(state, source, telling[number])
    _bound(source)
    touch(state, "logs")


def _leave_out_ours(source: LogSource, lines: Sequence[LogLine]) -> None:
    source.own.update([line.number for line in lines if source.own_output.is_ours(line.text)])


def _texts(source: LogSource, lines: Sequence[LogLine]) -> list[str]:
    """What the program wrote: lines of our own are empty."""
    return ["" if line.number in source.own else line.text for line in lines]


def _new_lines(source: LogSource, lines: list[LogLine]) -> Sequence[LogLine]:
    """Put lines into their places by number; a number that is known already replaces its line."""
    last = source.lines[-1].number if source.lines else -1
    if lines and lines[0].number > last and all(a.number < b.number for a, b in pairwise(lines)):
        source.lines += lines
        return lines
    numbers = {line.number for line in lines}
    for key, readings in source.readings.items():
        source.readings[key] = [reading for reading in readings if reading.number not in numbers]
    for kind, said in source.said.items():
        source.said[kind] = [one for one in said if one.number not in numbers]
    merged = {line.number: line for line in [*source.lines, *lines]}
    source.lines = sorted(merged.values(), key=lambda line: line.number)
    return [merged[number] for number in sorted(numbers)]


def _readings(state: State, source: LogSource, event: LogRead, lines: Sequence[LogLine]) -> Iterator[Reading]:
    for index, profile, rule, groups in read_lines(state.profiles, _texts(source, lines)):
        line = lines[index]
        written = line_time(state.session, line)
        yield Reading(
            source=event.source, number=line.number, profile=profile, rule=rule, groups=groups, text=line.text,
            at=written or (0 if event.backlog else event.at), pid=_pid(line, groups), backlog=event.backlog,
            read_at=event.at,
        )  # fmt: skip


def _pid(line: LogLine, groups: dict[str, str]) -> int:
    named = groups.get("pid", "")
    return int(named) if named.isdigit() and len(named) < 10 else line.pid


def _said(state: State, source: LogSource, event: LogRead, lines: Sequence[LogLine]) -> Iterator[Said]:
    texts = _texts(source, lines)
    for index, words in (*log_parsing.read_lines(texts), *source.endings.read(texts)):
        line = lines[index]
        written = line_time(state.session, line)
        yield Said(
            source=event.source, number=line.number, words=words, at=written or (0 if event.backlog else event.at),
            pid=line.pid, backlog=event.backlog, read_at=event.at,
        )  # fmt: skip


def _keep(kept: list[T], item: T) -> None:
    kept.append(item)
    if len(kept) > READINGS_KEPT:
        del kept[_FIRST_READINGS : 2 * _FIRST_READINGS]


def _tell(state: State, source: LogSource, line: Reading | Said) -> None:
    """A line that several rules understand is one moment all the same, and where it is wrong so in every list."""
    if isinstance(line, Reading):
        alike, text = len(source.readings[f"{line.profile}:{line.rule.id}"]), line.text
        bad = line.rule.bad and not harmless(state.profiles, line.text)
    else:
        alike, text, bad = len(source.said[line.words.kind]), line.words.text, _says_bad(line)
    if bad:
        source.refusals.add(line.number)
    if line.at > 0 and alike <= _MOMENTS_A_RULE:
        tell(state, line.at, line.pid, "log", text, bad=bad, key=f"{line.source}:{line.number}")


def _says_bad(said: Said) -> bool:
    return bool(said.words.refused) or said.words.kind in _BAD_WORDS


def _bound(source: LogSource) -> None:
    surplus = len(source.lines) - LINES_KEPT
    if surplus <= LINES_KEPT // 10:
        return
    marked = {reading.number for readings in source.readings.values() for reading in readings}
    marked |= {one.number for said in source.said.values() for one in said}
    oldest, source.lines = source.lines[:surplus], source.lines[surplus:]
    kept = [line for line in oldest if line.number in marked]
    for line in oldest:
        if line.number not in marked:
            source.seen_at.pop(line.number, None)
            source.own.discard(line.number)
            source.refusals.discard(line.number)
    source.lines[:0] = kept


def changed(state: State, event: LogChanged) -> None:
    source = state.logs.get(event.source)
    name = f"log {event.source}"
    if source is not None:
        keep(source.changes, event, _MOST_CHANGES)
        name = name_of(source.found.name)
    touch(state, "logs")
    tell(state, event.at, 0, "log", f"{name}: {event.what} {event.detail}".rstrip(), bad=event.what != "back")


def writes_seen(state: State, event: WritesSeen) -> None:
    process_at(state, event.pid, event.at).writes[event.fd] = event
    touch(state, "logs")
