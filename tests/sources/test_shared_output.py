"""A file that whoever started the program writes to as well."""

import os
import subprocess
import time
from pathlib import Path

import pytest

from inspector.collect.sources.output.output_kinds import written_by_parent
from tests.sources.fakes import FakeTree


@pytest.mark.parametrize("shared", [True, False])
def test_the_output_of_a_job_is_told_from_a_file_of_the_program_alone(tmp_path: Path, shared: bool) -> None:
    output = tmp_path / "log"
    script = f"sleep 30 {'' if shared else f'> {tmp_path}/own'} & echo $! > {tmp_path / 'pid'}; wait"
    with output.open("a") as log, subprocess.Popen(["sh", "-c", script], stdout=log):
        told = tmp_path / "pid"
        while not (told.exists() and told.read_text().endswith("\n")):
            time.sleep(0.01)
        pid = told.read_text()
        try:
            tree = FakeTree()
            tree.add(int(pid))
            status = (output if shared else tmp_path / "own").stat()
            assert written_by_parent(tree, int(pid), status) is shared
        finally:
            os.kill(int(pid), 15)
