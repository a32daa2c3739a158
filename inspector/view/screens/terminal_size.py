"""Screens keep to the size that the terminal has now."""

from typing import TYPE_CHECKING

from textual.events import Resize

if TYPE_CHECKING:
    from textual.widget import Widget as _Base
else:
    _Base = object  # Textual takes the styles of the first base alone that is a widget


class TerminalSized(_Base):
    """A screen that ignores sizes that the terminal no longer has.

    A layout tells each widget that it has another size, the screen itself as well (`Screen._refresh_layout`). Where the
    terminal has changed its size again meanwhile, that word comes after the newer one and replaces it: the screen stays
    as it was for the other size, or both go on to follow each other.
    """

    async def _on_resize(self, event: Resize) -> None:
        if event.size != self.app.size:
            event.prevent_default().stop()
            self.post_message(Resize(self.app.size, self.app.size))
