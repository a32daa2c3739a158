"""Signals that end a process or report a fault, with the library and symbol where the thread was."""

from inspector.stream.processes import SignalDelivered
from inspector.stream.text import decode

from ...elf.file import ElfError, ElfFile
from ...elf.symbols import STT_FUNC, SymbolTable
from ...kernel.records import Signalled, SignalSent
from ..contract import Mapping, Session, Tracked, TreeObserver
from ..libraries.library_summaries import same_file
from ..poll_rate import Ticker
from ..processes.feed import Feed
from ..processes.processes import ProcessTree

_MOST_SENT = 1000


class SignalsSource(TreeObserver):
    """Turns signal records into events; symbols are looked up in the background."""

    SWEEP_SECONDS = 0.5

    def __init__(self, session: Session, tree: ProcessTree, feed: Feed) -> None:
        self._session = session
        self._tree = tree
        self._held: dict[int, list[Signalled]] = {}
        """By pid: those whose library is not known yet; records of mappings may come later than those of signals."""
        self._sent: dict[tuple[int, int], SignalSent] = {}
        """By receiver and signal: who sent it last."""
        feed.listen(SignalSent, self._remember)
        feed.listen(Signalled, self._signalled)
        tree.watch(self)
        self._ticker = Ticker(session.loop, self.SWEEP_SECONDS, self._sweep)

    def mapped(self, process: Tracked, mapping: Mapping) -> None:
        """Name the signals that waited for this mapping."""
        for record in self._held.get(process.pid, []):
            if mapping.start <= record.ip < mapping.end:
                self._held[process.pid].remove(record)
                self._tell(record)
                return

    def close(self) -> None:
        """Tell what is held as it is."""
        held, self._held = self._held, {}
        for record in (record for records in held.values() for record in records):
            self._tell(record)

    def _remember(self, record: SignalSent) -> None:
        if len(self._sent) > _MOST_SENT:
            self._sent.clear()
        self._sent[record.pid, record.signal] = record

    def _signalled(self, record: Signalled) -> None:
        if record.ip and self._mapping_at(record.pid, record.ip) is None:
            self._held.setdefault(record.pid, []).append(record)
            self._ticker.wake()
        else:
            self._tell(record)

    def _sweep(self) -> bool:
        """Nothing came within half a second or more: the place is in no file. True while others are held."""
        now = self._session.loop.now()
        for pid, records in list(self._held.items()):
            for record in [record for record in records if now - record.at > self.SWEEP_SECONDS * 1e9]:
                records.remove(record)
                self._tell(record)
            if not records:
                del self._held[pid]
        return bool(self._held)

    def _tell(self, record: Signalled) -> None:
        mapping = self._mapping_at(record.pid, record.ip)
        sent = self._sent.get((record.pid, record.signal))
        if mapping is None:
            self._session.sink.send(_event(record, sent, None, "", 0))
            return
        address = record.ip - mapping.base
        self._session.loop.in_background(
            lambda: symbol_at(mapping, address),
            lambda found: self._session.sink.send(_event(record, sent, mapping.path, *(found or ("", address)))),
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


def _event(
    record: Signalled, sent: SignalSent | None, library: str | None, symbol: str, offset: int
) -> SignalDelivered:
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
        sender=sent.sender if sent else 0,
        sender_name=decode(sent.name) if sent and sent.sender != record.pid else "",
    )
