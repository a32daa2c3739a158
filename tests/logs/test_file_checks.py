"""What is told of a log file: its birth, whether it is text, why it cannot be read."""

import os
from pathlib import Path

import pytest

from inspector.collect.access.opening import open_regular
from inspector.collect.logs.file_checks import born, looks_binary, refusal
from inspector.collect.logs.rotated_files import rotated_names
from inspector.stream.logs import ENDED_BEFORE


def test_a_new_file_tells_when_it_was_born(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.touch()
    fd = open_regular(os.fsencode(path))
    birth = born(fd)
    os.close(fd)
    assert birth is None or abs(birth - path.stat().st_ctime_ns) < 10**9


@pytest.mark.parametrize(
    ("sample", "binary"),
    [
        (b"", False),
        (b"time=2026 level=INFO\n", False),
        ("größe: 12 µs 漢字\n".encode(), False),
        (b"\x1b[32mgreen\x1b[0m\n", False),
        (b"a line with one \0 NUL\n", False),
        (b"\0" * 100 + b"x", True),
        (b"\x7fELF\x02\x01\x01" + bytes(range(1, 32)), True),
        (b"SQLite format 3\0\x10\0\x01\x01\0@  \0\0\0\x02\0\0\0\x05" + b"\0" * 60, True),
        (bytes(range(256)) * 16, True),
        (b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41", True),
        (bytes(range(0x80, 0x100)) * 8 + b"x" * 512, True),
        ("Ошибка устройства\n".encode() * 20 + b"\xd0", False),
    ],
)
def test_text_is_told_from_binary_data(sample: bytes, binary: bool) -> None:
    assert looks_binary(sample) is binary


def test_a_refusal_names_owner_and_mode(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.touch(mode=0o600)
    words = refusal(os.fsencode(path), PermissionError(13, "Permission denied"))
    assert "-rw-------" in words
    assert "owner" in words
    assert refusal(b"/nowhere", FileNotFoundError(2, "No such file or directory")) == "no such file or directory"
    assert refusal(b"/proc/9/root/x", ProcessLookupError(9)) == ENDED_BEFORE
    assert "directory above it" in refusal(b"/nowhere/x", PermissionError(13, "Permission denied"))


@pytest.mark.parametrize(
    ("name", "rotated", "yes"),
    [
        (b"server.log", b"server.log.1", True),
        (b"server.log", b"server.log-20260102", True),
        (b"server.log", b"server-2026-01-02T10-00-00.000.log", True),
        (b"server.log", b"server-1.log", True),
        (b"server.log", b"server.log.old", True),
        (b"server.log", b"server.log.1.gz", False),
        (b"server.log", b"server-access.log", False),
        (b"syslog", b"syslog.2", True),
        (b"syslog", b"syslog.conf", False),
        (b"a+b.log", b"aab.log", False),
    ],
)
def test_rotated_names_are_known_by_their_shape(name: bytes, rotated: bytes, yes: bool) -> None:
    assert (rotated_names(name).fullmatch(rotated) is not None) is yes
