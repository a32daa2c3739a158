"""Which of some whole lines match a pattern and a level, without looking at every line where that can be avoided."""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from inspector.stream.joined_texts import within_one
from inspector.stream.literals import any_of, required_literals
from inspector.stream.log_line import Level, continues, read
from inspector.stream.patterns import SEARCHED, Pattern, typed
from inspector.stream.text import decode_line

_WORDS_OF: dict[Level, str] = {
    Level.TRACE: "trace trc fine verbose spam",
    Level.DEBUG: "debug dbg dbug fine",
    Level.INFO: "inf notice note config log",
    Level.WARN: "warn wrn",
    Level.ERROR: (
        "err eror fail cannot can't refused denied aborted traceback exception sever sig could_not couldn't unable_to"
        " not_found not_loaded not_installed not_compiled not_supported not_available no_such too_old undefined_symbol"
        " terminate_called unhandled uncaught assertion core_dumped segmentation_fault out_of_memory what()"
        " illegal_instruction stack_smashing gpu device driver ***: caused_by: free(): alloc(): double_free"
    ),
    Level.FATAL: "fatal fata ftl panic crit alert emerg",
}
"""Texts of which a line of each level holds at least one, in lower case; `_SHORT_OF` for forms without a word."""
_SHORT_OF: dict[Level, str] = {
    Level.TRACE: "", Level.DEBUG: "d", Level.INFO: "i", Level.WARN: "w", Level.ERROR: "e", Level.FATAL: "f",
}  # fmt: skip
"""The letter of glog and its kin, of TensorFlow and of those who write it in brackets."""
_MOST_CONTINUED = 200
_NO_MARKS = bytes({*range(256)} - {1, 10})
_QUICK_LEVELS = {b"debug": Level.DEBUG, b"info": Level.INFO, b"warn": Level.WARN, b"error": Level.ERROR}
_QUICK = re.compile(rb"(?:^| )level=(debug|info|warn|error)\b", re.IGNORECASE)
"""The form that the most talkative programs write, read without taking the line apart."""


_MASK = bytes.maketrans(b"23456789", b"1" * 8)
_DIGITS_DECIDE = re.compile(rb'<\d|.*(?:level"\s*:\s*\d|debug\d)', re.IGNORECASE | re.DOTALL)
"""The priority of syslog and levels in numbers: elsewhere only 0 is told from other digits (`0 errors`)."""
_MOST_SHAPES = 20_000


class Matcher:
    """Lines that match a pattern and are of a level; one with neither matches all."""

    def __init__(self, pattern: str, level: int) -> None:
        self._pattern = typed(pattern)
        self._level = Level(max(0, min(level, max(Level))))
        self._carried = False
        """The last line of the piece before matched by its level: what continues it matches too."""
        self._shapes: dict[bytes, bool | None] = {}
        """Lines with all digits alike -> whether they are of the level; None where the digits decide."""

    def hits(self, data: bytes) -> Iterable[int]:
        """Numbers, from 0, of the lines of `data` that match; pieces of a log are given one after the other."""
        if not data:
            return []
        found = self._by_pattern(data) if self._pattern is not None else None
        if not self._level:
            return range(_lines_in(data)) if found is None else found
        wanted = self._by_level(data)
        if found is None:
            return sorted(wanted)
        return [number for number in found if number in wanted]

    def matches(self, text: str) -> bool:
        """Whether one line matches, whatever stands before it."""
        return (self._pattern is None or bool(self._pattern.search()(text[:SEARCHED]))) and (
            not self._level or read(text).rank >= self._level
        )

    def _by_pattern(self, data: bytes) -> Iterable[int]:
        assert self._pattern is not None
        found = _holding(self._pattern, data)
        if not self._pattern.inverse:
            return found
        left_out = set(found)
        return [number for number in range(_lines_in(data)) if number not in left_out]

    def _by_level(self, data: bytes) -> set[int]:
        texts = _split(data)
        found = self._by_shape(texts, data)
        return set(found) if self._level <= Level.INFO else self._with_continued(texts, found)

    def _by_shape(self, texts: list[bytes], data: bytes) -> list[int]:
        """Programs write the same lines again and again with other digits: each such shape is looked at once."""
        shapes = _split(data.translate(_MASK))
        fresh = set(shapes).difference(self._shapes)
        if 2 * len(fresh) > len(shapes):
            return self._levelled(texts, data)
        if len(self._shapes) > _MOST_SHAPES:
            self._shapes.clear()
            fresh = set(shapes)
        ordered = list(fresh)
        wanted = set(self._levelled(ordered, b"\n".join(ordered)))
        self._shapes |= {
            shape: None if _DIGITS_DECIDE.match(shape) else number in wanted for number, shape in enumerate(ordered)
        }
        known = [self._shapes[shape] for shape in shapes]
        return [
            number for number, yes in enumerate(known) if yes or (yes is None and _level(texts[number]) >= self._level)
        ]

    def _levelled(self, texts: list[bytes], data: bytes) -> list[int]:
        """Lines of the level, found by the words that name it."""
        low = self._level <= Level.INFO
        levels = tuple(one for one in _WORDS_OF if (one < self._level if low else one >= self._level))
        candidates = _candidates(levels, data)
        if not low:
            return [one for one in candidates if _level(texts[one]) >= self._level]
        lower = {number for number in candidates if _level(texts[number]) < self._level}
        return [number for number in range(len(texts)) if number not in lower]

    def _with_continued(self, texts: list[bytes], found: list[int]) -> set[int]:
        wanted = set(found)
        for number in ([-1] if self._carried else []) + found:
            for place in range(number + 1, min(number + _MOST_CONTINUED, len(texts))):
                if place in wanted or not _continues(texts[place]):
                    break
                wanted.add(place)
        self._carried = len(texts) - 1 in wanted
        return wanted


