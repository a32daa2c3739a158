"""What stands in the way is named for what it is, in processes that it really stands in the way of."""

import ctypes
import errno
import os
import struct
import subprocess
import sys
from functools import partial
from pathlib import Path

import msgspec
import pytest

from inspector.stream.session import Capability

pytestmark = [pytest.mark.live, pytest.mark.skipif(os.geteuid() != 0, reason="needs root to be held back")]
_EXAMINE = (
    "import msgspec, sys; from inspector.collect.kernel.permissions import examine;"
    "sys.stdout.buffer.write(msgspec.json.encode(examine()))"
)
_TREE = Path(__file__).parents[2]
_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 38, 22, 2  # linux/prctl.h, linux/seccomp.h
_LOAD_NUMBER, _JUMP_IF_EQUAL, _RETURN, _ALLOW, _ERRNO = 0x20, 0x15, 0x06, 0x7FFF0000, 0x00050000
"""Classic BPF (linux/filter.h) and what it returns: SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO."""
_BPF, _PERF_EVENT_OPEN = 321, 298


def examined(*before: str, refused_with: int = 0) -> dict[str, Capability]:
    """Rows of the doctor in a process that was started by the words of `before`, or under a seccomp filter."""
    command = [*before, sys.executable, "-c", _EXAMINE]
    hold = partial(_refuse_bpf, refused_with) if refused_with else None
    done = subprocess.run(command, capture_output=True, check=True, cwd=_TREE, preexec_fn=hold)
    return {row.name: row for row in msgspec.json.decode(done.stdout, type=list[Capability])}


def _refuse_bpf(number: int) -> None:
    rows = [(_LOAD_NUMBER, 0, 0, 0), (_JUMP_IF_EQUAL, 1, 0, _BPF), (_JUMP_IF_EQUAL, 0, 1, _PERF_EVENT_OPEN)]
    rows += [(_RETURN, 0, 0, _ERRNO | number), (_RETURN, 0, 0, _ALLOW)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("<HBBI", *row) for row in rows))
    libc = ctypes.CDLL(None)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    program = struct.pack("<HxxxxxxQ", len(rows), ctypes.addressof(code))
    assert libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, program) == 0


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOSYS])
def test_a_seccomp_filter_is_named_with_the_option_that_lifts_it(number: int) -> None:
    row = examined(refused_with=number)["lookups"]
    assert row.state == "no" and "seccomp filter" in row.why
    assert row.grant == "docker run --security-opt seccomp=unconfined ..."


def test_a_pid_name_space_is_named_and_everything_that_is_lost_by_it() -> None:
    rows = examined("unshare", "--pid", "--fork", "--mount-proc")
    for name in ("process-births", "lookups", "count-calls", "results", "open-files"):
        assert rows[name].state != "yes" and "PID namespace" in rows[name].why, name
        assert "--pid=host" in rows[name].grant


def test_a_user_name_space_is_named_although_its_root_holds_all_capabilities() -> None:
    row = examined("unshare", "--user", "--map-root-user")["process-births"]
    assert "user namespace" in row.why and "sudo" not in row.grant


def test_a_kernel_without_type_data_loses_births_and_all_that_builds_on_them() -> None:
    rows = examined("unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /sys/kernel/btf && exec "$@"', "sh")
    for name in ("process-births", "lookups", "results"):
        assert rows[name].state != "yes" and "type data" in rows[name].why, name
        assert "CONFIG_DEBUG_INFO_BTF" in rows[name].grant


def test_hidden_processes_are_named() -> None:
    nobody = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
    script = 'mount -t proc -o hidepid=2 proc /proc && exec "$@"'
    rows = examined("unshare", "--mount", "sh", "-c", script, "sh", *nobody)
    assert "hidepid=" in rows["environment"].why


def test_root_is_not_told_to_become_root() -> None:
    for before in (["unshare", "--pid", "--fork", "--mount-proc"], ["unshare", "--user", "--map-root-user"], []):
        assert not any("sudo inspector" in row.grant for row in examined(*before).values())
