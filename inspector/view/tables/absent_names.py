"""Names that were asked for and not found: rows of the pane Symbols of which no file has any. Pure."""

from collections.abc import Iterable, Iterator, Sequence

from inspector.model.state import Process
from inspector.stream.libraries import Export
from inspector.stream.patterns import typed
from inspector.stream.requests import SymbolRow
from inspector.view.pane_context import PaneContext

from .symbols import Knowledge, text_of

_OF_LIBRARIES = ("dlopen", "dlmopen")
_OF_TABLES = "cuGetExportTable"
"""Asks for a table by its number, not for a name."""


class AbsentNames:
    """Rows of names that no mapped file is known to define; `path` of a row is who asked, `file` is empty."""

    def __init__(self, context: PaneContext, known: Knowledge) -> None:
        asked: dict[str, SymbolRow] = {}
        for process in context.processes:
            for name, version, asker in _asked(process):
                known.asked.setdefault(name, []).append(asker)
                asked.setdefault(name, SymbolRow(
                    file="", path=asker, symbol=Export(name=name, version=version, default=False), defined=False
                ))  # fmt: skip
        rows = [row for name, row in asked.items() if name not in known.offered]
        self.blamed = [row for row in rows if row.symbol.name in known.told.names]
        """Those that the answer tells of."""
        self.others = [row for row in rows if row.symbol.name not in known.told.names]

    def matching(self, pattern: str) -> Sequence[SymbolRow]:
        """Those that a filter lets through, the blamed ones first; without a filter the blamed ones alone."""
        wanted = typed(pattern)
        if wanted is None:
            return self.blamed
        search = wanted.search()
        return [row for row in (*self.blamed, *self.others) if search(text_of(row))]


def _asked(process: Process) -> Iterator[tuple[str, str, str]]:
    """Name, version and who asked, of each symbol that this process asked for in vain, or would."""
    for lookup in process.lookups:
        if lookup.found is False and lookup.via not in _OF_LIBRARIES and lookup.via != _OF_TABLES:
            yield lookup.name, lookup.version, lookup.requester
    for refusal in process.refusals:
        yield from _named((refusal.text,), refusal.object)
    if process.loader_words is not None:
        yield from _named(process.loader_words.words)
    for prediction in process.predictions.values():
        for need in prediction.undefined:
            yield need.name, need.version, prediction.name


def _named(sentences: Iterable[str], asker: str = "") -> Iterator[tuple[str, str, str]]:
    """The symbol of each sentence of the loader that speaks of one: `libx.so: undefined symbol: cuInit`."""
    from inspector.model.failed_loads import classify  # with the first such sentence, after the first paint

    for words in sentences:
        _, _, name, version = classify(words, "")
        if name:
            yield name, version, asker or words.partition(": ")[0]
