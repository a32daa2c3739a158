"""Compile the demo's C sources on first use into a cache folder."""

import hashlib
import os
import pwd
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import msgspec

from inspector.stream.files import stranger_on_the_way

SOURCES = Path(__file__).parent / "sources"
_FLAGS = ("-O1", "-g0", "-Wl,--build-id=sha1", "-Wl,-z,noseparate-code", "-Wl,--no-as-needed")


class CompilerError(Exception):
    """There is no C compiler, or it refused; the message is for the user."""


class BuildSpec(msgspec.Struct, frozen=True):
    """How one file of a case is made."""

    sources: tuple[str, ...]
    shared: bool = True
    soname: str = ""
    node: str = ""
    """Version node of all exported names: `libcudart.so.12`; empty for a library without a version table."""
    hide: tuple[str, ...] = ()
    """Names that are made local."""
    strip: bool = False
    """Also drop the table of local symbols: a hidden name is then not in the file at all."""
    defines: tuple[str, ...] = ()
    needs: tuple["BuildSpec", ...] = ()
    """Libraries that it is linked against: they become DT_NEEDED by their SONAMEs."""
    flags: tuple[str, ...] = ()


def build(spec: BuildSpec) -> Path:
    """The compiled file, from the cache if it was built before; raises CompilerError."""
    target = _cache() / _key(spec)
    if target.exists():
        return target
    needed = [build(one) for one in spec.needs]
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as room:
        made = Path(room) / "made"
        _compile(spec, needed, made)
        made.replace(target)
    return target


def has_compiler() -> bool:
    """Whether a C compiler is there at all."""
    return bool(_compiler())


def _compiler() -> str | None:
    return shutil.which(os.environ.get("CC", "cc")) or shutil.which("gcc") or shutil.which("clang")


def _compile(spec: BuildSpec, needed: list[Path], made: Path) -> None:
    compiler = _compiler()
    if compiler is None:
        raise CompilerError(
            "no C compiler found (cc, gcc or clang): install one, for example: apt-get install gcc libc6-dev"
        )
    command = [compiler, *_FLAGS, *(f"-D{one}" for one in spec.defines), "-o", str(made)]
    command += [str(SOURCES / name) for name in spec.sources]
    if spec.shared:
        command += ["-fPIC", "-shared", *_naming(spec, made.with_name("version.map"))]
    command += [*map(str, needed), *spec.flags, "-ldl"]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode:
        raise CompilerError(f"the C compiler refused {' '.join(spec.sources)}:\n{result.stderr.strip()}")


def _naming(spec: BuildSpec, script: Path) -> list[str]:
    flags = [f"-Wl,-soname,{spec.soname}"] if spec.soname else []
    if spec.node or spec.hide:
        hidden = "".join(f"{name};" for name in spec.hide)
        script.write_text(f"{spec.node} {{ global: *; {'local: ' + hidden if hidden else ''} }};\n")
        flags.append(f"-Wl,--version-script={script}")
    if spec.strip:
        flags.append("-s")
    return flags


def _cache() -> Path:
    """What lies there is executed: only a folder of our own user, whatever the environment says (sudo keeps it)."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    above = next(place for place in (base, *base.parents) if place.exists())
    if above.stat().st_uid != os.geteuid() or stranger_on_the_way(base) is not None:
        base = Path(pwd.getpwuid(os.geteuid()).pw_dir) / ".cache"
    return base / "shim-inspector" / "demo" / _sources_hash()


@cache
def _sources_hash() -> str:
    digest = hashlib.sha256()
    for path in sorted(SOURCES.iterdir()):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def _key(spec: BuildSpec) -> str:
    name = spec.sources[0].removesuffix(".c")
    return f"{name}-{hashlib.sha256(repr((spec, _FLAGS)).encode()).hexdigest()[:16]}"
