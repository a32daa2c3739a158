"""What the kernel tells of system calls that it refuses, by each means that this kernel has."""

import struct
import sys
from pathlib import Path

import pytest

from inspector.collect.kernel.engine import Engine
from inspector.collect.kernel.records import Listed, Opened, RefusedCall, Written
from inspector.collect.kernel.system_calls import BY_NUMBER, CALLS

from .observed import of, run

pytestmark = pytest.mark.live

_PROGRAM = """
import ctypes, fcntl, os, resource, socket
def refused(call, *arguments):
    try: call(*arguments)
    except OSError: pass
refused(os.stat, '/dev/nvidia77')
for number in range(50): refused(os.stat, f'/nowhere/{number}')
refused(os.stat, '/opt/folder-with-a-long-name/libnvidia-none.so.1')
refused(os.stat, '/opt/l.so')
os.access('/dev/kfd77', os.R_OK)
refused(fcntl.ioctl, 0, 0xC0104652, bytes(16))
os.isatty(0)
refused(socket.socket(socket.AF_UNIX).connect, '/run/nowhere.sock')
busy = socket.socket(); busy.setblocking(False); refused(busy.connect, ('127.0.0.1', 1))
refused(socket.socket, 77)
ctypes.CDLL(None).mmap(None, ctypes.c_size_t(1 << 62), 3, 0x22, -1, 0)
refused(os.execv, '/no/such/tool', ['tool'])
refused(os.memfd_create, 'made', 0xF0000000)
ctypes.CDLL(None).prlimit(0, resource.RLIMIT_MEMLOCK, ctypes.byref((ctypes.c_uint64 * 2)(2, 1)), None)
os.listdir('/usr/lib')
"""


@pytest.fixture(params=["tracepoint", "better"])
def watching(engine: Engine, request: pytest.FixtureRequest) -> Engine:
    """An engine with the means that it begins with, and with the best that the kernel has."""
    if request.param == "better":
        engine.system_calls.improve()
    return engine


def test_each_kind_of_refusal_is_told_with_its_errno_and_what_it_was_about(watching: Engine) -> None:
    pid, records = run(watching, sys.executable, "-S", "-c", _PROGRAM)
    told = [record for record in of(RefusedCall, records) if record.pid == pid]
    seen = {(record.call, record.errno, record.data) for record in told}
    assert ("newfstatat", 2, b"/dev/nvidia77") in seen
    assert ("newfstatat", 2, b"/opt/folder-with-a-long-name/libnvidia-none.so.1") in seen
    assert ("newfstatat", 2, b"/opt/l.so") in seen
    assert ("execve", 2, b"/no/such/tool") in seen
    assert ("memfd_create", 22, b"made") in seen
    assert ("prlimit64", 22, struct.pack("<QQ", 2, 1)) in seen
    assert any(
        (record.call, record.data) in (("access", b"/dev/kfd77"), ("faccessat2", b"/dev/kfd77")) for record in told
    )
    assert any(record.call == "connect" and record.data[2:].startswith(b"/run/nowhere.sock") for record in told)
    (ioctl,) = (record for record in told if record.call == "ioctl")
    assert (ioctl.arguments[1] & 0xFFFFFFFF, ioctl.errno) == (0xC0104652, 25)
    assert [(record.arguments[0], record.errno) for record in told if record.call == "socket"] == [(77, 97)]
    assert any(record.call == "mmap" and record.arguments[1] == 1 << 62 and record.errno == 12 for record in told)


def test_what_programs_look_for_in_vain_is_only_counted(watching: Engine) -> None:
    pid, records = run(watching, sys.executable, "-S", "-c", _PROGRAM)
    assert not any(record.data.startswith(b"/nowhere/") for record in of(RefusedCall, records))
    sums = {(row.call, row.errno): row for row in watching.call_sums() if row.pid == pid}
    missing = sums["newfstatat", 2]
    assert missing.count >= 50 and missing.first < missing.last
    assert sums["ioctl", 25].count >= 1, "asking whether a file is a terminal"
    watching.forget_call_sums([pid])
    assert not [row for row in watching.call_sums() if row.pid == pid]


def test_a_folder_that_is_listed_to_its_end_is_told_with_the_descriptor_that_its_open_got(watching: Engine) -> None:
    _, records = run(watching, sys.executable, "-S", "-c", _PROGRAM)
    opened = {record.path: record.fd for record in of(Opened, records)}
    assert opened[b"/usr/lib"] in {record.fd for record in of(Listed, records)}


def test_opens_and_writes_are_told_by_the_better_means_too(engine: Engine) -> None:
    engine.system_calls.improve()
    _, records = run(engine, "sh", "-c", "cat /nowhere/at-all; echo word")
    opens = {record.path: (record.errno, record.fd) for record in of(Opened, records)}
    assert opens[b"/nowhere/at-all"] == (2, -1)
    assert any(record.sample == b"word\n" for record in of(Written, records))
    paths = [record.path for record in of(Opened, records)]
    assert paths.count(b"/nowhere/at-all") == 1, "once, whatever was on"


def test_nothing_is_told_while_the_tracepoint_rests_and_all_of_it_afterwards(engine: Engine) -> None:
    engine.system_calls.suspend()
    assert not engine.system_calls.on
    _, records = run(engine, "cat", "/nowhere/one")
    assert of(Opened, records) == []
    engine.system_calls.resume()
    _, records = run(engine, "cat", "/nowhere/two")
    assert b"/nowhere/two" in {record.path for record in of(Opened, records)}


@pytest.mark.skipif(
    not Path("/sys/bus/event_source/devices/kprobe/type").exists(), reason="this kernel is built without kprobes"
)
def test_return_probes_of_the_kernel_take_over_where_there_is_no_fexit(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> None:
        raise OSError("as a kernel without trampolines says")

    monkeypatch.setattr(engine.system_calls, "_function_exits", refuse)
    engine.system_calls.improve()
    assert engine.system_calls.means == "kretprobe"
    _, records = run(engine, sys.executable, "-S", "-c", _PROGRAM)
    assert {"newfstatat", "ioctl", "connect", "execve"} <= {record.call for record in of(RefusedCall, records)}
    assert b"/usr/lib" in {record.path for record in of(Opened, records)}


def test_calls_are_named_and_numbered_once() -> None:
    assert len(BY_NUMBER) == len(CALLS) == len({call.name for call in CALLS})
