"""The one place where text becomes what a terminal draws: made visible, fitted to its columns, given its tone.

Every text on the screen passes `styled`; so no control byte of a target reaches the terminal, whatever a pane forgets.
"""

import re
from collections.abc import Iterable, Mapping, Sequence

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from inspector.stream.lazy_pattern import lazy
from inspector.stream.text import visible
from inspector.view.tables.row import Cell, Column, Span

ToneStyles = Mapping[str, Style]

_TELLING = 24
"""Terminal cells from which on a path with its middle left out still says something."""

LONGEST = 4_000
"""Terminal cells of one text that are ever drawn; the details show the whole of it."""

_IN_ASCII = str.maketrans(
    {
        "✓": "+", "✗": "x", "·": "-", "─": "-", "│": "|", "├": "|", "└": "`", "▸": ">", "◂": "<", "●": "*", "○": "o",
        "…": "~", "—": "-", "▐": "#", "◆": "*", "↑": "^", "↓": "v", "→": ">", "←": "<",
        "■": "#", "≤": "<", "◀": "<", "║": "|", "›": ">", "▾": "v", "▴": "^", "▶": ">", "≠": "!", "×": "x",
        "“": '"', "”": '"', "‘": "'", "’": "'", "┈": "-", "━": "=",
    }
)  # fmt: skip


class Charset:
    """Whether the terminal shows more than ASCII; decided once at the start."""

    unicode = True


def shown(text: str) -> str:
    """A text as it may reach the terminal: harmless, cut to a length that can be drawn, in its character set."""
    text = visible(text[:LONGEST])
    if Charset.unicode or text.isascii():
        return text
    return text.translate(_IN_ASCII).encode("ascii", "replace").decode("ascii")


def width_of(text: str) -> int:
    """Terminal cells of a text."""
    return len(text) if text.isascii() else cell_len(text)


_PATH = lazy(r"/[^\s/:;,\"']+(?:/[^\s/:;,\"']+){2,}")
"""A path of three names or more."""


def squeezed(text: str, width: int) -> str:
    """A text that is too long with names left out in the middle of its paths, the longest first: the last say most."""
    for path in sorted(_PATH().findall(text), key=len, reverse=True):
        excess = width_of(text) - width
        if excess > 0:
            text = text.replace(path, _shortened(path, len(path) - excess), 1)
    return text


def _shortened(path: str, room: int) -> str:
    """Its first name, `…` and as many of its last names as there is room for, at least one."""
    _, first, *names = path.split("/")
    while len(names) > 1 and len(first) + 4 + sum(len(name) + 1 for name in names[1:]) > room + 1:
        names = names[1:]
    return "/".join(("", first, "…", *(names[1:] or names)))


def cropped(text: str, width: int, keep_end: bool = False) -> str:
    """A text in at most `width` cells; what is left out is marked."""
    if width_of(text) <= width:
        return text
    if width <= 1:
        return "…"[:width]
    if keep_end:
        tail = text[-(width - 1) :]
        while width_of(tail) > width - 1:
            tail = tail[1:]
        return "…" + tail
    return set_cell_size(text, width - 1).rstrip() + "…"


def fitted(spans: Cell, width: int, right: bool = False, keep_end: bool = False, squeeze: bool = False) -> list[Span]:
    """The spans of one cell in exactly `width` terminal cells; `squeeze` shortens paths before anything is cut off."""
    out: list[Span] = []
    left = width
    for text, tone in spans:
        whole = shown(text)
        part = cropped(squeezed(whole, left) if squeeze and left > _TELLING else whole, left, keep_end)
        out.append((part, tone))
        left -= width_of(part)
        if part != whole:
            break
    if left > 0:
        pad: Span = (" " * left, "plain")
        out.insert(0, pad) if right else out.append(pad)
    return out


def slid(spans: Cell, shift: int) -> Cell:
    """The spans without their first `shift` characters."""
    if not shift:
        return spans
    out: list[Span] = []
    for text, tone in spans:
        out.append((text[shift:], tone))
        shift = max(0, shift - len(text))
    return tuple(out)


def laid_out(cells: Sequence[Cell], columns: Sequence[Column], room: int, shift: int = 0) -> list[Span]:
    """A row's cells side by side in exactly `room` cells; `shift` slides the last one to the left.

    Columns that ask for a wider list are left out; one without a width takes what the others leave. A row with fewer
    cells than there are columns gives all the rest to its last cell.
    """
    pairs = [(one, column) for one, column in zip(cells, columns, strict=False) if column.least <= room]
    short = len(cells) < len(columns)
    fixed = sum(column.width for column in columns if column.least <= room)
    flexible = max(0, room - fixed - sum(1 for column in columns if column.least <= room) + 1)
    out: list[Span] = []
    left = room
    for place, (one, column) in enumerate(pairs):
        last = place == len(pairs) - 1
        whole = last and short
        width = left if whole else min(left, column.width or flexible)
        words = slid(one, shift) if last else one
        keep_end = column.keep_end and not whole
        out += fitted(words, width, column.right and not whole, keep_end, squeeze=not (shift or keep_end))
        left -= width
        if not last and left > 0:
            out.append((" ", "plain"))
            left -= 1
    return out


def column_at(columns: Sequence[Column], room: int, x: int) -> int | None:
    """Which column covers a terminal cell of a list; None where there is none."""
    shown = [place for place, column in enumerate(columns) if column.least <= room]
    flexible = max(0, room - sum(columns[place].width for place in shown) - len(shown) + 1)
    end = 0
    for place in shown:
        end += (columns[place].width or flexible) + 1
        if x < end:
            return place
    return None


def last_width(cells: Sequence[Cell], columns: Sequence[Column], room: int) -> int:
    """Terminal cells that the last cell of a row is given."""
    spans = laid_out([*(((" ", "plain"),) for _ in cells[:-1]), ((" " * room, "plain"),)], columns, room)
    return width_of(spans[-1][0]) if spans else room


def wrapped_part(text: Cell, width: int, part: int) -> Cell | None:
    """What stands in one line of a text that is wrapped to a width; None behind its end."""
    plain = "".join(words for words, _ in text)
    step = max(1, width if plain.isascii() else width // 2)
    begin, end = part * step, (part + 1) * step
    if part and begin >= min(len(plain), LONGEST):
        return None
    out: list[Span] = []
    for words, tone in text:
        out.append((words[max(0, begin) : max(0, end)], tone))
        begin, end = begin - len(words), end - len(words)
    return tuple(one for one in out if one[0])


def styled(spans: Iterable[Span], tone_styles: ToneStyles, base: Style, width: int) -> Strip:
    """Spans as one strip of exactly `width` cells."""
    segments = [Segment(shown(text), base + tone_styles[tone] if tone != "plain" else base) for text, tone in spans]
    return Strip(segments).adjust_cell_length(width, base)


def highlight(strip: Strip, found: re.Pattern[str], style: Style) -> Strip:
    """The strip with every match of a pattern in another style."""
    segments: list[Segment] = []
    for text, old, _ in strip:
        end = 0
        for match in found.finditer(text):
            segments.append(Segment(text[end : match.start()], old))
            segments.append(Segment(match[0], (old or style) + style))
            end = match.end()
        segments.append(Segment(text[end:], old))
    return Strip([segment for segment in segments if segment.text], strip.cell_length)
