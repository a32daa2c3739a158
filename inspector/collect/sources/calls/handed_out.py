"""Functions that a library answers to look-ups without exporting them: counted at the address that was answered, under
the name that was asked for (a shim that overrides dlsym, or has a cuGetProcAddress of its own), or under their place in
the private table that was handed out.
"""

from collections.abc import Callable
from typing import Final

from inspector.stream.text import decode

from ...elf.file import ElfError
from ...elf.sites import Site, begins_function, find_sites, site_at
from ...kernel.records import Looked
from ..contract import Session
from ..libraries.addresses import Addresses, CodeRange
from ..libraries.providers import Candidate
from ..processes.feed import Feed
from .call_plans import identifier
from .counted_files import CountedFiles
from .export_tables import OF_TABLE, entry_name, read_table

_GATHERED: Final = 0.01
"""Seconds for which answers are gathered: setting probes waits for the kernel, however many there are."""
_MOST_IN_FILE: Final = 1000
_LOADS: Final = ("dlopen", "dlmopen", "dlclose")


class HandedOut:
    """Hears of answered look-ups, and has the functions counted that no table of exported names tells of."""

    def __init__(self, session: Session, feed: Feed, addresses: Addresses, files: CountedFiles) -> None:
        self._session, self._addresses, self._files = session, addresses, files
        self._seen: dict[str, dict[int, str]] = {}
        """By file: offsets that were answered, with the name that was asked for first."""
        self._fresh: dict[str, tuple[CodeRange, dict[int, str]]] = {}
        self._exported: dict[str, frozenset[int]] = {}
        """By file: link-time addresses that are counted by their exported name; used in one thread at a time."""
        feed.listen(Looked, self._looked)

    def _looked(self, record: Looked) -> None:
        name = decode(record.name)
        if not record.answer or (record.via.startswith("cu") and record.status):
            return
        if record.via == "cuGetExportTable":
            table = read_table(record)
            for index, address in table.entries.items() if table is not None else ():
                self._note(record.pid, address, entry_name(identifier(record.name), index))
        elif record.via not in _LOADS and self._files.is_counted(name):
            self._note(record.pid, record.answer, name)

    def _note(self, pid: int, address: int, name: str) -> None:
        """One function that was handed out."""
        place = self._addresses.find(pid, address)
        if place is None or not place.file:
            return  # code that was made at run time is no file's
        offset = address - place.start + place.offset
        seen = self._seen.setdefault(place.file, {})
        if offset in seen or len(seen) >= _MOST_IN_FILE:
            return
        seen[offset] = name
        if not self._fresh:
            self._session.loop.after(_GATHERED, self._gathered)
        self._fresh.setdefault(place.file, (place, {}))[1][offset] = name

    def _gathered(self) -> None:
        fresh, self._fresh = self._fresh, {}
        for place, names in fresh.values():
            candidate = Candidate(
                place.path.encode("utf-8", "surrogateescape"), place.open_path, place.file, mapped=True
            )
            self._files.watch_found(candidate, self._finder(candidate, names))

    def _finder(self, candidate: Candidate, names: dict[int, str]) -> Callable[[], list[Site]]:
        def find() -> list[Site]:
            """Data may lie beside the code: an entry of a table is a function where the file says that one begins."""
            try:
                exported = self._exported.get(candidate.file)
                if exported is None:
                    counted = (site for site in find_sites(candidate.open_path).found if self._is_counted(site))
                    exported = self._exported[candidate.file] = frozenset(site.address for site in counted)
                found = (
                    site_at(candidate.open_path, offset, name) for offset, name in names.items()
                    if not name.startswith(OF_TABLE) or begins_function(candidate.open_path, offset)
                )  # fmt: skip
                return [site for site in found if site is not None and site.address not in exported]
            except (ElfError, OSError):
                return []

        return find

    def _is_counted(self, site: Site) -> bool:
        return any(map(self._files.is_counted, (site.name, *site.aliases)))
