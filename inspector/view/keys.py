"""All keys in one list: the bindings of the main screen, the help, and what each does. A user may rebind them by id."""

from textual.binding import Binding

from .tables.row import Column, Details, Item, ListTable, Note, Row, cell

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
    Binding("o", "only", "Only this process, library or source", id="only"),
    Binding("O", "everything", "All of them again", show=False, id="everything"),
    Binding("t", "mark", "Mark this moment in all panes", show=False, id="mark"),
    Binding("f", "follow", "Follow the newest row", show=False, id="follow"),
    Binding("i", "this_start", "Log lines of this start only", show=False, id="this-start"),
    Binding("a", "evidence", "What proves the answer", id="evidence"),
    Binding("A", "findings", "All findings", show=False, id="findings"),
    Binding("left_square_bracket", "finding(-1)", "Previous finding", show=False, id="previous-finding"),
    Binding("right_square_bracket", "finding(1)", "Next finding", show=False, id="next-finding"),
    Binding("L", "ladders", "All rungs of all ladders", show=False, id="ladders"),
    Binding("w", "watch", "Count calls of this function, or stop", show=False, id="watch"),
    Binding("x", "scan", "Look in memory for addresses of GPU functions", show=False, id="scan"),
    Binding("p", "predict", "Predict what loading a file or name would do here", show=False, id="predict"),
    Binding("plus", "add_log", "Follow one more log file", show=False, id="add-log"),
    Binding("z", "zoom", "Give the pane the whole screen", show=False, id="zoom"),
    Binding("space", "pause", "Hold the screen still; collecting goes on", id="pause"),
    Binding("y", "app.copy_row", "Copy the row", show=False, id="copy-row"),
    Binding("Y", "app.copy_command", "Copy the command that shows it by hand", show=False, id="copy-command"),
    Binding("s", "app.picture", "Save this screen as SVG and text", show=False, id="app.picture"),
    Binding("e", "app.export", "Export a report", show=False, id="app.export"),
    Binding("r", "app.record", "Record to a file from what is already known, or stop", show=False, id="app.record"),
    Binding("d", "doctor", "What this machine and user allow", show=False, id="doctor"),
    Binding("l", "limits", "What cannot be known here, and what grants it", show=False, id="limits"),
    Binding("comma", "step(-1)", "Recording: one moment back", show=False, id="step-back"),
    Binding("full_stop", "step(1)", "Recording: one moment on", show=False, id="step-on"),
    Binding("less_than_sign", "speed(0.5)", "Recording: half as fast", show=False, id="slower"),
    Binding("greater_than_sign", "speed(2)", "Recording: twice as fast", show=False, id="faster"),
    Binding("T", "seek", "Recording: go to the moment of this row", show=False, id="seek"),
    Binding("escape", "back", "Close, or show all rows again", show=False, id="back"),
    Binding("tab", "app.focus_next", "Next part of the screen", show=False, id="focus-next"),
    Binding("shift+tab", "app.focus_previous", "Previous part", show=False, id="focus-previous"),
    Binding("ctrl+l", "app.redraw", "Draw the whole screen again", show=False, id="app.redraw"),
    Binding("question_mark", "keys", "Help", id="help"),
    Binding("q", "app.quit", "Quit", id="quit"),
]

_NAMES = {
    "slash": "/",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "comma": ",",
    "full_stop": ".",
    "less_than_sign": "<",
    "greater_than_sign": ">",
    "question_mark": "?",
    "space": "Space",
    "plus": "+",
    "escape": "Esc",
    "tab": "Tab",
    "shift+tab": "Shift-Tab",
    "ctrl+l": "Ctrl-L",
}
_LIST = [
    ("j k, arrows", "Down, up"),
    ("PgUp PgDn", "A page up, down"),
    ("g G", "First, last row"),
    ("left right", "Slide the last column"),
    ("Enter", "Open the row, or the evidence of the answer"),
    ("Ctrl-P", "Palette: every command by name"),
    ("mouse", "Click a row, a tab, the answer; the wheel scrolls; Shift-drag selects as the terminal does"),
]
_SIGNS = [
    ("✓ yes", "It is so, and a row proves it"),
    ("✗ no", "It is not so, and a row proves it"),
    ("? unknown", "It was not observed; the detail says what is missing to know"),
    ("· not reached", "Behind the break, or nobody asked for more: it follows, and blames nothing"),
    ("◆", "The marked moment"),
    ("● ○", "A process that lives, one that has ended"),
]


def help_table() -> ListTable:
    """The keys and signs as a list."""
    pairs = [(_NAMES.get(binding.key, binding.key), binding.description, binding.id or "") for binding in MAIN]
    listed = [(key, what, "") for key, what in _LIST] + pairs + [(sign, what, "") for sign, what in _SIGNS]
    columns = (Column("KEY", 12), Column("DOES", 80), Column("ID FOR REBINDING", least=110))
    return ListTable(columns, [_item(number, *one) for number, one in enumerate(listed)], "keys and signs")


def _item(number: int, key: str, what: str, name: str) -> Item:
    row = Row(str(number), (cell(key, "name"), cell(what), cell(name, "quiet")))
    return Item(row, Details(key, [Note("does", what)]))
