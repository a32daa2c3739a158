"""The list of the screen: any number of rows, of which only the visible ones are ever made or drawn."""

from collections.abc import Hashable

from rich.style import Style
from textual import events
from textual.cache import LRUCache
from textual.message import Message
from textual.selection import Selection
from textual.strip import Strip

from inspector.view.keys import LIST
from inspector.view.tables.listing import Listing
from inspector.view.tables.row import ListTable, Table, cell

from .line_widget import LineWidget
from .row_line import RowLine, drawn_row
from .styled_text import column_at, laid_out, last_width, styled, wrapped_part

WHEEL = 3
"""Rows per turn of the wheel."""
SLIDE = 16
"""Characters that the last column slides with one key."""
SCAN = 0.008
"""Seconds that a filter's scan may take before keys are handled."""


class Rows(LineWidget, can_focus=True):
    """A table under a line of titles, with a cursor. It scrolls by itself: no layout, no child, no scrollbar widget."""

    ALLOW_SELECT = True
    cursor_away = True
    """The cursor's row stays marked while another widget has the focus."""

    BINDINGS = [*LIST]

    class Moved(Message):
        """The cursor stands on another row, or on the same row with news."""

        def __init__(self, rows: "Rows") -> None:
            super().__init__()
            self.rows = rows

        @property
        def control(self) -> "Rows":
            return self.rows

    class Chosen(Moved):
        """A row was opened with Enter or a second click."""

    class Sorted(Moved):
        """The title of a column was clicked."""

        def __init__(self, rows: "Rows", title: str) -> None:
            super().__init__(rows)
            self.title = title

    class Folded(Moved):
        """Left (-1) or right (1) in a list whose rows can be folded."""

        def __init__(self, rows: "Rows", step: int) -> None:
            super().__init__(rows)
            self.listing, self.step = rows.listing, step

    class Counted(Moved):
        """What the filter found so far changed."""

    def __init__(self, *, id: str | None = None, classes: str | None = None, titles: bool = True) -> None:
        super().__init__(id=id, classes=classes)
        self.listing = Listing(ListTable((), ()))
        self.titles = titles
        self._scanning = False
        self._wrapped: list[tuple[int, int]] = []
        """Row and line of it for each visible line, where rows are wrapped."""
        self._strips: LRUCache[tuple[Hashable, int, Style], Strip] = LRUCache(2_000)

    # What is listed

    def load(self, listing: Listing) -> None:
        """List something else: its cursor, filter and place come with it."""
        self.listing = listing
        self.refreshed()

    def show(self, table: Table) -> None:
        """List a newer table; repaints what differs."""
        self.listing.show(table)
        self.refreshed()

    def refreshed(self) -> None:
        """The listing was given a newer table."""
        if self.listing.scanning:
            self._scan_soon()
        self._settle()

    def next_match(self, step: int) -> bool:
        """Go to the next or previous match; False when there is none."""
        found = self.listing.next(step)
        self._settle()
        return found

    def show_cursor(self) -> None:
        """Bring the cursor's row into the middle."""
        self.listing.top = self.listing.cursor - self._room // 2
        self._settle()

    # Keys and mouse

    def action_move(self, step: int) -> None:
        self._go(self.listing.cursor + step)

    def action_page(self, step: int) -> None:
        self.listing.top += step * max(1, self._room - 1)
        self._go(self.listing.cursor + step * max(1, self._room - 1))

    def action_half_page(self, step: int) -> None:
        half = step * max(1, self._room // 2)
        self.listing.top += half
        self._go(self.listing.cursor + half)

    def action_move_to(self, position: int) -> None:
        self._go(position if position >= 0 else len(self.listing) - 1)

    def action_tag(self) -> None:
        self.listing.tag()
        self._settle()

    def action_untag(self) -> None:
        self.listing.tags.clear()
        self._settle()

    def action_wrap(self) -> None:
        self.listing.wrap = not self.listing.wrap
        self._settle()

    def action_slide(self, step: int) -> None:
        if self.listing.foldable:
            self.post_message(self.Folded(self, step))
        else:
            self.slide(step)

    def slide(self, step: int) -> None:
        """Slide the last column."""
        self.listing.shift = max(0, self.listing.shift + step * SLIDE)
        self.repaint()

    def action_choose(self) -> None:
        if self.listing.chosen is not None:
            self.post_message(self.Chosen(self))

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self._scroll(WHEEL)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self._scroll(-WHEEL)

    def on_click(self, event: events.Click) -> None:
        if self.text_selection is not None:
            return
        line = event.y - self._head
        if line < 0:
            self._click_title(event.x)
        if not 0 <= line < self._room:
            return
        position, _ = self._row_at(line)
        if self._has_thumb and event.x >= self.size.width - 1:
            self._go(line * len(self.listing) // max(1, self._room - 1))
        elif position < len(self.listing):
            again = position == self.listing.cursor and event.chain > 1
            self._go(position)
            if again:
                self.action_choose()

    def _click_title(self, x: int) -> None:
        columns = self.listing.table.columns
        place = column_at(self.listing.columns, max(1, self.size.width - 2), x - 1)
        if place is not None:
            chosen = self.listing.chosen_columns
            shown = [one for one in columns if not chosen or one.title in chosen]
            self.post_message(self.Sorted(self, shown[place].title))

    def on_resize(self) -> None:
        self._settle()

    def on_focus(self) -> None:
        self.repaint()

    def on_blur(self) -> None:
        self.repaint()

    # Drawing

    def content(self, y: int) -> Hashable:
        if y < self._head:
            return tuple(self.listing.columns)
        position, part = self._row_at(y - self._head)
        thumb = self._has_thumb and self._thumb_at(y - self._head)
        if position >= len(self.listing):
            return thumb
        return RowLine(
            self.listing.row(position),
            self._cursor_at(position),
            self.listing.mark is not None and self.listing.index(position) == self.listing.mark,
            self.listing.highlight,
            self.listing.shift,
            self.listing.columns,
            thumb,
            self.listing.row(position).key in self.listing.tags if self.listing.tags else False,
            part,
        )

    def _row_at(self, line: int) -> tuple[int, int]:
        """Which row, and which line of it, stands in a line below the titles."""
        if not self.listing.wrap:
            return self.listing.top + line, -1
        return self._wrapped[line] if line < len(self._wrapped) else (len(self.listing), 0)

    def _wrap(self) -> None:
        """Find the lines of the visible rows, from the first visible one on."""
        self._wrapped = []
        position = self.listing.top
        while len(self._wrapped) < self._room and position < len(self.listing):
            self._wrapped += [(position, part) for part in range(self._lines_of(position))]
            position += 1

    def _lines_of(self, position: int) -> int:
        """How many lines a row takes when it is wrapped."""
        cells = self.listing.row(position).cells
        if not cells:
            return 1
        width = last_width(cells, self.listing.columns, max(1, self.size.width - 2))
        parts = 1
        while parts < self._room and wrapped_part(cells[-1], width, parts) is not None:
            parts += 1
        return parts

    def repaint(self) -> None:
        if self.listing.wrap:
            self._wrap()
        super().repaint()

    def _cursor_at(self, position: int) -> int:
        if position != self.listing.cursor:
            return 0
        return 2 if self.has_focus else int(self.cursor_away)

    def drawn(self, content: Hashable, width: int) -> Strip:
        key = (content, width, self.base)
        strip = self._strips.get(key)
        if strip is None:
            strip = self._strips[key] = self._draw(content, width)
        return strip

    def render_line(self, y: int) -> Strip:
        strip = super().render_line(y)
        place = self.listing.top + y - self._head
        if self.text_selection is not None:
            strip = self._with_selection(strip, place)
        return strip.apply_offsets(0, place) if y >= self._head else strip

    def _draw(self, content: Hashable, width: int) -> Strip:
        base, columns, room = self.base, self.listing.columns, max(1, width - 2)
        if isinstance(content, RowLine):
            return drawn_row(content, width, base, self.tone_styles)
        if isinstance(content, tuple):
            titles = [cell(column.title, "head") for column in columns]
            spans = [cell(" ")[0], *laid_out(titles, columns, room)]
            return styled(spans, self.tone_styles, base + self.tone_styles["title"], width)
        return styled([(" " * (width - 1), "plain"), ("▐" if content else " ", "quiet")], self.tone_styles, base, width)

    def _with_selection(self, strip: Strip, place: int) -> Strip:
        selection = self.text_selection
        span = selection.get_span(place) if selection is not None else None
        if span is None:
            return strip
        start, end = span[0], strip.cell_length if span[1] == -1 else span[1]
        style = self.screen.get_component_rich_style("screen--selection")
        parts = strip.divide([start, end, strip.cell_length])
        return Strip.join([part.apply_style(style) if number == 1 else part for number, part in enumerate(parts)])

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        first = selection.start.y if selection.start is not None else self.listing.top
        last = selection.end.y if selection.end is not None else self.listing.top + self._room - 1
        lines = []
        for place in range(max(0, first), min(last, len(self.listing) - 1) + 1):
            start, end = selection.get_span(place) or (0, 0)
            text = self.drawn(self.content(place - self.listing.top + self._head), self.size.width).text[:-1]
            lines.append(text[start : None if end == -1 else end].rstrip())
        return "\n".join(lines), "\n"

    def selection_updated(self, selection: Selection | None) -> None:
        self.refresh()

    # Positions

    @property
    def _head(self) -> int:
        return int(self.titles)

    @property
    def _room(self) -> int:
        """How many rows are visible at once."""
        return max(1, self.size.height - self._head)

    @property
    def _has_thumb(self) -> bool:
        return len(self.listing) > self._room

    def _thumb_at(self, line: int) -> bool:
        size = max(1, self._room * self._room // len(self.listing))
        start = round((self._room - size) * self.listing.top / max(1, len(self.listing) - self._room))
        return start <= line < start + size

    def _go(self, position: int) -> None:
        self.listing.move(position)
        if self.listing.follow and self.listing.cursor < len(self.listing) - 1:
            self.listing.follow = False
        self._settle()

    def _scroll(self, step: int) -> None:
        self.listing.top += step
        self._clamp()
        self.listing.move(min(max(self.listing.cursor, self.listing.top), self.listing.top + self._room - 1))
        self._settle()

    def _clamp(self) -> None:
        self.listing.top = max(0, min(self.listing.top, len(self.listing) - self._room))

    def _settle(self) -> None:
        """Keep the cursor in sight, paint what changed, tell who listens."""
        cursor = self.listing.cursor
        self.listing.top = max(cursor - self._room + 1, min(self.listing.top, cursor))
        self._clamp()
        if self.listing.wrap and len(self.listing):
            self._unwrap_above(cursor)
        self.repaint()
        self.post_message(self.Moved(self))

    def _unwrap_above(self, cursor: int) -> None:
        """Where wrapped rows push the cursor's one out of sight, the first visible row is a later one."""
        lines, first = self._lines_of(cursor), cursor
        while first > self.listing.top and lines + (more := self._lines_of(first - 1)) <= self._room:
            lines, first = lines + more, first - 1
        self.listing.top = first

    def _scan_soon(self) -> None:
        if not self._scanning:
            self._scanning = True
            self.set_timer(0.01, self._scan_on)

    def _scan_on(self) -> None:
        self._scanning = False
        if self.listing.scan(SCAN):
            self._scan_soon()
        self.repaint()
        self.post_message(self.Counted(self))
