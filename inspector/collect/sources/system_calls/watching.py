"""When system calls are watched: always where that costs others nothing, else only while they can matter."""

import threading

from inspector.stream.session import LimitNoted
from inspector.stream.syscalls import SystemCallsWatched

from ...kernel.engine import Engine
from ...kernel.frames import read_frames
from ...kernel.records import Asked, Executed, Forked, Looked, Mapped, Returned
from ...kernel.syscall_watch import MeansName
from ..contract import Session
from ..poll_rate import Ticker
from ..processes.feed import Feed

YOUNG_SECONDS = 5.0
"""For so long after a start, load, look-up or watched call more of it may come, and a refusal with it."""
PATIENCE_SECONDS = 60.0
"""For so long a call that does not come back may still meet a refusal."""
_BETTER_AFTER_SECONDS = 1.0
"""Better means take a while to set: not in the first moments, when the target itself starts."""
_CHECK_SECONDS = 1.0
_NEWS_NS = 100_000_000
"""Records that come sooner one after the other are one piece of news."""


class WatchingSource:
    """Sets the best means, and where that is a tracepoint that all programs pay for, lets it rest when nothing goes on.

    What wakes it again are records that come without it: births, execs, mappings, look-ups and calls.
    """

    def __init__(self, session: Session, engine: Engine, feed: Feed) -> None:
        self._session = session
        self._engine = engine
        self._watch = engine.system_calls
        self._until = 0
        self._told: tuple[bool, MeansName] | None = None
        self._limit_noted = False
        self._closed = threading.Event()
        self._ticker = Ticker(session.loop, _CHECK_SECONDS, self._check)
        for kind in (Forked, Executed, Mapped, Asked, Looked, Returned):
            feed.listen(kind, self._goes_on)

    def start(self) -> None:
        """What is there may be in the middle of its discovery."""
        self._goes_on()
        self._session.loop.after(_BETTER_AFTER_SECONDS, self._improve)

    def close(self) -> None:
        """Better means that are being set are taken away by the engine."""
        self._closed.set()

    def _goes_on(self, _: object = None) -> None:
        until = self._session.loop.now() + int(YOUNG_SECONDS * 1e9)
        if self._watch.on and until - self._until < _NEWS_NS:
            return  # of thousands of records each second
        self._until = until
        if not self._watch.on:
            self._watch.resume()
        self._tell()
        self._ticker.wake()

    def _improve(self) -> None:
        def improve() -> None:
            self._watch.improve()
            if not self._closed.is_set():
                self._session.loop.soon(self._tell)

        threading.Thread(target=improve, name="system-calls", daemon=True).start()

    def _check(self) -> bool:
        """True while the tracepoint is on."""
        if self._watch.means != "tracepoint":
            return False
        if self._session.loop.now() < self._until or self._waiting() or self._inside():
            return True
        self._watch.suspend()
        self._tell()
        self._note_limit()
        return False

    def _waiting(self) -> bool:
        """Nobody of the target has come yet: its first instructions matter most."""
        return self._engine.waiting and not self._session.tree.processes()

    def _inside(self) -> bool:
        oldest = self._session.loop.now() - int(PATIENCE_SECONDS * 1e9)
        open_now = (*read_frames(self._engine.maps.open_calls), *read_frames(self._engine.maps.open_lookups))
        return any(frame.entered > oldest for frame in open_now)

    def _tell(self) -> None:
        state = (self._watch.on, self._watch.means)
        if state != self._told:
            self._told = state
            on, means = state
            self._session.sink.send(SystemCallsWatched(at=self._session.loop.now(), on=on, means=means))

    def _note_limit(self) -> None:
        if not self._limit_noted:
            self._limit_noted = True
            what = (
                f"files opened and system calls refused later than {YOUNG_SECONDS:.0f} s after a start, load or look-up"
            )
            why = (
                "this kernel has neither fexit nor kprobes: watching them all would cost each system call of the "
                "machine about 50 ns, so they are watched only while something starts"
            )
            self._session.sink.send(LimitNoted(at=self._session.loop.now(), what=what, why=why))
