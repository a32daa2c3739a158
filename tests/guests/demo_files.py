"""What the demo compiles, compiled here for a guest before it boots: emulated it takes a quarter of the time."""

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import threading
from collections.abc import Collection
from pathlib import Path

from inspector.demo.case_directory import Stage
from inspector.demo.cases import CASES

from .images import Processor

_COMPILERS = {"x86_64": "gcc", "aarch64": "aarch64-linux-gnu-gcc"}
_ROOT_LIBC = (2, 36)
"""The guests' C library: what is linked against a newer one may not start there."""


class DemoFiles:
    """What some cases need, once for each kind of processor; safe for several threads."""

    def __init__(self, cases: Collection[str], folder: Path) -> None:
        """Archives go to the folder."""
        self._cases, self._folder = cases, folder
        self._archives: dict[Processor, Path | None] = {}
        self._lock = threading.Lock()

    def archive(self, processor: Processor) -> Path | None:
        """To be unpacked in ~/.cache; None where this machine cannot compile for the guest."""
        with self._lock:
            if processor not in self._archives:
                path = self._folder / f"{processor.debian}.tar"
                self._archives[processor] = path if _build(processor, self._cases, path) else None
            return self._archives[processor]


def _build(processor: Processor, cases: Collection[str], path: Path) -> bool:
    compiler = shutil.which(_COMPILERS[processor.machine])
    if compiler is None or _own_libc() > _ROOT_LIBC:
        return False
    with tempfile.TemporaryDirectory(prefix="demo-files-") as name:
        environment = {**os.environ, "CC": compiler, "XDG_CACHE_HOME": name}
        words = [sys.executable, "-m", "tests.guests.demo_files", *cases]
        if subprocess.run(words, env=environment, stdin=subprocess.DEVNULL).returncode:
            return False
        with tarfile.open(path, "w") as packed:
            packed.add(Path(name, "shim-inspector"), "shim-inspector")
    return True


def main() -> None:
    """Lay out the named cases in folders that are thrown away; what that compiles stays in the cache."""
    for case in CASES:
        if case.name in sys.argv[1:]:
            with tempfile.TemporaryDirectory(prefix="demo-files-") as name:
                case.stage(Stage(Path(name), case.name))


def _own_libc() -> tuple[int, ...]:
    said = os.confstr("CS_GNU_LIBC_VERSION") or "glibc 99"
    return tuple(map(int, said.split()[1].split(".")))


if __name__ == "__main__":
    main()
