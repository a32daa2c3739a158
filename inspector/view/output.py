"""Frames as differences, dropped while the terminal is slow: touches Textual's private parts, as driver.py does.

Textual repaints whole regions and queues every frame. Here only cells that differ travel, and while the terminal has
not taken the last frame no other one is sent: what it misses is in the next. `INSPECTOR_PLAIN_OUTPUT=1` switches all of
this off; a test holds that both ways show the same screen.
"""

import os
from collections.abc import Iterable
from typing import Any, Generic, TypeVar

from rich.color import ColorSystem
from rich.console import RenderableType
from rich.segment import Segment
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.app import App
from textual.driver import Driver
from textual.drivers.linux_driver import LinuxDriver
from textual.screen import Screen
from textual.strip import Strip

from .cell_diff import CellDiff, Run
from .driver import BackpressureDriver

AGAIN = 0.02
"""Seconds until a slow terminal is looked at again."""
R = TypeVar("R")


class DiffOutputApp(App[R], Generic[R]):
    """An application that sends only what changed, and nothing while the terminal is behind."""

    def __init__(self, **options: Any) -> None:
        self.diff_output = not os.environ.get("INSPECTOR_PLAIN_OUTPUT")
        super().__init__(**options)
        self._disable_notifications = self._disable_tooltips = True  # nobody is shown any; each screen would mount them
        self._cell_diff = CellDiff()
        self._suspended = False

    def on_mount(self) -> None:
        """After a stop (Ctrl-Z, an editor) the terminal shows something else: draw it all again."""
        self.app_resume_signal.subscribe(self, lambda _: self._cell_diff.forget())

    def get_driver_class(self) -> type[Driver]:
        found = super().get_driver_class()
        return BackpressureDriver if self.diff_output and found is LinuxDriver else found

    def redraw(self) -> None:
        """Draw every cell again, whatever the terminal is believed to show."""
        self._cell_diff.forget()
        self.screen.refresh(layout=True)

    def _display(self, screen: Screen[Any], renderable: RenderableType | None) -> None:
        driver = self._driver
        mine = isinstance(renderable, (LayoutUpdate, ChopsUpdate)) and isinstance(driver, BackpressureDriver)
        if not mine or not self._running or self._closed:
            if renderable is not None:
                self._cell_diff.forget()
            super()._display(screen, renderable)
            return
        # Textual drops the frames of a batch. As differences they are light, and the first frame of all is one of them.
        self._cell_diff.resize(*self.size)
        for x, y, strip in _pieces(renderable):  # type: ignore[arg-type]
            self._cell_diff.put(x, y, _runs(strip, self.console._color_system or ColorSystem.TRUECOLOR))
        self._send()
        self.post_display_hook()

    def _send(self) -> None:
        """Send the difference, or come back when the terminal has taken what it was given."""
        driver = self._driver
        if self._suspended or not isinstance(driver, BackpressureDriver) or not self._running or self._closed:
            return
        if driver.pending_output.busy:
            self._suspended = True
            self.set_timer(AGAIN, self._resume)
            return
        difference = self._cell_diff.flush()
        if difference:
            x, y = self.screen.outer_size.clamp_offset(self.cursor_position)
            self._begin_update()
            driver.write(f"{difference}\x1b[{y + 1};{x + 1}H")
            self._end_update()
            driver.flush()

    def _resume(self) -> None:
        self._suspended = False
        if self._cell_diff.pending:
            self._send()


def _pieces(update: LayoutUpdate | ChopsUpdate) -> Iterable[tuple[int, int, Strip]]:
    """Strips of an update with the cells where they begin."""
    if isinstance(update, LayoutUpdate):
        for y, strips in enumerate(update.strips, update.region.y):
            x = update.region.x
            for strip in strips:
                yield x, y, strip
                x += strip.cell_length
        return
    for y, left, right in update.spans:
        for end, (x, chop) in zip(update.chop_ends[y], update.chops[y].items(), strict=False):
            if chop is not None and x <= right and end > left:
                yield x, y, chop if end <= right else chop.crop(0, right - x)


def _runs(strip: Iterable[Segment], colours: ColorSystem) -> Iterable[Run]:
    for text, style, _ in strip:
        yield text, Strip.render_ansi(style, colours) if style is not None else ""


def plain_text(app: App[Any]) -> str:
    """The visible screen as lines of text, without colours."""
    strips = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip).rstrip() for strip in strips) + "\n"
