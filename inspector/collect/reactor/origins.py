"""Where the folders of a process begin: its program and script, and where its interpreter keeps packages.

They stand for the placeholders of a plan's places: `{program}`, `{cwd}`, `{site}`, `{KEY}` of a variable.
"""

import os
import re
from collections.abc import Iterator, Mapping

import msgspec

from inspector.stream.requests import split_placeholder

from .folders import Tree

_SITE = re.compile(rb"^(.*?/(?:site|dist)-packages)(?=/|$)")
_PYTHON = re.compile(rb"(?:python|pypy)[\d.]*")
_PACKAGES = (b"site-packages", b"dist-packages")
_PREFIXES = (b"VIRTUAL_ENV", b"CONDA_PREFIX", b"PYTHONHOME")
_SYSTEM = (b"/usr", b"/usr/local")
_MOST_WORDS = 2
"""Of a command line that may name a program: the interpreter and its script."""


class Begun(msgspec.Struct, frozen=True):
    """What is read of a process that has just begun its program."""

    program: bytes
    """Path of its executable: for a script its interpreter's, symbolic links followed."""
    directory: bytes
    arguments: list[bytes]
    environment: Mapping[bytes, bytes]

    def absolute(self, path: bytes) -> bytes:
        """A path that may be relative to its working directory."""
        return os.path.normpath(os.path.join(self.directory, path))


def read_begun(base: bytes) -> Begun:
    """Of the process with this folder of /proc; OSError when it is gone."""
    with open(base + b"/environ", "rb", 0) as file:
        words = file.read(1 << 20).split(b"\0")
    with open(base + b"/cmdline", "rb", 0) as file:
        arguments = file.read(1 << 16).split(b"\0")[:-1]
    pairs = (word.partition(b"=") for word in words)
    environment = {key: value for key, _, value in pairs}
    return Begun(os.readlink(base + b"/exe"), os.readlink(base + b"/cwd"), arguments, environment)


class Origins:
    """What the placeholders stand for in one process, each worked out once."""

    def __init__(self, begun: Begun, tree: Tree) -> None:
        self._begun, self._tree = begun, tree
        self._known: dict[str, list[bytes]] = {}

    def expand(self, pattern: str) -> Iterator[bytes]:
        """Folders of a plan's pattern for this process; of an absolute pattern none, which is the machine's."""
        name, rest = split_placeholder(pattern)
        if not name:
            return
        if name not in self._known:
            self._known[name] = _origin_folders(name, self._begun, self._tree)
        for start in self._known[name]:
            yield from self._tree.glob(os.path.join(start, os.fsencode(rest)) if rest else start)


def _origin_folders(name: str, begun: Begun, tree: Tree) -> list[bytes]:
    match name:
        case "program":
            return _once(os.path.dirname(path) for path in _programs(begun, tree))
        case "cwd":
            return [begun.directory]
        case "site":
            sites = dict.fromkeys(_sites(begun, tree))
            return [site for site in sites if tree.list(site).folders]
        case _:
            value = begun.environment.get(os.fsencode(name), b"")
            return [value] if value.startswith(b"/") else []


def _programs(begun: Begun, tree: Tree) -> Iterator[bytes]:
    """The executable; as what it was called, which in a virtual environment is a link to it; its script."""
    yield begun.program
    for word in begun.arguments[:_MOST_WORDS]:
        if b"/" in word:
            yield begun.absolute(word)
    first = begun.arguments[0] if begun.arguments else b""
    if first and b"/" not in first:
        for folder in begun.environment.get(b"PATH", b"").split(b":"):
            path = os.path.join(folder, first)
            if folder.startswith(b"/") and tree.mounts.answers(folder) and os.path.lexists(tree.root + path):
                yield path
                return


def _sites(begun: Begun, tree: Tree) -> Iterator[bytes]:
    """Folders of Python packages: of the environment, of the prefix that it was called in, of its own, the user's."""
    lists = (begun.environment.get(key, b"").split(b":") for key in (b"PYTHONPATH", b"LD_LIBRARY_PATH"))
    for path in (*(entry for entries in lists for entry in entries), *begun.arguments[:_MOST_WORDS]):
        if match := _SITE.match(begun.absolute(path)):
            yield match[1]
    yield from (entry for entry in begun.environment.get(b"PYTHONPATH", b"").split(b":") if entry.startswith(b"/"))
    named = [begun.environment.get(key, b"") for key in _PREFIXES]
    prefixes = [path for path in named if path.startswith(b"/")]
    if _PYTHON.fullmatch(os.path.basename(begun.program)):
        prefixes += [os.path.dirname(os.path.dirname(path)) for path in _programs(begun, tree)]
        prefixes += [*_SYSTEM, os.path.join(begun.environment.get(b"HOME", b"/"), b".local")]
    for prefix in dict.fromkeys(prefixes):
        for library in (b"lib", b"lib64"):
            for folder in tree.list(os.path.join(prefix, library)).folders:
                if _PYTHON.fullmatch(os.path.basename(folder)):
                    yield from (os.path.join(folder, name) for name in _PACKAGES)


def _once(paths: Iterator[bytes]) -> list[bytes]:
    return list(dict.fromkeys(path for path in paths if path))
