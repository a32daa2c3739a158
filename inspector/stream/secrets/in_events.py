"""The last look at an event before it leaves the collector: tokens in paths, names and messages of any kind."""

from functools import lru_cache
from typing import get_type_hints

import msgspec

from inspector.stream.base import Event
from inspector.stream.calls import CallsCounted, FunctionsWatched, OpensSkipped
from inspector.stream.libraries import ImageRead, NeverExecuted, SlotsRead
from inspector.stream.logs import LogRead
from inspector.stream.processes import Vitals
from inspector.stream.redact import rewritten
from inspector.stream.requests import LogPage, SymbolPage

from .hiding import hide_names

_NOT_LOOKED_AT = frozenset((LogRead, LogPage, CallsCounted, OpensSkipped, Vitals))
"""Numbers, and lines that were looked at as lines."""
_OF_SYMBOLS = frozenset((ImageRead, SymbolPage, FunctionsWatched, NeverExecuted, SlotsRead))
"""Thousands of names that a compiler gave: only what stands directly in them is looked at."""


def without_tokens(event: Event) -> Event:
    """The same event with the tokens in its texts replaced."""
    kind = type(event)
    if kind in _NOT_LOOKED_AT:
        return event
    if kind not in _OF_SYMBOLS:
        return rewritten(event, hide_names)
    changed = {}
    for name in _texts(kind):
        text = getattr(event, name)
        shown = hide_names(text)
        if shown is not text:
            changed[name] = shown
    return msgspec.structs.replace(event, **changed) if changed else event


@lru_cache
def _texts(kind: type[Event]) -> tuple[str, ...]:
    hints = get_type_hints(kind)
    return tuple(name for name in kind.__struct_fields__ if hints[name] is str)
