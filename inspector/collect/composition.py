"""Which sources look at a target beside the tree and its libraries, in the order in which they hear and start."""

from collections.abc import Callable

from .kernel.records import Opened, Written
from .sources.calls.passive import PassiveSource
from .sources.calls.pointers import PointersSource
from .sources.contract import Session
from .sources.copies.copies import CopiesSource, ListeningSink
from .sources.libraries.files import FileSource
from .sources.libraries.loader_messages import LoaderMessagesSource
from .sources.libraries.packages import PackagesSource
from .sources.libraries.predictions import PredictionsSource
from .sources.libraries.symbols import SymbolsSource
from .sources.lookups.refused_files import RefusedFiles
from .sources.machine.machine import MachineSource
from .sources.machine.sockets import SocketSource
from .sources.output.descriptors import DescriptorSource
from .sources.output.logs import LogSource
from .sources.probing import probe_makers
from .sources.processes.constraints import ConstraintsSource
from .sources.processes.live_environment import LiveEnvironmentSource
from .sources.processes.program import Keys
from .sources.processes.record_source import Records
from .sources.processes.units import UnitSource
from .sources.stacks.waiting import WaitingThreads

Maker = tuple[str, Callable[[], object]]
"""What it tells, in words for a `LimitNoted`, and how it is made."""


def source_makers(session: Session, records: Records, target: str, heard: ListeningSink) -> list[Maker]:
    """The passive picture comes before what probes: a probe changes the pages that it looks at."""
    keys = Keys(session.plan.environment)
    return [
        ("passive evidence", lambda: PassiveSource(session)),
        ("addresses held in memory", lambda: PointersSource(session)),
        ("symbols", lambda: SymbolsSource(session)),
        ("predicted loads", lambda: PredictionsSource(session)),
        ("descriptors", lambda: _descriptors(session, records)),
        ("logs", lambda: _logs(session, records)),
        ("units", lambda: UnitSource(session, target)),
        ("the machine", lambda: MachineSource(session)),
        ("sockets", lambda: SocketSource(session)),
        ("limits and rights", lambda: ConstraintsSource(session, records.feed)),
        ("the environment in memory", lambda: LiveEnvironmentSource(session, keys, records.feed)),
        ("changes of files", lambda: FileSource(session)),
        ("what the loader refused before", lambda: LoaderMessagesSource(session)),
        ("calls that threads wait in since before", lambda: WaitingThreads(session)),
        ("builds of packages", lambda: PackagesSource(session)),
        ("where else refused names are", lambda: CopiesSource(session, heard)),
        ("files whose load was refused", lambda: RefusedFiles(session, records.feed)),
        *probe_makers(session, records),
    ]


def _descriptors(session: Session, records: Records) -> DescriptorSource:
    source = DescriptorSource(session)
    records.feed.listen(Opened, source.opened)
    return source


def _logs(session: Session, records: Records) -> LogSource:
    engine = records.engine
    source = LogSource(session, writes=engine.writes if engine is not None else list)
    records.feed.listen(Opened, source.opened)
    records.feed.listen(Written, source.written)
    return source
