"""Records of the programs that wake the reacting threads are untrusted bytes."""

from hypothesis import given
from hypothesis import strategies as st

from inspector.collect.kernel.early_programs import BEGAN, READ, READ_BODY, Began, FirstRead, parse
from inspector.collect.kernel.membership import HEADER


@given(st.binary(max_size=200))
def test_any_bytes_are_a_record_or_none(raw: bytes) -> None:
    parse(raw)


def test_a_program_that_begins_is_a_member_or_one_that_is_waited_for() -> None:
    assert parse(HEADER.pack(BEGAN, 7, 8, 0, 99)) == Began(99, 7, member=True)
    assert parse(HEADER.pack(BEGAN, 7, 8, 1, 99)) == Began(99, 7, member=False)


def test_only_a_read_tells_its_descriptor() -> None:
    key = bytes(range(16))
    read, other = (READ_BODY.pack(key, 5, call, b"libx.so\0rubbish") for call in (0, 9))
    head = HEADER.pack(READ, 7, 8, 0, 99)
    assert parse(head + read) == FirstRead(99, 7, key, 5, b"libx.so")
    assert parse(head + other) == FirstRead(99, 7, key, None, b"libx.so")
