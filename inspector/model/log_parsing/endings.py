"""The error by which a program says that it ends: tracebacks and panics, whatever language it is written in.

That such an error was printed does not mean that the process ended by it: it may have been caught, and logged. Whoever
asks looks at the end of the process as well.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from .sentences import MOST_TEXT, Words

_HINTS: Final = (
    "traceback", "panic", "terminate", "exception", "error", "assert", "fatal", "fault", "no module named", "***",
    "what():", "free()", "malloc()", "caused by", "invalid pointer",
)  # fmt: skip
"""Without one of these, in lower case, no line of a batch begins an ending: looked for first, because it is fast."""
_TRACEBACK: Final = re.compile(r"^(?P<before>.*?)Traceback \(most recent call last\):\s*$")
"""Python, traceback.c and traceback.py; a log's prefix may stand before each line."""
_CHAINED: Final = re.compile(r"^(?:During handling of the above|The above exception was the direct cause)")
_NAMED: Final = re.compile(r"^(?P<subject>[A-Za-z_][\w.]*)(?::\s*(?P<answer>.*))?$")
_ONE_LINE: Final = (
    re.compile(r"^(?P<subject>panic): (?P<answer>.*)"),  # Go, runtime/panic.go
    re.compile(r"^(?P<subject>fatal error): (?P<answer>.*)"),
    re.compile(r"^thread '[^']*'(?: \(\d+\))? (?P<subject>panicked) at (?P<answer>.*)"),  # Rust, std/src/panicking.rs
    re.compile(r"^(?P<subject>terminate called) (?P<answer>.*)"),  # C++, libsupc++ vterminate.cc
    re.compile(r"^\s+(?P<subject>what\(\)):\s*(?P<answer>.*)"),
    re.compile(r"^Exception in thread \"[^\"]*\" (?P<subject>[\w.$]+)(?::\s*(?P<answer>.*))?$"),  # Java
    re.compile(r"^Caused by: (?P<subject>[\w.$]+)(?::\s*(?P<answer>.*))?$"),
    re.compile(r"^# (?P<subject>A fatal error has been detected by the Java Runtime Environment)(?P<answer>)"),
    re.compile(r"^Unhandled exception\. (?P<subject>[\w.]+)(?::\s*(?P<answer>.*))?$"),  # .NET
    re.compile(r"^(?:Uncaught )(?P<subject>\w*(?:Error|Exception))(?: \[\w+\])?: (?P<answer>.*)"),
    re.compile(r"^\S+: .*(?P<subject>Assertion) (?P<answer>.*failed\.?)\s*$"),  # C, assert(3)
    re.compile(r"(?P<subject>\b[A-Z_]+ASSERT)\((?P<answer>.*\) failed.*)"),
    re.compile(r"^(?P<subject>\*\*\*) (?P<answer>.*(?:detected|corruption|abort).*)"),  # glibc, libc_fatal
    re.compile(r"^(?P<subject>(?:free|malloc|realloc)\(\)): (?P<answer>.*)|^double free or corruption.*"),
    re.compile(r"(?P<subject>error while loading shared libraries|symbol lookup error): (?P<answer>.*)"),  # ld.so
    re.compile(r"^\S*python[\d.]*: (?P<subject>No module named|can't open file) (?P<answer>.*)"),
    re.compile(
        r"(?:^|\s)(?P<subject>Segmentation fault|Bus error|Illegal instruction|Aborted)(?P<answer>)"
        r"(?: \(core dumped\))?$"
    ),
    re.compile(r"(?:^|[\s\[])(?P<subject>(?:level=)?(?:fatal|FATAL))\b[\]:\s]+(?P<answer>.*)"),
    re.compile(r"^(?P<subject>F\d{4}) (?P<answer>.*)"),  # glog: fatal, with month and day
)
_BEFORE_STACK: Final = re.compile(r"^(?P<subject>(?:[A-Z]\w*)?(?:Error|Exception))(?: \[\w+\])?: (?P<answer>.*)")
_STACK: Final = re.compile(r"^\s+at \S")
"""A frame of JavaScript or Java: the line before the first one names the error."""
_RUST_PLACE: Final = re.compile(r"^\S+:\d+:\d+:$")
_PLACE: Final = re.compile(
    r"\b(?:Exception|Error|Check .{1,80}? failed|Assertion .{1,80}? failed) (?:from|at) \S+:\d+:$"
)
"""All that a line of an error tells is where it was thrown: the next one says what."""
_MOST_FRAMES: Final = 2_000
"""Lines that a traceback may have before it is given up."""


