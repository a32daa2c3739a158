"""The pane Timeline."""

from inspector.view.pane_context import PaneContext
from inspector.view.tables.timeline import Moments

from .pane import Pane


class TimelinePane(Pane):
    """All moments in order; follows the newest until the cursor leaves it."""

    name = "timeline"
    title = "Timeline"
    depends = ("timeline", "processes")
    ticks = True
    hints = (("f", "follow"), ("t", "mark this time"), ("o", "only this process"))

    def __init__(self) -> None:
        super().__init__()
        self.listing.follow = True
        self._moments: Moments | None = None

    def table(self, context: PaneContext) -> Moments:
        if self._moments is None or not self._moments.grow(context):
            self._moments = Moments(context)
        return self._moments

    def count(self, context: PaneContext) -> int:
        return len(context.state.timeline)