def _split(data: bytes) -> list[bytes]:
    return data.removesuffix(b"\n").split(b"\n")


def _lines_in(data: bytes) -> int:
    return data.count(b"\n") + (not data.endswith(b"\n") and bool(data))


def _level(raw: bytes) -> Level:
    quick = _QUICK.search(raw, 0, 200)
    if quick is not None:
        return _QUICK_LEVELS[quick[1].lower()]
    return read(decode_line(raw[:SEARCHED])).rank


def _continues(raw: bytes) -> bool:
    return continues(raw[:64].decode("utf-8", "replace"))


def _candidates(levels: tuple[Level, ...], data: bytes) -> list[int]:
    """Lines that may be of one of these levels: none that is of one is left out."""
    lowered = b"\n" + data.lower()
    words = {word.replace("_", " ").encode() for one in levels for word in _WORDS_OF[one].split()}
    needles: list[bytes | re.Pattern[bytes]] = [_seeker(frozenset(words))]
    if not levels:
        return []
    letters = b"".join(_SHORT_OF[one].encode() for one in levels)
    needles += [b" %c " % letter for letter in letters] + [b"[%c" % letter for letter in letters]
    needles += [b"\n<", b'level"']
    if letters:
        needles.append(_glog(letters))
    found = {line for needle in needles for line in _lines_of(needle, lowered)}
    return sorted(found)


@lru_cache(maxsize=8)
def _glog(letters: bytes) -> re.Pattern[bytes]:
    return re.compile(rb"\n\[?[" + letters + rb"]\d{3}")


@lru_cache(maxsize=16)
def _seeker(texts: frozenset[bytes]) -> re.Pattern[bytes]:
    """Finds one of some texts, those left out that hold a shorter one."""
    kept: list[bytes] = []
    for text in sorted(texts, key=len):
        if not any(shorter in text for shorter in kept):
            kept.append(text)
    return any_of(kept)


def _holding(pattern: Pattern, data: bytes) -> Iterable[int]:
    """Lines of `data` that the pattern matches, its inversion left aside."""
    if pattern.kind == "text":
        return _lines_with(pattern.literal.encode("utf-8", "surrogateescape"), data)
    search = pattern.marked() or re.compile(pattern.expression, re.IGNORECASE)
    literals = required_literals(pattern.expression.lower()) if pattern.kind == "regex" else set()
    if not literals:
        return _matching(pattern.expression, search, data)
    texts, candidates = data.split(b"\n"), [*_lines_with(_seeker(frozenset(literals)), data)]
    hits = _matching(pattern.expression, search, b"".join(texts[number] + b"\n" for number in candidates))
    return [candidates[hit] for hit in hits]


def _matching(expression: str, search: re.Pattern[str], data: bytes) -> list[int]:
    """Lines that an expression matches: by one pass over all that are plain, and one by one where it has to be.

    Whether a line matches from its beginning is seen quicker one by one.
    """
    within = None if expression.startswith("^") else within_one(expression, b"\n")
    if within is not None and data.isascii() and not _has_long_line(data):
        return _in_one_pass(within, data)
    lines = data.removesuffix(b"\n").split(b"\n") if data else []
    if within is None:
        return [number for number, line in enumerate(lines) if search.search(_text(line))]
    plain = [number for number, line in enumerate(lines) if line.isascii() and len(line) <= SEARCHED]
    hits = _in_one_pass(within, b"".join(lines[number] + b"\n" for number in plain))
    odd = set(range(len(lines))).difference(plain)
    return sorted([*(plain[hit] for hit in hits), *(one for one in odd if search.search(_text(lines[one])))])


def _in_one_pass(within: bytes, data: bytes) -> list[int]:
    if not data:
        return []
    lines = b"\n" + data.lower() + (b"" if data.endswith(b"\n") else b"\n")
    marked = re.sub(b"(?:%s)[^\n]*" % within, b"\1", lines)
    marks = marked.translate(None, _NO_MARKS).split(b"\n")[1:-1]
    return [number for number, mark in enumerate(marks) if mark]


def _has_long_line(data: bytes) -> bool:
    """Whether more of a line is there than is searched."""
    at = 0
    while at + SEARCHED < len(data):
        end = data.rfind(b"\n", at, at + SEARCHED + 1)
        if end < 0:
            return True
        at = end + 1
    return False


def _text(raw: bytes) -> str:
    return raw[:SEARCHED].decode("utf-8", "backslashreplace")


def _lines_with(needle: bytes | re.Pattern[bytes], data: bytes) -> Iterator[int]:
    """Lines of `data` that hold the needle, which is in lower case; ASCII case does not matter."""
    return _lines_of(needle, b"\n" + data.lower())


def _lines_of(needle: bytes | re.Pattern[bytes], lowered: bytes) -> Iterator[int]:
    """The same for bytes in lower case, a newline before each line: needles may begin with one."""
    line, counted, at = -1, 0, 0
    while (at := _found(needle, lowered, at)) >= 0:
        begin = at + lowered.startswith(b"\n", at)
        line += lowered.count(b"\n", counted, begin)
        yield line
        counted = at = lowered.find(b"\n", begin)
        if counted < 0:
            return


def _found(needle: bytes | re.Pattern[bytes], data: bytes, at: int) -> int:
    if isinstance(needle, bytes):
        return data.find(needle, at)
    hit = needle.search(data, at)
    return hit.start() if hit is not None else -1
