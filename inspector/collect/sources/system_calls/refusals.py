"""System calls that the kernel refused, and folders of libraries that were listed, as events."""

import errno
import ipaddress
import os
import re
import resource
import struct
from collections.abc import Collection, Iterator, Mapping
from typing import Protocol

import msgspec

from inspector.stream.session import OPENS_UNTOLD, LimitNoted
from inspector.stream.syscalls import FolderListed, SystemCallRefused, SystemCallsSummed, SystemCallSum
from inspector.stream.text import decode

from ...kernel.records import CallSum, Listed, Opened, RefusedCall
from ...kernel.system_calls import BY_NAME, Shape
from ..contract import Session, Tracked, TreeObserver
from ..lookups.folders import is_library_folder
from ..poll_rate import Ticker
from ..processes.feed import Feed
from ..tolerant_reads import attempt

FOLD_SECONDS = 1.0
SINGLY = 20
"""So many equal refusals are told one by one, each with its own moment."""
_MOST_KINDS = 3000
_MOST_DESCRIPTORS = 4096
_SIGNED = 1 << 31
_WORDS_OF_32_BITS = ("fd", "request", "prot", "flags", "mode", "domain", "type", "protocol", "resource", "pid")
_RLIMIT = struct.Struct("<QQ")
_RESOURCES = {getattr(resource, name): name for name in dir(resource) if name.startswith("RLIMIT_")}
_UNIX, _INET, _INET6 = 1, 2, 10
_SEARCHED_ALWAYS = re.compile(rb"^/etc/ld\.so\.preload$|/__init__\.([^/]*\.)?so$")
"""What each start of a program, and each import of a package of Python, looks for first and may well do without."""

_SEARCHED_EXECUTABLES = ("execve", "execveat")
_NOT_THERE = (errno.ENOENT, errno.ENOTDIR, errno.EACCES)
"""With these execvp(3) tries the next folder of PATH."""
_SEARCH_NS = 200_000_000
"""ns after which a search through PATH that found nothing is told."""

Key = tuple[str, int, str]


class Counters(Protocol):
    """Who counts harmless failures: the engine."""

    def call_sums(self) -> list[CallSum]:
        """How often each process was refused the same call, counted in the kernel since they were last forgotten."""

    def forget_call_sums(self, pids: Collection[int]) -> None:
        """Drop the counts of processes that have ended: the kernel's map has room for so many."""


class _Repeated(msgspec.Struct):
    """Refusals that are folded since the last look."""

    event: SystemCallRefused
    count: int
    since: int


class _Process(msgspec.Struct):
    """What is known of one process."""

    opened: dict[int, Opened] = msgspec.field(default_factory=dict)
    """What each descriptor was opened for last."""
    told: dict[Key, int] = msgspec.field(default_factory=dict)
    again: dict[Key, _Repeated] = msgspec.field(default_factory=dict)
    sums: list[CallSum] = msgspec.field(default_factory=list)
    searched: list[SystemCallRefused] = msgspec.field(default_factory=list)
    """Programs that it found not, as long as it may still find and execute one."""
    full: bool = False
    """Some refusals were left out."""


class RefusalsSource(TreeObserver):
    """Tells each refusal at once; what repeats very often is folded once a second, the harmless only counted."""

    def __init__(self, session: Session, counters: Counters, feed: Feed) -> None:
        self._session = session
        self._counters = counters
        self._processes: dict[int, _Process] = {}
        self._ticker = Ticker(session.loop, FOLD_SECONDS, self._fold)
        self._ended: set[int] = set()
        self._strangers: set[int] = set()
        """Who was looked at while a program is waited for, and is none of ours; or is not told of yet."""
        session.tree.watch(self)
        feed.listen(Opened, self._opened)
        feed.listen(Listed, self._listed)
        feed.listen(RefusedCall, self._refused)

    def executed(self, process: Tracked) -> None:
        """A search for the program ended well."""
        self._ticker.wake()
        known = self._processes.get(process.pid)
        if known is not None:
            known.searched.clear()

    def ended(self, process: Tracked) -> None:
        """Its last sums are told at the next look."""
        self._tell_searched(self._of(process.pid))
        self._ended.add(process.pid)
        self._ticker.wake()

    def close(self) -> None:
        """Say what was not said yet."""
        for process in self._processes.values():
            self._tell_searched(process)
        self._fold()

    def _of(self, pid: int) -> _Process:
        return self._processes.setdefault(pid, _Process())

    def _opened(self, record: Opened) -> None:
        opened = self._of(record.pid).opened
        if record.fd >= 0 and (len(opened) < _MOST_DESCRIPTORS or record.fd in opened):
            opened[record.fd] = record

    def _listed(self, record: Listed) -> None:
        opened = self._of(record.pid).opened.get(record.fd)
        if opened is not None and opened.flags & os.O_DIRECTORY and is_library_folder(opened.path):
            event = FolderListed(at=record.at, pid=record.pid, tid=record.tid, path=decode(opened.path))
            self._session.sink.send(event)

    def _refused(self, record: RefusedCall) -> None:
        self._ticker.wake()
        if _SEARCHED_ALWAYS.search(record.data) and BY_NAME[record.call].shape is Shape.SEARCH:
            return
        process = self._of(record.pid)
        event = _event(record, process.opened)
        if event.call in _SEARCHED_EXECUTABLES and event.errno in _NOT_THERE:
            process.searched.append(event)
        else:
            self._tell(process, event)

    def _tell(self, process: _Process, event: SystemCallRefused) -> None:
        key = (event.call, event.errno, event.subject)
        told = process.told.get(key, 0)
        if told >= SINGLY:
            before = process.again.get(key)
            since = before.since if before else event.at
            process.again[key] = _Repeated(event, before.count + 1 if before else 1, since)
        elif told or len(process.told) < _MOST_KINDS:
            process.told[key] = told + 1
            self._session.sink.send(event)
        elif not process.full:
            process.full = True
            why = f"the kernel refused more than {_MOST_KINDS:,} different things to it"
            self._session.sink.send(LimitNoted(at=event.at, what=OPENS_UNTOLD, why=why, pid=event.pid))

    def _fold(self) -> bool:
        """Whether a search for a program is under way; else nothing is to be told until something more happens."""
        settled = self._session.loop.now() - _SEARCH_NS
        for process in self._processes.values():
            if process.searched and process.searched[-1].at < settled:
                self._tell_searched(process)
        for event in self._repeated():
            self._session.sink.send(event)
        self._tell_sums()
        for pid in self._ended:
            self._processes.pop(pid, None)
        self._counters.forget_call_sums(self._ended)
        self._ended.clear()
        return any(process.searched for process in self._processes.values())

    def _tell_searched(self, process: _Process) -> None:
        for event in process.searched:
            self._tell(process, event)
        process.searched.clear()

    def _repeated(self) -> Iterator[SystemCallRefused]:
        for process in self._processes.values():
            for one in process.again.values():
                yield _with_count(one)
            process.again.clear()

    def _tell_sums(self) -> None:
        """Those that grew."""
        rows: dict[int, list[CallSum]] = {}
        for row in self._counters.call_sums():
            if self._session.tree.find(row.pid) is None:
                continue  # while a program is waited for, each one that begins is counted until it is known
            rows.setdefault(row.pid, []).append(row)
        strangers = {pid for pid in rows if pid not in self._ended and self._session.tree.find(pid) is None}
        self._counters.forget_call_sums(strangers & self._strangers)
        self._strangers = strangers
        for pid, sums in rows.items():
            if pid in strangers:
                continue
            process = self._of(pid)
            if sums != process.sums:
                process.sums = sums
                self._session.sink.send(_summed(self._session.loop.now(), pid, sums))


