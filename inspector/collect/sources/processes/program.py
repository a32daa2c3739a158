"""What a process is: program, arguments, environment, loader facts, put together from the exec record and /proc.

Whatever the kernel told at the exec itself comes first; /proc fills in what it did not tell, as long as the process
lives. Each field stands for itself: what cannot be read stays unknown and hides nothing else.
"""

import os
from contextlib import suppress
from functools import lru_cache
from typing import Literal

from msgspec import Struct, structs

from inspector.stream.processes import ProcessExec
from inspector.stream.text import decode

from ...elf.file import ElfError, ElfFile
from ...kernel import cgroup, filecaps, procfs
from ...kernel.records import Executed
from ...kernel.rootfs import Root
from ..contract import Tracked
from ..tolerant_reads import attempt
from .secrets import shown_arguments, shown_value

_NOBODY = 0
"""A pid that /proc never has: every read of it fails."""
_LOADER_KEYS = ("LD_*", "GLIBC_TUNABLES", "GCONV_PATH", "PATH")
"""Keys that decide what the loader does (ld.so(8)) and what an exec by name finds."""


class Program(Struct, frozen=True):
    """The event and what must not leave the collector."""

    event: ProcessExec
    environment: dict[bytes, bytes]
    root: Root | None = None
    """The file tree that it sees; None when it could not be looked at."""


class _Environment(Struct, frozen=True):
    variables: dict[bytes, bytes]
    shown: dict[str, str]
    known: bool
    source: Literal["exec", "proc", "unknown"]

    @property
    def unset(self) -> list[str]:
        """Those that tell something by their absence, where all is known."""
        return [key for key in _TELL_UNSET if key.encode() not in self.variables] if self.known else []


class _Loading(Struct, frozen=True):
    """What the executable file's header says."""

    interpreter: str | None = None
    static: bool | None = None
    elf_class: int = 0


_MOST_BLOCKS = 32
"""Environments that are kept in mind; one has up to 128 KiB."""
_KNOWN: dict[tuple[int, int, int, int, bytes], _Loading] = {}
"""By file and name: shells execute the same few programs thousands of times."""
_MOST_KNOWN = 256


class _Context(Struct, frozen=True):
    """Where a process runs: as whom, in which file tree, namespace, unit and container."""

    tree: Root | None
    root: str
    mount_namespace: int
    own_root: bool
    uid: int
    """The effective one."""
    pid_inside: int
    unit: str | None
    container: str | None


_TELL_UNSET = ("DISPLAY", "WAYLAND_DISPLAY")
"""Variables without which no display server is found."""


class Keys:
    """Which environment keys are collected: those that the loader reads and those that the plan names."""

    def __init__(self, planned: list[str]) -> None:
        keys = [*_LOADER_KEYS, *planned]
        self._exact = frozenset(key for key in keys if "*" not in key)
        self._prefixes = tuple(key[:-1] for key in keys if key.endswith("*"))
        self._suffixes = tuple(key[1:] for key in keys if key.startswith("*"))
        self._blocks: dict[bytes, tuple[dict[bytes, bytes], dict[str, str]]] = {}

    def __contains__(self, key: str) -> bool:
        return key in self._exact or key.startswith(self._prefixes) or key.endswith(self._suffixes)

    def shown(self, variables: dict[bytes, bytes]) -> dict[str, str]:
        """The collected ones as harmless text, values that look secret replaced."""
        named = ((decode(key), value) for key, value in variables.items())
        return {key: shown_value(key, decode(value)) for key, value in named if key in self}

    def read(self, block: bytes) -> tuple[dict[bytes, bytes], dict[str, str]]:
        """An environment block: all of it, and what is shown; children have their parent's, hundreds of times."""
        known = self._blocks.get(block)
        if known is None:
            if len(self._blocks) >= _MOST_BLOCKS:
                self._blocks.clear()
            variables = procfs.parse_environment(block)
            known = self._blocks[block] = variables, self.shown(variables)
        return known


def read_program(
    process: Tracked, at: int, keys: Keys, record: Executed | None = None, superseded: bool = False
) -> Program:
    """What runs in a process now, or since `record`; never fails, a process that is gone leaves fields unknown.

    `superseded`: it has executed something else since, or ended, so that /proc would tell of another program.
    """
    before = process.program or ProcessExec(at=at, pid=process.pid, argv=[], exe="", cwd=_inherited(process.ppid))
    if superseded and record is not None:
        return _told(process.pid, at, keys, record, before)
    pid = process.pid
    status = attempt(lambda: procfs.status(pid), dict[bytes, bytes]())
    place = _context(pid, status, before)
    exe = _executable(pid, place.tree, record, before)
    environment = _environment(pid, keys, record)
    loading = _loading(pid, exe, b"" if place.own_root else exe)
    secure = _secure(pid)
    event = ProcessExec(
        at=at,
        pid=process.pid,
        argv=_arguments(pid, record),
        exe=decode(exe),
        file=attempt(lambda: procfs.stat_key(os.stat(procfs.path_of(pid, "exe"))), ""),
        comm=decode(status.get(b"Name", os.path.basename(exe)[:15])),
        cwd=decode(attempt(lambda: procfs.link(pid, "cwd"), os.fsencode(before.cwd))),
        uid=place.uid,
        environment=environment.shown,
        environment_known=environment.known,
        environment_source=environment.source,
        other_keys=len(environment.variables) - len(environment.shown),
        unset=environment.unset,
        interpreter=loading.interpreter,
        static=loading.static,
        elf_class=loading.elf_class,
        secure=secure,
        capabilities_added=filecaps.read(os.fsencode(procfs.path_of(pid, "exe"))) if secure else "",
        root=place.root,
        mount_namespace=place.mount_namespace,
        own_root=place.own_root,
        pid_inside=place.pid_inside,
        unit=place.unit,
        container=place.container,
    )
    return Program(event, environment.variables, place.tree)


