"""Build `inspector.pyz`: the program with all that it needs, for every Python from 3.10 to 3.14, glibc and musl.

    python packaging/one_file.py OUTPUT

Wheels are fetched by pip at the versions of requirements.lock. Files that both C libraries share lie in `any/` of the
archive, the others in `glibc/` and `musl/`; extension modules of several Pythons have different names and lie side by
side. `start.py` unpacks what the machine needs.
"""

import hashlib
import importlib.metadata
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement

PYTHONS = ("3.10", "3.11", "3.12", "3.13", "3.14")
PLATFORMS = {
    "glibc": ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64", "manylinux1_x86_64"),
    "musl": ("musllinux_1_2_x86_64", "musllinux_1_1_x86_64"),
}
ROOT = Path(__file__).resolve().parent.parent
_LEFT_OUT = re.compile(
    r"(^|/)(tests?|__pycache__|include)/|\.(pyi|pyx|pxd|c|h|tcss\.orig)$|_cffi\.|\.dist-info/(RECORD|WHEEL|INSTALLER)$"
)
"""Not needed to run; zstandard's second backend for PyPy is the largest of it."""
_OLD = (1980, 1, 1, 0, 0, 0)
"""The same files give the same bytes."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of the archive."""

    name: str
    content: bytes


def main(output: Path) -> None:
    """Fetch, merge, write; says the size. SystemExit when a wheel is missing or two of them disagree on a file."""
    pins = _pins()
    trees: dict[str, dict[str, bytes]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for libc in PLATFORMS:
            trees[libc] = {}
            for python in PYTHONS:
                wheels = Path(folder) / libc / python
                _fetch([f"{name}=={pins[name]}" for name in _needed(python)], python, libc, wheels)
                for wheel in sorted(wheels.glob("*.whl")):
                    _merge(trees[libc], wheel)
        own = Path(folder) / "own"
        _pip("wheel", "--no-deps", "--wheel-dir", str(own), str(ROOT))
        for tree in trees.values():
            _merge(tree, next(own.glob("*.whl")))
    _write(output, list(_entries(trees)))


def _pins() -> dict[str, str]:
    text = (ROOT / "requirements.lock").read_text()
    return {name.lower(): version for name, version in re.findall(r"^([\w.-]+)==([\w.]+)", text, re.MULTILINE)}


def _needed(python: str) -> list[str]:
    """All packages that the program needs on one Python, by name."""
    found: dict[tuple[str, str], None] = {}
    waiting = [("shim-inspector", "")]
    while waiting:
        name, extra = waiting.pop()
        try:
            requires = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:  # needed by another Python than this one, and needs nothing
            continue
        for line in requires:
            requirement = Requirement(line)
            if requirement.marker and not requirement.marker.evaluate({"python_version": python, "extra": extra}):
                continue
            for wanted in ((requirement.name.lower(), each) for each in ("", *requirement.extras)):
                if wanted not in found:
                    found[wanted] = None
                    waiting.append(wanted)
    return sorted({name for name, _ in found})


def _fetch(pins: list[str], python: str, libc: str, folder: Path) -> None:
    """Wheels for that Python and C library; one for glibc may serve musl when it holds no native code."""
    platforms = (*PLATFORMS[libc], *(PLATFORMS["glibc"] if libc == "musl" else ()))
    options = [word for platform in platforms for word in ("--platform", platform)]
    _pip(
        "download", "--no-deps", "--only-binary=:all:", "--implementation", "cp", "--python-version", python,
        *options, "--dest", str(folder), *pins,
    )  # fmt: skip
    for wheel in folder.glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            native = any(".so" in name for name in archive.namelist())
        if native and ("musllinux" in wheel.name) != (libc == "musl"):
            sys.exit(f"there is no wheel for {libc} and Python {python}, only {wheel.name}")


def _merge(tree: dict[str, bytes], wheel: Path) -> None:
    """Lay a wheel over the tree; wheels of one version differ in the names of their extension modules only."""
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if name.endswith("/") or _LEFT_OUT.search(name):
                continue
            content = archive.read(name)
            if name.endswith(".so"):
                content = _stripped(content)
            if tree.setdefault(name, content) != content:
                sys.exit(f"{wheel.name}: {name} differs from the one of another Python")


def _stripped(content: bytes) -> bytes:
    """Without the symbols that only a debugger reads: a tenth of the size of zstandard."""
    with tempfile.NamedTemporaryFile(suffix=".so") as file:
        file.write(content)
        file.flush()
        subprocess.run(["strip", "--strip-unneeded", file.name], check=True)
        return Path(file.name).read_bytes()


def _entries(trees: dict[str, dict[str, bytes]]) -> Iterator[Entry]:
    glibc, musl = trees["glibc"], trees["musl"]
    for name, content in sorted(glibc.items()):
        yield Entry(f"any/{name}" if musl.get(name) == content else f"glibc/{name}", content)
    for name, content in sorted(musl.items()):
        if glibc.get(name) != content:
            yield Entry(f"musl/{name}", content)


def _write(output: Path, entries: list[Entry]) -> None:
    digest = hashlib.sha256()
    for entry in entries:
        digest.update(entry.name.encode() + b"\0" + hashlib.sha256(entry.content).digest())
    start = (ROOT / "packaging" / "start.py").read_bytes()
    packed = output.with_suffix(".partial")
    with packed.open("wb") as file:
        file.write(b"#!/usr/bin/env python3\n")
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
            for entry in (Entry("__main__.py", start), Entry("digest", digest.hexdigest()[:16].encode()), *entries):
                archive.writestr(zipfile.ZipInfo(entry.name, _OLD), entry.content, zipfile.ZIP_DEFLATED)
    packed.chmod(0o755)
    packed.rename(output)
    print(f"{output}: {output.stat().st_size / 1e6:.1f} MB, {len(entries)} files")


def _pip(*words: str) -> None:
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *words]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    Path(sys.argv[1]).parent.mkdir(parents=True, exist_ok=True)
    main(Path(sys.argv[1]))
