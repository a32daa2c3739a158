"""A few lines that say something: header, tabs, hints. No list, no scrolling."""

from collections.abc import Hashable, Sequence

from textual import events
from textual.message import Message
from textual.strip import Strip

from inspector.view.header import Line
from inspector.view.tables.row import Cell

from .line_widget import LineWidget
from .styled_text import fitted, styled, width_of


class Lines(LineWidget):
    """Lines that are set from outside; only those that differ are painted again."""

    class Clicked(Message):
        """A line was clicked."""

        def __init__(self, lines: "Lines", x: int, y: int) -> None:
            super().__init__()
            self.lines, self.x, self.y = lines, x, y

        @property
        def control(self) -> "Lines":
            return self.lines

    def __init__(self, *, id: str | None = None, classes: str | None = None, height: int = 1) -> None:
        super().__init__(id=id, classes=classes)
        self._lines: Sequence[Line] = ()
        self.styles.height = height
        self._height = height

    def tell(self, lines: Sequence[Line], grow: bool = False) -> None:
        """Show these lines; `grow` makes the widget as high as they are many."""
        self._lines = lines
        if grow and len(lines) != self._height:
            self._height = len(lines)
            self.styles.height = len(lines)
        self.repaint()

    def content(self, y: int) -> Hashable:
        return self._lines[y] if y < len(self._lines) else Line()

    def drawn(self, content: Hashable, width: int) -> Strip:
        assert isinstance(content, Line)
        right = sum(width_of(text) for text, _ in content.right)
        if right > width // 2:
            right = max(width // 2, width - sum(width_of(text) for text, _ in content.left))
        spans = fitted(content.left, max(0, width - max(right, 1)))
        return styled([*spans, *fitted(content.right, right)], self.tone_styles, self.base, width)

    def on_click(self, event: events.Click) -> None:
        self.post_message(self.Clicked(self, event.x, event.y))


class FocusLines(Lines, can_focus=True):
    """Lines that can be chosen with Tab, and opened with Enter by their screen; a sign shows that they are chosen."""

    def content(self, y: int) -> Hashable:
        line = super().content(y)
        if y or not self.has_focus or not isinstance(line, Line):
            return line
        (first, tone), *rest = line.left or ((" ", "plain"),)
        return line._replace(left=(("▸", "strong"), (first[1:], tone), *rest))

    def on_focus(self) -> None:
        self.repaint()

    def on_blur(self) -> None:
        self.repaint()


def cell_at(cells: Sequence[Cell], x: int) -> int | None:
    """Which of cells that stand side by side covers a column."""
    end = 0
    for number, one in enumerate(cells):
        end += sum(width_of(text) for text, _ in one)
        if x < end:
            return number
    return None
