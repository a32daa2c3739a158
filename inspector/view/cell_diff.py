"""The difference between what the terminal shows and what it should show, as the fewest bytes that close it.

A cell is a character and the SGR code before it; a wide character fills its second cell with an empty text. Pure: no
terminal, no Textual.
"""

from collections.abc import Iterable, Iterator

from msgspec import Struct
from rich.cells import get_character_cell_size

from .scrolling import FEWEST, Shift, shift_between
from .sgr import NEAR, Stretch, drawn

Run = tuple[str, str]
"""A text and the SGR code that it is drawn with (`1;38;5;12`, empty for none)."""

PLAIN_GLYPHS = frozenset("✓✗·─│├└▸◂●○…—▐◆↑↓→←▶≠×━║█")
"""Our own characters beyond ASCII: one cell wide in every terminal that shows the rest of the screen right."""


class Cells(Struct):
    """Cells beside each other: a line of the terminal, or a part of one."""

    texts: list[str]
    codes: list[str]
    odd: bool = False
    """Whether a terminal may give these cells another width than we do."""

    @classmethod
    def blank(cls, width: int) -> "Cells":
        return cls([" "] * width, [""] * width)

    def copy(self) -> "Cells":
        return Cells(self.texts.copy(), self.codes.copy(), self.odd)

    def put(self, x: int, part: "Cells") -> None:
        """Replace cells from column `x` on, as far as there is room."""
        room = max(0, len(self.texts) - x)
        end = x + min(room, len(part.texts))
        self.texts[x:end] = part.texts[:room]
        self.codes[x:end] = part.codes[:room]
        self.odd = part.odd or (self.odd and any(map(_is_odd, self.texts)))


class CellDiff(Struct):
    """What should be seen (`wanted`) and what was sent; frames that were never sent cost nothing."""

    width: int = 0
    height: int = 0
    _wanted: list[Cells] = []
    _sent: list[Cells | None] = []
    """None: nobody knows what the terminal shows on this line."""
    _dirty: set[int] = set()

    def resize(self, width: int, height: int) -> None:
        """Take another size and forget what was sent."""
        if (width, height) != (self.width, self.height):
            self.width, self.height = width, height
            self._wanted = [Cells.blank(width) for _ in range(height)]
            self.forget()

    def forget(self) -> None:
        """Send all lines again, because something else may have drawn over them."""
        self._sent = [None] * self.height
        self._dirty = set(range(self.height))

    def put(self, x: int, y: int, runs: Iterable[Run]) -> None:
        """Say what should stand from column `x` of line `y` on."""
        if 0 <= y < self.height:
            self._wanted[y].put(x, _cells(runs))
            self._dirty.add(y)

    @property
    def pending(self) -> bool:
        """There are lines that may differ."""
        return bool(self._dirty)

    def flush(self) -> str:
        """The bytes that make the terminal show what it should; empty when it does."""
        dirty = [y for y in sorted(self._dirty) if self._wanted[y] != self._sent[y]]
        self._dirty.clear()
        out = self._drawn(dirty, self._sent)
        if len(dirty) >= FEWEST and (shift := self._shift(dirty)) is not None:
            scrolled = shift.bytes + self._drawn(range(self.height), shift.of(self._sent, Cells.blank(self.width)))
            out = min(out, scrolled, key=len)
        for y in dirty:
            self._sent[y] = self._wanted[y].copy()
        return out

    def _drawn(self, lines: Iterable[int], shown: list[Cells | None]) -> str:
        """What changes these lines from what is shown into what is wanted."""
        return drawn([stretch for y in lines for stretch in _differences(y, self._wanted[y], shown[y])])

    def _shift(self, dirty: list[int]) -> Shift | None:
        """Lines that moved; the left half of the screen tells, because beside a list stand details that do not."""
        half = self.width // 2
        before = [None if line is None else "".join(line.texts[:half]) for line in self._sent]
        after = {y: "".join(self._wanted[y].texts[:half]) for y in dirty}
        return shift_between(before, after)


def _cells(runs: Iterable[Run]) -> Cells:
    cells = Cells([], [])
    for text, code in runs:
        if text.isascii():
            cells.texts.extend(text)
            cells.codes.extend([code] * len(text))
        else:
            _spread(text, code, cells)
    return cells


def _spread(text: str, code: str, cells: Cells) -> None:
    texts, codes = cells.texts, cells.codes
    for character in text:
        width = 1 if character in PLAIN_GLYPHS else get_character_cell_size(character)
        if width == 0:
            if texts:
                texts[-1] += character
            continue
        texts.append(character)
        codes.append(code)
        if width == 2:
            texts.append("")
            codes.append(code)
    cells.odd = cells.odd or any(map(_is_odd, text))


def _is_odd(text: str) -> bool:
    return (not text.isascii() and text not in PLAIN_GLYPHS) or not text


def _differences(y: int, wanted: Cells, shown: Cells | None) -> Iterator[Stretch]:
    """Stretches of a line to draw; the whole line where a terminal may count cells otherwise than we do."""
    if shown is None or ((wanted.odd or shown.odd) and wanted != shown):
        yield Stretch(y, 0, wanted.texts, wanted.codes, whole=True, last=True)
        return
    start = end = -1
    pairs = zip(wanted.texts, wanted.codes, shown.texts, shown.codes, strict=True)
    for x, (text, code, old_text, old_code) in enumerate(pairs):
        if text == old_text and code == old_code:
            continue
        if start >= 0 and x - end > NEAR:
            yield _stretch(y, wanted, start, end)
            start = -1
        start, end = (x if start < 0 else start), x + 1
    if start >= 0:
        yield _stretch(y, wanted, start, end)


def _stretch(y: int, line: Cells, start: int, end: int) -> Stretch:
    return Stretch(y, start, line.texts[start:end], line.codes[start:end], last=end == len(line.texts))
