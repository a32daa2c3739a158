"""Records of refused system calls as events: named, folded, with what they were about."""

import errno
import os
import socket
import struct
import time
from collections.abc import Collection

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.collect.kernel.records import CallSum, Listed, Opened, Record, RefusedCall
from inspector.collect.sources.processes.feed import Feed
from inspector.collect.sources.system_calls.refusals import SINGLY, RefusalsSource, address
from inspector.stream.syscalls import FolderListed, SystemCallRefused, SystemCallsSummed
from tests.sources.fakes import Bench

_PID = os.getpid()


class _Kernel:
    """Says what the test lets it say; takes the place of the engine and of the record source."""

    fd = -1

    def __init__(self) -> None:
        self.sums: list[CallSum] = []
        self.forgotten: list[int] = []

    def follow(self, pid: int) -> bool:
        return True

    def drain(self) -> list[Record]:
        return []

    def call_sums(self) -> list[CallSum]:
        return self.sums

    def forget_call_sums(self, pids: Collection[int]) -> None:
        self.forgotten += pids


class _Scene:
    def __init__(self) -> None:
        self.bench = Bench()
        self.kernel = _Kernel()
        self.feed = Feed(self.kernel, tells_ends=True)
        self.source = RefusalsSource(self.bench.session, self.kernel, self.feed)

    def refuse(self, call: str, number: int, *arguments: int, data: bytes = b"", at: int = 0) -> None:
        padded = (*arguments, *[0] * (6 - len(arguments)))
        self.feed.hand_out([RefusedCall(at or time.monotonic_ns(), _PID, _PID, call, number, padded, data)])

    @property
    def told(self) -> list[SystemCallRefused]:
        return self.bench.sink.of(SystemCallRefused)


def test_a_refusal_is_told_at_its_own_moment_with_numbers_as_the_kernel_takes_them() -> None:
    scene = _Scene()
    scene.refuse("mmap", errno.ENOMEM, 0, 4096, 1 << 40 | 3, 0x22, 0xFFFFFFFF, at=77)
    (event,) = scene.told
    assert (event.at, event.call, event.errno, event.subject) == (77, "mmap", errno.ENOMEM, "")
    assert event.arguments == {"length": 4096, "prot": 3, "flags": 0x22, "fd": -1}


def test_the_subject_of_a_call_on_a_descriptor_is_the_file_behind_it() -> None:
    scene = _Scene()
    fd = os.open("/dev/zero", os.O_RDONLY)
    scene.refuse("ioctl", errno.ENOTTY, fd, 0xC0104652)
    os.close(fd)
    assert scene.told[0].subject == "/dev/zero"
    assert scene.told[0].arguments == {"fd": fd, "request": 0xC0104652}


def test_a_limit_is_named_and_its_wanted_values_are_told() -> None:
    scene = _Scene()
    scene.refuse("prlimit64", errno.EPERM, 0, 8, data=struct.pack("<QQ", 4096, (1 << 64) - 1))
    assert scene.told[0].subject == "RLIMIT_MEMLOCK"
    assert scene.told[0].arguments == {"pid": 0, "soft": 4096, "hard": -1}


def test_what_repeats_is_told_one_by_one_at_first_and_then_in_sums_with_both_moments() -> None:
    scene = _Scene()
    for moment in range(1, SINGLY + 11):
        scene.refuse("connect", errno.ECONNREFUSED, 5, data=b"\1\0/run/x.sock\0", at=moment)
    assert [event.at for event in scene.told] == list(range(1, SINGLY + 1))
    scene.bench.loop.turn()
    last = scene.told[-1]
    assert (last.count, last.since, last.at) == (10, SINGLY + 1, SINGLY + 10)
    assert last.subject == "unix:/run/x.sock"