def begins_traceback(line: str) -> bool:
    """A line by which a Python program begins to tell how it ended: that follows a refusal, and is no reason for it."""
    return _TRACEBACK.match(line[:MOST_TEXT].rstrip()) is not None


class EndingReader:
    """Reads the lines of one log in order; what spans several lines is remembered from batch to batch."""

    def __init__(self) -> None:
        self._prefix: str | None = None
        """What stands before each line of the traceback that is being read; None outside of one."""
        self._frames = 0
        self._place = False
        """The line before said where a Rust thread panicked: this one says why."""
        self._begun: Words | None = None
        """The line before, or the one before an empty one, named an error and ended with a colon or a parenthesis: this
        one goes on."""
        self._named: Words | None = None
        """The line before named an error of a language whose frames begin with `at`."""

    def read(self, lines: Sequence[str]) -> Iterator[tuple[int, Words]]:
        """The endings in one batch, each with the index of the line that completes it."""
        whole = "\n".join(lines).lower()
        busy = self._prefix is not None or self._place or self._named is not None or self._begun is not None
        if not busy and not any(hint in whole for hint in _HINTS):
            return
        for index, line in enumerate(lines):
            words = self._feed(line[:MOST_TEXT].rstrip("\r\n"))
            if words is not None:
                yield index, words

    def _feed(self, line: str) -> Words | None:
        if (begin := _TRACEBACK.match(line)) is not None:
            self._prefix, self._frames = begin["before"], 0
            return None
        if self._prefix is not None:
            return self._in_traceback(line)
        if self._place:
            self._place = False
            return Words("ended", line.strip(), "panicked", line.strip())
        if self._begun is not None and line.strip():
            return self._go_on(self._begun, line.strip())
        named, self._named = self._named, None
        if named is not None and _STACK.match(line):
            return named
        for pattern in _ONE_LINE:
            if (match := pattern.search(line)) is not None:
                subject, answer = match["subject"] or match[0], (match["answer"] or "").strip()
                self._place = subject == "panicked" and _RUST_PLACE.match(answer) is not None
                return None if self._place else Words("ended", line.strip(), subject, answer)
        if (match := _BEFORE_STACK.match(line)) is not None:
            self._named = Words("ended", line.strip(), match["subject"], match["answer"])
        return None

    def _go_on(self, begun: Words, line: str) -> Words:
        """An error with one more of its lines; those that only name places of the source give way to what is said."""
        place = _PLACE.search(begun.answer)
        answer = f"{begun.answer[: place.start()]}{line}" if place is not None else f"{begun.answer} {line}"
        text = f"{begun.text.removesuffix(begun.answer)}{answer}"
        words = Words("ended", text[:MOST_TEXT], begun.subject, answer[:MOST_TEXT])
        self._begun = words if _PLACE.search(words.answer) is not None else None
        return words

    def _in_traceback(self, line: str) -> Words | None:
        """Frames are set in; the first line that is not names the exception."""
        prefix = self._prefix or ""
        text = line.removeprefix(prefix) if line.startswith(prefix) else line[len(prefix) :]
        self._frames += 1
        if text[:1].isspace() or not text:
            if self._frames > _MOST_FRAMES:
                self._prefix = None
            return None
        self._prefix = None
        match = _NAMED.match(text)
        if match is None or _CHAINED.match(text):
            return None
        found = Words("ended", text.strip(), match["subject"], (match["answer"] or "").strip())
        self._begun = found if found.answer.endswith((":", "(")) else None
        return found