def _inherited(parent: int) -> str:
    """The directory that a process has from its parent, where nothing else tells of its own."""
    return decode(attempt(lambda: procfs.link(parent, "cwd"), b"")) if parent > 0 else ""


def _told(pid: int, at: int, keys: Keys, record: Executed, before: ProcessExec) -> Program:
    """What the record alone tells of a program that is gone: an exec changes none of the rest by itself."""
    exe = _named_by(record, before)
    environment = _environment(_NOBODY, keys, record)
    loading = _loading(_NOBODY, exe, b"" if before.own_root else exe)
    event = structs.replace(
        before,
        at=at,
        pid=pid,
        argv=_arguments(_NOBODY, record),
        exe=decode(exe),
        file="",
        comm=decode(os.path.basename(exe)[:15]),
        environment=environment.shown,
        environment_known=environment.known,
        environment_source=environment.source,
        other_keys=len(environment.variables) - len(environment.shown),
        unset=environment.unset,
        interpreter=loading.interpreter,
        static=loading.static,
        elf_class=loading.elf_class,
        secure=None,
        capabilities_added="",
        pid_inside=0,
    )
    return Program(event, environment.variables)


def _context(pid: int, status: dict[bytes, bytes], before: ProcessExec) -> _Context:
    """Where it runs; an exec changes none of it by itself, so what cannot be read is as it was."""
    tree = attempt(lambda: Root(pid), None)
    control = attempt(lambda: procfs.cgroup(pid), "")
    uids, pids = status.get(b"Uid", b"").split(), status.get(b"NSpid", b"").split()
    return _Context(
        tree=tree,
        root=decode(tree.directory) if tree else before.root,
        mount_namespace=tree.mount_namespace if tree else before.mount_namespace,
        own_root=tree.foreign if tree else before.own_root,
        uid=int(uids[1]) if len(uids) > 1 else before.uid,
        pid_inside=int(pids[-1]) if pids else 0,
        unit=cgroup.unit_of(control) if control else before.unit,
        container=cgroup.container_of(control) if control else before.container,
    )


def _executable(pid: int, root: Root | None, record: Executed | None, before: ProcessExec) -> bytes:
    """The path of the program as the process sees it; the exec record's file name when the process is gone."""
    found = attempt(lambda: procfs.link(pid, "exe"), b"").removesuffix(b" (deleted)")
    if found:
        return root.inside(found) if root else found
    return _named_by(record, before) if record is not None else b""


def _named_by(record: Executed, before: ProcessExec) -> bytes:
    """The file that was asked for, as its process spelled it."""
    if not record.filename:
        return b""
    if not before.cwd:
        return record.filename  # of a relative one nobody knows the folder
    return os.path.normpath(os.path.join(os.fsencode(before.cwd), record.filename))


def _arguments(pid: int, record: Executed | None) -> list[str]:
    if record and record.argv:
        return list(_shown_arguments(record.argv))
    return shown_arguments(attempt(lambda: procfs.argv(pid), []))


@lru_cache(64)
def _shown_arguments(block: bytes) -> tuple[str, ...]:
    """Children are started with the same words again and again."""
    return tuple(shown_arguments(block.removesuffix(b"\0").split(b"\0")))


def _environment(pid: int, keys: Keys, record: Executed | None) -> _Environment:
    if record and record.environment and not record.truncated:
        return _Environment(*keys.read(record.environment), True, "exec")
    try:
        variables = procfs.environment(pid)
    except OSError:
        partial = procfs.parse_environment(record.environment) if record else {}
        return _Environment(partial, keys.shown(partial), False, "exec" if partial else "unknown")
    return _Environment(variables, keys.shown(variables), True, "proc")


def _secure(pid: int) -> bool | None:
    """AT_SECURE: the loader does not honour most of the environment; None when it cannot be read."""
    value = attempt(lambda: procfs.auxiliary(pid), dict[int, int]()).get(procfs.AT_SECURE)
    return None if value is None else bool(value)


def _loading(pid: int, exe: bytes, path_here: bytes) -> _Loading:
    """PT_INTERP, class and whether the program needs no loader; ld.so run as a command is itself the loader."""
    for path in filter(None, [os.fsencode(procfs.path_of(pid, "exe")), path_here]):
        with suppress(ElfError, OSError):
            status = os.stat(path)
            key = (status.st_dev, status.st_ino, status.st_mtime_ns, status.st_ctime_ns, os.path.basename(exe))
            known = _KNOWN.get(key)
            if known is None:
                if len(_KNOWN) >= _MOST_KNOWN:
                    _KNOWN.clear()
                known = _KNOWN[key] = _read_loading(path, exe)
            return known
    return _Loading()


def _read_loading(path: bytes, exe: bytes) -> _Loading:
    with ElfFile(path) as file:
        loader = os.path.basename(exe).startswith((b"ld-linux", b"ld-musl", b"ld.so", b"ld-2."))
        interpreter = file.interpreter
        return _Loading(
            interpreter=decode(interpreter) if interpreter is not None else None,
            static=interpreter is None and not loader,
            elf_class=file.layout.word_bits,
        )
