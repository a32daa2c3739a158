"""Commands on recordings and reports: nothing runs, so everything is the same on every machine."""

import errno
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import jsonschema
import pytest

from inspector.cli import main
from inspector.report.formats import render
from inspector.stream.base import Event
from inspector.stream.calls import CallCount, CallsCounted, FunctionsWatched, WatchedFunction
from inspector.stream.codec import encode
from inspector.stream.libraries import LibraryMapped
from inspector.stream.processes import ProcessEnded, ProcessExec, ProcessStarted
from inspector.stream.session import SessionEnded, SessionStarted, TargetMissing
from inspector.stream.transport import MAIN
from tests.report.sample import sample_report

from .run import inspector, said

SECOND = 1_000_000_000


def story(*more: Event) -> list[Event]:
    return [
        SessionStarted(
            at=SECOND, version="0.1.0", wall=1_767_323_045 * SECOND, host="gpu-vm", kernel="6.8", uid=0, target="srv",
            collector=9,
        ),
        ProcessStarted(at=SECOND, pid=42, ppid=1, started=SECOND, origin="run", comm="srv"),
        ProcessExec(at=SECOND, pid=42, argv=["/home/alice/srv"], exe="/home/alice/srv", environment={"LANG": "C"}),
        *more,
    ]  # fmt: skip


END = [ProcessEnded(at=3 * SECOND, pid=42, code=0), SessionEnded(at=3 * SECOND, reason="the target ended")]


def save(path: Path, events: list[Event]) -> str:
    path.write_bytes(b"".join(map(encode, events)))
    return str(path)


@pytest.fixture
def recording(tmp_path: Path) -> str:
    return save(tmp_path / "seen.jsonl", [*story(), *END])


def test_a_recording_gives_the_same_report_byte_for_byte(recording: str, tmp_path: Path) -> None:
    first = inspector("report", recording, "--format", "json")
    other = inspector(
        "report", recording, "--format", "json", folder=tmp_path, environment={"TZ": "Asia/Tokyo", "LANG": "C"}
    )
    assert first.stdout == other.stdout and first.stdout
    assert first.returncode == other.returncode
    schema = json.loads(inspector("report", "--schema").stdout)
    jsonschema.validate(json.loads(first.stdout), schema, jsonschema.Draft202012Validator)


