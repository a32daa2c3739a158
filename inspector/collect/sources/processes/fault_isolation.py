"""One observer that fails takes no other with it: its fault is handed to the loop, which says it under its name."""

from collections.abc import Callable, Sequence
from typing import ParamSpec

from ..contract import Loop

P = ParamSpec("P")


def tell(loop: Loop, hearers: Sequence[Callable[P, None]], *args: P.args, **kwargs: P.kwargs) -> None:
    """Call all of them; what one raises is raised in a callback that is called by the name of its class."""
    for hear in hearers:
        try:
            hear(*args, **kwargs)
        except Exception as error:
            loop.soon(raising(error, type(getattr(hear, "__self__", hear)).__qualname__))


def raising(error: Exception, name: str) -> Callable[[], None]:
    """A callback that fails as something else did, and is called by its name."""

    def fail() -> None:
        raise error

    fail.__qualname__ = name
    return fail
