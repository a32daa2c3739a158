"""The pane Symbols: names of one library or of all, and for each whether it is watched, called, needed or untouched."""

import shlex
from collections import defaultdict
from collections.abc import Mapping, Sequence, Set

from msgspec import Struct

from inspector.model.formatting import duration, name_of, plural
from inspector.model.state import State
from inspector.stream.calls import WatchedFunction
from inspector.stream.libraries import Export, Need
from inspector.stream.requests import SymbolRow
from inspector.view.pane_context import PaneContext, title_of
from inspector.view.paths import names_apart, short_paths

from .pages import Pages
from .row import EMPTY, Cell, Column, Details, Note, Row, Tone, cell
from .told import Told, failed, told_of

COLUMNS = (
    Column("NAME"),
    Column("LIBRARY", 20, keep_end=True),
    Column("CALLS", 7, right=True),
    Column("WHAT IS KNOWN", 23),
)


class Knowledge(Struct):
    """What is known about names, looked up once for many rows."""

    functions: dict[tuple[str, str], list[WatchedFunction]] = {}
    """By file identity and name; a name has several functions when it is watched more than once."""
    counts: dict[int, int] = {}
    stopped: Mapping[int, str] = {}
    """Functions that are counted no more, and why."""
    late: Set[int] = frozenset()
    """Functions that a chosen process may have called before its calls were counted."""
    callers: dict[int, dict[str, int]] = {}
    never: set[tuple[str, str]] = set()
    """File identity and name of functions proven never executed in the chosen processes."""
    held: dict[tuple[str, str], list[str]] = {}
    """Path and name -> who holds its address."""
    needed: dict[str, list[str]] = {}
    """Name -> libraries that import it."""
    offered: dict[str, list[str]] = {}
    """Name -> libraries that define it, of those whose names we hold."""
    asked: dict[str, list[str]] = {}
    """Name -> who asked for it in vain."""
    file_names: dict[str, str] = {}
    """Path -> what a library is called here: files of one name have as much of their paths as tells them apart."""
    told: Told = Told()


def knowledge(context: PaneContext) -> Knowledge:
    """Gather it for the chosen processes."""
    from inspector.model.coverage import maybe_called_before  # not before the first paint

    state, known = context.state, Knowledge(told=told_of(context.answer))
    for function in state.functions.values():
        for name in (function.name, *function.aliases):
            known.functions.setdefault((function.file, name), []).append(function)
    counts: dict[int, int] = defaultdict(int)
    files: set[str] = set()
    never: list[set[tuple[str, str]]] = []
    for process in context.processes:
        for one in process.counts.values():
            counts[one.function] += one.count
        for number in process.counts:
            callers = known.callers.setdefault(number, {})
            for caller in process.calls_by(number):
                callers[caller.caller] = callers.get(caller.caller, 0) + caller.count
        never += [
            {(one.file, name) for name in one.functions} for one in process.never_executed.values() if not one.caveat
        ]
        for pointers in process.pointers.values():
            for holder, names in pointers.holders.items():
                for name in names:
                    known.held.setdefault((pointers.path, name), []).append(holder)
        files.update(library.file for library in process.libraries.values())
        files.update(program.file for program in process.execs)
    known.counts, known.stopped = dict(counts), state.stopped
    known.late = maybe_called_before(state, context.processes)
    known.never = set().union(*never)
    _gather_names(state, files, known)
    known.file_names = names_apart(state.images[file].path for file in files if file in state.images)
    return known


def _gather_names(state: State, files: set[str], known: Knowledge) -> None:
    for file in files:
        image = state.images.get(file)
        if image is None:
            continue
        for need in image.undefined:
            known.needed.setdefault(need.name, []).append(name_of(image.path))
        for export in image.exports:
            known.offered.setdefault(export.name, []).append(name_of(image.path))


