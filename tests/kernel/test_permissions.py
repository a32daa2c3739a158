"""What a user may do, as the kernel answers: root, nobody, and nobody with a few capabilities."""

import ctypes
import os
import struct
from collections.abc import Callable

import msgspec
import pytest

from inspector.collect.kernel import perf, permissions, registers
from inspector.collect.kernel.permissions import capabilities, examine, try_probes
from inspector.collect.kernel.registers import OTHER_PROCESSOR
from inspector.collect.kernel.uprobes import MultiLinks
from inspector.stream.session import Capability

_NOBODY = 65534
_PR_SET_DUMPABLE, _PR_SET_KEEPCAPS, _VERSION_3 = 4, 8, 0x20080522  # linux/prctl.h, linux/capability.h
_DAC_READ_SEARCH, _SYS_PTRACE, _PERFMON, _BPF = 2, 19, 38, 39


def as_nobody(tell: Callable[[], list[Capability]], keep: tuple[int, ...] = ()) -> list[Capability]:
    """The answer of a child that gave up root and kept some capabilities."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            _become_nobody(keep)
            os.write(writer, msgspec.json.encode(tell()))
        finally:
            os._exit(0)
    os.close(writer)
    with open(reader, "rb") as answer:
        rows = answer.read()
    os.waitpid(child, 0)
    return msgspec.json.decode(rows, type=list[Capability])


def _become_nobody(keep: tuple[int, ...]) -> None:
    libc = ctypes.CDLL(None)
    libc.prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setgroups([])
    os.setgid(_NOBODY)
    os.setuid(_NOBODY)
    low, high = (sum(1 << each % 32 for each in keep if each // 32 == half) for half in (0, 1))
    libc.capset(struct.pack("<II", _VERSION_3, 0), struct.pack("<6I", low, low, 0, high, high, 0))
    libc.prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0)


def test_each_thing_that_is_lacking_says_why_what_is_lost_and_what_grants_it() -> None:
    for row in examine():
        assert row.how
        assert row.state == "yes" or (row.why and row.lost and row.grant)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
@pytest.mark.parametrize("kprobes", [True, False])
def test_a_kernel_without_kprobes_is_told_to_watch_system_calls_only_while_something_starts(
    monkeypatch: pytest.MonkeyPatch, kprobes: bool
) -> None:
    monkeypatch.setattr(perf, "has_kernel_probes", lambda: kprobes)
    (row,) = (row for row in capabilities(None, try_probes()) if row.name == "open-files")
    assert ("until 5 s after a start" in row.how) is not kprobes


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become nobody")
def test_nobody_may_count_a_little_and_is_told_how_to_get_more() -> None:
    rows = {row.name: row for row in as_nobody(examine)}
    assert rows["count-calls"].state == "partly"
    assert rows["results"].state == rows["lookups"].state == rows["open-files"].state == "no"
    assert rows["environment"].state == "partly"
    assert f"uid {_NOBODY}" in rows["results"].why
    assert rows["results"].grant == "sudo inspector"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become nobody")
def test_what_is_lacking_is_named_and_nothing_that_is_there() -> None:
    (why,) = {row.why for row in as_nobody(examine, keep=(_PERFMON,)) if row.name in ("lookups", "results")}
    assert why.endswith("lacks CAP_BPF")


@pytest.mark.live
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become nobody")
def test_two_capabilities_count_calls_and_two_more_open_other_users_processes() -> None:
    rows = {row.name: row for row in as_nobody(examine, keep=(_PERFMON, _BPF, _SYS_PTRACE))}
    if rows["count-calls"].state != "yes":
        pytest.skip(f"not on this machine: {rows['count-calls'].why}")
    assert rows["lookups"].state in ("yes", "partly") and rows["results"].state == "yes"
    assert (rows["environment"].state, "CAP_DAC_READ_SEARCH" in rows["environment"].why) == ("partly", True)
    told = as_nobody(examine, keep=(_PERFMON, _BPF, _SYS_PTRACE, _DAC_READ_SEARCH))
    assert {row.name: row.state for row in told}["environment"] == "yes"


@pytest.mark.live
def test_root_may_do_everything_where_the_kernel_can() -> None:
    rows = {row.name: row for row in examine()}
    if rows["count-calls"].state != "yes":
        pytest.skip(f"not on this machine: {rows['count-calls'].why}")
    stated = ("does not report first reads", OTHER_PROCESSOR)
    assert {row.state for row in rows.values() if not any(words in row.why for words in stated)} == {"yes"}


def test_where_compiled_code_is_not_unwound_what_is_missing_is_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    def names() -> list[str]:
        return [row.name for row in permissions.capabilities(None, MultiLinks())]

    monkeypatch.setattr(registers, "HERE", registers.X86_64)
    assert "call-stacks" not in names()
    monkeypatch.setattr(registers, "HERE", registers.ARM64)
    assert "call-stacks" in names()
