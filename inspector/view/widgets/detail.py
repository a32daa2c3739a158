"""The panel beside a list: everything known of the chosen row, wrapped, and the commands that show it by hand."""

from collections.abc import Iterator

from inspector.view.tables.listing import Listing
from inspector.view.tables.row import Column, Details, Item, ListTable, Row, Tone, cell

from .rows import Rows

LABEL = 11
BY_HAND = "by hand"
LONGEST = 20_000
"""Characters of one value that are wrapped and shown."""
NOTHING = Details("", ())


class DetailPanel(Rows):
    """Details of one row at a time; scrolls like any list."""

    cursor_away = False

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id, titles=False)
        self.details = NOTHING

    def tell(self, details: Details) -> None:
        """Show these details from their beginning, or go on showing them where they stand."""
        if details == self.details:
            return
        same = details.title == self.details.title
        self.details = details
        self._lay_out(keep_place=same)

    def on_resize(self) -> None:
        self._lay_out(keep_place=True)

    def _lay_out(self, keep_place: bool) -> None:
        table = wrapped(self.details, self.size.width)
        if keep_place:
            self.show(table)
        else:
            self.load(Listing(table))


def wrapped(details: Details, width: int) -> ListTable:
    """The details as rows of a label and one line of text each."""
    label = max((len(note.label) for note in details.notes), default=0)
    label = min(LABEL, max(label, len(BY_HAND) if details.by_hand else 0))
    room = max(16, width - label - 3)
    lines: list[tuple[str, str, Tone]] = []
    if details.title:
        lines += [*_parts("", details.title, "strong", room), ("", "", "plain")]
    for note in details.notes:
        lines += _parts(note.label, note.text, note.tone, room)
    if details.by_hand:
        lines.append(("", "", "plain"))
    for number, command in enumerate(details.by_hand):
        lines += _parts(BY_HAND if number == 0 else "", command, "name", room)
    rows = (
        Row(str(number), (cell(name, "quiet"), cell(text, tone))) for number, (name, text, tone) in enumerate(lines)
    )
    return ListTable((Column("", label), Column("")), [Item(row, details) for row in rows])


def _parts(label: str, text: str, tone: Tone, room: int) -> Iterator[tuple[str, str, Tone]]:
    for number, part in enumerate(_broken(text[:LONGEST], room)):
        yield ("" if number else label, part, tone)


def _broken(text: str, room: int) -> Iterator[str]:
    """Lines of at most `room` characters: broken at a space, else behind a sign of a path or list, else anywhere."""
    while len(text) > room:
        space = text.rfind(" ", room // 2, room + 1)
        sign = max(text.rfind(sign, room // 2, room) for sign in "/:,;=&|")
        end = space if space > 0 else sign + 1 if sign > 0 else room
        yield text[:end]
        text = text[end:].lstrip()
    yield text