class SymbolTable:
    """Rows of symbols, from the collector in pages or from what a recording holds."""

    columns = COLUMNS

    def __init__(
        self, source: "Pages[SymbolRow] | Sequence[SymbolRow]", known: Knowledge, heading: str,
        ahead: Sequence[SymbolRow] = (),
    ) -> None:  # fmt: skip
        """`ahead` are rows that come before those of the source."""
        self._source, self._ahead = source, ahead
        self.known = known
        self.heading = heading
        self.epoch: object = (source, [row.symbol.name for row in ahead]) if ahead else source

    def __len__(self) -> int:
        return len(self._ahead) + len(self._source)

    def symbol(self, index: int) -> SymbolRow | None:
        """The symbol of a row, None while it is on its way."""
        if index < len(self._ahead):
            return self._ahead[index]
        index -= len(self._ahead)
        return self._source.get(index) if isinstance(self._source, Pages) else self._source[index]

    def row(self, index: int) -> Row:
        symbol = self.symbol(index)
        return _WAITING if symbol is None else _row(symbol, self.known)

    def text(self, index: int) -> str:
        source, place = self._source, index - len(self._ahead)
        if place < 0:
            return text_of(self._ahead[index])
        symbol = source.held(place) if isinstance(source, Pages) else source[place]
        return text_of(symbol) if symbol is not None else ""

    def find(self, key: str) -> int | None:
        """Only among the rows that are here; a jump to any other sets the filter instead."""
        if isinstance(self._source, Pages):
            return None
        return next((place for place, one in enumerate((*self._ahead, *self._source)) if _key(one) == key), None)

    def near(self, at: int) -> int | None:
        return None

    def moment(self, index: int) -> int:
        return 0

    def pid(self, index: int) -> int:
        return 0

    def bad(self, index: int) -> bool:
        symbol = self.symbol(index)
        return symbol is not None and not symbol.file and symbol.symbol.name in self.known.told.names

    def details(self, index: int) -> Details:
        symbol = self.symbol(index)
        return Details("loading…", ()) if symbol is None else _details(symbol, self.known)


_WAITING = Row("", (cell("…", "quiet"), EMPTY, EMPTY, EMPTY))


def recorded_symbols(context: PaneContext) -> list[SymbolRow]:
    """All names that the stream itself holds, of the chosen library or process: exports, hidden and needed ones."""
    files = {library.file: library.path for process in context.processes for library in process.libraries.values()}
    if context.scope.file:
        files = {context.scope.file: files.get(context.scope.file, "")}
    rows: list[SymbolRow] = []
    for file in files:
        image = context.state.images.get(file)
        if image is not None:
            rows += [SymbolRow(file=file, path=image.path, symbol=one) for one in (*image.exports, *image.hidden)]
            rows += [
                SymbolRow(file=file, path=image.path, symbol=_needed(one), defined=False) for one in image.undefined
            ]
    return rows


def _needed(need: Need) -> Export:
    return Export(name=need.name, version=need.version, kind="func" if need.function else "object", weak=need.weak)


def heading_of(context: PaneContext) -> str:
    """Whose symbols are listed."""
    whose = title_of(context.process) if context.process is not None else "all processes"
    image = context.state.images.get(context.scope.file)
    if context.scope.file:
        return f"{short_paths(image.path) if image is not None else context.scope.file}  ({whose})"
    return f"all libraries of {whose}"


def text_of(symbol: SymbolRow) -> str:
    """What a filter looks at."""
    return f"{symbol.symbol.name} {symbol.demangled}"


def _key(symbol: SymbolRow) -> str:
    return f"{symbol.file}:{symbol.symbol.name}"


def _row(symbol: SymbolRow, known: Knowledge) -> Row:
    export = symbol.symbol
    functions = known.functions.get((symbol.file, export.name), ())
    version = f"{'@@' if export.default else '@'}{export.version}" if export.version else ""
    name: Cell = ((export.name, "name" if functions else "plain" if symbol.defined else "quiet"), (version, "quiet"))
    if symbol.demangled and symbol.demangled != export.name:
        name = ((symbol.demangled, "plain"), (f"  {export.name}{version}", "quiet"))
    count = sum(known.counts.get(function.id, 0) for function in functions)
    late = any(function.id in known.late for function in functions)
    calls = cell(f"{count:,}", "strong" if count else "unknown" if late else "quiet") if functions else EMPTY
    return Row(
        _key(symbol),
        (
            name,
            cell(known.file_names.get(symbol.path) or name_of(symbol.path), "quiet"),
            calls,
            _state(symbol, known, count),
        ),
    )


