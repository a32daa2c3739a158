"""What surrounds the tree: GPU devices, /etc/ld.so.preload, other processes that may be the ones that answer."""

import os

import msgspec
from msgspec import structs

from inspector.stream.machine import GpuRead, PreloadFileRead
from inspector.stream.processes import SameNameProcess

from ...kernel.rootfs import Root, own_root
from ..contract import Session, Tracked, TreeObserver
from .gpu_facts import read_gpu
from .namesakes import Family, Namesakes, telling
from .preload_file import read_preload_file, spelled

CHECK_SECONDS = 15.0
_COUNT_CARRIERS = 6
"""Looks after which the carriers of preload entries are counted anew."""


class _Picture(msgspec.Struct, frozen=True):
    """One look at the machine."""

    gpu: GpuRead
    preloads: list[PreloadFileRead]
    others: list[SameNameProcess]


class MachineSource(TreeObserver):
    """Looks in the worker thread when a new file tree or program is met, and every 15 seconds; sends what differs."""

    def __init__(self, session: Session, root: str = "/") -> None:
        """`root` is where devices, modules and PCI functions are looked for."""
        self._session = session
        self._root = root
        self._roots: dict[tuple[int, bytes], Root] = {}
        self._names: set[bytes] = set()
        """File names of the programs that the tree has run."""
        self._namesakes = Namesakes()
        self._gpu: GpuRead | None = None
        self._preloads: dict[str, PreloadFileRead] = {}
        self._others: dict[int, SameNameProcess] = {}
        self._looks = 0
        self._busy = False
        self._due = False

    def start(self) -> None:
        """Take the first look."""
        self._session.tree.watch(self)
        own = own_root()
        self._roots[own.key] = own
        for process in self._session.tree.processes():
            self.executed(process)
        self.look()
        self._session.loop.every(CHECK_SECONDS, self.look)

    def executed(self, process: Tracked) -> None:
        """A process may see another file tree, with a preload file of its own; other processes may run its program."""
        root = process.root
        new_root = root is not None and self._roots.setdefault(root.key, root) is root
        name = _program_file(process)
        new_name = bool(name) and name not in self._names
        self._names.add(name)
        if new_root or new_name:
            self.look()

    def ended(self, process: Tracked) -> None:
        """A file tree that was seen through it is seen no more, unless another process shows it."""
        for key, root in list(self._roots.items()):
            if root.pid == process.pid:
                del self._roots[key]

    def look(self) -> None:
        """Look in the worker thread; at most one look waits."""
        if self._busy:
            self._due = True
            return
        self._busy, self._due = True, False
        at, roots, family = self._session.loop.now(), list(self._roots.values()), self._family()
        patterns = self._session.plan.devices
        self._looks += 1
        believed = {} if self._looks % _COUNT_CARRIERS == 0 else dict(self._preloads)

        def read_all() -> _Picture:
            preloads = [read_preload_file(at, root, believed.get(spelled(root))) for root in roots]
            return _Picture(read_gpu(at, patterns, self._root), preloads, self._namesakes.look(at, family))

        self._session.loop.in_background(read_all, self._compare)

    def _family(self) -> Family:
        processes = self._session.tree.processes()
        names = {_program_file(process) for process in processes}
        known = {os.fsencode(name) for name in self._session.plan.program_names}
        return Family(
            names=frozenset(filter(telling, names)),
            ports=frozenset(self._session.plan.ports) if names & known else frozenset(),
            pids=frozenset([*(process.pid for process in processes), os.getpid(), os.getppid()]),
        )

    def _compare(self, now: _Picture) -> None:
        self._busy = False
        if self._gpu is None or now.gpu != structs.replace(self._gpu, at=now.gpu.at):
            self._gpu = now.gpu
            self._session.sink.send(now.gpu)
        for file in now.preloads:
            before = self._preloads.get(file.path)
            if before is None or file != structs.replace(before, at=file.at):
                self._preloads[file.path] = file
                self._session.sink.send(file)
        for other in now.others:
            known = self._others.get(other.pid)
            if known is None or other != structs.replace(known, at=other.at):
                self._others[other.pid] = other
                self._session.sink.send(other)
        if self._due:
            self.look()


def _program_file(process: Tracked) -> bytes:
    """File name of its program; empty while that is not known."""
    exe = process.program.exe if process.program is not None else ""
    return os.fsencode(os.path.basename(exe.removesuffix(" (deleted)")))
