"""Look-ups of libraries and symbols as they happen, in any number of files that answer them."""

import contextlib
import os
import struct
from collections.abc import Iterable, Sequence

import msgspec

from . import lookup_programs
from .attach import ProbeSite, attach_all, checked_by_kernel, close_all
from .engine import Engine
from .frames import Frame, read_frames
from .lookup_programs import (
    ASKED,
    ASKED_BODY,
    IDENTITY_SIZE,
    KINDS,
    LOOKED,
    LOOKED_BODY,
    REFUSED,
    REFUSED_BODY,
    LookupMaps,
    cookie,
    entry_program,
    exit_program,
    number_of,
    refusal_program,
)
from .membership import HEADER
from .records import Asked, Looked, Record, Refused
from .uprobes import UprobeProgram

SIGNALS = ("_dl_signal_exception", "_dl_signal_error")
"""Exports of glibc (version GLIBC_PRIVATE) through which every error of the loader goes."""


class LookupFunction(msgspec.Struct, frozen=True):
    """One function that answers look-ups, at a file offset; `kind` is a key of KINDS or one of SIGNALS."""

    kind: str
    offset: int
    exits: tuple[int, ...] = ()
    """File offsets of its `ret` instructions, where its answers are read; without any it cannot be watched."""


class LookupProbes:
    """Probes on look-up functions. A source of `Asked`, `Looked` and `Refused` records."""

    def __init__(self, engine: Engine) -> None:
        """OSError when the kernel refuses the programs."""
        self._stack = contextlib.ExitStack()
        self._maps = LookupMaps(engine.maps.open_lookups, engine.maps.stacks)
        self._stack.callback(self._maps.close)
        self._links: dict[int, list[int]] = {}
        self._next = 0
        members = engine.members
        self._entry = self._load(entry_program(members, self._maps), "lookup_entry")
        self._exit = self._load(exit_program(members, self._maps), "lookup_exit")
        self._signals = {
            name: self._load(refusal_program(members, self._maps, exception=name == SIGNALS[0]), "loader_error")
            for name in SIGNALS
        }
        engine.add_source(self)

    def decide(self, names: Iterable[str]) -> None:
        """Names of functions by which programs go: who asks for one in vain is told, however many came before."""
        self._maps.decide(names)

    @property
    def fd(self) -> int:
        """Readable when `drain` has something to tell."""
        return self._maps.ring.fd

    def reserve(self) -> int:
        """A number for a file."""
        number, self._next = self._next, self._next + 1
        return number

    def watch(self, number: int, path: bytes, functions: Sequence[LookupFunction]) -> None:
        """Tell of look-ups that this file answers, under a reserved number. OSError when refused.

        Waits for the kernel, so any thread may call it. What tells errors comes first, entries last: the silence of a
        channel that is not open yet must not look like an answer.
        """
        entries, exits = _places(number, functions)
        links = self._links.setdefault(number, [])
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        with contextlib.closing(os.fdopen(fd, "rb")), checked_by_kernel(fd):
            own = b"/proc/self/fd/%d" % fd
            for function in functions:
                if function.kind in SIGNALS:
                    links += attach_all(self._signals[function.kind], own, [ProbeSite(function.offset, 0)]).links
            links += attach_all(self._exit, own, exits).links
            links += attach_all(self._entry, own, entries).links

    def detach(self, number: int) -> None:
        """Tell of this file's look-ups no more."""
        close_all(self._links.pop(number, []))

    def inside(self) -> list[Frame]:
        """Look-ups that have not returned."""
        return read_frames(self._maps.frames)

    def drain(self) -> list[Record]:
        """Look-ups since the last call."""
        return [record for raw in self._maps.ring.drain() if (record := parse(raw)) is not None]

    def close(self) -> None:
        """Take all probes away."""
        close_all(link for links in self._links.values() for link in links)
        self._links.clear()
        self._stack.close()

    def _load(self, code: bytes, name: str) -> UprobeProgram:
        program = UprobeProgram(code, name)
        self._stack.callback(program.close)
        program.means.prepare(program, 1)
        return program


def _places(number: int, functions: Sequence[LookupFunction]) -> tuple[list[ProbeSite], list[ProbeSite]]:
    """Where to probe entries and exits."""
    entries: list[ProbeSite] = []
    exits: list[ProbeSite] = []
    for function in functions:
        if function.kind in KINDS and function.exits:
            entry = ProbeSite(function.offset, cookie(function.kind, number))
            entries.append(entry)
            exits += [ProbeSite(offset, entry.cookie) for offset in function.exits]
    return entries, exits


def parse(raw: bytes) -> Record | None:
    """One record of the ring; None when it is none of ours."""
    try:
        kind, pid, tid, own, at = HEADER.unpack_from(raw)
        if kind == REFUSED:
            number, where, text, occasion = REFUSED_BODY.unpack_from(raw, HEADER.size)
            return Refused(at, pid, tid, _string(where), _string(text), _string(occasion), number)
        if kind == ASKED:
            return _asked(raw, pid, tid, own, at)
        if kind == LOOKED:
            return _looked(raw, pid, tid, own, at)
    except struct.error:
        return None
    return None


def _asked(raw: bytes, pid: int, tid: int, tag: int, at: int) -> Asked | None:
    name, shape = _kind(tag)
    if shape is None:
        return None
    caller, *rest = ASKED_BODY.unpack_from(raw, HEADER.size)
    arguments = rest[:6]
    flags = arguments[shape.flags] if shape.flags < 6 else 0
    return Asked(at, pid, tid, number_of(tag), name, _string(rest[6]), flags, caller)


def _looked(raw: bytes, pid: int, tid: int, tag: int, at: int) -> Looked | None:
    via, shape = _kind(tag)
    if shape is None:
        return None
    entered, caller, result, answer, second, base, *rest = LOOKED_BODY.unpack_from(raw, HEADER.size)
    arguments, name, version = rest[:6], rest[6], rest[7]
    return Looked(
        entered=entered,
        at=at,
        pid=pid,
        tid=tid,
        cookie=number_of(tag),
        via=via,
        name=name[:IDENTITY_SIZE] if shape.identity else _string(name),
        table=name[IDENTITY_SIZE:] if shape.identity else b"",
        version=_string(version),
        handle=arguments[shape.handle] if shape.handle < 6 else 0,
        flags=arguments[shape.flags] if shape.flags < 6 else 0,
        caller=caller,
        status=result & 0xFFFFFFFF if shape.out < 6 else result,
        answer=answer,
        second_status=second & 0xFFFFFFFF,
        base=base,
    )


def _kind(tag: int) -> tuple[str, lookup_programs.Kind | None]:
    names = list(KINDS)
    place = tag & 0xFF
    return (names[place], KINDS[names[place]]) if place < len(names) else ("", None)


def _string(raw: bytes) -> bytes:
    return raw.split(b"\0", 1)[0]
