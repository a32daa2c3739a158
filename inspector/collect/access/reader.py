"""As whom a file is opened: a thread of ours takes on a process's ids for one system call (credentials(7)).

The kernel then decides as it would for the process itself: mode bits, access control lists, security modules, folders
above. Ids for files (setfsuid(2), setfsgid(2)), groups and capabilities belong to a thread, so other threads go on as
they were; the library's setgroups would change them all, so the system call is made directly.
"""

import ctypes
import os
import platform
import re
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import msgspec

_LIBC = ctypes.CDLL(None, use_errno=True)
_SETGROUPS = {"x86_64": 116, "aarch64": 159}.get(platform.machine())
"""arch/x86/entry/syscalls/syscall_64.tbl, include/uapi/asm-generic/unistd.h."""
_CAPABILITY_VERSION_3 = 0x20080522
_OVERRIDES = 1 << 1 | 1 << 2
"""CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH of linux/capability.h: either reads every file."""
_IDS = re.compile(rb"^(Uid|Gid|Groups|CapEff):(.*)$", re.MULTILINE)
NO_GROUP = 65534
"""nogroup: what owns no file."""
_NOBODY_ELSE = (1 << 32) - 1
"""No id: setfsuid(2) answers the one that is set and changes nothing."""


class Reader(msgspec.Struct, frozen=True):
    """The ids with which a process opens files."""

    uid: int
    gid: int
    groups: tuple[int, ...] = ()
    overrides: bool = False
    """It reads every file, whatever its mode says."""


@cache
def own() -> Reader:
    """We ourselves."""
    return parse_status(_read("/proc/thread-self/status"), same_user_namespace=True)


@cache
def _own_namespace() -> str:
    return os.readlink("/proc/self/ns/user")


def reader_of(pid: int) -> Reader:
    """As whom a process opens files; ProcessLookupError when it is gone."""
    try:
        status = _read(f"/proc/{pid}/status")
        same = os.readlink(f"/proc/{pid}/ns/user") == _own_namespace()
    except FileNotFoundError:
        raise ProcessLookupError(pid) from None
    return parse_status(status, same)


def parse_status(raw: bytes, same_user_namespace: bool) -> Reader:
    """From /proc/PID/status; root of a user namespace below ours overrides nothing that is ours."""
    words = {match[1]: match[2].split() for match in _IDS.finditer(raw)}
    return Reader(
        uid=int(words[b"Uid"][3]),
        gid=int(words[b"Gid"][3]),
        groups=tuple(sorted(map(int, words.get(b"Groups", [])))),
        overrides=same_user_namespace and bool(int(words[b"CapEff"][0], 16) & _OVERRIDES),
    )


@contextmanager
def reading_as(reader: Reader) -> Iterator[bool]:
    """Within it this thread opens files with the ids of a reader; False when we may not take them on."""
    ours = own()
    if reader == ours or (reader.overrides and ours.overrides):
        yield True
        return
    held = _capabilities()
    try:
        yield _take_on(reader, held)
    finally:
        _put_back(ours, held)


def _take_on(reader: Reader, held: bytes) -> bool:
    """Groups first: they need the capability that the other user has not."""
    if not _set_groups(reader.groups):
        return False
    _LIBC.setfsgid(reader.gid)
    _LIBC.setfsuid(reader.uid)
    if not reader.overrides:
        _set_capabilities(held, _OVERRIDES)
    taken = (_LIBC.setfsuid(_NOBODY_ELSE), _LIBC.setfsgid(_NOBODY_ELSE))
    return taken == (reader.uid, reader.gid)


def _put_back(ours: Reader, held: bytes) -> None:
    _LIBC.setfsuid(ours.uid)
    _LIBC.setfsgid(ours.gid)
    _set_capabilities(held, 0)
    _set_groups(ours.groups)


def _set_groups(groups: tuple[int, ...]) -> bool:
    if _SETGROUPS is None:
        return False
    array = (ctypes.c_uint32 * len(groups))(*groups)
    return bool(_LIBC.syscall(_SETGROUPS, len(groups), array) == 0)


def _capabilities() -> bytes:
    """This thread's capability sets as capget(2) gives them: effective, permitted, inheritable, low words first."""
    record = ctypes.create_string_buffer(24)
    _LIBC.capget(struct.pack("<Ii", _CAPABILITY_VERSION_3, 0), record)
    return record.raw


def _set_capabilities(held: bytes, without: int) -> None:
    effective = struct.unpack_from("<I", held)[0] & ~without
    _LIBC.capset(struct.pack("<Ii", _CAPABILITY_VERSION_3, 0), struct.pack("<I", effective) + held[4:])


def _read(path: str) -> bytes:
    with open(path, "rb", buffering=0) as file:
        return file.read(1 << 16)
