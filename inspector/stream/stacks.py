"""Events about who asked: the call stack of a thread at a deciding call, a refusal, a deadly signal, in a long wait."""

from typing import Literal

from .base import Event, Fact

Occasion = Literal["entered", "refused", "load", "signal", "lookup", "waiting"]


class CodeFrame(Fact, frozen=True, kw_only=True):
    """One frame of compiled code."""

    path: str
    """File that holds it; `[anon]` and the like where it is none."""
    symbol: str = ""
    """The function, where a table of symbols names the place."""
    offset: int = 0
    """Bytes from its beginning; without a symbol the offset in the file."""


class SourceFrame(Fact, frozen=True, kw_only=True):
    """One frame of an interpreter."""

    file: str
    line: int | None = None
    """None: not known."""
    function: str = ""


class StackTaken(Event, frozen=True, kw_only=True):
    """Who was in the middle of what, the innermost first; copied at the event itself, so exact."""

    pid: int
    tid: int
    occasion: Occasion
    """A deciding function is called first; a call answered no; a library was not loaded; a deadly signal; a name was
    looked up in vain; it waits in a system call since before we attached, and did not move while it was read."""
    moment: int
    """Which call or signal it belongs to: `CallReturned.entered`, `LookedUp.entered`, `SignalDelivered.at`."""
    function: int = -1
    """Id of the watched function, of calls."""
    native: list[CodeFrame] = []
    native_end: str = ""
    """Why it goes no further, in words; empty where it reaches the beginning of the thread."""
    source: list[SourceFrame] = []
    """Frames of CPython."""
    source_end: str = ""
    """Why there are none or no more of them, in words; empty where it is all, or no interpreter."""
