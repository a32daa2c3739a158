"""A long list that is fetched in pages: only pages that are looked at are requested."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

T = TypeVar("T")

PAGE = 200
"""Rows per page."""
HELD = 100
"""Pages held at most; the longest unused goes first."""


class Progress(Protocol):
    """How far a search has come."""

    @property
    def complete(self) -> bool: ...

    @property
    def searched(self) -> int: ...

    @property
    def all_total(self) -> int: ...


class Pages(Generic[T]):
    """Rows by index; `ask(first, count)` sends a request and returns its id."""

    def __init__(self, ask: Callable[[int, int], int], total: int = 0) -> None:
        self._ask = ask
        self._pages: OrderedDict[int, Sequence[T]] = OrderedDict()
        self._asked: dict[int, int] = {}
        """Request id -> page."""
        self.total = total
        self.begun = False
        """Some answer has come: `total` is known."""
        self.complete = True
        self.searched = 0
        self.all_total = 0
        """Of a search: whether it is over, how much is searched, of how much."""

    def __len__(self) -> int:
        return self.total

    def get(self, index: int) -> T | None:
        """A row, or None while it is on its way."""
        number, place = divmod(index, PAGE)
        page = self._pages.get(number)
        if page is None:
            self.want(number)
            return None
        self._pages.move_to_end(number)
        return page[place] if place < len(page) else None

    def held(self, index: int) -> T | None:
        """A row if it is here; nothing is asked for."""
        page = self._pages.get(index // PAGE, ())
        place = index % PAGE
        return page[place] if place < len(page) else None

    def want(self, number: int) -> None:
        """Ask for a page once."""
        if number not in self._asked.values():
            self._asked[self._ask(number * PAGE, PAGE)] = number

    def put(self, request: int, total: int, rows: Sequence[T], search: Progress | None = None) -> bool:
        """Take an answer; False when it belongs to somebody else. After one of a `search` more may follow."""
        number = self._asked.get(request)
        if number is None:
            return False
        if search is None or search.complete:
            del self._asked[request]
        if search is not None:
            self.complete, self.searched, self.all_total = search.complete, search.searched, search.all_total
        self.total, self.begun = total, True
        self._pages[number] = rows
        while len(self._pages) > HELD:
            self._pages.popitem(last=False)
        return True

    def pending(self) -> list[int]:
        """Requests that are not answered to their end."""
        return list(self._asked)

    def follow(self, all_total: int) -> None:
        """More has come to be searched: ask for the last page again."""
        if self.begun and self.complete and not self._asked and all_total > self.all_total:
            self.want(max(0, self.total - 1) // PAGE)

    def refused(self, request: int) -> bool:
        """A request failed: its page may be asked for again later; False when it belongs to somebody else."""
        return self._asked.pop(request, None) is not None
