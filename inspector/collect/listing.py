"""Every process of the machine as a row for the picker and `inspector list`: cheap enough to be typed against."""

import os
import pwd
import re
import time
from collections.abc import Iterator
from functools import lru_cache
from typing import Literal

from inspector.stream.invocation import is_inspector
from inspector.stream.processes import ProcessListed
from inspector.stream.requests import Plan
from inspector.stream.text import decode

from .kernel import cgroup, procfs
from .kernel.procfs import Stat
from .sources.preload_entries import list_entries
from .sources.processes.secrets import shown_arguments
from .sources.tolerant_reads import attempt

_COUNTING = 1 << 38 | 1 << 39
"""CAP_PERFMON and CAP_BPF (capabilities(7)): with them calls can be counted."""


def processes(plan: Plan) -> Iterator[ProcessListed]:
    """One row a process, inspectors and kernel threads left out; what may not be read stays empty and `why` says so."""
    libraries = _LibrarySearch(plan)
    known = frozenset(os.fsencode(name) for name in plan.program_names)
    counts = _may_count()
    for stat in procfs.all_stats():
        if not stat.kernel_thread and stat.pid != os.getpid() and not is_inspector(_argv(stat.pid)):
            yield _row(stat, libraries, known, counts)


def _argv(pid: int) -> list[bytes]:
    return attempt(lambda: procfs.argv(pid), list[bytes]())


def _row(stat: Stat, libraries: "_LibrarySearch", known: frozenset[bytes], counts: bool) -> ProcessListed:
    pid, at = stat.pid, time.monotonic_ns()
    argv = _argv(pid)
    exe = attempt(lambda: procfs.link(pid, "exe"), b"").removesuffix(b" (deleted)")
    maps = attempt(lambda: procfs.read(pid, "maps"), None)
    environment = attempt(lambda: procfs.read(pid, "environ"), None)
    control = attempt(lambda: procfs.cgroup(pid), "")
    apis, paths = libraries.search(maps or b"")
    observable, why = _observable(stat, readable=maps is not None and environment is not None, counts=counts)
    names = {stat.comm, os.path.basename(exe), os.path.basename(argv[0]) if argv else b""}
    return ProcessListed(
        at=at,
        pid=pid,
        ppid=stat.ppid,
        argv=shown_arguments(argv) or [decode(stat.comm)],
        exe=decode(exe),
        user=_user(attempt(lambda: os.stat(procfs.path_of(pid)).st_uid, -1)),
        unit=cgroup.unit_of(control),
        container=cgroup.container_of(control),
        apis=apis,
        libraries=paths,
        preloads=[decode(entry) for entry in _preloads(environment or b"")],
        known_program=not known.isdisjoint(names),
        observable=observable,
        why=why,
        rss=stat.rss,
        age=(at - stat.started) / 1e9,
    )


class _LibrarySearch:
    """Finds files that provide an API in the raw text of maps, by the names under which consumers ask for them."""

    def __init__(self, plan: Plan) -> None:
        names = {os.fsencode(soname.partition(".so")[0]): api.api for api in plan.apis for soname in api.sonames}
        self._apis = names
        stems = b"|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
        self._found = re.compile(rb"/(" + stems + rb")\.so[^/\n]*$", re.MULTILINE) if names else None

    def search(self, maps: bytes) -> tuple[list[str], list[str]]:
        """APIs and paths of their files, each once; a process without any costs one pass over the text."""
        if self._found is None:
            return [], []
        apis: set[str] = set()
        paths: set[bytes] = set()
        for hit in self._found.finditer(maps):
            line = procfs.parse_map_line(maps[maps.rfind(b"\n", 0, hit.start()) + 1 : hit.end()])
            if line is not None and line.path not in paths:
                paths.add(line.path)
                apis.add(self._apis[hit.group(1)])
        return sorted(apis), sorted(map(decode, paths))


def _observable(stat: Stat, readable: bool, counts: bool) -> tuple[Literal["yes", "partly", "no"], str]:
    if not stat.alive:
        return "no", f"it has ended; its parent {stat.ppid} has not reaped it yet"
    if not readable and os.geteuid() == 0:
        return "no", "the kernel denies access: it has capabilities that you lack, or a security module protects it"
    if not readable:
        return "no", f"you may not read its libraries and environment: sudo inspector {stat.pid}"
    if not counts and os.geteuid() == 0:
        return "partly", "its calls cannot be counted here: inspector doctor"
    if not counts:
        return "partly", f"its calls can be counted only by root: sudo inspector {stat.pid}"
    return "yes", ""


def _may_count() -> bool:
    effective = procfs.status(os.getpid()).get(b"CapEff", b"0")
    return int(effective, 16) & _COUNTING == _COUNTING


def _preloads(environment: bytes) -> list[bytes]:
    if b"LD_PRELOAD=" not in environment:
        return []
    return list_entries(procfs.parse_environment(environment).get(b"LD_PRELOAD", b""))


@lru_cache(maxsize=256)
def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except (KeyError, OverflowError):
        return str(uid)
