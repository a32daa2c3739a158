"""What all line widgets share: tones of the theme, and repainting only the lines that changed."""

from collections.abc import Hashable

from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from .styled_text import ToneStyles
from .tones import tone_styles


class LineWidget(Widget):
    """A widget that draws lines. A subclass says what line `y` is (`content`) and how it looks (`drawn`).

    `content` is cheap and compared: only lines whose content differs from what was drawn last are painted again,
    so a change that changes nothing sends no byte to the terminal.
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.tone_styles: ToneStyles = {}
        """Tone or part -> what it adds to the widget's own style."""
        self.base = Style()
        """The widget's own style as of the last paint: Textual looks through all ancestors for it."""
        self._painted: dict[int, Hashable] = {}

    def content(self, y: int) -> Hashable:
        """Everything that line `y` depends on, but for width and theme."""
        raise NotImplementedError

    def drawn(self, content: Hashable, width: int) -> Strip:
        """The line for what `content` said."""
        raise NotImplementedError

    def repaint(self) -> None:
        """Paint lines whose content changed since they were painted."""
        width = self.size.width
        for y in range(self.size.height):
            if y in self._painted and self._painted[y] != self.content(y):
                self.refresh(Region(0, y, width, 1))

    def render_line(self, y: int) -> Strip:
        content = self.content(y)
        self._painted[y] = content
        return self.drawn(content, self.size.width)

    def render_lines(self, crop: Region) -> list[Strip]:
        self.base, self.tone_styles = self.rich_style, tone_styles(self.app.theme)
        return super().render_lines(crop)
