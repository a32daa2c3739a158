"""Commands on living processes: what they print, when they end, which exit code they give."""

import json
import os
import pty
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest

from inspector.stream.transport import MAIN

from .run import COMMAND, inspector, said


@pytest.fixture
def sleeper() -> Iterator[str]:
    process = subprocess.Popen(["sleep", "600"])
    yield str(process.pid)
    process.kill()
    process.wait()


def test_a_program_is_run_to_its_end_and_reported_as_the_schema_says() -> None:
    done = inspector("report", "--format", "json", "--", "sh", "-c", "true; exit 7")
    made = json.loads(done.stdout)
    assert done.returncode in (0, 10, 11, 12)
    assert made["target"]["tree"][0]["exit"]["code"] == 7
    schema = json.loads(inspector("report", "--schema").stdout)
    jsonschema.validate(made, schema, jsonschema.Draft202012Validator)


@pytest.mark.longer
def test_a_program_that_goes_on_is_ended_when_the_time_is_over() -> None:
    made = json.loads(inspector("report", "--for", "500ms", "--format", "json", "--", "sleep", "600").stdout)
    assert made["observation"]["seconds"] < 30
    assert made["observation"]["ended"] == "its time was over: 0.5 s (--for)"
    assert not Path(f"/proc/{made['target']['pid']}").exists()


@pytest.mark.longer
def test_a_report_that_waits_says_for_what() -> None:
    command = [*COMMAND, "report", "--wait", "no-such-program-yet"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as waits:
        assert waits.stderr is not None
        assert waits.stderr.readline() == b"inspector: waiting for no-such-program-yet: start it now\n"
        waits.send_signal(signal.SIGINT)


def test_a_target_is_left_as_it_was(sleeper: str) -> None:
    made = json.loads(inspector("report", "--for", "300ms", "--format", "json", sleeper).stdout)
    assert made["target"]["pid"] == int(sleeper) and made["target"]["tree"][0]["ended"] is None
    assert Path(f"/proc/{sleeper}/stat").read_text().split()[2] in "SR"


@pytest.mark.longer
@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("/no/such/program", "cannot start /no/such/program: no such file"),
        ("no-such-program", "cannot start no-such-program: no such program in PATH"),
        ("/etc/passwd", "cannot start /etc/passwd: permission denied"),
    ],
)
def test_a_program_that_cannot_be_started_is_exit_code_3_with_the_reason(program: str, words: str) -> None:
    done = inspector("report", "--", program)
    assert (done.returncode, done.stdout) == (3, b"")
    assert (words in said(done) and f"ls -l {program}" in said(done)) or f"command -v {program}" in said(done)


@pytest.mark.longer
def test_a_script_whose_interpreter_is_not_there_is_told_as_such(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("#!/no/such/interpreter\n")
    script.chmod(0o755)
    done = inspector("report", "--", str(script))
    assert done.returncode == 3 and "its interpreter does not exist" in said(done)


def test_what_a_program_says_reaches_stderr_as_it_runs_and_the_report_too() -> None:
    script = "echo to stdout; echo CUDA error: no device >&2; read line < {}; echo last word"
    fifo = Path(tempfile.mkdtemp()) / "fifo"
    os.mkfifo(fifo)
    words = [*COMMAND, "report", "--format", "json", "--", "sh", "-c", script.format(fifo)]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stderr is not None
    heard = [process.stderr.readline(), process.stderr.readline()]
    assert heard == [b"to stdout\n", b"CUDA error: no device\n"]
    fifo.write_text("go on\n")
    out, rest = process.communicate(timeout=120)
    assert b"last word\n" in rest
    assert "CUDA error: no device" in json.dumps(json.loads(out)["logs"])


@pytest.mark.longer
def test_with_q_what_a_program_says_is_kept_back() -> None:
    done = inspector("report", "-q", "--format", "json", "--", "sh", "-c", "echo hidden word")
    assert "hidden word" not in said(done)
    assert "hidden word" in done.stdout.decode()


@pytest.mark.longer
def test_folders_of_runs_that_were_killed_are_swept_at_the_next_start(tmp_path: Path) -> None:
    environment = {"TMPDIR": str(tmp_path)}
    words = [*COMMAND, "report", "-q", "--", "sleep", "600"]
    killed = subprocess.Popen(words, env={**os.environ, **environment}, stdout=subprocess.DEVNULL)
    living = subprocess.Popen(words, env={**os.environ, **environment}, stdout=subprocess.DEVNULL)
    while len(list(tmp_path.glob("inspector-run-*/*.log"))) < 2:
        assert killed.poll() is None and living.poll() is None
        time.sleep(0.02)
    killed.kill()
    killed.wait()
    inspector("report", "-q", "--", "true", environment=environment)
    assert len(list(tmp_path.iterdir())) == 1
    living.terminate()
    living.wait(60)
    assert not list(tmp_path.iterdir())


@pytest.mark.longer
@pytest.mark.parametrize("command", ["report", "trace"])
def test_a_target_that_is_not_there_is_exit_code_3_with_the_next_step(command: str) -> None:
    done = inspector(command, "999999999")
    assert (done.returncode == 3 and done.stdout == b"") or command == "trace"
    assert "there is no process with PID 999999999" in said(done)
    assert f"next: {shlex.join([*COMMAND, 'list'])}\n" in said(done)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody who may not")
def test_a_target_of_another_user_is_exit_code_4_with_the_command_that_helps(sleeper: str) -> None:
    python, environment = python_for_everybody()
    done = subprocess.run(
        [*NOBODY, python, str(MAIN), "report", "--for", "300ms", sleeper],
        capture_output=True, cwd="/", env=environment,
    )  # fmt: skip
    assert done.returncode == 4, said(done)
    assert "sudo" in said(done)


NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]


