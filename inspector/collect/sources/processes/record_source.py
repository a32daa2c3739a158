"""Which record source this machine and user allow: kernel programs, perf records, or looking now and then."""

from collections.abc import Iterable

import msgspec

from inspector.stream.processes import ProcessExec
from inspector.stream.session import LimitNoted

from ...kernel.engine import Engine, EngineError
from ...kernel.refusals import Need, Refusal, explain
from ...reactor.client import Reactor
from ..contract import Loop
from .feed import Feed
from .perf_records import PerfRecords
from .polling import PollingRecords


class Records(msgspec.Struct, frozen=True):
    """The feed that was chosen, and what is lost with it."""

    feed: Feed
    engine: Engine | None
    """Present when the kernel runs programs for us."""
    reactor: Reactor | None
    """Present when it also counts calls."""
    limits: list[LimitNoted]
    refusal: Refusal | None = None
    """Why the kernel runs no programs for us."""

    def defer_opens(self, programs: Iterable[ProcessExec | None]) -> None:
        """Tell opened files later where the reactor meets libraries earlier: not in containers, see `Providers`."""
        meets = self.reactor is not None and self.reactor.first_reads
        if self.engine is not None and meets and all(each is None or each.own_root for each in programs):
            self.engine.members.tell_opens_at_once(False)


def open_records(loop: Loop, reactor: Reactor | None) -> Records:
    """The best one that works here."""
    try:
        engine = Engine(reactor.maps if reactor else None)
        return Records(Feed(engine, tells_ends=True), engine, reactor, [])
    except EngineError as error:
        refusal = error.refusal
        why = f"the kernel does not let this user run programs in it ({refusal.why})"
    try:
        feed = Feed(PerfRecords(), tells_ends=False, second=PollingRecords(loop.now))
        lost = "arguments and environment of processes that end at once; signals; opened files"
    except OSError as error:
        why = f"{why}, nor watch processes by perf events ({explain(error, Need.EVERYONES_RECORDS).why})"
        feed = Feed(PollingRecords(loop.now), tells_ends=False)
        gone = f"processes that live less than {Feed.POLL_SECONDS * 1000:.0f} ms"
        lost = f"{gone}; how processes ended; signals; opened files"
    limit = LimitNoted(at=loop.now(), what=lost, why=why, grant=refusal.grant)
    return Records(feed, None, None, [limit], refusal)
