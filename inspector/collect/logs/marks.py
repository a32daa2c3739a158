"""Lines that the watch plan always wants, found without looking at every line.

Python's alternation of some dozens of patterns runs at 60 MB/s, `bytes.find` of one literal at several GB/s. So each
pattern gives texts of which every match holds one; these are searched, and only their lines meet the pattern itself.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_SHORTEST = 4
"""A shorter literal is found too often to save anything."""
_ITEM = re.compile(
    r"\\(?:x..|u.{4}|U.{8}|N\{[^}]*\}|\d{1,3}|.)"  # an escape
    r"|\[\^?\]?(?:\\.|[^\]\\])*\]"  # a class
    r"|\{[^}]*\}"  # a repetition count
    r"|.",
    re.DOTALL,
)
_GLOBAL_FLAGS = re.compile(r"\(\?[aiLmsux]+\)")


@dataclass(frozen=True, slots=True)
class Span:
    """A marked line within some bytes: from its first byte to its newline."""

    begin: int
    end: int


class Marks:
    """The log marks of a watch plan, compiled."""

    def __init__(self, patterns: list[str]) -> None:
        self.refused: list[str] = []
        """Patterns that are no regular expressions, each with the reason."""
        self._by_literal: dict[bytes, list[re.Pattern[bytes]]] = {}
        self._unaided: list[re.Pattern[bytes]] = []
        for pattern in dict.fromkeys(patterns):
            self._take(pattern)
        self._by_literal = _shortest_cover(self._by_literal)

    def _take(self, pattern: str) -> None:
        try:
            compiled = re.compile(pattern.encode(), re.MULTILINE)
        except (re.error, OverflowError, RecursionError) as error:
            self.refused.append(f"{pattern}: {error}")
            return
        literals = required_literals(pattern)
        for literal in literals:
            self._by_literal.setdefault(literal, []).append(compiled)
        if not literals:
            self._unaided.append(compiled)

    def holds(self, line: bytes) -> bool:
        """Is this line marked?"""
        return any(
            literal in line and any(pattern.search(line) for pattern in patterns)
            for literal, patterns in self._by_literal.items()
        ) or any(pattern.search(line) for pattern in self._unaided)

    def find(self, data: bytes, limit: int) -> tuple[list[Span], bool]:
        """Marked lines of some whole lines, in order; True when the search was given up after `limit` of them."""
        spans: dict[int, Span] = {}
        for span in self._search(data):
            spans[span.begin] = span
            if len(spans) >= limit:
                return sorted(spans.values(), key=lambda one: one.begin), True
        return sorted(spans.values(), key=lambda one: one.begin), False

    def _search(self, data: bytes) -> Iterator[Span]:
        for literal, patterns in self._by_literal.items():
            at = data.find(literal)
            while at >= 0:
                span = _line_around(data, at)
                if any(pattern.search(data, span.begin, span.end) for pattern in patterns):
                    yield span
                at = data.find(literal, span.end)
        for pattern in self._unaided:
            end = 0
            while (match := pattern.search(data, end)) is not None:
                span = _line_around(data, match.start())
                yield span
                end = max(span.end, match.start() + 1)


def _line_around(data: bytes, at: int) -> Span:
    end = data.find(b"\n", at)
    return Span(data.rfind(b"\n", 0, at) + 1, len(data) if end < 0 else end)


def required_literals(pattern: str) -> set[bytes]:
    """Texts of which every match holds at least one; empty when they are too short or not easy to see.

    Groups and classes are not looked into: only the plain runs between them count.
    """
    if _GLOBAL_FLAGS.match(pattern):
        return set()
    longest = {max(runs, key=len, default="") for runs in _plain_runs(pattern)}
    return {text.encode() for text in longest} if all(len(text) >= _SHORTEST for text in longest) else set()


def _plain_runs(pattern: str) -> list[list[str]]:
    """Runs of literal characters outside of groups and classes, for each alternative at the top level."""
    alternatives: list[list[str]] = [[""]]
    depth = 0
    for item in _ITEM.findall(pattern):
        runs = alternatives[-1]
        literal = _literal(item)
        if depth == 0 and literal:
            runs[-1] += literal
            continue
        if item in ("?", "*") or item[0] == "{":
            runs[-1] = runs[-1][:-1]
        depth += (item == "(") - (item == ")")
        if item == "|" and depth == 0:
            alternatives.append([""])
        else:
            runs.append("")
    return alternatives


def _literal(item: str) -> str:
    """The character that an item of a pattern stands for, empty when it is no plain character."""
    if item[0] == "\\":
        return item[1] if len(item) == 2 and not item[1].isalnum() else ""
    return item if item not in set(".^$*+?()|") and item[0] not in "[{" else ""


def _shortest_cover(found: dict[bytes, list[re.Pattern[bytes]]]) -> dict[bytes, list[re.Pattern[bytes]]]:
    """Without literals that hold another one: whoever has the longer also has the shorter."""
    cover: dict[bytes, list[re.Pattern[bytes]]] = {}
    for literal in sorted(found, key=len):
        shorter = next((one for one in cover if one in literal), literal)
        cover.setdefault(shorter, []).extend(found[literal])
    return cover
