"""All keys in one place: the bindings of lists and of the main screen, and the help. A user may rebind them by id."""

from collections.abc import Mapping, Sequence

from textual.binding import Binding

from .tables.row import Column, Details, Item, ListTable, Note, Row, cell

LIST = [
    Binding("up,k", "move(-1)", "Up", show=False, id="row-up"),
    Binding("down,j", "move(1)", "Down", show=False, id="row-down"),
    Binding("pageup,ctrl+b", "page(-1)", "A page up", show=False, id="page-up"),
    Binding("pagedown,ctrl+f", "page(1)", "A page down", show=False, id="page-down"),
    Binding("ctrl+u", "half_page(-1)", "Half a page up", show=False, id="half-page-up"),
    Binding("ctrl+d", "half_page(1)", "Half a page down", show=False, id="half-page-down"),
    Binding("home,g", "move_to(0)", "First row", show=False, id="first-row"),
    Binding("end,G", "move_to(-1)", "Last row", show=False, id="last-row"),
    Binding("left", "slide(-1)", "Fold the row, or scroll the last column left", show=False, id="left"),
    Binding("right", "slide(1)", "Unfold the row, or scroll the last column right", show=False, id="right"),
    Binding("w", "wrap", "Wrap long rows, or not", show=False, id="wrap"),
    Binding("m", "tag", "Tag the row; y copies all tagged rows", show=False, id="tag"),
    Binding("M", "untag", "Remove all tags", show=False, id="untag"),
    Binding("enter", "choose", "Open the row, or the evidence for the answer", show=False, id="open-row"),
]
"""Keys of every list."""

MAIN = [
    Binding("1", "pane(0)", "Processes", show=False, id="pane-processes"),
    Binding("2", "pane(1)", "Libraries", show=False, id="pane-libraries"),
    Binding("3", "pane(2)", "Symbols", show=False, id="pane-symbols"),
    Binding("4", "pane(3)", "Timeline", show=False, id="pane-timeline"),
    Binding("5", "pane(4)", "Logs", show=False, id="pane-logs"),
    Binding("6", "pane(5)", "GPU", show=False, id="pane-gpu"),
    Binding("slash", "filter", "Filter the rows", id="filter"),
    Binding("n", "next_match(1)", "Next match", show=False, id="next-match"),
    Binding("N", "next_match(-1)", "Previous match", show=False, id="previous-match"),
    Binding("e", "next_bad(1)", "Next error: the next row marked ✗ or !", show=False, id="next-error"),
    Binding("E", "next_bad(-1)", "Previous error", show=False, id="previous-error"),
    Binding("colon", "go_to_time", "Go to a time", show=False, id="go-to-time"),
    Binding("h", "hide_excused", "Hide refusals that were made good, or show them", show=False, id="hide-excused"),
    Binding("v", "level(1)", "Log lines of a higher level only: all, info, warn, error", show=False, id="level"),
    Binding("V", "level(-1)", "Log lines of a lower level too", show=False, id="level-down"),
    Binding("s", "columns", "Sort by a column, choose columns", show=False, id="columns"),
    Binding("S", "reverse", "Reverse the order", show=False, id="reverse"),
    Binding("o", "only", "Only this process, library or source", id="only"),
    Binding("O", "everything", "Show all again", show=False, id="everything"),
    Binding("t", "mark", "Mark this time in all panes", show=False, id="mark"),
    Binding("f", "follow", "Follow the newest row", show=False, id="follow"),
    Binding("i", "this_start", "Log lines of this run only", show=False, id="this-start"),
    Binding("a", "evidence", "Evidence for the answer", id="evidence"),
    Binding("A", "findings", "All findings", show=False, id="findings"),
    Binding("left_square_bracket", "finding(-1)", "Previous finding", show=False, id="previous-finding"),
    Binding("right_square_bracket", "finding(1)", "Next finding", show=False, id="next-finding"),
    Binding("L", "ladders", "All rungs of all ladders", show=False, id="ladders"),
    Binding("c", "watch", "Count calls of this function, or stop", show=False, id="watch"),
    Binding("x", "scan", "Search memory for addresses of GPU functions", show=False, id="scan"),
    Binding("p", "predict", "Predict what loading a file or name would do here", show=False, id="predict"),
    Binding("plus", "add_log", "Follow one more log file", show=False, id="add-log"),
    Binding("z", "zoom", "Give the pane the whole screen", show=False, id="zoom"),
    Binding("space", "pause", "Pause the screen; collecting continues", id="pause"),
    Binding("y", "app.copy_row", "Copy the row, or all tagged rows", show=False, id="copy-row"),
    Binding("Y", "app.copy_command", "Copy the command that shows the same", show=False, id="copy-command"),
    Binding("P", "app.picture", "Save this screen as SVG and text", show=False, id="app.picture"),
    Binding("X", "app.export", "Export a report", show=False, id="app.export"),
    Binding(
        "r", "app.record", "Record to a file, including what is already known; or stop", show=False, id="app.record"
    ),
    Binding("d", "doctor", "What this machine and user allow", show=False, id="doctor"),
    Binding("l", "limits", "What we couldn't see, and how to allow it", show=False, id="limits"),
    Binding("comma", "step(-1)", "Recording: one event back", show=False, id="step-back"),
    Binding("full_stop", "step(1)", "Recording: one event forward", show=False, id="step-on"),
    Binding("less_than_sign", "speed(0.5)", "Recording: half as fast", show=False, id="slower"),
    Binding("greater_than_sign", "speed(2)", "Recording: twice as fast", show=False, id="faster"),
    Binding("T", "seek", "Recording: go to the time of this row", show=False, id="seek"),
    Binding("escape", "back", "Close, or show all rows again", show=False, id="back"),
    Binding("tab", "app.focus_next", "Next part of the screen", show=False, id="focus-next"),
    Binding("shift+tab", "app.focus_previous", "Previous part", show=False, id="focus-previous"),
    Binding("ctrl+l", "app.redraw", "Redraw the screen", show=False, id="app.redraw"),
    Binding("question_mark", "keys", "Help", id="help"),
    Binding("q", "app.quit", "Quit; a program that `inspector run` started is ended", id="quit"),
]

