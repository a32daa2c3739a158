"""The sources that need kernel programs: look-ups, calls and opens; without them, what is left of it."""

from collections.abc import Callable

from .addresses import Addresses
from .calls import CallsSource
from .contract import Session
from .few_calls import FewCallsSource
from .lookups import LookupsSource
from .opens import OpensSource
from .pending import PendingLoads
from .record_source import Records

Maker = tuple[str, Callable[[], object]]


def probe_makers(session: Session, records: Records) -> list[Maker]:
    """To be started after the passive evidence: probes change the pages that it looks at."""
    engine = records.engine
    if engine is None:
        why = " ".join(limit.why for limit in records.limits)
        return [("calls", lambda: FewCallsSource(session, why))]
    addresses, loads = Addresses(session.tree, records.feed), PendingLoads()
    return [
        ("look-ups", lambda: LookupsSource(session, engine, records.feed, addresses, loads)),
        ("calls", lambda: CallsSource(session, engine, records.feed, addresses, loads)),
        ("opened files", lambda: OpensSource(session, records.feed)),
    ]
