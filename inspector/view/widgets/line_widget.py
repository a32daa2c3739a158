"""What all line widgets share: tones from the stylesheet, and repainting only the lines that changed."""

from collections.abc import Hashable

from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from .styled_text import TONES, ToneStyles


class LineWidget(Widget):
    """A widget that draws lines. A subclass says what line `y` is (`content`) and how it looks (`drawn`).

    `content` is cheap and compared: only lines whose content differs from what was drawn last are painted again,
    so a change that changes nothing sends no byte to the terminal.
    """

    COMPONENT_CLASSES = {f"tone--{tone}" for tone in TONES} | {
        "tone--cursor",
        "tone--cursor-away",
        "tone--match",
        "tone--moment",
        "tone--title",
    }

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._tone_styles: dict[str, Style] = {}
        self._painted: dict[int, Hashable] = {}

    def content(self, y: int) -> Hashable:
        """Everything that line `y` depends on, but for width and theme."""
        raise NotImplementedError

    def drawn(self, content: Hashable, width: int) -> Strip:
        """The line for what `content` said."""
        raise NotImplementedError

    @property
    def tone_styles(self) -> ToneStyles:
        """Tone or part -> what it adds to the widget's own style."""
        if not self._tone_styles:
            names = {name.removeprefix("tone--") for name in self.COMPONENT_CLASSES}
            self._tone_styles = {name: self.get_component_rich_style(f"tone--{name}", partial=True) for name in names}
        return self._tone_styles

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

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._tone_styles = {}
