"""Limits, ids and mounts as /proc tells them, and any other bytes in their place."""

import os
import resource

from hypothesis import given
from hypothesis import strategies as st

from inspector.collect.kernel import limits, procfs

_MOUNTS = (
    b"36 35 98:0 / / rw,relatime shared:1 - ext4 /dev/root rw\n"
    b"37 36 0:33 / /srv/no\\040exec rw,nosuid,noexec master:1 - tmpfs tmpfs rw\n"
    b"38 36 0:34 / /proc rw,noexec - proc proc rw\n"
    b"39 36 cut off\n"
)


def test_own_limits_are_those_that_getrlimit_tells() -> None:
    told = {row.name: (row.soft, row.hard) for row in limits.limits(os.getpid())}
    for name in ("RLIMIT_NOFILE", "RLIMIT_MEMLOCK", "RLIMIT_AS", "RLIMIT_NPROC"):
        wanted = resource.getrlimit(getattr(resource, name))
        assert told[name] == tuple(None if value == resource.RLIM_INFINITY else value for value in wanted)


def test_own_ids_and_groups_are_those_that_the_system_calls_tell() -> None:
    found = limits.rights(procfs.status(os.getpid()))
    assert (found.uid, found.gid) == (os.geteuid(), os.getegid())
    assert sorted(found.groups) == sorted(os.getgroups())
    assert found.seccomp in ("none", "filter")


def test_a_mount_without_execution_is_found_and_kernel_file_systems_are_not() -> None:
    assert limits.parse_unexecutable(_MOUNTS) == [b"/srv/no exec"]


@given(st.binary(max_size=300))
def test_any_bytes_are_limits_mounts_and_rights_or_none(raw: bytes) -> None:
    limits.parse_limits(raw)
    limits.parse_limits(b"Max open files            " + raw)
    limits.parse_unexecutable(raw)
    limits.rights(dict.fromkeys((b"Uid", b"Gid", b"Groups", b"Seccomp", b"NoNewPrivs", b"CapEff"), raw))
