"""What is carried to another machine: our own files, and the packages that a collector imports, for its Python.

Where that Python is like ours they are those installed here. Else they come from the one file (inspector.pyz) that runs
here, which holds them for every Python, or by pip.
"""

import gzip
import hashlib
import importlib.metadata
import importlib.util
import io
import platform
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

import msgspec

from inspector.commands.bounded import run_bounded
from inspector.commands.errors import UserError, say

OLDEST, NEWEST = (3, 10), (3, 14)
MACHINES = ("x86_64", "aarch64")
_PURE = ("inspector", "elftools", "watchdog")
_NATIVE = ("msgspec", "psutil", "capstone")
_NEEDED_BY_3_10 = "tomli"
_LEFT_OUT = ("view", "report", "demo", "include", "__pycache__", "tests")
"""The screen stays here."""
_PLATFORMS = {
    "glibc": ("manylinux_2_28", "manylinux_2_17", "manylinux2014"),
    "musl": ("musllinux_1_2", "musllinux_1_1"),
}
_ONE_FILE = "python3 inspector.pyz ... --bootstrap"
_FETCH_SECONDS = 300.0

Files = dict[str, bytes]


class FarPython(msgspec.Struct, frozen=True):
    """A Python on another machine."""

    executable: str
    version: tuple[int, int]
    machine: str
    """As uname(2) names it."""
    libc: str
    """`glibc` or `musl`."""

    @property
    def number(self) -> str:
        """Its version as people write it."""
        return f"{self.version[0]}.{self.version[1]}"

    @property
    def is_like_ours(self) -> bool:
        """Whether extension modules that serve us serve it."""
        libc = "glibc" if platform.libc_ver()[0] == "glibc" else "musl"
        return (self.version, self.machine, self.libc) == (sys.version_info[:2], platform.machine(), libc)


def identity(python: FarPython) -> str:
    """Names what is carried to this Python: other files or other versions have another one."""
    digest = hashlib.sha256(f"{python.number} {python.machine} {python.libc} {_pins(python)}".encode())
    for name, content in sorted(_installed(_PURE).items()):
        digest.update(name.encode() + b"\0" + hashlib.sha256(content).digest())
    return digest.hexdigest()[:16]


def packed(python: FarPython) -> bytes:
    """The packages as one archive; UserError when they cannot be had for this Python."""
    files = _installed(_PURE)
    if python.is_like_ours:
        files |= _installed(tuple(_pins(python)))
    else:
        files |= _from_one_file(python) or _from_wheels(python)
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as archive:
        for name, content in sorted(files.items()):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return gzip.compress(raw.getvalue(), compresslevel=6, mtime=0)


def _pins(python: FarPython) -> dict[str, str]:
    """The packages that differ from Python to Python, at the versions that are installed here."""
    return {name: _pin(name) for name in (*_NATIVE, *([_NEEDED_BY_3_10] if python.version == OLDEST else []))}


def _pin(name: str) -> str:
    try:
        return f"{name}=={importlib.metadata.version(name)}"
    except importlib.metadata.PackageNotFoundError:
        return name


def _installed(packages: tuple[str, ...]) -> Files:
    """As they lie here; what our own Python does without is left out."""
    files: Files = {}
    for name in packages:
        found = importlib.util.find_spec(name)
        if found is not None and found.origin is not None:
            folder = Path(found.origin).parent
            for path in folder.rglob("*"):
                inner = f"{name}/{path.relative_to(folder)}"
                if _is_carried(inner) and path.is_file():
                    files[inner] = path.read_bytes()
    return files


def _is_carried(name: str) -> bool:
    return not name.endswith("/") and not set(name.split("/")[1:]) & set(_LEFT_OUT)


def _from_one_file(python: FarPython) -> Files:
    """Nothing when something else runs here than the one file, or it does not hold them for that processor."""
    if not zipfile.is_zipfile(sys.argv[0]) or python.machine != platform.machine():
        return {}
    with zipfile.ZipFile(sys.argv[0]) as archive:
        parts = ((name, *name.partition("/")) for name in archive.namelist())
        names = {inner: name for name, part, _, inner in parts if part in ("any", python.libc)}
        return {inner: archive.read(name) for inner, name in names.items() if _serves(python, inner)}


def _from_wheels(python: FarPython) -> Files:
    """Fetched by pip."""
    files: Files = {}
    with tempfile.TemporaryDirectory(prefix="inspector-wheels-") as folder:
        _fetch(python, folder)
        for wheel in Path(folder).glob("*.whl"):
            with zipfile.ZipFile(wheel) as archive:
                files |= {name: archive.read(name) for name in archive.namelist() if _serves(python, name)}
    return files


def _serves(python: FarPython, name: str) -> bool:
    """Whether this is a file of a package that differs, and no extension module of another version."""
    mine = ".cpython-" not in name or f".cpython-{python.version[0]}{python.version[1]}-" in name
    return name.split("/")[0] in _pins(python) and _is_carried(name) and mine


def _fetch(python: FarPython, folder: str) -> None:
    say(f"fetching what Python {python.number} over there needs")
    platforms = (f"--platform={each}_{python.machine}" for each in _PLATFORMS[python.libc])
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--only-binary=:all:", "--implementation=cp", f"--python-version={python.number}", *platforms]
    command += [f"--dest={folder}", *_pins(python).values()]
    try:
        done = run_bounded(command, _FETCH_SECONDS)
    except TimeoutError as error:
        raise _not_fetched(python, str(error)) from None
    if done.returncode:
        raise _not_fetched(python, done.stderr.decode(errors="backslashreplace").strip().split("\n")[-1])


def _not_fetched(python: FarPython, why: str) -> UserError:
    return UserError(f"what Python {python.number} over there needs could not be fetched here: {why}", _ONE_FILE)
