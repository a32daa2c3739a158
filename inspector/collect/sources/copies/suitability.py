"""Would a file do: its name, its format, its rights, and whether it has the symbol or version node that is wanted."""

import errno
import filecmp
import os
import re
from functools import lru_cache
from typing import Final

import msgspec

from inspector.stream.text import decode

from ...elf.file import ElfError
from ...elf.library import Library, LibraryCache, RefusedError
from ...elf.search import FileTree
from ...elf.stubs import answers_only_errors
from ...kernel.rootfs import DanglingLinkError
from .refused_names import Asked

_STUBS: Final = b"/stubs/"
"""Where toolkits keep files to link with, whose functions answer an error and nothing else."""
_MOST_NODES: Final = 64
IN_A_CIRCLE: Final = "its symbolic links form a loop"


class Suitability(msgspec.Struct, frozen=True):
    """What was found at a path."""

    file: str = ""
    """Its identity; empty when it cannot be read."""
    soname: str | None = None
    version_nodes: list[str] = msgspec.field(default_factory=list)
    usable: bool | None = None
    problem: str = ""


@lru_cache(maxsize=1024)
def alike(name: bytes) -> "re.Pattern[bytes]":
    """File names that stand for the same library as `name`: other versions, none, and a hash as wheels add it."""
    stem, dot, _ = name.partition(b".so")
    if not dot or not stem:
        return re.compile(re.escape(name))
    stem = re.sub(rb"-[0-9a-f]{8}$", b"", stem)
    return re.compile(re.escape(stem) + rb"(?:-[0-9a-f]{8})?\.so(?:\.[0-9][0-9.]*)?")


def judge(path: bytes, asked: Asked, files: FileTree, library_cache: LibraryCache) -> Suitability | None:
    """A file in the place of the process; None when there is none."""
    try:
        library = library_cache.read(files.locate(path))
    except PermissionError:
        return Suitability(usable=False, problem="permission denied")
    except DanglingLinkError as error:
        return Suitability(usable=False, problem=f"a link to {decode(error.target)}, which is not there")
    except OSError as error:
        return Suitability(usable=False, problem=IN_A_CIRCLE) if error.errno == errno.ELOOP else None
    except RefusedError as error:
        return Suitability(usable=False, problem=str(error))
    except ElfError as error:
        return Suitability(problem=str(error))
    return _judge_content(path, asked, library)


def _judge_content(path: bytes, asked: Asked, library: Library) -> Suitability:
    soname = decode(library.soname) if library.soname is not None else None
    nodes, problem, usable = [], library.refusal, not library.refusal
    try:
        if asked.kind in ("version", "symbol"):
            nodes = sorted(decode(node) for node in library.symbols.nodes)[:_MOST_NODES]
            problem = problem or _lacks(asked, library)
            usable = not problem
    except ElfError as error:
        return Suitability(library.identity, soname, nodes, None, str(error))
    if not problem and (_STUBS in path or _only_to_link_with(library)):
        usable, problem = False, "a toolkit's file to link with: its functions only answer an error"
    if not problem and asked.kind == "provider" and _same_content(library, asked):
        usable, problem = False, f"the same file as {asked.library}"
    return Suitability(library.identity, soname, nodes, usable, problem)


def _only_to_link_with(library: Library) -> bool:
    try:
        return answers_only_errors(library.open_path)
    except (OSError, ElfError):
        return False


def _same_content(library: Library, asked: Asked) -> bool:
    """Byte by byte the file that is mapped already."""
    mapped = os.fsencode(asked.open_path or asked.library)
    try:
        return filecmp.cmp(library.open_path, mapped, shallow=False)
    except OSError:
        return False


def _lacks(asked: Asked, library: Library) -> str:
    """What it has not of what is wanted, in words; empty when it has it."""
    if asked.kind == "version":
        return "" if asked.wanted.encode() in library.symbols.nodes else f"it does not define {asked.wanted}"
    offers = library.symbols.offers.get(os.fsencode(asked.name), [])
    if not offers:
        return f"it does not define {asked.name}"
    if asked.wanted and not any(offer.node in (b"", asked.wanted.encode()) for offer in offers):
        return f"it defines {asked.name} with other version nodes than {asked.wanted}"
    return ""