OWN: Mapping[str, Sequence[str]] = {
    "columns": ("processes", "libraries", "symbols", "timeline", "logs", "gpu"),
    "reverse": ("processes", "libraries", "symbols", "timeline", "logs"),
    "only": ("processes", "libraries", "symbols", "timeline", "logs"),
    "everything": ("processes", "libraries", "symbols", "timeline", "logs"),
    "mark": ("timeline", "logs"),
    "follow": ("timeline", "logs"),
    "next-error": ("timeline", "logs", "libraries"),
    "previous-error": ("timeline", "logs", "libraries"),
    "go-to-time": ("timeline", "logs"),
    "hide-excused": ("timeline",),
    "level": ("logs",),
    "level-down": ("logs",),
    "this-start": ("logs",),
    "add-log": ("logs",),
    "watch": ("symbols",),
    "scan": ("libraries", "symbols"),
    "predict": ("libraries",),
}
"""Keys that mean something only, or mostly, in some panes: id -> names of the panes."""

_NAMES = {
    "slash": "/",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "comma": ",",
    "full_stop": ".",
    "colon": ":",
    "less_than_sign": "<",
    "greater_than_sign": ">",
    "question_mark": "?",
    "space": "Space",
    "plus": "+",
    "escape": "Esc",
    "enter": "Enter",
    "pageup": "PgUp",
    "pagedown": "PgDn",
}
_HELP = (Column("KEY", 14), Column("DOES", 58), Column("WHERE", 20), Column("ID FOR REBINDING", least=110))
_OTHERS = [
    ("/ text", "Filters are regular expressions, case ignored; an invalid one is plain text"),
    ("/ !text", "Rows that do not match"),
    ("/ ~text", "Fuzzy: words with these letters in this order"),
    ("/ 'text", "Plain text, no special characters"),
    ("/ up down", "Earlier filters"),
    ("Ctrl-P", "Palette: every command by name"),
    ("mouse", "Click a row, a title (sorts), a tab, the answer; the wheel scrolls; Shift-drag selects as usual"),
]
_SIGNS = [
    ("✓ yes", "True, and a row proves it"),
    ("✗ no", "False, and a row proves it"),
    ("! failed", "A failure that the answer does not blame"),
    ("· ", "Not reached, not needed, or made good"),
    ("? unknown", "Not observed; the details say what is missing"),
    ("◆", "The marked time"),
    ("● ○", "A running process, one that has ended"),
]


def key_name(keys: str) -> str:
    """Keys as a person reads them: `question_mark` is ?, `ctrl+d` Ctrl-D."""
    return " ".join(_one_name(key) for key in keys.split(","))


def _one_name(key: str) -> str:
    *modifiers, last = key.split("+")
    if not modifiers or last == "":
        return _NAMES.get(key, key.capitalize() if len(key) > 1 else key)
    return "-".join([one.capitalize() for one in modifiers] + [_NAMES.get(last, last.capitalize())])


def help_table(pane: str, title: str, keymap: Mapping[str, str]) -> ListTable:
    """The keys that mean something in this pane, those of all panes, the signs; `keymap` has what a user rebound."""
    own = [one for one in MAIN if pane in OWN.get(one.id or "", ())]
    rest = [one for one in MAIN if (one.id or "") not in OWN]
    others = [one for one in MAIN if one not in own and one not in rest]
    rows = [(_keys(one, keymap), one.description, title, one.id or "") for one in own]
    rows += [(_keys(one, keymap), one.description, "lists", one.id or "") for one in LIST]
    rows += [(key, what, "filter", "") for key, what in _OTHERS]
    rows += [(_keys(one, keymap), one.description, "", one.id or "") for one in rest]
    for one in others:
        rows.append((_keys(one, keymap), one.description, ", ".join(OWN[one.id or ""]), one.id or ""))
    rows += [(sign, what, "signs", "") for sign, what in _SIGNS]
    return ListTable(_HELP, [_item(number, *one) for number, one in enumerate(rows)], f"{title} first   / filters")


def picker_help(bindings: Sequence[Binding], keymap: Mapping[str, str]) -> ListTable:
    """The keys of the list of processes, those of all lists, and how filters are written."""
    rows = [(_keys(one, keymap), one.description, "here", one.id or "") for one in bindings]
    rows += [(_keys(one, keymap), one.description, "lists", one.id or "") for one in LIST]
    rows += [(key, what, "filter", "") for key, what in _OTHERS]
    return ListTable(_HELP, [_item(number, *one) for number, one in enumerate(rows)], "/ filters")


def rebound(hints: Sequence[tuple[str, str]], keymap: Mapping[str, str]) -> list[tuple[str, str]]:
    """Keys and what they do, with the keys that a user gave them."""
    if not keymap:
        return list(hints)
    names = {key_name(one.key): _keys(one, keymap) for one in (*LIST, *MAIN)}
    return [(names.get(key, key), words) for key, words in hints]


def _keys(binding: Binding, keymap: Mapping[str, str]) -> str:
    return key_name(keymap.get(binding.id or "", binding.key))


def _item(number: int, key: str, what: str, where: str, name: str) -> Item:
    row = Row(str(number), (cell(key, "name"), cell(what), cell(where, "quiet"), cell(name, "quiet")))
    return Item(row, Details(key, [Note("does", what)]))
