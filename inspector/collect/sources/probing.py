"""The sources that need kernel programs: look-ups, calls and opens; without them, what is left of it."""

from collections.abc import Callable

from ..kernel.lookup_probes import SIGNALS
from ..kernel.lookup_programs import KINDS
from ..kernel.permissions import try_probes
from ..kernel.refusals import Refusal
from .calls.call_plans import planned_functions
from .calls.calls import CallsSource
from .calls.few_calls import FewCallsSource
from .calls.pending_dlopens import PendingLoads
from .contract import Session
from .libraries.addresses import Addresses
from .libraries.providers import Providers
from .lookups.lookups import LookupsSource
from .lookups.opens import OpensSource
from .processes.record_source import Records
from .stacks.stacks import StacksSource
from .system_calls.refusals import RefusalsSource
from .system_calls.watching import WatchingSource

Maker = tuple[str, Callable[[], object]]


def probe_makers(session: Session, records: Records) -> list[Maker]:
    """To be started after the passive evidence: probes change the pages that it looks at."""
    engine, probes = records.engine, records.refusal or try_probes()
    if isinstance(probes, Refusal):
        few: Maker = ("calls", lambda: FewCallsSource(session, probes))
        return [few, *_system_calls(session, records)]
    assert engine is not None, "without an engine there is a refusal"
    addresses, loads = Addresses(session.tree, records.feed), PendingLoads()
    names = [*planned_functions(session.plan), *KINDS, *SIGNALS]
    providers = Providers(session, records.feed, names, engine, records.reactor)
    return [
        ("call stacks", lambda: StacksSource(session, engine, records.feed, addresses)),
        ("files that provide an API", lambda: providers),
        ("look-ups", lambda: LookupsSource(session, engine, records.feed, addresses, loads, providers)),
        ("calls", lambda: CallsSource(session, records, addresses, loads, providers)),
        *_system_calls(session, records),
    ]


def _system_calls(session: Session, records: Records) -> list[Maker]:
    engine = records.engine
    if engine is None or not engine.system_calls.on:
        return []
    return [
        ("opened files", lambda: OpensSource(session, records.feed)),
        ("refused system calls", lambda: RefusalsSource(session, engine, records.feed)),
        ("when system calls are watched", lambda: WatchingSource(session, engine, records.feed)),
    ]
