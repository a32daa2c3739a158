"""/etc/ld.so.preload as one file tree has it, and which processes of the machine carry its entries (ld.so(8))."""

import os
import re

import msgspec

from inspector.collect.access.opening import read_regular
from inspector.stream.machine import PreloadFileRead
from inspector.stream.text import decode

from ...kernel import procfs
from ...kernel.rootfs import Root
from ..preload_entries import file_entries
from ..tolerant_reads import attempt

PATH = b"/etc/ld.so.preload"
_LARGEST = 1 << 16
_LIBRARY = re.compile(rb"/|\.so\b")
"""An entry that is no path and no library name is damage, and may be anything: a pass phrase, once."""
_MOST_NAMES = 12


class Carriers(msgspec.Struct, frozen=True):
    """Processes that map an entry."""

    count: int = 0
    names: tuple[str, ...] = ()


def read_preload_file(at: int, root: Root, before: PreloadFileRead | None = None) -> PreloadFileRead:
    """The file as this tree has it; no entries and no problem: there is none.

    `before`: an earlier answer whose carriers may be believed if the file is the same: counting reads all maps.
    """
    path = spelled(root)
    try:
        outside = root.outside(root.resolve(PATH).real)
        mtime = os.stat(outside).st_mtime_ns
        content = read_regular(outside, _LARGEST)
    except (FileNotFoundError, NotADirectoryError):
        return PreloadFileRead(at=at, path=path, entries=[])
    except OSError as error:
        return PreloadFileRead(at=at, path=path, entries=[], problem=(error.strerror or str(error)).lower())
    entries = file_entries(content)
    same = before is not None and before.mtime == mtime
    carriers = _earlier(before) if before and same else find_carriers([real(root, entry) for entry in entries])
    return PreloadFileRead(
        at=at,
        path=path,
        entries=[_shown(entry) for entry in entries],
        mtime=mtime,
        carriers=carriers.count,
        carrier_names=list(carriers.names),
        problem="; ".join(_problems(root, entries, content)),
    )


def spelled(root: Root) -> str:
    """How the file of this tree is called in events."""
    return decode(PATH) if not root.foreign else f"{decode(PATH)} (as PID {root.pid} sees it)"


def _earlier(before: PreloadFileRead) -> Carriers:
    return Carriers(before.carriers, tuple(before.carrier_names))


def real(root: Root, entry: bytes) -> bytes:
    """An entry's file without links; an entry without a slash stays a name."""
    return attempt(lambda: root.resolve(entry).real, entry) if b"/" in entry else entry


def _shown(entry: bytes) -> str:
    return decode(entry) if _LIBRARY.search(entry) else f"(a word of {len(entry)} characters that names no library)"


def _problems(root: Root, entries: list[bytes], content: bytes) -> list[str]:
    found = []
    if b"\0" in content:
        found.append("it holds NUL bytes")
    for entry in entries:
        if not _LIBRARY.search(entry):
            found.append("it holds words that name no library: damaged, perhaps a typed secret")
        elif entry.startswith(b"/") and attempt(lambda entry=entry: root.resolve(entry), None) is None:  # type: ignore[misc]
            found.append(f"{decode(entry)} does not exist: every program start prints an error")
    return list(dict.fromkeys(found))


def find_carriers(files: list[bytes]) -> Carriers:
    """Processes that map one of these files, by path or by file name, as far as their maps may be read."""
    if not files:
        return Carriers()
    ends = b"|".join(re.escape(file if b"/" in file else b"/" + file) for file in files)
    mapped = re.compile(rb"(?:" + ends + rb")(?: \(deleted\))?$", re.MULTILINE)
    names: dict[str, None] = {}
    count = 0
    for pid in procfs.pids():
        maps = attempt(lambda pid=pid: procfs.read(pid, "maps"), b"")  # type: ignore[misc]
        if mapped.search(maps):
            count += 1
            names[attempt(lambda pid=pid: decode(procfs.stat(pid).comm), "?")] = None  # type: ignore[misc]
    return Carriers(count, tuple(names)[:_MOST_NAMES])
