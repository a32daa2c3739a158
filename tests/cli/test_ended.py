"""Whoever ends the inspector itself finds nothing left behind."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from inspector.demo.build import has_compiler

from .run import COMMAND


@pytest.mark.skipif(not has_compiler(), reason="no C compiler here: the demo replays a recording")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_demo_that_is_ended_takes_its_processes_and_files_with_it(number: signal.Signals, tmp_path: Path) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    heard = f"--default-signal={number.name.removeprefix('SIG')}"  # under nohup(1) it would be ignored
    demo = subprocess.Popen(["env", heard, *COMMAND, "demo", "too-late"], env=environment, stdout=subprocess.DEVNULL)
    until = time.monotonic() + 60
    while not _programs_under(tmp_path):
        assert time.monotonic() < until and demo.poll() is None
        time.sleep(0.02)
    demo.send_signal(number)
    assert demo.wait(60) == 128 + number
    until = time.monotonic() + 30
    while _programs_under(tmp_path) or any(tmp_path.iterdir()):
        assert time.monotonic() < until, f"left: {_programs_under(tmp_path)}"
        time.sleep(0.02)


def _programs_under(folder: Path) -> list[str]:
    """Programs that run from this folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*/exe"):
        try:
            program = str(process.readlink())
        except OSError:
            continue
        if program.startswith(f"{folder}/"):
            found.append(program)
    return found