@pytest.mark.parametrize("format", ["text", "json", "markdown", "html", "perfetto"])
def test_every_format_comes_out_of_a_recording(recording: str, format: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = inspector("report", recording, "--format", format, "-o", str(out))
    assert done.returncode in (0, 10, 11, 12), said(done)
    assert done.stdout == b"" and out.stat().st_mode & 0o777 == 0o600
    assert b"srv" in out.read_bytes()


def test_a_report_is_never_written_through_a_link(recording: str, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "victim")
    done = inspector("report", recording, "-o", str(tmp_path / "link"))
    assert done.returncode == 2 and "symbolic link" in said(done)
    assert not (tmp_path / "victim").exists()


def test_a_recording_may_come_through_a_pipe(recording: str) -> None:
    done = inspector("report", "-", "--format", "json", stdin=Path(recording).read_bytes())
    assert json.loads(done.stdout)["target"]["pid"] == 42


def test_a_torn_recording_is_reported_and_said_in_the_coverage(recording: str, tmp_path: Path) -> None:
    torn = tmp_path / "torn.jsonl"
    torn.write_bytes(Path(recording).read_bytes()[:-20])
    made = json.loads(inspector("report", str(torn), "--format", "json").stdout)
    assert "cut off" in made["observation"]["troubles"][0]


@pytest.mark.parametrize("content", [b"", b"\x7fELF", b"{}", b'{"event":7}\n', b"\x28\xb5\x2f\xfd\x00"])
def test_a_file_that_is_no_recording_is_exit_code_2_or_3_with_a_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "no.jsonl"
    path.write_bytes(content)
    done = inspector("report", str(path))
    assert done.returncode == 2, said(done)
    assert "inspector recording" in said(done) and "Traceback" not in said(done)


@pytest.mark.parametrize("path", ["/dev/zero", "/tmp", "/bin/ls", "/nonexistent"])
def test_replay_takes_recordings_only(path: str) -> None:
    done = inspector("replay", path)
    assert done.returncode == 2 and f"{path} is not a readable recording" in said(done)


@pytest.mark.parametrize("command", ["report", "replay", "trace"])
def test_a_fifo_is_not_waited_for(tmp_path: Path, command: str) -> None:
    os.mkfifo(path := tmp_path / "pipe")
    done = inspector(command, str(path))
    assert done.returncode == 2 and f"{path} is" in said(done) and "recording" in said(done)


@pytest.mark.parametrize(("kind", "code"), [("no-such-target", 3), ("not-permitted", 4)])
def test_a_target_that_was_missing_has_its_exit_code(tmp_path: Path, kind: str, code: int) -> None:
    missing = TargetMissing(at=2 * SECOND, why="there is none", kind="no-such-target", help="inspector list")
    if kind == "not-permitted":
        missing = TargetMissing(at=2 * SECOND, why="it is root's", kind="not-permitted", help="sudo inspector")
    done = inspector("report", save(tmp_path / "m.jsonl", [story()[0], missing]))
    assert done.returncode == code
    sudo, _, words = missing.help.partition("inspector")
    assert missing.why in said(done) and f"next: {sudo}{sys.executable} " in said(done)
    assert said(done).rstrip().endswith(f"__main__.py{words}"), "as it was started, so that it runs as it is"


def test_a_trace_of_a_recording_is_its_timeline(recording: str) -> None:
    done = inspector("trace", recording)
    lines = done.stdout.decode().splitlines()
    assert done.returncode == 0 and any("srv" in line for line in lines)
    rows = [json.loads(line) for line in inspector("trace", recording, "--format", "json").stdout.splitlines()]
    assert len(rows) == len(lines) and {"at", "seconds", "pid", "kind", "text", "bad"} <= rows[0].keys()


def test_redaction_hides_names_and_says_what_it_hid(recording: str) -> None:
    done = inspector("report", recording, "--redact", "--format", "json")
    assert b"alice" not in done.stdout and b"gpu-vm" not in done.stdout and b"/home/USER1/srv" in done.stdout
    assert "USER1 for alice" in said(done) and "HOST1 for gpu-vm" in said(done)
    assert b"alice" not in inspector("trace", recording, "--redact").stdout


def test_two_recordings_are_compared_and_a_report_is_as_good(recording: str, tmp_path: Path) -> None:
    library = LibraryMapped(at=2 * SECOND, pid=42, path="/opt/libcuda.so.1", base=4096, file="1:2:3")
    watched = FunctionsWatched(
        at=2 * SECOND, functions=[WatchedFunction(id=1, api="cuda-driver", name="cuInit", library="l", file="1:2:3")]
    )
    counted = CallsCounted(at=2 * SECOND, counts=[CallCount(pid=42, function=1, count=1, first=SECOND, last=SECOND)])
    other = save(tmp_path / "other.jsonl", [*story(library, watched, counted), *END])
    done = inspector("diff", recording, other)
    assert done.returncode == 1 and b"libcuda.so.1" in done.stdout and b"cuInit" in done.stdout
    assert inspector("diff", recording, recording).returncode == 0
    report = tmp_path / "report.json"
    report.write_bytes(render(sample_report(), "json"))
    found = json.loads(inspector("diff", recording, str(report), "--format", "json").stdout)
    assert found["schema"] == "shim-inspector/diff/1" and found["rows"]


def test_a_reader_that_goes_is_no_error_of_ours(recording: str) -> None:
    import subprocess

    line = f"{sys.executable} {MAIN} report {recording} --format json | head -c 10; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", line], capture_output=True, timeout=60)
    assert b"Traceback" not in done.stderr and b"Exception ignored" not in done.stderr


def test_without_a_terminal_the_screen_says_why_and_gives_the_text_report(recording: str) -> None:
    done = inspector("replay", recording)
    assert "no screen here: standard input is not a terminal" in said(done)
    assert done.stdout.decode().startswith("inspector - srv")


def test_a_closed_or_full_stdout_is_no_traceback(recording: str) -> None:
    for redirection in (">&-", "> /dev/full"):
        ended = subprocess.run(
            ["sh", "-c", f'exec "$0" -m inspector report "$1" {redirection}', sys.executable, recording],
            capture_output=True, text=True,
        )  # fmt: skip
        assert "Traceback" not in ended.stderr
    assert "the output cannot be written: no space left on device" in ended.stderr


def test_an_expression_that_a_later_python_may_read_otherwise_is_used_without_a_word(
    recording: str, tmp_path: Path
) -> None:
    profile = tmp_path / "mine.toml"
    profile.write_text(
        """name = "mine"\n[[logs]]\nid = "a"\ncontains = "a"\npattern = "[[a]b"\nmeans = "start"\nsays = "it"\n"""
    )
    done = inspector("report", recording, "--profile", str(profile))
    assert done.stdout and "Warning" not in said(done)


def test_a_report_that_nothing_can_hold_is_refused_before_the_program_runs(tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    for place in (tmp_path / "nowhere" / "report.json", tmp_path):
        done = inspector("report", "-o", str(place), "--", "touch", str(ran))
        assert (done.returncode, ran.exists()) == (2, False)
        assert f"{place} cannot be written" in said(done)


@pytest.mark.parametrize("words", [("report", "--", "true"), ("record", "-o", "x.zst", "--", "true"), ("demo",)])
def test_where_no_temporary_file_can_be_written_one_sentence_says_so(
    words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse() -> str:
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found")

    monkeypatch.setattr(tempfile, "gettempdir", refuse)
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    assert "no folder for temporary files can be written to" in capsys.readouterr().err
