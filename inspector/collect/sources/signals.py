"""Signals that end a process or report a fault, with the library and symbol where the thread was."""

from inspector.stream.processes import SignalDelivered
from inspector.stream.text import decode

from ..elf.file import ElfError, ElfFile
from ..elf.symbols import STT_FUNC, SymbolTable
from ..kernel.records import Signalled
from .contract import Mapping, Session, Tracked, TreeObserver
from .feed import Feed
from .outlines import same_file
from .processes import ProcessTree


class SignalsSource(TreeObserver):
    """Turns signal records into events; symbols are looked up in the background."""

    def __init__(self, session: Session, tree: ProcessTree, feed: Feed) -> None:
        self._session = session
        self._tree = tree
        self._held: dict[int, list[Signalled]] = {}
        """Deadly ones that came before the libraries of their process were known: told at its end."""
        feed.listen(Signalled, self._signalled)
        tree.watch(self)

    def ended(self, process: Tracked) -> None:
        """By now all its libraries are known that will ever be."""
        for record in self._held.pop(process.pid, []):
            self._tell(record)

    def _signalled(self, record: Signalled) -> None:
        process = self._tree.find(record.pid)
        if record.handled or not record.ip or process is None or not process.alive:
            self._session.loop.soon(lambda: self._tell(record))
        elif self._mapping_at(record.pid, record.ip) is None:
            self._held.setdefault(record.pid, []).append(record)
        else:
            self._tell(record)

    def _tell(self, record: Signalled) -> None:
        mapping = self._mapping_at(record.pid, record.ip)
        if mapping is None:
            self._session.outlet.send(_event(record, None, "", 0))
            return
        address = record.ip - mapping.base
        self._session.loop.in_background(
            lambda: symbol_at(mapping, address),
            lambda found: self._session.outlet.send(_event(record, mapping.path, *(found or ("", address)))),
        )

    def _mapping_at(self, pid: int, ip: int) -> Mapping | None:
        process = self._tree.find(pid)
        mappings = process.mappings.values() if process and ip else ()
        return next((mapping for mapping in mappings if mapping.start <= ip < mapping.end), None)


def symbol_at(mapping: Mapping, address: int) -> tuple[str, int] | None:
    """The dynamic symbol that holds a link-time address and the distance from it; None when none is near."""
    try:
        with ElfFile(mapping.open_path) as elf:
            if not same_file(elf.identity, mapping.file):
                return None
            table = SymbolTable(elf)
            best: tuple[int, int] | None = None
            for index, symbol in enumerate(table.symbols()):
                if symbol.defined and symbol.type == STT_FUNC and symbol.value <= address:
                    inside = address < symbol.value + max(symbol.size, 1)
                    if inside and (best is None or symbol.value > best[0]):
                        best = symbol.value, index
            return (decode(table.name(best[1])), address - best[0]) if best else None
    except ElfError:
        return None


def _event(record: Signalled, library: str | None, symbol: str, offset: int) -> SignalDelivered:
    return SignalDelivered(
        at=record.at,
        pid=record.pid,
        tid=record.tid,
        signal=record.signal,
        si_code=record.code,
        fatal=not record.handled,
        ip=record.ip,
        library=library,
        symbol=symbol or None,
        offset=offset,
    )
