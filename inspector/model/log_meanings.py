"""Log lines read by the profiles: which lines mean something, and when they were written."""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from inspector.stream.iso_time import moment
from inspector.stream.lazy_pattern import lazy
from inspector.stream.logs import LogLine
from inspector.stream.regex_cost import longest_text
from inspector.stream.session import SessionStarted

from .own_output import quotes
from .profiles import LogRule, Profiles

_STAMP = lazy(r"time=\"?(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d))")
_MOST_TEXT = 4_096


@lru_cache(maxsize=8)
def _rules(profiles: Profiles) -> list[tuple[str, LogRule, re.Pattern[str], int]]:
    """With how many characters of a line each pattern looks at: hostile lines may be long, and made to be slow."""
    found = []
    for profile in profiles.profiles:
        for rule in profile.logs:
            pattern = rule.pattern or re.escape(rule.contains)
            found.append((profile.name, rule, re.compile(pattern), longest_text(pattern)))
    return found


def read_lines(profiles: Profiles, lines: Sequence[str]) -> Iterator[tuple[int, str, LogRule, dict[str, str]]]:
    """Lines that a profile understands, in order: index, profile, rule, named groups."""
    whole = "\n".join(lines)
    present = [entry for entry in _rules(profiles) if entry[1].contains in whole]
    if not present:
        return
    for index, line in enumerate(lines):
        for profile, rule, pattern, longest in present:
            if rule.contains not in line or quotes(line):
                continue
            match = pattern.search(line[:longest])
            if match is not None:
                yield index, profile, rule, {name: value or "" for name, value in match.groupdict().items()}


def harmless(profiles: Profiles, line: str) -> bool:
    """A line calls an answer an error that its API gives in ordinary programs as well."""
    for _, _, rule, groups in read_lines(profiles, [line]):
        function, code = groups.get("function", ""), groups.get("code", "")
        if rule.means == "error" and code.isdecimal():
            api = profiles.api_of_function(function) or ""
            return profiles.normal(api, function, int(code), at_exit=True) is not None
    return False


def line_time(session: SessionStarted | None, line: LogLine) -> int:
    """When the line was written, on the clock of the events; 0 when neither the carrier nor the line tells it."""
    wall = line.wall or stamp(line.text)
    if session is None or not wall:
        return 0
    return max(0, session.at + wall - session.wall)


def stamp(text: str) -> int:
    """Wall time in ns of a `time=` stamp anywhere in a line (raw output may be glued before it); 0 without one."""
    match = _STAMP().search(text[:_MOST_TEXT])
    if match is None:
        return 0
    try:
        when = moment(match[1])
        return int(when.replace(microsecond=0).timestamp()) * 1_000_000_000 + when.microsecond * 1_000
    except ValueError:
        return 0


def says(rule: LogRule, groups: dict[str, str]) -> str:
    """The plain words of a rule with the groups of one line; the pieces that the line lacks show as `?`."""
    return rule.says.format_map({name: value or "?" for name, value in groups.items()}) if rule.says else ""
