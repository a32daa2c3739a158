"""Answering when everything that is known by now was read, and is counted."""

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

from inspector.stream.session import Settled

from .loop import CollectorLoop
from .reactor.client import Reactor

_LOOK_SECONDS = 0.02


@runtime_checkable
class Busy(Protocol):
    """A source that sets probes or reads files aside."""

    @property
    def busy(self) -> bool:
        """Whether something of that is under way."""
        ...


class Settling:
    """One answer for each question, in the order of asking."""

    def __init__(
        self,
        loop: CollectorLoop,
        drain: Callable[[], None],
        send: Callable[[Settled], None],
        reactor: Reactor | None,
        sources: Sequence[object],
    ) -> None:
        """`drain`: reads the records that wait."""
        self._loop, self._drain, self._send, self._reactor, self._sources = loop, drain, send, reactor, sources

    def ask(self, number: int) -> None:
        """Answer under this number when nothing is under way any more: a tree that never rests is never settled."""
        self._drain()
        self._behind_the_work(lambda: self._behind_the_reactor(number))

    def _behind_the_work(self, then: Callable[[], None]) -> None:
        """The worker does one thing after the other, so this comes after all that it was given before."""
        self._loop.in_background(lambda: None, lambda _: then())

    def _behind_the_reactor(self, number: int) -> None:
        mark = self._reactor.ask_for_mark() if self._reactor is not None else 0
        self._look(number, mark)

    def _look(self, number: int, mark: int) -> None:
        waiting = self._reactor is not None and not self._reactor.has_passed(mark)
        if waiting:
            self._loop.after(_LOOK_SECONDS, lambda: self._look(number, mark))
        elif any(isinstance(source, Busy) and source.busy for source in self._sources):
            self._loop.after(_LOOK_SECONDS, lambda: self.ask(number))
        else:
            self._send(Settled(at=self._loop.now(), id=number))