def _with_count(one: _Repeated) -> SystemCallRefused:
    event = one.event
    return SystemCallRefused(
        at=event.at, pid=event.pid, tid=event.tid, call=event.call, errno=event.errno, subject=event.subject,
        arguments=event.arguments, count=one.count, since=one.since,
    )  # fmt: skip


def _summed(at: int, pid: int, sums: list[CallSum]) -> SystemCallsSummed:
    rows = [
        SystemCallSum(call=row.call, errno=row.errno, count=row.count, first=row.first, last=row.last)
        for row in sorted(sums, key=lambda row: row.first)
    ]
    return SystemCallsSummed(at=at, pid=pid, sums=rows)


def _event(record: RefusedCall, opened: Mapping[int, Opened]) -> SystemCallRefused:
    names = BY_NAME[record.call].arguments
    arguments = {
        name: _number(name, value) for name, value in zip(names, record.arguments, strict=False) if name != "_"
    }
    return SystemCallRefused(
        at=record.at,
        pid=record.pid,
        tid=record.tid,
        call=record.call,
        errno=record.errno,
        subject=_subject(record, arguments, opened),
        arguments=arguments | _limits(record),
    )


def _number(name: str, value: int) -> int:
    """The kernel takes the lower half of the register for an `int`; a descriptor may be negative."""
    if name not in _WORDS_OF_32_BITS:
        return value
    value &= 0xFFFFFFFF
    return value - 2 * _SIGNED if name in ("fd", "pid") and value >= _SIGNED else value


def _subject(record: RefusedCall, arguments: dict[str, int], opened: Mapping[int, Opened]) -> str:
    """What /proc says of a descriptor; of a process that is gone, what it was opened for last."""
    call = BY_NAME[record.call]
    if call.path >= 0:
        return decode(record.data)
    if call.shape is Shape.ADDRESS:
        return address(record.data)
    if "resource" in arguments:
        number = arguments.pop("resource")
        return _RESOURCES.get(number, f"resource {number}")
    fd = arguments.get("fd", -1)
    if fd < 0:
        return ""
    known = opened.get(fd)
    return decode(attempt(lambda: os.readlink(b"/proc/%d/fd/%d" % (record.pid, fd)), known.path if known else b""))


def _limits(record: RefusedCall) -> dict[str, int]:
    """What a limit was to be set to; -1 is unlimited."""
    if BY_NAME[record.call].limits < 0 or len(record.data) != _RLIMIT.size:
        return {}
    soft, hard = (-1 if value == (1 << 64) - 1 else value for value in _RLIMIT.unpack(record.data))
    return {"soft": soft, "hard": hard}


def address(raw: bytes) -> str:
    """A socket address as people write it (unix(7), ip(7), ipv6(7)); of another family its number.

    `unix:/run/x.sock`, `unix:@abstract`, `127.0.0.1:80`, `[::1]:80`, `family 16`; empty for no address.
    """
    if len(raw) < 2:
        return ""
    family = int.from_bytes(raw[:2], "little")
    if family == _UNIX:
        path = raw[2:]
        if path.startswith(b"\0"):
            return "unix:@" + decode(path[1:].rstrip(b"\0"))
        return "unix:" + decode(path.split(b"\0", 1)[0])
    if family == _INET and len(raw) >= 8:
        return f"{ipaddress.IPv4Address(raw[4:8])}:{int.from_bytes(raw[2:4], 'big')}"
    if family == _INET6 and len(raw) >= 24:
        return f"[{ipaddress.IPv6Address(raw[8:24])}]:{int.from_bytes(raw[2:4], 'big')}"
    return f"family {family}"
