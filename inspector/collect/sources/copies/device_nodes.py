"""A device node that was refused: is it there, for whom, outside of this file tree, and what would make it?"""

import grp
import os
import pwd
import stat
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Final

from inspector.stream.libraries import CopiesFound, Copy
from inspector.stream.requests import NodePlan
from inspector.stream.text import decode

from ...kernel.rootfs import Root
from ..libraries.file_view import Rights
from ..tolerant_reads import attempt
from .refused_names import Asked

_READ_WRITE: Final = 6


def find_node(
    asked: Asked, root: Root, outside: Root | None, rights: Rights, plans: Sequence[NodePlan], at: int
) -> CopiesFound:
    """Look at the asked path, at /dev under its name, and at both outside of the process's file tree."""
    asked_path = os.fsencode(asked.name)
    paths = list(dict.fromkeys([asked_path, b"/dev/" + os.path.basename(asked_path)]))
    copies = [copy for path in paths if (copy := _node(path, root, rights, "asked folder", False)) is not None]
    if outside is not None:
        copies += [copy for path in paths if (copy := _node(path, outside, rights, "outside", True)) is not None]
    places = [decode(os.path.dirname(path)) for path in paths]
    return CopiesFound(
        at=at, pid=asked.pid, kind="device", asked=asked.name, copies=copies, places=list(dict.fromkeys(places)),
        brought_by="" if any(not copy.outside for copy in copies) else _maker(paths[-1], plans),
    )  # fmt: skip


def _node(path: bytes, root: Root, rights: Rights, place: str, outside: bool) -> Copy | None:
    status = attempt(lambda: root.stat(path), None)
    if status is None:
        return None
    problem = _problem(status, rights)
    return Copy(path=decode(path), outside=outside, place=place, usable=not problem, problem=problem)


def _problem(status: os.stat_result, rights: Rights) -> str:
    """Why the process could not open it for reading and writing, in words; device cgroups are not looked at here."""
    if not stat.S_ISCHR(status.st_mode) and not stat.S_ISBLK(status.st_mode):
        return "" if rights.allow(status, _READ_WRITE) else "permission denied"
    if rights.uid == 0 or all(rights.allow(status, bit) for bit in (4, 2)):
        return ""
    owner = attempt(lambda: pwd.getpwuid(status.st_uid).pw_name, str(status.st_uid)) if status.st_uid else "root"
    group = _group(status.st_gid)
    return f"mode {stat.filemode(status.st_mode)} {owner}:{group}, and uid {rights.uid} is not in group {group}"


def _group(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)


def _maker(path: bytes, plans: Sequence[NodePlan]) -> str:
    """The command that brings the node about: the module first, where the kernel does not know the device yet."""
    plan = next((plan for plan in plans if fnmatchcase(os.fsdecode(path), plan.glob)), None)
    if plan is None:
        return ""
    return plan.made_by if plan.registered and plan.registered in _registered() else f"modprobe {plan.module}"


def _registered() -> set[str]:
    """Names of devices whose driver is there (proc_devices(5))."""
    try:
        with open("/proc/devices", encoding="ascii", errors="replace") as file:
            return {words[1] for line in file if len(words := line.split()) == 2}
    except OSError:
        return set()
