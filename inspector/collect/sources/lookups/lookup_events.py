"""Kernel records of look-ups as events: addresses become libraries and symbols; equal ones are folded into one."""

import os
from typing import cast

import msgspec

from inspector.stream.calls import LookedUp, Via
from inspector.stream.text import decode

from ...kernel.records import Looked
from ..calls.call_plans import identifier
from ..calls.callers import UNKNOWN
from ..calls.export_tables import read_table
from ..calls.pending_dlopens import Pending
from ..libraries.addresses import Addresses, CodeRange, SymbolNames

_MOST_KINDS = 20_000
_LOADS = ("dlopen", "dlmopen")


class LookupEvents:
    """Names the libraries that asked, answered and were found."""

    def __init__(self, addresses: Addresses) -> None:
        self._addresses = addresses
        self._symbols = SymbolNames()

    def answered(self, record: Looked, answered_by: str, pending: Pending | None, words: str, now: int) -> LookedUp:
        """A look-up that returned; `words` are the loader's, should it have failed."""
        found = _is_found(record)
        place = self._answer(record, now) if found else None
        return LookedUp(
            at=record.at,
            pid=record.pid,
            tid=record.tid,
            via=cast(Via, record.via),
            name=identifier(record.name) if record.via == "cuGetExportTable" else decode(record.name),
            version=decode(record.version),
            requester=self.library(record.pid, record.caller, now),
            found=found,
            answer=place.path if place else None,
            symbol=self._symbols.at(place, record.answer) if place and record.via not in _LOADS else "",
            address=record.answer if found and record.via not in _LOADS else 0,
            answered_by=answered_by,
            result=record.status if record.via.startswith("cu") else record.answer,
            flags=record.flags & 0xFFFFFFFF,
            error="" if found else (pending.words if pending and pending.words else words),
            tried=pending.tried if pending else [],
            entered=record.entered,
            lacking=_lacking(record) if found else [],
        )

    def unanswered(self, pending: Pending, answered_by: str, now: int) -> LookedUp:
        """A dlopen that has not returned, and perhaps never will.

        Where its name could not be read when it was called, the files that were tried have it.
        """
        record = pending.asked
        name = decode(record.name) or next((os.path.basename(one.path) for one in pending.tried), "")
        return LookedUp(
            at=now,
            pid=record.pid,
            tid=record.tid,
            via=cast(Via, record.via),
            name=name,
            requester=self.library(record.pid, record.caller, now),
            found=None,
            answered_by=answered_by,
            flags=record.flags & 0xFFFFFFFF,
            error=pending.words,
            tried=pending.tried,
            entered=record.at,
        )

    def library(self, pid: int, address: int, now: int) -> str:
        """Path of what lies at an address."""
        place = self._addresses.owner(pid, address, now)
        return place.path if place else UNKNOWN

    def _answer(self, record: Looked, now: int) -> CodeRange | None:
        if record.via in _LOADS:
            return self._addresses.library(record.pid, record.base)
        return self._addresses.owner(record.pid, record.answer, now)


def _lacking(record: Looked) -> list[int]:
    """NULL entries of a private table that was handed out: whoever calls one jumps to address 0."""
    table = read_table(record) if record.via == "cuGetExportTable" else None
    return list(table.lacking) if table is not None else []


def _is_found(record: Looked) -> bool:
    if record.via in ("dlopen", "dlmopen", "dlsym", "dlvsym"):
        return record.answer != 0
    return record.status == 0 and record.answer != 0 and record.second_status == 0


Key = tuple[object, ...]


class Folding:
    """Lets the first of equal look-ups through and counts the others."""

    def __init__(self) -> None:
        self._seen: set[Key] = set()
        self._again: dict[Key, LookedUp] = {}

    def is_new(self, event: LookedUp) -> bool:
        """Whether no equal look-up was told before; if one was, it is counted."""
        key = _key(event)
        if key in self._seen:
            before = self._again.get(key)
            self._again[key] = msgspec.structs.replace(event, count=before.count + 1 if before else 1)
            return False
        if len(self._seen) < _MOST_KINDS:
            self._seen.add(key)
        return True

    def take(self) -> list[LookedUp]:
        """What was counted since the last call."""
        folded, self._again = list(self._again.values()), {}
        return folded


def _key(event: LookedUp) -> Key:
    return (
        event.pid, event.via, event.name, event.version, event.requester, event.found, event.answer, event.symbol,
        event.answered_by, event.flags, event.error,
    )  # fmt: skip