def _state(symbol: SymbolRow, known: Knowledge, count: int) -> Cell:
    export = symbol.symbol
    concerned = export.name in known.told.names
    if not symbol.file:
        return failed("asked for, not found", concerned)
    if not symbol.defined:
        offers = known.offered.get(export.name)
        return (
            (("✓ ", "yes"), (f"defined in {offers[0]}", "quiet"))
            if offers
            else (("→ ", "quiet"), ("undefined, imported", "plain"))
        )
    if not export.visible:
        return (("✗ ", known.told.tone(concerned)), ("hidden: cannot be bound", known.told.tone(concerned)))
    if count:
        return _called(export.name, known)
    if (symbol.file, export.name) in known.never:
        return (("· ", "quiet"), ("never executed", "plain"))
    if functions := known.functions.get((symbol.file, export.name)):
        if all(one.id in known.stopped for one in functions):
            return (("? ", "unknown"), ("no longer counted", "plain"))
        if any(one.id in known.late for one in functions):
            return (("? ", "unknown"), ("no call since attach", "plain"))
        return (("· ", "quiet"), ("watched, not called", "quiet"))
    if holders := known.held.get((symbol.path, export.name)):
        return (("· ", "quiet"), (f"address held by {name_of(holders[0])}", "plain"))
    if needers := known.needed.get(export.name):
        return (("· ", "quiet"), (f"imported by {needers[0]}", "quiet"))
    return cell(export.kind if export.kind != "func" else "", "quiet")


def _called(name: str, known: Knowledge) -> Cell:
    """That it was called, and how that ended where the answer tells of it."""
    answer = known.told.answers.get(name, "")
    if not answer:
        return (("✓ ", "yes"), ("called", "plain"))
    said = answer if not answer.lstrip("-")[:1].isdigit() else f"returned {answer}"
    return failed(f"called, {said}", told=True)


def _details(symbol: SymbolRow, known: Knowledge) -> Details:
    export = symbol.symbol
    if not symbol.file:
        return _not_found(symbol, known)
    notes = [Note("name", export.name)]
    if symbol.demangled and symbol.demangled != export.name:
        notes.append(Note("demangled", symbol.demangled))
    notes.append(Note("library", symbol.path))
    binding = f"{'weak ' if export.weak else ''}{export.kind}, {'visible' if export.visible else 'hidden'}"
    notes.append(Note("symbol", binding if symbol.defined else f"undefined, imported ({export.kind})"))
    if export.version:
        notes.append(Note("version", f"{export.version}{' (default)' if export.default else ''}"))
    if symbol.defined:
        notes.append(Note("address", f"{export.address:#x}, {export.size} bytes"))
    for function in known.functions.get((symbol.file, export.name), ()):
        notes += _watched(function, known)
    if (symbol.file, export.name) in known.never:
        notes.append(Note("executed", "never: its code page was not read since the program started"))
    for label, names in (
        ("held by", known.held.get((symbol.path, export.name))),
        ("imported by", known.needed.get(export.name)),
        ("defined in", known.offered.get(export.name)),
    ):
        notes += [Note(label if not place else "", name) for place, name in enumerate(names or ())]
    by_hand = [f"readelf -Ws --dyn-syms {shlex.quote(symbol.path)} | grep -w {shlex.quote(export.name)}"]
    return Details(export.name, notes, by_hand)


def _not_found(symbol: SymbolRow, known: Knowledge) -> Details:
    """A name that was asked for in vain."""
    name = symbol.symbol.name
    notes = [Note("name", name), Note("symbol", "no library of these processes is known to define it", "unknown")]
    if symbol.symbol.version:
        notes.append(Note("version", f"{symbol.symbol.version} was asked for"))
    askers = list(dict.fromkeys(one for one in known.asked.get(name, ()) if one))
    notes += [Note("asked by" if not place else "", path) for place, path in enumerate(askers)]
    by_hand = [f"grep -aow -m1 {shlex.quote(name)} {shlex.quote(symbol.path)}"] if symbol.path.startswith("/") else []
    return Details(name, notes, by_hand)


def _watched(function: WatchedFunction, known: Knowledge) -> list[Note]:
    count, why = known.counts.get(function.id, 0), known.stopped.get(function.id)
    tone: Tone = "yes" if count else "unknown" if why is not None else "plain"
    cost = f", about {duration(function.cost)} a call" if function.cost >= 1000 else ""
    until = f", until counting stopped: {why}" if why is not None else ""
    notes = [Note("watched", f"{plural(count, 'call')} as {function.api}{cost}{until}", tone)]
    callers = sorted(known.callers.get(function.id, {}).items(), key=lambda pair: -pair[1])
    return notes + [Note("called by", f"{caller}: {number:,}") for caller, number in callers]
