"""`unit:NAME` under a systemd that runs: a service with a drop-in, before and while it runs, and its next start."""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.run import COMMAND, inspector, said
from tests.containers.image import PROGRAM
from tests.slower import SLOWER

UNIT = "inspector-asks.service"
FOLDER = Path("/run/systemd/system")
SECONDS = f"{2 * SLOWER**0.5:.0f}s"
pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(not FOLDER.is_dir(), reason="systemd is not init here: tests/guests has it"),
    pytest.mark.skipif(os.geteuid() != 0, reason="services are started by root"),
    pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler here"),
]


@pytest.fixture
def unit(tmp_path: Path) -> Iterator[Path]:
    """The drop-in of a service that looks for a driver once, then stays; it is not started, and needs no other."""
    (tmp_path / "asks.c").write_text(PROGRAM)
    subprocess.run(["cc", "-o", tmp_path / "asks", tmp_path / "asks.c", "-ldl"], check=True)
    (FOLDER / UNIT).write_text(f"[Unit]\nDefaultDependencies=no\n[Service]\nExecStart={tmp_path}/asks\n")
    drop_in = FOLDER / f"{UNIT}.d/visible.conf"
    drop_in.parent.mkdir()
    drop_in.write_text("[Service]\nEnvironment=CUDA_VISIBLE_DEVICES=0\n")
    systemctl("daemon-reload")
    yield drop_in
    systemctl("stop", UNIT)
    shutil.rmtree(drop_in.parent)
    (FOLDER / UNIT).unlink()
    systemctl("daemon-reload")


def systemctl(*words: str) -> str:
    return subprocess.run(["systemctl", "--no-pager", *words], check=True, capture_output=True, text=True).stdout


def main_pid() -> int:
    return int(systemctl("show", "-p", "MainPID", "--value", UNIT))


def report(target: str) -> dict[str, object]:
    done = inspector("report", target, "--for", SECONDS, "--format", "json")
    assert done.stdout, said(done)
    made: dict[str, object] = json.loads(done.stdout)
    return made


def test_a_service_that_does_not_run_is_said_with_the_command_that_waits_for_it(unit: Path) -> None:
    done = inspector("report", "unit:inspector-asks")
    assert done.returncode == 3
    assert "no process runs in the unit inspector-asks" in said(done) and "--wait unit:inspector-asks" in said(done)


def test_a_running_service_is_found_and_an_edit_that_is_not_in_force_is_named_with_what_loads_it(unit: Path) -> None:
    systemctl("start", UNIT)
    made = json.dumps(report("unit:inspector-asks"))
    assert f'"pid": {main_pid()}' in made and f'"unit": "{UNIT}"' in made
    assert "setting-not-in-force" not in made
    unit.write_text("[Service]\nEnvironment=CUDA_VISIBLE_DEVICES=1\n")
    made = json.dumps(report(f"unit:{UNIT}"))
    assert "setting-not-in-force" in made and f"systemctl daemon-reload && systemctl restart {UNIT}" in made


def test_a_service_is_waited_for_and_seen_from_its_first_instruction(unit: Path) -> None:
    words = [*COMMAND, "report", "--wait", f"unit:{UNIT}", "--for", SECONDS, "--format", "json"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as waiting:
        assert waiting.stderr is not None
        assert waiting.stderr.readline() == f"inspector: waiting for unit:{UNIT}: start it now\n".encode()
        systemctl("start", UNIT)
        printed, words_said = waiting.communicate(timeout=300)
    made = json.loads(printed)
    first = next(process for process in made["target"]["tree"] if process["pid"] == main_pid())
    assert first["unit"] == UNIT, words_said
    assert "libcuda.so.1" in made["findings"][0]["title"], made["findings"][0]


def test_a_restart_of_an_observed_service_is_followed_with_what_its_new_process_is_refused(unit: Path) -> None:
    systemctl("start", UNIT)
    before = main_pid()
    words = ["timeout", "--signal=INT", "60", *COMMAND, "record", "--wait", f"unit:{UNIT}", "-o", "-"]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as record:  # what never comes must not be waited for for ever
        assert record.stdout is not None
        assert any(b'"vitals"' in line for line in record.stdout)  # measured now and then, once all is set up
        systemctl("restart", UNIT)
        new = f'"pid":{main_pid()},'.encode()
        assert any(new in line and b"libcuda.so.1" in line for line in record.stdout)
        record.send_signal(signal.SIGINT)
        record.stdout.read()
    assert main_pid() != before
