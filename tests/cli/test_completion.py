"""Completion scripts, tried in the real shells."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from inspector.stream.transport import MAIN

from .run import inspector

_BASH = """
source <("$0" completion bash)
COMP_WORDS=({words} ""); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); COMP_LINE="{words} "; COMP_POINT=${{#COMP_LINE}}
_shtab_inspector; printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for PATH in which `inspector` is the one under test."""
    folder = tmp_path_factory.mktemp("bin")
    script = folder / "inspector"
    script.write_text(f'#!/bin/sh\nexec {sys.executable} {MAIN} "$@"\n')
    script.chmod(0o755)
    return folder


def completed(folder: Path, words: str) -> list[str]:
    done = subprocess.run(
        ["bash", "-c", _BASH.format(words=words), "inspector"],
        capture_output=True, text=True, env={**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}, cwd=folder,
    )  # fmt: skip
    return done.stdout.split()


def test_the_first_word_is_a_command_or_a_running_program(folder: Path) -> None:
    words = completed(folder, "inspector")
    assert {"report", "doctor", "demo"} <= set(words)
    assert Path("/proc/self/comm").read_text().strip() in words


def test_scripts_are_targets_by_their_own_name_and_threads_of_the_kernel_are_none(tmp_path: Path) -> None:
    script = tmp_path / "serve-models.py"
    script.write_text("import time; print(flush=True); time.sleep(60)")
    program = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE)
    assert program.stdout is not None and program.stdout.readline()
    words = inspector("completion", "--words", "targets").stdout.decode().split()
    program.kill()
    program.communicate()
    assert script.name in words
    assert "kthreadd" not in words


def test_a_command_completes_its_own_options_and_targets(folder: Path) -> None:
    (folder / "bad.jsonl.zst").touch()
    assert Path("/proc/self/comm").read_text().strip() in completed(folder, "inspector report")
    assert completed(folder, "inspector replay") == ["bad.jsonl.zst"]
    assert "the-question" in completed(folder, "inspector demo")
    assert "openmetrics" in completed(folder, "inspector report --format")


@pytest.mark.longer
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_reads_its_script(shell: str, tmp_path: Path) -> None:
    script = inspector("completion", shell)
    assert script.returncode == 0 and b"perfetto" in script.stdout
    program = shutil.which(shell)
    assert program, f"{shell} is installed for the tests"
    path = tmp_path / "script"
    path.write_bytes(script.stdout)
    assert subprocess.run([program, "-n", str(path)]).returncode == 0
