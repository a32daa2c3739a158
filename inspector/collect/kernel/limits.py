"""What the kernel holds a process to, as /proc/PID tells it: limits, ids, seccomp mode, mounts without execution."""

import re
from typing import Literal

import msgspec

from . import procfs

NAMES = {
    b"Max open files": "RLIMIT_NOFILE",
    b"Max locked memory": "RLIMIT_MEMLOCK",
    b"Max address space": "RLIMIT_AS",
    b"Max data size": "RLIMIT_DATA",
    b"Max processes": "RLIMIT_NPROC",
}
"""Rows of /proc/PID/limits that a GPU program meets."""
Seccomp = Literal["none", "strict", "filter", "unknown"]
_SECCOMP: dict[bytes, Seccomp] = {b"0": "none", b"1": "strict", b"2": "filter"}
_ESCAPED = re.compile(rb"\\([0-7]{3})")


class Limit(msgspec.Struct, frozen=True):
    """One resource limit; None is unlimited."""

    name: str
    soft: int | None
    hard: int | None


class Rights(msgspec.Struct, frozen=True):
    """As whom a process runs, from /proc/PID/status; what is not told there is -1, empty or `unknown`."""

    uid: int
    gid: int
    groups: tuple[int, ...]
    seccomp: Seccomp
    no_new_privileges: bool
    capabilities: str


def limits(pid: int) -> list[Limit]:
    """Its resource limits; OSError when it is gone."""
    return parse_limits(procfs.read(pid, "limits"))


def parse_limits(raw: bytes) -> list[Limit]:
    """Rows of known names; damaged ones are left out (fs/proc/base.c, proc_pid_limits)."""
    found: list[Limit] = []
    for line in raw.splitlines():
        name = NAMES.get(line[:25].rstrip())
        words = line[25:].split()
        if name is not None and len(words) >= 2:
            try:
                found.append(Limit(name, _number(words[0]), _number(words[1])))
            except ValueError:
                continue
    return found


def _number(word: bytes) -> int | None:
    return None if word == b"unlimited" else int(word)


def rights(status: dict[bytes, bytes]) -> Rights:
    """From the fields of /proc/PID/status (`procfs.status`)."""
    return Rights(
        uid=_second(status.get(b"Uid", b"")),
        gid=_second(status.get(b"Gid", b"")),
        groups=tuple(int(word) for word in status.get(b"Groups", b"").split() if word.isdigit()),
        seccomp=_SECCOMP.get(status.get(b"Seccomp", b"").strip(), "unknown"),
        no_new_privileges=status.get(b"NoNewPrivs", b"").strip() == b"1",
        capabilities=status.get(b"CapEff", b"").strip().decode("ascii", "replace"),
    )


def _second(field: bytes) -> int:
    """The effective one of real, effective, saved and file system id."""
    words = field.split()
    return int(words[1]) if len(words) > 1 and words[1].isdigit() else -1


def unexecutable_mounts(pid: int) -> list[bytes]:
    """Mount points of its name space from which nothing is executed; OSError when it is gone."""
    return parse_unexecutable(procfs.read(pid, "mountinfo"))


def parse_unexecutable(raw: bytes) -> list[bytes]:
    """Mount points with the option noexec, kernel file systems left out (proc_pid_mountinfo(5))."""
    found: list[bytes] = []
    for line in raw.splitlines():
        words = line.split(b" ")
        if len(words) > 6 and b"-" in words[6:]:
            kind = words[words.index(b"-", 6) + 1 :][:1]
            if b"noexec" in words[5].split(b",") and kind not in _KERNEL_FILE_SYSTEMS:
                found.append(_ESCAPED.sub(lambda match: bytes((int(match[1], 8) & 0xFF,)), words[4]))
    return found


_KERNEL_FILE_SYSTEMS = [
    [name]
    for name in (
        b"proc", b"sysfs", b"cgroup", b"cgroup2", b"devpts", b"mqueue", b"securityfs", b"debugfs", b"tracefs", b"bpf",
        b"pstore", b"efivarfs", b"configfs", b"fusectl", b"hugetlbfs", b"binfmt_misc", b"nsfs", b"rpc_pipefs",
    )
]  # fmt: skip
