"""Which record source this machine and user allow: kernel programs, perf records, or looking now and then."""

from dataclasses import dataclass

from inspector.stream.session import LimitNoted

from ...kernel.engine import Engine, EngineError
from ...reactor.link import Reactor
from ..contract import Loop
from .feed import Feed
from .perf_records import PerfRecords
from .polling import PollingRecords

GRANT = "sudo inspector ..."


@dataclass(frozen=True, slots=True)
class Records:
    """The feed that was chosen, and what is lost with it."""

    feed: Feed
    engine: Engine | None
    """Present when the kernel runs programs for us."""
    reactor: Reactor | None
    """Present when it also counts calls."""
    limits: list[LimitNoted]


def open_records(loop: Loop, reactor: Reactor | None) -> Records:
    """The best one that works here."""
    try:
        engine = Engine(reactor.maps if reactor else None)
        return Records(Feed(engine, tells_ends=True), engine, reactor, [])
    except EngineError as error:
        refusal = f"the kernel does not let this user run programs in it ({error})"
    try:
        feed = Feed(PerfRecords(), tells_ends=False, second=PollingRecords(loop.now))
        lost = "arguments and environment of processes that end at once; signals; opened files"
    except OSError as error:
        refusal = f"{refusal}, nor watch processes by perf events ({error})"
        feed = Feed(PollingRecords(loop.now), tells_ends=False)
        gone = f"processes that live less than {Feed.POLL_SECONDS * 1000:.0f} ms"
        lost = f"{gone}; how processes ended; signals; opened files"
    return Records(feed, None, None, [LimitNoted(at=loop.now(), what=lost, why=refusal, grant=GRANT)])
