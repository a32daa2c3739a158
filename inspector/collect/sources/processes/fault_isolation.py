"""One observer that fails takes no other with it: its fault is handed to the loop, which says it under its name."""

from collections.abc import Callable

from inspector.stream.libraries import ImageRead

from ..contract import Loop, Mapping, Tracked, TreeObserver


class Guarded(TreeObserver):
    """Tells an observer of the tree; what it raises is raised in a callback of its own."""

    def __init__(self, observer: TreeObserver, loop: Loop) -> None:
        self._observer, self._loop = observer, loop

    def born(self, process: Tracked) -> None:
        try:
            self._observer.born(process)
        except Exception as error:
            self._say(error)

    def executed(self, process: Tracked) -> None:
        try:
            self._observer.executed(process)
        except Exception as error:
            self._say(error)

    def ended(self, process: Tracked) -> None:
        try:
            self._observer.ended(process)
        except Exception as error:
            self._say(error)

    def forgotten(self, process: Tracked) -> None:
        try:
            self._observer.forgotten(process)
        except Exception as error:
            self._say(error)

    def mapped(self, process: Tracked, mapping: Mapping) -> None:
        try:
            self._observer.mapped(process, mapping)
        except Exception as error:
            self._say(error)

    def unmapped(self, process: Tracked, mapping: Mapping) -> None:
        try:
            self._observer.unmapped(process, mapping)
        except Exception as error:
            self._say(error)

    def image(self, process: Tracked, mapping: Mapping, image: ImageRead) -> None:
        try:
            self._observer.image(process, mapping, image)
        except Exception as error:
            self._say(error)

    def _say(self, error: Exception) -> None:
        self._loop.soon(raising(error, type(self._observer).__qualname__))


def raising(error: Exception, name: str) -> Callable[[], None]:
    """A callback that fails as something else did, and is called by its name."""

    def fail() -> None:
        raise error

    fail.__qualname__ = name
    return fail
