"""Symbols sorted by a column: what the collector is asked to sort by, and the same for those that a recording holds."""

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from inspector.model.formatting import name_of
from inspector.stream.requests import SymbolRow

from .sorting import Sorting
from .symbols import Knowledge


class Order(Struct, frozen=True):
    """The order as ReadSymbols takes it."""

    sort: Literal["", "name", "library"] = ""
    descending: bool = False
    ahead: list[str] = []


_MOST_AHEAD = 20_000
"""Names that are told to the collector as those that come first."""


def order_of(known: Knowledge, sorting: Sorting) -> Order:
    """Calls and what is known of names only the viewer knows: those names come first, and all others behind them."""
    match sorting.title:
        case "NAME":
            return Order("name", sorting.descending)
        case "LIBRARY":
            return Order("library", sorting.descending)
        case "CALLS":
            ahead = sorted(known.functions, key=lambda one: (_calls(one, known), one[1]))
        case "WHAT IS KNOWN":
            ahead = sorted(known.functions.keys() | known.never, key=lambda one: (_state(one, known), one[1]))
        case _:  # of thousands of names those come first that were called, then those whose calls are counted
            ahead = sorted(known.functions, key=lambda one: (_state(one, known), one[1]))
    if sorting.title and sorting.descending:
        ahead.reverse()
    return Order(ahead=[f"{file}:{name}" for file, name in ahead[:_MOST_AHEAD]])


def arranged(rows: Sequence[SymbolRow], known: Knowledge, sorting: Sorting) -> list[SymbolRow]:
    """Rows that are all here, in that order."""
    order = order_of(known, sorting)
    if order.sort == "name":
        return sorted(rows, key=lambda row: row.symbol.name.lower(), reverse=order.descending)
    if order.sort == "library":
        return sorted(rows, key=lambda row: name_of(row.path).casefold(), reverse=order.descending)
    places = {key: place for place, key in enumerate(order.ahead)}
    return sorted(rows, key=lambda row: places.get(f"{row.file}:{row.symbol.name}", len(places)))


def _calls(key: tuple[str, str], known: Knowledge) -> int:
    return sum(known.counts.get(function.id, 0) for function in known.functions[key])


def _state(key: tuple[str, str], known: Knowledge) -> int:
    """Called, never executed, watched and not called."""
    if key in known.functions and _calls(key, known):
        return 0
    return 1 if key in known.never else 2
