"""Lines that the watch plan always wants, found without looking at every line."""

import re
from collections.abc import Iterator
from functools import cached_property

import msgspec

from inspector.stream.literals import any_of, rare_part, required_literals
from inspector.stream.regex_cost import PatternError, longest_text


class Span(msgspec.Struct, frozen=True):
    """A marked line within some bytes: from its first byte to its newline."""

    begin: int
    end: int


class _Pattern(msgspec.Struct, frozen=True):
    """One pattern, and how many bytes of a line it is used on."""

    compiled: re.Pattern[bytes]
    longest: int

    def fits(self, data: bytes, span: Span) -> bool:
        """Does the line match?"""
        return self.compiled.search(data, span.begin, min(span.end, span.begin + self.longest)) is not None


class _Compiled(msgspec.Struct):
    """The patterns, ready to search."""

    by_part: dict[bytes, list["_Pattern"]] = msgspec.field(default_factory=dict)
    """By a text that every match holds."""
    unaided: list["_Pattern"] = msgspec.field(default_factory=list)
    """Those that have none."""
    refused: list[str] = msgspec.field(default_factory=list)


class Marks:
    """The log marks of a watch plan: a quick search for parts of them, then the patterns on the lines found."""

    def __init__(self, patterns: list[str]) -> None:
        self._patterns = list(dict.fromkeys(patterns))

    @property
    def refused(self) -> list[str]:
        """Patterns that are no regular expressions, each with the reason."""
        return self._compiled.refused

    @cached_property
    def _compiled(self) -> _Compiled:
        """Compiling takes 20 ms: not before something is to be searched."""
        made = _Compiled()
        for pattern in self._patterns:
            try:
                compiled = _Pattern(re.compile(pattern.encode(), re.MULTILINE), longest_text(pattern))
            except (PatternError, re.error) as error:
                made.refused.append(f"{pattern}: {error}")
                continue
            parts = [rare_part(literal) for literal in required_literals(pattern)]
            for part in parts:
                made.by_part.setdefault(part, []).append(compiled)
            if not parts:
                made.unaided.append(compiled)
        made.by_part = _without_longer(made.by_part)
        return made

    @cached_property
    def _seeker(self) -> re.Pattern[bytes] | None:
        return any_of(list(self._compiled.by_part)) if self._compiled.by_part else None

    def holds(self, line: bytes) -> bool:
        """Is this line marked?"""
        return next(self._search(line), None) is not None

    def find(self, data: bytes, limit: int) -> tuple[list[Span], bool]:
        """Marked lines of some whole lines, in order; True when the search was given up after `limit` of them."""
        spans: dict[int, Span] = {}
        for span in self._search(data):
            spans[span.begin] = span
            if len(spans) >= limit:
                break
        return sorted(spans.values(), key=lambda span: span.begin), len(spans) >= limit

    def _search(self, data: bytes) -> Iterator[Span]:
        at = 0
        while self._seeker is not None and (hit := self._seeker.search(data, at)) is not None:
            span = _line_around(data, hit.start())
            marked = any(pattern.fits(data, span) for pattern in self._compiled.by_part[hit[0]])
            if marked:
                yield span
            at = span.end if marked else hit.start() + 1
        at = 0
        while self._compiled.unaided and at < len(data):
            span = _line_around(data, at)
            if any(pattern.fits(data, span) for pattern in self._compiled.unaided):
                yield span
            at = span.end + 1


def _line_around(data: bytes, at: int) -> Span:
    end = data.find(b"\n", at)
    return Span(data.rfind(b"\n", 0, at) + 1, len(data) if end < 0 else end)


def _without_longer(found: dict[bytes, list[_Pattern]]) -> dict[bytes, list[_Pattern]]:
    """Without parts that hold another one: whoever has the longer also has the shorter."""
    cover: dict[bytes, list[_Pattern]] = {}
    for part in sorted(found, key=len):
        shorter = next((one for one in cover if one in part), part)
        cover.setdefault(shorter, []).extend(found[part])
    return cover