def test_a_search_through_path_is_told_only_when_it_found_nothing() -> None:
    scene = _Scene()
    process = scene.bench.tree.add(_PID)
    scene.refuse("execve", errno.ENOENT, data=b"/usr/local/bin/tool")
    for observer in scene.bench.tree.observers:
        observer.executed(process)
    assert scene.told == []
    scene.refuse("execve", errno.ENOENT, data=b"/usr/bin/none", at=1)
    scene.bench.loop.turn()
    assert [event.subject for event in scene.told] == ["/usr/bin/none"]
    scene.refuse("execve", errno.ENOEXEC, data=b"/opt/tool")
    assert scene.told[-1].subject == "/opt/tool", "found, and refused by the kernel"


def test_what_every_start_looks_for_in_vain_is_no_refusal() -> None:
    scene = _Scene()
    scene.refuse("access", errno.ENOENT, data=b"/etc/ld.so.preload")
    scene.refuse("newfstatat", errno.ENOENT, data=b"/usr/lib/python3/re/__init__.so")
    scene.refuse("newfstatat", errno.ENOENT, data=b"/usr/lib/python3/re/__init__.abi3.so")
    assert scene.told == []


def test_harmless_failures_are_told_as_sums_when_they_grow_and_forgotten_with_their_process() -> None:
    scene = _Scene()
    scene.bench.tree.add(_PID)
    scene.kernel.sums = [CallSum(_PID, "newfstatat", errno.ENOENT, 72, 1, 9)]
    scene.bench.loop.turn()
    scene.source.close()
    (summed,) = scene.bench.sink.of(SystemCallsSummed)
    assert (summed.sums[0].call, summed.sums[0].count, summed.sums[0].last) == ("newfstatat", 72, 9)
    scene.bench.tree.end(_PID)
    scene.bench.loop.turn()
    assert scene.kernel.forgotten == [_PID]


def test_sums_of_strangers_are_not_told() -> None:
    scene = _Scene()
    scene.kernel.sums = [CallSum(_PID + 1, "newfstatat", errno.ENOENT, 72, 1, 9)]
    scene.refuse("openat", errno.EACCES, data=b"/dev/kfd")
    scene.bench.loop.turn()
    assert scene.bench.sink.of(SystemCallsSummed) == []


def test_the_listing_of_a_library_folder_is_told_with_the_path_of_its_open() -> None:
    scene = _Scene()
    for path, fd in ((b"/usr/lib/wsl/lib", 7), (b"/home/me", 8)):
        scene.feed.hand_out([Opened(1, _PID, _PID, path, 0, os.O_DIRECTORY, fd), Listed(2, _PID, _PID, fd)])
    scene.feed.hand_out([Opened(3, _PID, _PID, b"/etc/hosts", 0, 0, 7), Listed(4, _PID, _PID, 7)])
    assert [(event.path, event.at) for event in scene.bench.sink.of(FolderListed)] == [("/usr/lib/wsl/lib", 2)]


@pytest.mark.parametrize(
    ("family", "text"),
    [
        (struct.pack("<H", socket.AF_UNIX) + b"/run/x.sock\0", "unix:/run/x.sock"),
        (struct.pack("<H", socket.AF_UNIX) + b"\0name", "unix:@name"),
        (struct.pack("<H", socket.AF_INET) + struct.pack(">H", 80) + bytes((127, 0, 0, 1)) + bytes(8), "127.0.0.1:80"),
        (struct.pack("<H", socket.AF_INET6) + struct.pack(">HI", 80, 0) + bytes(15) + b"\1" + bytes(4), "[::1]:80"),
        (struct.pack("<H", socket.AF_NETLINK) + bytes(10), f"family {int(socket.AF_NETLINK)}"),
        (b"", ""),
    ],
)
def test_addresses_are_written_as_people_write_them(family: bytes, text: str) -> None:
    assert address(family) == text


@given(st.binary(max_size=130))
def test_any_bytes_are_an_address_or_say_their_family(raw: bytes) -> None:
    assert "\0" not in address(raw) and "\x1b" not in address(raw)
