"""Recordings from strangers: read as far as they are sound, never more memory than they are worth, no traceback."""

import gzip
import resource
import subprocess
import sys
from pathlib import Path

import pytest
import zstandard

from inspector.stream.codec import StreamError, decode, encode
from inspector.stream.recording import Recording

from .samples import story

_MEGABYTES = 500


def _stream() -> bytes:
    return b"".join(map(encode, story()))


@pytest.mark.parametrize("name", ["x.jsonl.gz", "x.jsonl.zst"])
def test_a_bomb_fills_neither_memory_nor_time(tmp_path: Path, name: str) -> None:
    """Some MB that would unpack to 20 GB."""
    packed = tmp_path / name
    pack = gzip.compress if name.endswith("gz") else zstandard.ZstdCompressor().compress
    packed.write_bytes(pack(_stream()) + 1_000 * pack(bytes(20 << 20)))
    program = (
        "import resource, sys\n"
        "from inspector.stream.recording import Recording\n"
        f"recording = Recording({str(packed)!r})\n"
        "print(sum(1 for _ in recording), recording.troubles)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1000)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    told, megabytes = done.stdout.splitlines()
    assert told.startswith(f"{len(story())} ")
    assert "left out" in told or "fold" in told
    assert int(megabytes) < _MEGABYTES


@pytest.mark.longer
def test_one_event_a_million_times_is_no_recording_that_is_worth_its_time(tmp_path: Path) -> None:
    packed, event = tmp_path / "x.jsonl.zst", encode(story()[1])
    packed.write_bytes(zstandard.ZstdCompressor().compress(_stream() + event * ((48 << 20) // len(event))))
    recording = Recording(str(packed))
    assert sum(1 for _ in recording) < (40 << 20) // len(event)
    assert any("fold" in trouble for trouble in recording.troubles)


@pytest.mark.parametrize("line", [b"\n", b" \n", b"x\n"])
def test_lines_without_end_that_tell_nothing_are_not_read_to_the_end(tmp_path: Path, line: bytes) -> None:
    packed = tmp_path / "x.jsonl.gz"
    packed.write_bytes(gzip.compress(_stream() + line * (20 << 20), 1))
    recording = Recording(str(packed))
    assert len(list(recording)) == len(story())
    assert any("the rest is not read: 100,000 lines are empty or damaged" in trouble for trouble in recording.troubles)


@pytest.mark.parametrize(
    "line",
    [
        b"[" * 100_000,
        b'{"event":"vitals","at":1,"x":' + b"[" * 100_000,
        b'{"event":"later-kind","at":1,"x":' + b'{"a":' * 100_000,
        b'{"event":"vitals","at":1' + b"0" * 5000 + b',"pid":1}',
        b'{"event":"vitals","at":1e400,"pid":1}',
        b'{"event":"vitals","at":NaN}',
        b"\xff\xfe\x00",
        b'{"event":"vitals\xed\xa0\x80"}',
    ],
)
def test_an_impossible_line_is_left_out_with_a_word(tmp_path: Path, line: bytes) -> None:
    with pytest.raises(StreamError):
        decode(line)
    path = tmp_path / "x.jsonl"
    first, *rest = [encode(event) for event in story()]
    path.write_bytes(first + line + b"\n" + b"".join(rest))
    recording = Recording(str(path))
    assert len(list(recording)) == len(story())
    assert "1 damaged line(s) left out" in " ".join(recording.troubles)


def test_a_line_without_end_is_left_out_and_what_follows_is_read(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    first, *rest = [encode(event) for event in story()]
    path.write_bytes(first + b"A" * (40 << 20) + b"\n" + b"".join(rest))
    recording = Recording(str(path))
    assert len(list(recording)) == len(story())
    assert "a line of more than 16 MiB is left out" in recording.troubles


def test_a_window_that_asks_for_gigabytes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.zst"
    options = zstandard.ZstdCompressionParameters.from_level(3, window_log=30)
    packer = zstandard.ZstdCompressor(compression_params=options).compressobj()
    path.write_bytes(packer.compress(_stream()) + packer.flush())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    recording = Recording(str(path))
    with pytest.raises(OSError, match="compressed data is damaged"):
        list(recording)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000


@pytest.mark.parametrize("number", ["1" * 400, "-" + "9" * 22, "1e308", "-1.5e300", "2E+77", "90E70"])
def test_a_number_that_no_clock_or_counter_holds_is_a_damaged_event(number: str) -> None:
    line = b'{"event":"vitals","at":1,"pid":1,"cpu":%s,"rss":1,"threads":1}' % number.encode()
    with pytest.raises(StreamError, match="damaged"):
        decode(line)
