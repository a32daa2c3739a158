"""Words of our own in a log of the target: whoever keeps a report there (`inspector report PID | tee LOG`) would
otherwise have it read as the program's words, and told again in the next report."""

from typing import Final

from inspector.stream.lazy_pattern import lazy

FIRST: Final = "inspector - "
"""How a report in text begins."""
LAST_SECTION: Final = "Coverage"
"""The title of its last section."""
_BEGINS = lazy(r'inspector - |  "schema": "shim-inspector/|#+ .{1,200}\((?:proven|likely|guess)\): ')
"""A report in text, JSON, Markdown."""
_BODY = lazy(r"\s|$|[|+{}<#]|- |\*\*|First broken rung of ")
"""Lines of a report that are no titles."""
_TITLE = lazy(r"[A-Z][a-z][\w ,()-]{2,50}$")
_ALONE = lazy(
    r"\d\d:\d\d:\d\d\.\d{6} {2,}\d+ {2}[a-z]+ +!? {1,3}\S"  # a line of a trace
    r"|inspector: "
)
_QUOTES = lazy(r"\| |  - | {10}| {4}\d\d:\d\d:\d\d\.\d{3}  |  (?:error  |warning|info   ) |inspector: ")
_MOST_HEADING = 6
"""Lines over which the first sentence may go on."""
_MOST_OTHERS = 20
"""Lines of the program among those of a report, before it is taken to have been cut off."""


def quotes(line: str) -> bool:
    """Whether a line alone looks like one of a report that quotes a log: its beginning may not be known."""
    return _QUOTES().match(line) is not None


class OwnOutput:
    """Tells which lines of one log, given in order, are ours."""

    def __init__(self) -> None:
        self._inside = self._ends = False
        self._others = self._heading = 0

    def is_ours(self, line: str) -> bool:
        """Whether the next line is part of a report or trace of ours."""
        if _BEGINS().match(line):
            self._inside, self._ends, self._others = True, False, 0
            self._heading = _MOST_HEADING if line.startswith(FIRST) else 0
            return True
        if not self._inside:
            return _ALONE().match(line) is not None
        self._heading = self._heading - 1 if self._heading and line else 0
        if self._heading:
            return True
        if self._ends and line[:1] not in (" ", ""):
            self._inside = False
            return False
        if _BODY().match(line) or _TITLE().match(line):
            self._ends = self._ends or line == LAST_SECTION
            self._inside = line != "}"
            return True
        self._others += 1
        self._inside = self._others <= _MOST_OTHERS
        return False
