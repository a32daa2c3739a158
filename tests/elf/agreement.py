"""How often our prediction of a load agrees with the real loader, over the libraries of this system.

`python -m tests.elf.agreement [FOLDER]` prints the share. Only system libraries are given to ld.so, and only to be
listed (LD_TRACE_LOADED_OBJECTS): none of them is executed.
"""

import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from inspector.collect.elf.cache import parse_cache
from inspector.collect.elf.file import ElfError
from inspector.collect.elf.library import LibraryCache, RefusedError, verify
from inspector.collect.elf.loader import read_loader
from inspector.collect.elf.predict import Predictor, Situation
from inspector.collect.elf.search import Surroundings

ARM64 = platform.machine() == "aarch64"
LOADER = "/lib/ld-linux-aarch64.so.1" if ARM64 else "/lib64/ld-linux-x86-64.so.2"
FOLDER = f"/lib/{platform.machine()}-linux-gnu"
"""Of the system's libraries, in Debian."""
_ARROW = re.compile(r"^\t(\S.*) => (.*?)(?: \(0x[0-9a-f]+\))?$")
_UNDEFINED = re.compile(r"^undefined symbol: (\S+?)(?:, version (\S+))?\t\((.*)\)$")
_NODE = re.compile(r"^.*: (.*: version `.*' not found \(required by .*\))$")


class SystemFiles:
    """The files as this process sees them."""

    def locate(self, path: bytes) -> bytes:
        os.stat(path)  # noqa: PTH116 - paths of a target are bytes
        return path


@dataclass
class Outcome:
    """What one side says about one file."""

    found: dict[str, str] = field(default_factory=dict)
    """Needed name -> real path; empty for a missing one."""
    undefined: set[tuple[str, str]] = field(default_factory=set)
    """Name and version."""
    nodes: set[str] = field(default_factory=set)
    """The loader's words about missing version nodes."""


@dataclass
class Agreement:
    """The result over many files."""

    compared: int = 0
    agreed: int = 0
    differences: list[str] = field(default_factory=list)

    @property
    def share(self) -> float:
        return self.agreed / self.compared if self.compared else 0.0


def system_libraries(folder: Path = Path("/usr/lib")) -> list[Path]:
    """Every shared library of this processor below a folder, each file once."""
    found: dict[tuple[int, int], Path] = {}
    for top, _, names in os.walk(folder):
        for name in names:
            path = Path(top, name)
            if ".so" in name and path.is_file():
                status = path.stat()
                found.setdefault((status.st_dev, status.st_ino), path)
    return sorted(path for path in found.values() if _is_loadable(path))


def _is_loadable(path: Path) -> bool:
    try:
        verify(os.fsencode(path))
    except (RefusedError, ElfError):
        return False
    return path.resolve() != Path(LOADER).resolve()


def around(library_path: str = "") -> Surroundings:
    return Surroundings(
        SystemFiles(),
        read_loader(os.fsencode(LOADER)),
        parse_cache(Path("/etc/ld.so.cache").read_bytes()),
        library_path=library_path.encode(),
        directory=os.fsencode(Path.cwd()),
    )


def predicted(path: Path, surroundings: Surroundings, library_cache: LibraryCache) -> Outcome:
    prediction = Predictor(Situation(0, surroundings), library_cache).start(os.fsencode(path))
    outcome = Outcome()
    for dependency in prediction.tree:
        outcome.found[dependency.name] = str(Path(dependency.path).resolve()) if dependency.path else ""
    for _, reference in prediction.undefined:
        version = reference.node.node.decode() if reference.node else ""
        outcome.undefined.add((reference.name.decode(), version))
    outcome.nodes = {node.words for node in prediction.nodes}
    return outcome


def listed(path: Path, environment: dict[str, str]) -> Outcome | None:
    """What the real loader lists; None when it refuses the file."""
    switches = {"LD_TRACE_LOADED_OBJECTS": "1", "LD_WARN": "1", "LD_BIND_NOW": "1"}
    done = subprocess.run([LOADER, path], env=environment | switches, capture_output=True, timeout=60, check=False)
    outcome = Outcome()
    for line in (done.stdout + done.stderr).decode().splitlines():
        if match := _ARROW.match(line):
            real = match[2].strip()
            outcome.found[match[1]] = "" if real == "not found" else str(Path(real).resolve())
        elif match := _UNDEFINED.match(line):
            outcome.undefined.add((match[1], match[2] or ""))
        elif match := _NODE.match(line):
            outcome.nodes.add(match[1])
        elif "error while loading" in line:
            return None
    return outcome


def compare(path: Path, ours: Outcome, theirs: Outcome) -> str:
    """What differs, empty when nothing does."""
    missing = sorted(name for name, real in theirs.found.items() if not real)
    for name, real in theirs.found.items():
        if ours.found.get(name) != real and name != "linux-vdso.so.1":
            return f"{path}: {name} is {real or 'missing'}, we say {ours.found.get(name)!r}"
    if not missing and ours.undefined != theirs.undefined:
        return f"{path}: undefined {sorted(ours.undefined ^ theirs.undefined)[:5]}"
    if ours.nodes != theirs.nodes:
        return f"{path}: version nodes {sorted(ours.nodes ^ theirs.nodes)[:5]}"
    return ""


def agreement(paths: Iterable[Path] | None = None) -> Agreement:
    """Compare all these libraries, by default every one below /usr/lib."""
    result = Agreement()
    surroundings, library_cache = around(), LibraryCache()
    environment = {key: value for key, value in os.environ.items() if not key.startswith("LD_")}
    for path in system_libraries() if paths is None else paths:
        theirs = listed(path, environment)
        if theirs is None:
            continue
        difference = compare(path, predicted(path, surroundings, library_cache), theirs)
        result.compared += 1
        result.agreed += not difference
        if difference:
            result.differences.append(difference)
    return result


if __name__ == "__main__":
    answer = agreement(system_libraries(Path(sys.argv[1])) if len(sys.argv) > 1 else None)
    print(*answer.differences, sep="\n")
    print(f"{answer.agreed} of {answer.compared} libraries agree with ld.so ({answer.share:.2%})")