def python_for_everybody() -> tuple[str, dict[str, str]]:
    """A Python of this version that another user may start twice in a row, and its environment."""
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    twice = "import subprocess, sys, inspector; sys.exit(subprocess.call([sys.executable, '-c', 'import msgspec']))"
    for python in (sys.executable, f"/usr/bin/python3.{sys.version_info.minor}"):
        tried = subprocess.run([*NOBODY, python, "-c", twice], capture_output=True, cwd="/", env=environment)
        if tried.returncode == 0:
            return python, environment
    pytest.skip("this Python lies in a folder that no other user may enter")


def on_a_terminal(
    *words: str, interrupt_after: bytes = b"", environment: dict[str, str] | None = None
) -> tuple[int, str]:
    """Run with a terminal on stdin and stderr, stdout apart; press Ctrl-C when a text appears on it."""
    master, slave = pty.openpty()
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen(
            [*COMMAND, *words], stdin=slave, stderr=slave, stdout=out, preexec_fn=os.setpgrp,
            env={**os.environ, "TERM": "xterm", **(environment or {})},
        )  # fmt: skip
        os.close(slave)
        shown, pressed = b"", not interrupt_after
        while True:
            try:
                block = os.read(master, 4096)
            except OSError:
                break
            if not block:
                break
            shown += block
            if not pressed and interrupt_after in shown:
                os.kill(process.pid, signal.SIGINT)
                pressed = True
        code = process.wait(60)
        os.close(master)
        out.seek(0)
        return code, out.read().decode() + "\n==stderr==\n" + shown.decode()


def test_ctrl_c_ends_the_watching_and_prints_what_is_known(sleeper: str) -> None:
    code, text = on_a_terminal("report", "--for", "1h", sleeper, interrupt_after=b"1 processes")
    assert code in (10, 11, 12), text
    assert "inspector - " in text and "Traceback" not in text and sleeper in text


@pytest.mark.longer
def test_a_terminal_shows_progress_and_a_pipe_does_not(sleeper: str) -> None:
    _, text = on_a_terminal("report", "--for", "1s", sleeper)
    assert "watching: " in text.split("==stderr==")[1]
    assert said(inspector("report", "--for", "300ms", sleeper)) == ""


@pytest.mark.longer
def test_a_dumb_terminal_gets_the_text_report_and_is_told_why() -> None:
    code, text = on_a_terminal("run", "--", "true", environment={"TERM": "dumb"})
    assert code in (10, 11, 12)
    assert "no screen here: this terminal has no cursor control" in text and "inspector - true" in text


@pytest.mark.longer
def test_a_recording_of_a_living_target_gives_its_report_elsewhere(sleeper: str, tmp_path: Path) -> None:
    path = str(tmp_path / "seen.zst")
    assert inspector("record", "--for", "500ms", "-o", path, sleeper).returncode == 0
    one = inspector("report", "--format", "json", path)
    other = inspector("report", "--format", "json", path, environment={"TZ": "America/Lima", "HOME": str(tmp_path)})
    assert one.stdout == other.stdout and json.loads(one.stdout)["target"]["pid"] == int(sleeper)


def test_a_recording_is_never_written_through_a_link(sleeper: str, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "victim")
    done = inspector("record", "--for", "300ms", "-o", str(tmp_path / "link"), sleeper)
    assert done.returncode == 2 and "symbolic link" in said(done) and not (tmp_path / "victim").exists()


def test_waiting_for_a_target_catches_it_from_its_birth(tmp_path: Path) -> None:
    name = tmp_path / "born-later"
    name.symlink_to("/bin/sleep")
    recording = subprocess.Popen([*COMMAND, "record", "--wait", "born-later", "-o", "-"], stdout=subprocess.PIPE)
    assert recording.stdout is not None
    assert b'"session-started"' in recording.stdout.readline()
    target = subprocess.Popen([str(name), "600"])
    try:
        execs = (line for line in recording.stdout if b'"process-exec"' in line)
        assert f'["{name}","600"]'.encode() in next(execs)
    finally:
        target.kill()
        target.wait()
        recording.send_signal(signal.SIGINT)
        recording.communicate(timeout=60)
