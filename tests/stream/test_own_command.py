"""Proposed commands begin with what starts this very program here."""

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from inspector.stream import own_command
from inspector.stream.own_command import reach_by, runnable
from inspector.stream.transport import MAIN, Transport


@pytest.fixture(autouse=True)
def asked_anew() -> Iterator[None]:
    _forget()
    yield
    _forget()


def _forget() -> None:
    own_command._called.cache_clear()
    own_command._as_root.cache_clear()
    reach_by(Transport())


def _started(monkeypatch: pytest.MonkeyPatch, script: str, *words: str, path: str = "/usr/bin:/bin") -> None:
    monkeypatch.setattr(sys, "argv", [script])
    monkeypatch.setattr(sys, "orig_argv", [*words, script])
    monkeypatch.setenv("PATH", path)
    monkeypatch.delenv("PYTHONPATH", raising=False)


def _script(folder: Path, mode: int = 0o755) -> str:
    folder.mkdir(exist_ok=True)
    (folder / "inspector").write_text("#!/bin/sh\n")
    (folder / "inspector").chmod(mode)
    return str(folder / "inspector")


def _one_file(folder: Path, mode: int) -> str:
    with zipfile.ZipFile(folder / "inspector.pyz", "w") as archive:
        archive.writestr("__main__.py", "")
    (folder / "inspector.pyz").chmod(mode)
    return str(folder / "inspector.pyz")


def test_a_name_in_the_path_stays_a_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    script = _script(tmp_path / "bin")
    _started(monkeypatch, script, "/usr/bin/python3", path=f"{tmp_path / 'bin'}:/usr/bin")
    assert runnable("inspector --wait ollama") == "inspector --wait ollama"
    assert runnable("sudo inspector 12") == f"sudo {script} 12", "sudo has a PATH of its own"


def test_what_is_not_in_the_path_is_called_by_its_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    script = _script(tmp_path / "bin")
    _started(monkeypatch, script, "/usr/bin/python3")
    assert runnable("inspector report -- ./a inspector") == f"{script} report -- ./a inspector"


def test_another_program_of_that_name_is_not_proposed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    script, other = _script(tmp_path / "bin"), tmp_path / "other"
    _script(other)
    _started(monkeypatch, script, "/usr/bin/python3", path=f"{other}:/usr/bin")
    assert runnable("inspector 12") == f"{script} 12"


def test_a_module_is_called_with_its_python(monkeypatch: pytest.MonkeyPatch) -> None:
    _started(monkeypatch, str(MAIN), "./venv/bin/python", "-m")
    assert runnable("inspector 12") == f"{sys.executable} -m inspector 12"
    assert runnable("sudo -n inspector") == f"sudo -n {sys.executable} {MAIN}", (
        "root's folder may hold another inspector/"
    )


def test_the_one_file_is_called_by_its_path_and_with_a_python_unless_it_may_be_executed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _started(monkeypatch, _one_file(tmp_path, 0o755), "python3")
    assert runnable("inspector 12") == f"{tmp_path}/inspector.pyz 12"
    _forget()
    monkeypatch.setattr(sys, "argv", [_one_file(tmp_path, 0o644)])
    assert runnable("inspector 12") == f"{sys.executable} {tmp_path}/inspector.pyz 12"


def test_sudo_finds_packages_of_a_user_again(monkeypatch: pytest.MonkeyPatch) -> None:
    _started(monkeypatch, str(MAIN), sys.executable, "-m")
    monkeypatch.setenv("PYTHONPATH", str(MAIN.parent.parent))
    assert runnable("sudo inspector") == f"sudo env PYTHONPATH={MAIN.parent.parent} {sys.executable} {MAIN}"


def test_commands_look_where_the_session_looks() -> None:
    reach_by(Transport(host="me@vm", ssh_options=("-p2222",)))
    assert runnable("inspector --wait ollama") == "inspector --host=me@vm --ssh-option=-p2222 --wait ollama"
    assert runnable("sudo inspector 12") == "inspector --host=me@vm --ssh-option=-p2222 --sudo 12"


@pytest.mark.parametrize(
    "text", ["ls -l /opt/inspector", "grep -w inspector log", "./inspector 12", "inspectors", "sh -c 'inspector 12'"]
)
def test_the_word_elsewhere_is_left_alone(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    _started(monkeypatch, str(MAIN), sys.executable, "-m")
    assert runnable(text) == text


def test_a_proposed_command_runs_as_it_is() -> None:
    listed = [sys.executable, "-m", "inspector", "report", "/nowhere/seen.zst"]
    told = subprocess.run(listed, capture_output=True, text=True, check=False).stderr
    command = told.partition("next: ")[2].split(" record ")[0]
    shell = shutil.which("sh") or "/bin/sh"
    done = subprocess.run(
        [shell, "-c", f"{command} --version"], capture_output=True, text=True, env={**os.environ, "PATH": "/bin"},
        check=False,
    )  # fmt: skip
    assert done.stdout.startswith("inspector "), done.stderr
