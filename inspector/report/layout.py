"""Lines for a terminal or a file: colour, wrapping, boxes and tables out of plain characters."""

import unicodedata
from collections.abc import Iterable, Sequence

import msgspec

_NARROW = 36
_CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}


class AnsiStyle(msgspec.Struct, frozen=True):
    """Colour by ANSI codes, or none at all; meaning never rests on colour alone."""

    on: bool = False

    def __call__(self, text: str, *names: str) -> str:
        """The text in these colours: `bold`, `dim`, `red`, `green`, `yellow`, `cyan`."""
        if not (self.on and names and text):
            return text
        return f"\x1b[{';'.join(_CODES[name] for name in names)}m{text}\x1b[0m"


def cells(text: str) -> int:
    """Terminal columns that a text without colour takes."""
    if text.isascii():
        return len(text)
    return sum(_character_cells(character) for character in text)


def _character_cells(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def padded(text: str, width: int) -> str:
    """The text followed by spaces up to `width` columns."""
    return text + " " * max(0, width - cells(text))


def shortened(text: str, width: int) -> str:
    """The text in at most `width` columns; the middle goes, because both ends of a path tell something."""
    if cells(text) <= width:
        return text
    keep = max(1, width - 2)
    head = keep // 3
    return f"{text[:head]}..{text[len(text) - (keep - head) :]}"


def wrapped(text: str, width: int, first: str = "", rest: str | None = None, *, hard: bool = False) -> list[str]:
    """Lines of at most `width` columns behind a prefix; a word longer than that stays whole unless `hard`."""
    import textwrap

    lines = textwrap.wrap(
        text,
        max(20, width),
        initial_indent=first,
        subsequent_indent=" " * len(first) if rest is None else rest,
        break_long_words=hard,
        break_on_hyphens=False,
    )
    return lines or [first.rstrip()]


def box(lines: Iterable[str], width: int) -> list[str]:
    """The lines inside a frame of `width` columns."""
    edge = "+" + "-" * (width - 2) + "+"
    return [edge, *(f"| {padded(line, width - 4)} |" for line in lines), edge]


class Table(msgspec.Struct):
    """Columns as wide as their content; the last one takes the rest of the line, or the next line, and wraps."""

    heads: Sequence[str]
    rows: list[Sequence[str]] = msgspec.field(default_factory=list)
    numbers: Sequence[int] = ()
    """Indices of columns that are aligned to the right."""
    widest: int = 34

    def add(self, *row: str) -> None:
        """One more row."""
        self.rows.append(row)

    def lines(self, width: int, ansi_style: AnsiStyle, indent: str = "  ") -> list[str]:
        """The table as lines; nothing when it has no rows."""
        if not self.rows:
            return []
        widths = self._widths()
        margin = len(indent) + sum(widths) + 2 * len(widths)
        below = width - margin < _NARROW
        heads = (*self.heads[:-1], "" if below else self.heads[-1])
        made = [ansi_style((indent + self._joined(heads, widths)).rstrip(), "dim")]
        for row in self.rows:
            start = indent + self._joined((*row[:-1], ""), widths)
            if below:
                made.append(start.rstrip())
                made += wrapped(row[-1], width, indent + " " * 6) if row[-1] else []
                continue
            first, *more = wrapped(row[-1], width - margin)
            made.append((start + first).rstrip())
            made += [" " * margin + line for line in more]
        return made

    def _widths(self) -> list[int]:
        columns = zip(*(row[:-1] for row in (self.heads, *self.rows)), strict=True)
        return [min(self.widest, max(cells(cell) for cell in column)) for column in columns]

    def _joined(self, row: Sequence[str], widths: Sequence[int]) -> str:
        made = []
        for index, (cell, width) in enumerate(zip(row[:-1], widths, strict=True)):
            short = shortened(cell, width)
            made.append(" " * (width - cells(short)) + short if index in self.numbers else padded(short, width))
        return "  ".join((*made, row[-1]))
