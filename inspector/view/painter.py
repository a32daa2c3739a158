"""The difference between what the terminal shows and what it should show, as the fewest bytes that close it.

A cell is a character and the SGR code before it; a wide character fills its second cell with an empty text. Pure: no
terminal, no Textual.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from rich.cells import get_character_cell_size

Run = tuple[str, str]
"""A text and the SGR code that it is drawn with (`1;38;5;12`, empty for none)."""

NEAR = 6
"""Equal cells between two differing ones that are cheaper to send again than to jump over."""
PLAIN_GLYPHS = frozenset("✓✗·─│├└▸◂●○…—▐◆↑↓→←▶≠×━║█")
"""Our own characters beyond ASCII: one cell wide in every terminal that shows the rest of the screen right."""


@dataclass(slots=True)
class Cells:
    """One line of the terminal."""

    texts: list[str]
    codes: list[str]

    @classmethod
    def blank(cls, width: int) -> "Cells":
        return cls([" "] * width, [""] * width)

    def copy(self) -> "Cells":
        return Cells(self.texts.copy(), self.codes.copy())


@dataclass(slots=True)
class Painter:
    """What should be seen (`wanted`) and what was sent; frames that were never sent cost nothing."""

    width: int = 0
    height: int = 0
    _wanted: list[Cells] = field(default_factory=list)
    _sent: list[Cells | None] = field(default_factory=list)
    """None: nobody knows what the terminal shows on this line."""
    _dirty: set[int] = field(default_factory=set)

    def resize(self, width: int, height: int) -> None:
        """Another size: everything that was sent is void."""
        if (width, height) != (self.width, self.height):
            self.width, self.height = width, height
            self._wanted = [Cells.blank(width) for _ in range(height)]
            self.forget()

    def forget(self) -> None:
        """Something else may have drawn: send all lines again."""
        self._sent = [None] * self.height
        self._dirty = set(range(self.height))

    def put(self, x: int, y: int, runs: Iterable[Run]) -> None:
        """Say what should stand from column `x` of line `y` on."""
        if not 0 <= y < self.height:
            return
        cells = _cells(runs)
        room = max(0, self.width - x)
        line = self._wanted[y]
        end = x + min(room, len(cells.texts))
        line.texts[x:end] = cells.texts[:room]
        line.codes[x:end] = cells.codes[:room]
        self._dirty.add(y)

    @property
    def pending(self) -> bool:
        """There are lines that may differ."""
        return bool(self._dirty)

    def flush(self) -> str:
        """The bytes that make the terminal show what it should; empty when it does."""
        out: list[str] = []
        pen = _Pen(out)
        for y in sorted(self._dirty):
            wanted, sent = self._wanted[y], self._sent[y]
            if sent is not None and sent.texts == wanted.texts and sent.codes == wanted.codes:
                continue
            for start, end in _differences(wanted, sent):
                out.append(f"\x1b[{y + 1};{start + 1}H")
                _draw(pen, wanted, start, end)
            self._sent[y] = wanted.copy()
        self._dirty.clear()
        pen.use("")
        return "".join(out)


def _cells(runs: Iterable[Run]) -> Cells:
    texts: list[str] = []
    codes: list[str] = []
    for text, code in runs:
        if text.isascii():
            texts.extend(text)
            codes.extend([code] * len(text))
        else:
            _spread(text, code, texts, codes)
    return Cells(texts, codes)


def _spread(text: str, code: str, texts: list[str], codes: list[str]) -> None:
    for character in text:
        width = get_character_cell_size(character)
        if width == 0:
            if texts:
                texts[-1] += character
            continue
        texts.append(character)
        codes.append(code)
        if width == 2:
            texts.append("")
            codes.append(code)


def _differences(wanted: Cells, sent: Cells | None) -> list[tuple[int, int]]:
    """Stretches of a line to draw; the whole line where a terminal may count cells otherwise than we do."""
    width = len(wanted.texts)
    if sent is None or _odd(wanted) or _odd(sent):
        return [(0, width)]
    out: list[tuple[int, int]] = []
    pairs = zip(wanted.texts, wanted.codes, sent.texts, sent.codes, strict=True)
    for x, (text, code, old_text, old_code) in enumerate(pairs):
        if text == old_text and code == old_code:
            continue
        if out and x - out[-1][1] <= NEAR:
            out[-1] = (out[-1][0], x + 1)
        else:
            out.append((x, x + 1))
    return out


def _odd(line: Cells) -> bool:
    return any((not text.isascii() and text not in PLAIN_GLYPHS) or not text for text in line.texts)


class _Look(NamedTuple):
    """An SGR code taken apart."""

    attributes: str
    colour: str
    background: str


@lru_cache(maxsize=4096)
def _look(code: str) -> _Look:
    """Attributes, foreground and background of a code, each as SGR parameters."""
    parts: dict[str, list[str]] = {"attributes": [], "colour": [], "background": []}
    numbers = code.split(";") if code else []
    while numbers:
        first = numbers[0]
        length = {"2": 5, "5": 3}.get(numbers[1], 1) if first in ("38", "48") and len(numbers) > 1 else 1
        background = len(first) == 3 or (len(first) == 2 and first[0] == "4")
        kind = "background" if background else "colour" if len(first) == 2 and first[0] in "39" else "attributes"
        parts[kind] += numbers[:length]
        numbers = numbers[length:]
    return _Look(*(";".join(part) for part in parts.values()))


class _Pen:
    """Writes to a list of texts and changes only what differs between one look and the next."""

    def __init__(self, out: list[str]) -> None:
        self.out = out
        self._code = ""

    def use(self, code: str) -> None:
        """Draw with this code from now on."""
        if code == self._code:
            return
        old, new = _look(self._code), _look(code)
        self._code = code
        if old.attributes != new.attributes or not code:
            self.out.append(f"\x1b[0;{code}m" if code else "\x1b[0m")
            return
        changed = []
        if old.colour != new.colour:
            changed.append(new.colour or "39")
        if old.background != new.background:
            changed.append(new.background or "49")
        self.out.append(f"\x1b[{';'.join(changed)}m")


def _draw(pen: _Pen, line: Cells, start: int, end: int) -> None:
    stop = _blank_from(line, start, end) if end == len(line.texts) else end
    for x in range(start, stop):
        pen.use(line.codes[x])
        pen.out.append(line.texts[x])
    if stop < end:
        pen.use("")
        pen.out.append("\x1b[K")


def _blank_from(line: Cells, start: int, end: int) -> int:
    """Where the blank rest of a line begins that can be erased instead of written: only without any colour."""
    stop = end
    while stop > start and line.texts[stop - 1] == " " and line.codes[stop - 1] in ("", "39;49", "49"):
        stop -= 1
    return stop if end - stop > 3 else end
