"""Bytes of rings and of type data, damaged in all ways: an answer, or a plain word about it."""

import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspector.collect.kernel import perf
from inspector.collect.kernel.btf import BtfError, TypeData
from inspector.collect.kernel.counting import parse_record
from inspector.collect.kernel.decode import Birth, decode
from inspector.collect.kernel.lookup_probes import parse as parse_lookup
from inspector.collect.kernel.membership import HEADER
from inspector.collect.kernel.records import Mapped, Opened
from inspector.collect.kernel.syscall_programs import OPENED_BODY
from inspector.collect.kernel.tree_programs import FORK_BODY, FORKED, OPENED

_BYTES = st.binary(max_size=700)


@settings(max_examples=150)
@given(st.integers(0, 40), _BYTES)
def test_any_bytes_are_a_record_or_none(kind: int, tail: bytes) -> None:
    raw = struct.pack("<I", kind) + tail
    for parse in (decode, parse_lookup, parse_record):
        parse(raw)


@settings(max_examples=100)
@given(st.integers(0, 12), _BYTES)
def test_any_bytes_of_a_perf_ring_are_records_or_none(kind: int, body: bytes) -> None:
    framed = struct.pack("<IHH", kind, 0, 8 + len(body)) + body
    assert all(record is not None for record in perf.parse(framed + body))


@settings(max_examples=100)
@given(st.binary(max_size=400))
def test_any_type_data_is_read_or_refused(tail: bytes) -> None:
    head = struct.pack("<HBBIIIII", 0xEB9F, 1, 0, 24, 0, len(tail) // 2, len(tail) // 2, len(tail))
    with pytest.raises(BtfError):
        TypeData(head + tail).offsets(["task_struct.tgid"])


def test_fields_of_anonymous_inner_structures_count_as_their_owners() -> None:
    names = b"\0outer\0inner\0"
    inner = struct.pack("<III", 0, 4 << 24 | 1, 8) + struct.pack("<III", 7, 0, 32)
    outer = struct.pack("<III", 1, 4 << 24 | 1, 16) + struct.pack("<III", 0, 1, 64)
    types = inner + outer
    head = struct.pack("<HBBIIIII", 0xEB9F, 1, 0, 24, 0, len(types), len(types), len(names))
    assert TypeData(head + types + names).offsets(["outer.inner"]) == {"outer.inner": 12}


@pytest.mark.skipif(not Path("/sys/kernel/btf/vmlinux").exists(), reason="this kernel carries no type data")
def test_a_field_that_the_kernel_lacks_is_named() -> None:
    raw = Path("/sys/kernel/btf/vmlinux").read_bytes()
    assert TypeData(raw).offsets(["task_struct.tgid"])["task_struct.tgid"] > 0
    with pytest.raises(BtfError, match="no_such_field"):
        TypeData(raw).offsets(["task_struct.no_such_field"])


def test_a_birth_carries_its_slot() -> None:
    raw = HEADER.pack(FORKED, 8, 7, 5, 99) + FORK_BODY.pack(3)
    birth = decode(raw)
    assert isinstance(birth, Birth)
    assert (birth.record.pid, birth.record.ppid, birth.slot, birth.at) == (8, 5, 3, 99)


def test_a_path_ends_at_its_zero_byte() -> None:
    raw = HEADER.pack(OPENED, 8, 8, -2, 99) + OPENED_BODY.pack(1, b"/a/\xff\0rest")
    assert decode(raw) == Opened(99, 8, 8, b"/a/\xff", 2, 1)


def test_a_mapping_record_of_perf_keeps_bytes_of_the_path() -> None:
    body = struct.pack("<IIQQQIIQQII", 5, 6, 4096, 8192, 0, 8, 1, 77, 0, 5, 2) + b"/lib/\xc3x.so\0\0\0"
    framed = struct.pack("<IHH", 10, 0, 8 + len(body) + 16) + body + struct.pack("<IIQ", 5, 6, 123)
    assert perf.parse(framed) == [Mapped(123, 5, 6, 4096, 8192, 0, 8, 1, 77, b"/lib/\xc3x.so")]


@pytest.mark.parametrize("folder", ["glibc-hwcaps/x86-64-v3", "tls/haswell/x86_64", "haswell/avx512_1"])
def test_a_build_for_this_processor_that_is_not_there_is_left_out_and_one_that_is_there_is_told(folder: str) -> None:
    path = f"/opt/{folder}/libcuda.so.1".encode()

    def opened(result: int) -> object:
        return decode(HEADER.pack(OPENED, 8, 8, result, 99) + OPENED_BODY.pack(0, path))

    assert opened(-2) is None
    assert opened(-20) is None
    assert opened(-13) == Opened(99, 8, 8, path, 13, 0)
    assert opened(3) == Opened(99, 8, 8, path, 0, 0, 3)


def test_a_folder_that_is_only_called_like_a_processor_is_told() -> None:
    raw = HEADER.pack(OPENED, 8, 8, -2, 99) + OPENED_BODY.pack(0, b"/opt/x86_64/libcuda.so.1")
    assert decode(raw) == Opened(99, 8, 8, b"/opt/x86_64/libcuda.so.1", 2, 0)
