"""Folders in which drivers, toolkits and packages keep libraries that no loader looks for by itself."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec

from inspector.stream.requests import PlacePlan, split_placeholder

from ..contract import Tracked
from ..libraries.candidates import Folders

_SITE: Final = re.compile(rb"^(.*?/(?:site|dist)-packages)(?=/|$)")
_LISTS: Final = (b"LD_LIBRARY_PATH", b"PYTHONPATH", b"PATH")
"""Variables that hold folders separated by colons."""


class InstallFolder(msgspec.Struct, frozen=True):
    """One folder that is there."""

    folder: bytes
    kind: str
    """See `Copy.place`."""


def likely_places(process: Tracked, plans: Sequence[PlacePlan], folders: Folders) -> Iterator[InstallFolder]:
    """The folders that the plan names, as the process spells them, in the plan's order, each once."""
    values = _values(process)
    seen: set[bytes] = set()
    for plan in plans:
        for pattern in plan.folders:
            for folder in _expanded(pattern, values, folders):
                if folder not in seen:
                    seen.add(folder)
                    yield InstallFolder(folder, plan.kind)


def _expanded(pattern: str, values: Mapping[str, Sequence[bytes]], folders: Folders) -> Iterator[bytes]:
    name, rest = split_placeholder(pattern)
    if not name:
        yield from folders.glob(b"/", rest)
        return
    for start in values.get(name, ()):
        if rest:
            yield from folders.glob(start, rest)
        elif folders.names(start):
            yield start


def _values(process: Tracked) -> dict[str, list[bytes]]:
    """`{program}`: folders of the program; `{cwd}`; `{site}`: Python's package folders; `{KEY}`: a variable."""
    program, environment = process.program, process.raw_environment
    exe = os.fsencode(program.exe.removesuffix(" (deleted)")) if program else b""
    invoked = [os.fsencode(word) for word in (program.argv[:2] if program else [])]
    homes = [os.path.dirname(path) for path in (exe, *invoked) if path.startswith(b"/")]
    mapped = [os.fsencode(mapping.path) for mapping in process.mappings.values()]
    lists = [folder for key in _LISTS for folder in environment.get(key, b"").split(b":")]
    sites = [match[1] for path in (*mapped, *lists, *invoked) if (match := _SITE.match(path))]
    variables = {os.fsdecode(key): [value] for key, value in environment.items() if value.startswith(b"/")}
    cwd = [os.fsencode(program.cwd)] if program and program.cwd.startswith("/") else []
    return {**variables, "program": _once(homes), "cwd": cwd, "site": _once(sites)}


def _once(folders: Sequence[bytes]) -> list[bytes]:
    return list(dict.fromkeys(folder for folder in folders if folder))
