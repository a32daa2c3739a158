"""Recordings are written privately and read as far as they go."""

import io
import os
import stat
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspector.stream.codec import encode
from inspector.stream.recording import Recording, RecordingError, RecordingWriter

from .samples import lines, started, story

ENDINGS = [".jsonl", ".gz", ".zst"]


def write(path: Path, times: int = 1) -> Path:
    writer = RecordingWriter(str(path))
    for line in lines(story()) * times:
        writer.write(line)
    writer.close()
    return path


@pytest.mark.parametrize("ending", ENDINGS)
def test_what_was_written_is_read_again_without_trouble(tmp_path: Path, ending: str) -> None:
    recording = Recording(str(write(tmp_path / f"r{ending}")))
    assert list(recording) == story()
    assert recording.troubles == []


@pytest.mark.parametrize("ending", ENDINGS)
def test_only_its_owner_may_read_a_recording(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"r{ending}"
    path.write_bytes(b"old")
    path.chmod(0o666)
    assert stat.S_IMODE(write(path).stat().st_mode) == 0o600


def test_a_recording_is_never_written_through_a_symbolic_link(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (tmp_path / "link").symlink_to(victim)
    with pytest.raises(RecordingError, match="symbolic link"):
        RecordingWriter(str(tmp_path / "link"))
    assert victim.read_text() == "mine"


def test_a_file_with_a_second_name_is_not_written(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    os.link(victim, tmp_path / "other")
    with pytest.raises(RecordingError, match="2 names"):
        RecordingWriter(str(tmp_path / "other"))
    assert victim.read_text() == "mine"


def test_a_folder_that_is_not_there_is_said_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="cannot be written: no such file"):
        RecordingWriter(str(tmp_path / "none" / "r.jsonl"))
    with pytest.raises(RecordingError, match="cannot be read: no such file"):
        list(Recording(str(tmp_path / "none")))
    with pytest.raises(RecordingError, match="directory"):
        list(Recording(str(tmp_path)))


@pytest.mark.parametrize("ending", [".gz", ".zst"])
def test_a_cut_compressed_recording_gives_its_beginning_and_says_so(tmp_path: Path, ending: str) -> None:
    path = write(tmp_path / f"r{ending}", times=2000)
    path.write_bytes(path.read_bytes()[:-100])
    recording = Recording(str(path))
    events = list(recording)
    assert 0 < len(events) < 18_000 and events == (story() * 2000)[: len(events)]
    assert any("ends early" in trouble for trouble in recording.troubles)


def test_a_torn_last_line_is_left_out_and_said(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    path.write_bytes(b"".join(lines(story()))[:-20])
    recording = Recording(str(path))
    assert list(recording) == story()[:-1]
    assert "line 9, the last one, is cut off" in recording.troubles[0]


def test_a_recording_without_an_end_says_that_it_was_stopped_hard(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    path.write_bytes(b"".join(lines(story()[:-1])))
    recording = Recording(str(path))
    assert len(list(recording)) == 8
    assert recording.troubles == ["it has no end: the recorder or the collector was killed"]


def test_damaged_lines_in_the_middle_are_left_out_counted_and_the_first_is_named(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    written = lines(story())
    path.write_bytes(b"".join([*written[:2], b"\x00\xff{{\n", b'{"event":"vitals","at":"x"}\n', *written[2:]]))
    recording = Recording(str(path))
    assert list(recording) == story()
    assert recording.troubles[0].startswith("2 damaged line(s) left out; the first: line 3")


def test_events_of_a_later_version_are_left_out_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    written = lines(story())
    path.write_bytes(b"".join([*written[:1], b'{"event":"dreamt","at":5,"of":"sheep"}\n', *written[1:]]))
    recording = Recording(str(path))
    assert list(recording) == story()
    assert recording.troubles == ["1 event(s) of kinds that this version does not know left out"]


def test_a_newer_schema_stops_the_reading_with_advice(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    path.write_bytes(encode(started(schema=99)) + b"".join(lines(story()[1:])))
    recording = Recording(str(path))
    assert len(list(recording)) == 1
    assert "update shim-inspector" in recording.troubles[0]


@pytest.mark.parametrize("content", [b"\x7fELF\x02\x01\x01", b"hello\n", b"[1,2]\n", b"{}\n", b"", b"\n\n"])
def test_a_file_that_is_no_recording_is_refused_with_a_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "r"
    path.write_bytes(content)
    with pytest.raises(RecordingError, match="inspector recording"):
        list(Recording(str(path)))


def test_compression_is_told_by_content_not_by_name(tmp_path: Path) -> None:
    path = write(tmp_path / "r.zst").rename(tmp_path / "r.txt")
    assert list(Recording(str(path))) == story()


def test_two_compressed_parts_in_one_file_are_both_read(tmp_path: Path) -> None:
    path = write(tmp_path / "r.gz")
    path.write_bytes(path.read_bytes() * 2)
    assert list(Recording(str(path))) == story() * 2


def test_stdin_and_stdout_are_named_by_a_dash(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.TextIOWrapper(io.BytesIO())
    monkeypatch.setattr(sys, "stdout", out)
    writer = RecordingWriter("-")
    for line in lines(story()):
        writer.write(line)
    writer.close()
    out.buffer.seek(0)
    monkeypatch.setattr(sys, "stdin", out)
    assert list(Recording("-")) == story()


@settings(max_examples=150, deadline=None)
@given(content=st.binary(max_size=400), prefix=st.sampled_from([b"", b"\x1f\x8b\x08\x00", b"\x28\xb5\x2f\xfd\x00"]))
def test_any_bytes_give_events_or_a_sentence_and_never_a_traceback(content: bytes, prefix: bytes) -> None:
    with tempfile.NamedTemporaryFile() as file:
        file.write(prefix + content)
        file.flush()
        recording = Recording(file.name)
        try:
            events = list(recording)
        except RecordingError as error:
            assert "inspector recording" in str(error)
        else:
            assert events or recording.troubles


@settings(max_examples=60, deadline=None)
@given(cut=st.integers(0, 2000), flip=st.integers(0, 2000), ending=st.sampled_from(ENDINGS))
def test_a_cut_and_damaged_recording_never_gives_a_traceback(cut: int, flip: int, ending: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder) / f"r{ending}")
        content = bytearray(path.read_bytes())
        content[flip % len(content)] ^= 0x55
        path.write_bytes(content[: max(1, cut % (len(content) + 1))])
        recording = Recording(str(path))
        try:
            events = list(recording)
        except RecordingError as error:
            assert "inspector recording" in str(error)
        else:
            assert all(event in story() or recording.troubles or events for event in events)
