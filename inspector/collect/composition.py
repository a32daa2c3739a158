"""Which sources look at a target beside the tree and its libraries, in the order in which they start."""

from collections.abc import Callable

from .sources.contract import Session
from .sources.record_source import Records

Maker = tuple[str, Callable[[], object]]
"""What it tells, in words for a `LimitNoted`, and how it is made."""


def source_makers(session: Session, records: Records) -> list[Maker]:
    """The passive picture comes before the first probe: a probe changes the pages that it looks at."""
    return []
