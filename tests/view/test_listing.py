"""A list of any length without its paint: cursor, filter, search, and what happens when rows come."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from inspector.stream.patterns import typed
from inspector.view.tables.listing import Listing
from inspector.view.tables.row import Column, Details, Row, cell


class Words:
    """A table of words that may grow."""

    columns: Sequence[Column] = (Column("WORD"),)
    heading = "words"

    def __init__(self, words: list[str], epoch: object = "same") -> None:
        self.words, self.epoch = words, epoch

    def __len__(self) -> int:
        return len(self.words)

    def row(self, index: int) -> Row:
        return Row(self.words[index], (cell(self.words[index]),))

    def text(self, index: int) -> str:
        return self.words[index]

    def find(self, key: str) -> int | None:
        return self.words.index(key) if key in self.words else None

    def near(self, at: int) -> int | None:
        return None

    def moment(self, index: int) -> int:
        return 0

    def pid(self, index: int) -> int:
        return 0

    def bad(self, index: int) -> bool:
        return "x" in self.words[index]

    def details(self, index: int) -> Details:
        return Details(self.words[index], ())


FRUIT = ["apple", "pear", "Pineapple", "plum", "crab apple"]


def shown(listing: Listing) -> list[str]:
    """The rows that are shown."""
    return [listing.row(position).key for position in range(len(listing))]


def test_a_filter_is_a_substring_in_any_case_with_alternatives_and_an_anchor() -> None:
    listing = Listing(Words(FRUIT))
    listing.narrow("APPLE")
    assert shown(listing) == ["apple", "Pineapple", "crab apple"]
    listing.narrow("^p|crab")
    assert shown(listing) == ["pear", "Pineapple", "plum", "crab apple"]
    listing.narrow("")
    assert shown(listing) == FRUIT


def test_the_cursor_stays_on_its_row_when_rows_come_before_it() -> None:
    listing = Listing(Words(FRUIT))
    listing.move(3)
    listing.show(Words(["fig", *FRUIT], epoch="other"))
    assert listing.row(listing.cursor).key == "plum"


def test_the_cursor_stays_in_the_list_when_its_row_goes() -> None:
    listing = Listing(Words(FRUIT))
    listing.move(4)
    listing.show(Words(["apple"], epoch="other"))
    assert listing.cursor == 0


def test_following_stays_on_the_newest_row_also_under_a_filter() -> None:
    words = Words(list(FRUIT))
    listing = Listing(words)
    listing.follow = True
    listing.narrow("apple")
    words.words += ["pear", "apple pie"]
    listing.show(words)
    assert listing.row(listing.cursor).key == "apple pie"


def test_search_goes_around_the_ends_among_all_rows() -> None:
    listing = Listing(Words(FRUIT))
    listing.narrow("apple")
    listing.widen()
    visited = []
    for _ in range(4):
        assert listing.next(1)
        visited.append(listing.row(listing.cursor).key)
    assert visited == ["Pineapple", "crab apple", "apple", "Pineapple"]
    listing.next(-1)
    assert listing.row(listing.cursor).key == "apple"


def test_search_without_a_match_says_so() -> None:
    listing = Listing(Words(FRUIT))
    assert not listing.next(1)
    listing.narrow("kiwi")
    assert not listing.next(1) and len(listing) == 0 and listing.chosen is None


def test_revealing_a_hidden_row_lets_the_filter_go() -> None:
    listing = Listing(Words(FRUIT))
    listing.narrow("apple")
    listing.reveal(3)
    assert not listing.narrowed and listing.cursor == 3


def test_a_long_list_is_scanned_in_pieces() -> None:
    listing = Listing(Words([f"word {number}" for number in range(10_000)]))
    listing.narrow("9", budget=0)
    assert listing.scanning and listing.matching > 0
    while listing.scan(0):
        pass
    assert listing.matching == sum("9" in str(number) for number in range(10_000))


@given(st.lists(st.text("abAB|^ ", max_size=6), max_size=30), st.lists(st.text("abAB|^ !~.", max_size=4), max_size=5))
def test_typing_on_finds_what_a_fresh_filter_finds(words: list[str], patterns: list[str]) -> None:
    listing = Listing(Words(words))
    for pattern in patterns:
        listing.narrow(pattern, budget=60)
        found = typed(pattern)
        expected = [word for word in words if found is None or found.search()(word)]
        assert shown(listing) == expected
        assert not expected or 0 <= listing.cursor < len(expected)
