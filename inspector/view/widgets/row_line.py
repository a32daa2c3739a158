"""One line of a list as it is drawn: gutter, cells, cursor, what was searched for, and the edge with the thumb."""

from collections.abc import Sequence
from typing import NamedTuple

from rich.style import Style
from textual.strip import Strip

from inspector.stream.patterns import typed
from inspector.view.tables.row import EMPTY, Cell, Column, Row

from .styled_text import ToneStyles, highlight, laid_out, last_width, styled, wrapped_part


class RowLine(NamedTuple):
    """All that a drawn row depends on."""

    row: Row
    cursor: int
    """0 elsewhere, 1 here without the focus, 2 here with it."""
    marked: bool
    pattern: str
    shift: int
    columns: Sequence[Column]
    thumb: bool
    tagged: bool
    part: int
    """Which line of the row, where rows are wrapped; -1 where each has one line."""


def drawn_row(line: RowLine, width: int, base: Style, tone_styles: ToneStyles) -> Strip:
    """The line in so many terminal cells, on the style of its widget."""
    room, row_base, row_tones = max(1, width - 2), base, tone_styles
    if line.cursor:
        cursor = tone_styles["cursor" if line.cursor == 2 else "cursor-away"]
        row_base += cursor
        if cursor.reverse or cursor.color is not None:  # sixteen colours: not every tone can be read on it
            row_tones = dict.fromkeys(tone_styles, Style())
    gutter = "◆" if line.marked else "■" if line.tagged else "▸" if line.cursor else " "
    cells: Sequence[Cell] = line.row.cells
    shift = line.shift
    if line.part >= 0 and cells:
        cells, shift = _part(line, room), 0
    spans = [(gutter, "strong"), *laid_out(cells, line.columns, room, shift)]
    strip = styled(spans, row_tones, row_base, width - 1)
    pattern = typed(line.pattern)
    found = pattern.marked() if pattern is not None else None
    if found is not None:
        strip = highlight(strip, found, tone_styles["match"])
    edge = styled([("▐" if line.thumb else " ", "quiet")], tone_styles, base, 1)
    return Strip.join([strip, edge])


def _part(line: RowLine, room: int) -> Sequence[Cell]:
    """The cells of one line of a wrapped row: the last one in parts, the others once."""
    *others, last = line.row.cells
    part = wrapped_part(last, last_width(line.row.cells, line.columns, room), line.part) or EMPTY
    return [*(others if not line.part else [EMPTY] * len(others)), part]
