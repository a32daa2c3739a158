"""What kind of output a descriptor is, and what can be known of one that nobody can read a second time."""

import os
from typing import Literal

from ...logs.file_checks import Identity, identity
from ..contract import Tree
from ..tolerant_reads import attempt
from . import open_files
from .open_files import OpenFile

OutputKind = Literal["journal", "pipe", "tty"]
BEGINNING = "only the first lines of each process are known, as the kernel saw them written"
NOWHERE = f"nobody reads it; {BEGINNING}"
UNREAD: dict[OutputKind, str] = {
    "pipe": f"what goes through a pipe can be read only by its reader; {BEGINNING}",
    "tty": f"what a terminal shows cannot be read again; {BEGINNING}",
    "journal": "its lines are in the journal of its unit",
}


def output_kind(file: OpenFile, journal: bool) -> OutputKind | None:
    """The kind of an output that is no file; None for one that is."""
    if journal:
        return "journal"
    if file.terminal:
        return "tty"
    return "pipe" if file.pipe or file.null else None


def own_files() -> set[Identity]:
    """Regular files that we or the viewer above us write: never follow ourselves."""
    found: set[Identity] = set()
    for pid in (os.getpid(), os.getppid()):
        files: list[OpenFile] = attempt(lambda pid=pid: open_files.open_files(pid), [])  # type: ignore[misc]
        found |= {(file.device, file.inode) for file in files if file.regular and file.writable}
    return found


def written_by_parent(tree: Tree, pid: int, status: os.stat_result) -> bool:
    """Whether a file is also the output of who started a process, and is not of the tree: a job's common log."""
    process = tree.find(pid)
    if process is None or tree.find(process.ppid) is not None:
        return False
    files: list[OpenFile] = attempt(lambda: open_files.open_files(process.ppid), [])
    return any(one.fd in (1, 2) and (one.device, one.inode) == identity(status) for one in files)
