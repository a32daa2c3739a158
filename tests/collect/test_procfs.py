"""/proc as plain values: every parser takes any bytes, and what it reads of ourselves is true."""

import os
import struct
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspector.collect.kernel import cgroup, filecaps, procfs, syscalls
from inspector.collect.kernel.memory import Memory
from inspector.collect.kernel.pidfd import ExitWatch, zombie_status

STAT = (
    b"42 (a) b (c) S 7 42 42 0 -1 4194304 1 0 0 0 30 12 0 0 20 0 3 0 500 1000 250 18446744073709551615 1 2 140000 0\n"
)


def test_a_name_with_parentheses_and_spaces_does_not_shift_the_fields() -> None:
    stat = procfs.parse_stat(STAT)
    assert (stat.pid, stat.comm, stat.state, stat.ppid, stat.threads) == (42, b"a) b (c", "S", 7, 3)
    assert (stat.cpu_ticks, stat.start_ticks, stat.rss, stat.stack) == (42, 500, 250 * procfs.PAGE, 140000)


def test_our_own_birth_lies_in_the_past_and_on_the_monotonic_clock() -> None:
    assert 0 < procfs.stat(os.getpid()).started <= time.monotonic_ns()


def test_our_own_facts_are_read() -> None:
    me = os.getpid()
    assert procfs.environment(me).get(b"PATH") == os.environb.get(b"PATH")
    assert b"python" in procfs.argv(me)[0]
    assert procfs.auxiliary(me)[procfs.AT_SECURE] == 0
    assert me in procfs.pids()
    assert any(line.executable and line.inode for line in procfs.executable_maps(me))


def test_a_process_that_is_gone_is_a_process_lookup_error() -> None:
    with pytest.raises(ProcessLookupError):
        procfs.stat(2**22 - 1)


@pytest.mark.parametrize(
    ("raw", "path", "deleted"),
    [
        (b"7f00-8f00 r-xp 00001000 fe:01 77   /usr/lib/a b.so", b"/usr/lib/a b.so", False),
        (b"7f00-8f00 r-xp 00001000 fe:01 77   /usr/lib/a.so (deleted)", b"/usr/lib/a.so", True),
        (b"7f00-8f00 r-xp 00001000 fe:01 77   /tmp/a\\012b", b"/tmp/a\nb", False),
        (b"7f00-8f00 rw-p 00000000 00:00 0 ", b"", False),
    ],
)
def test_a_line_of_maps_is_read(raw: bytes, path: bytes, deleted: bool) -> None:
    line = procfs.parse_map_line(raw)
    assert line is not None
    assert (line.start, line.end, line.path, line.deleted) == (0x7F00, 0x8F00, path, deleted)
    assert line.executable == (b"r-xp" in raw)


def test_identities_of_maps_and_stat_agree() -> None:
    line = next(line for line in procfs.executable_maps(os.getpid()) if line.path.endswith(b"libc.so.6"))
    assert line.file == procfs.stat_key(Path(os.fsdecode(line.path)).stat())


def test_environment_keeps_the_first_of_equal_keys_and_drops_what_is_none() -> None:
    assert procfs.parse_environment(b"A=1\0A=2\0=x\0nothing\0B=\0\0") == {b"A": b"1", b"B": b""}


def test_an_overwritten_argument_list_loses_its_padding_only() -> None:
    assert procfs.split_strings(b"nginx: master\0\0\0\0") == [b"nginx: master"]
    assert procfs.split_strings(b"a\0\0b\0") == [b"a", b"", b"b"]
    assert procfs.split_strings(b"") == []


def test_the_auxiliary_vector_is_read_in_both_widths() -> None:
    wide = struct.pack("<6Q", 23, 1, 9, 0x400000, 0, 0)
    narrow = struct.pack("<6I", 23, 1, 9, 0x8048000, 0, 0)
    assert procfs.parse_auxiliary(wide) == {23: 1, 9: 0x400000}
    assert procfs.parse_auxiliary(narrow) == {23: 1, 9: 0x8048000}


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        (b"0::/system.slice/ollama.service\n", "/system.slice/ollama.service"),
        (b"4:cpu:/\n1:name=systemd:/system.slice/a.service\n0::/\n", "/system.slice/a.service"),
        (b"4:cpu:/docker/0123456789abcdef\n1:name=systemd:/\n0::/\n", "/docker/0123456789abcdef"),
        (b"", "/"),
    ],
)
def test_the_most_telling_control_group_is_chosen(raw: bytes, path: str) -> None:
    assert procfs.parse_cgroup(raw) == path


