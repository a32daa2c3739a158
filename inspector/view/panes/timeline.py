"""The pane Timeline."""

from inspector.model.formatting import plural
from inspector.view.pane_context import PaneContext
from inspector.view.tables.sorted_table import Sorter
from inspector.view.tables.timeline import Moments, excused_of

from .pane import Pane


class TimelinePane(Pane):
    """All moments in order; begins where it broke, else follows the newest until the cursor leaves it."""

    name = "timeline"
    title = "Timeline"
    depends = ("timeline", "processes", "answer")
    ticks = True
    hints = (("e", "next error"), ("f", "follow"), ("t", "mark this time"), ("o", "only this process"))

    def __init__(self) -> None:
        super().__init__()
        self.listing.follow = True
        self.listing.sorter = Sorter()
        self.hides = False
        """Refusals that are excused are left out."""
        self._placed: int | None = None
        """The row of the break on which the cursor was put; None: none is known yet."""
        self._stale = False
        self._moments: Moments | None = None

    def look(self, context: PaneContext) -> bool:
        changed = super().look(context)
        sorted_otherwise = bool(self.listing.sorting.title)
        if changed and self._moments is not None and self._untouched and not sorted_otherwise:
            place = self._moments.break_row
            if place is not None and place != self._placed:
                self._placed, self.moved, self.listing.follow = place, True, False
                self.listing.reveal(place)
        return changed

    @property
    def _untouched(self) -> bool:
        """The cursor is where it was put last: it goes along when a later answer names another break."""
        if self._placed is None:
            return self.listing.follow
        return not self.listing.follow and self.listing.chosen == self._placed

    def table(self, context: PaneContext) -> Moments:
        if self._moments is None or self._stale or not self._moments.grow(context):
            self._moments, self._stale = Moments(context, hides=self.hides), False
        return self._moments

    def hide(self, context: PaneContext) -> str:
        """Leave out refusals that are excused, or show them again; returns words to say."""
        count = len(excused_of(context))
        if not count and not self.hides:
            return "no refusal is excused here"
        self.hides, self._stale, self._seen = not self.hides, True, None
        return f"{plural(count, 'excused refusal')} hidden, h shows them" if self.hides else "all events are shown"

    def count(self, context: PaneContext) -> int:
        return len(context.state.timeline)