ID = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("path", "unit", "container"),
    [
        ("/system.slice/ollama.service", "ollama.service", None),
        ("/user.slice/user-0.slice/user@0.service/app.slice/x.service", "x.service", None),
        (f"/system.slice/docker-{ID}.scope", None, ID),
        (f"/docker/{ID}", None, ID),
        (f"/machine.slice/libpod-{ID}.scope/container", None, ID),
        (f"/kubepods.slice/kubepods-pod1.slice/cri-containerd-{ID}.scope", None, ID),
        (f"/kubepods/burstable/pod0a1b/{ID}", None, ID),
        (f"/system.slice/containerd.service/kubepods-pod1:cri-containerd:{ID}", "containerd.service", ID),
        ("/lxc.payload.web/system.slice/a.service", "a.service", "web"),
        ("/machine.slice/machine-deb.scope", None, "deb"),
        ("/machine.slice/systemd-nspawn@deb.service/payload", "systemd-nspawn@deb.service", "deb"),
        (f"/libpod_parent/libpod-{ID}", None, ID),
        (f"/libpod_parent/libpod-{ID}/container", None, ID),
        (f"/machine.slice/libpod-conmon-{ID}.scope", None, None),
        (f"/user.slice/user-7.slice/user@7.service/user.slice/libpod-{ID}.scope/container", "user@7.service", ID),
        (f"/user.slice/user-7.slice/user@7.service/user.slice/nerdctl-{ID}.scope", "user@7.service", ID),
        (
            f"/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod1.slice/crio-{ID}.scope/container",
            None,
            ID,
        ),
        (f"/default/{ID}", None, ID),
        ("/system.slice/snap.ollama.listener.service", "snap.ollama.listener.service", None),
        ("/user.slice/user-0.slice/session-1.scope", None, None),
        ("/", None, None),
    ],
)
def test_units_and_containers_are_read_from_the_control_group(
    path: str, unit: str | None, container: str | None
) -> None:
    assert (cgroup.unit_of(path), cgroup.container_of(path)) == (unit, container)


def test_a_container_in_a_container_is_the_inner_one_and_both_are_told() -> None:
    outer = "f" * 64
    for path in (
        f"/docker/{outer}/kubelet.slice/kubelet-kubepods.slice/cri-containerd-{ID}.scope",
        f"/system.slice/docker-{outer}.scope/docker/{ID}",
    ):
        assert cgroup.containers_of(path) == [outer, ID]
        assert cgroup.container_of(path) == ID


def test_file_capabilities_have_names() -> None:
    raw = struct.pack("<IIIII", 0x02000001, 1 << 12 | 1 << 19, 0, 1 << (38 - 32), 0)
    assert filecaps.parse(raw) == "cap_net_admin,cap_sys_ptrace,cap_perfmon"
    assert filecaps.parse(b"") == filecaps.read(b"/nowhere") == ""


def test_system_calls_have_names() -> None:
    assert (syscalls.name_of(202), syscalls.name_of(9999)) == ("futex", "syscall 9999")


def test_memory_is_read_exactly_or_not_at_all() -> None:
    text = b"in memory\0"
    address = id(text) + bytes.__basicsize__ - 1
    with Memory(os.getpid()) as memory:
        assert memory.read(address, len(text)) == text
        assert memory.text(address) == text[:-1]
        assert memory.word(address) == int.from_bytes(text[:8], "little")
        for nowhere in (0, 2**64 - 8, -1):
            with pytest.raises(OSError):
                memory.read(nowhere, 8)
    memory.close()


def test_the_exit_status_of_any_process_is_known_by_its_descriptor() -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(7)
    watch = ExitWatch(pid)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert zombie_status(pid) == watch.status() == 7 << 8
    os.waitpid(pid, 0)
    assert zombie_status(pid) is None
    watch.close()
    watch.close()


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300))
def test_no_bytes_break_the_parsers_of_foreign_text(raw: bytes) -> None:
    line = procfs.parse_map_line(raw)
    assert line is None or line.start >= 0
    assert all(isinstance(key, bytes) for key in procfs.parse_environment(raw))
    assert all(isinstance(kind, int) for kind in procfs.parse_auxiliary(raw))
    assert isinstance(procfs.parse_cgroup(raw), str)
    assert isinstance(procfs.split_strings(raw), list)
    assert isinstance(filecaps.parse(raw), str)


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=200))
def test_no_control_group_breaks_its_readers(path: str) -> None:
    unit = cgroup.unit_of(path)
    assert unit is None or unit in path
    container = cgroup.container_of(path)
    assert container is None or container in path
