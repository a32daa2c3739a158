"""Units of processes and targets are read, and read again when a file changes."""

import os
from pathlib import Path

import pytest

from inspector.collect.sources.processes.units import UnitSource
from inspector.stream.machine import FileChanged, UnitRead
from inspector.stream.requests import Plan

from .fakes import Bench


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "etc/systemd/system/ollama.service.d"
    folder.mkdir(parents=True)
    (folder.parent / "ollama.service").write_text("[Service]\nEnvironment=PATH=/bin HOME_TOKEN=x\n")
    (folder / "vgpu.conf").write_text(
        '[Service]\nEnvironment="LD_PRELOAD=/opt/\x1b[1mshim.so" OLLAMA_API_KEY=abc MORE=1\n'
    )
    return tmp_path


def _settings(event: UnitRead) -> dict[str, str]:
    return {one.key: one.value for one in event.settings}


def test_the_unit_of_a_process_is_read_with_secrets_hidden_and_harmless(root: Path) -> None:
    bench = Bench(Plan(environment=["OLLAMA_*"]))
    UnitSource(bench.session, root=str(root), systemctl="/nonexistent").start()
    bench.tree.add(os.getpid(), unit="ollama.service")
    bench.loop.settle()
    event = bench.sink.of(UnitRead)[0]
    assert event.unit == "ollama.service"
    assert _settings(event) == {"PATH": "/bin", "LD_PRELOAD": "/opt/␛[1mshim.so", "OLLAMA_API_KEY": "(hidden)"}
    assert [Path(file.path).name for file in event.files] == ["ollama.service", "vgpu.conf"]
    assert event.in_force is None


def test_a_target_and_a_known_program_name_their_units(root: Path) -> None:
    bench = Bench(Plan(program_names=["ollama", "llama-server"]))
    UnitSource(bench.session, target="unit:gone", root=str(root)).start()
    bench.loop.settle()
    assert [event.unit for event in bench.sink.of(UnitRead)] == ["gone.service", "ollama.service"]
    assert bench.sink.of(UnitRead)[0].files == []


def test_a_changed_drop_in_is_told_and_the_unit_read_again(root: Path) -> None:
    bench = Bench(Plan(program_names=["ollama"]))
    UnitSource(bench.session, root=str(root)).start()
    bench.loop.settle()
    folder = root / "etc/systemd/system/ollama.service.d"
    (folder / "zz.conf").write_text("[Service]\nEnvironment=LD_PRELOAD=/new.so\n")
    (folder / "vgpu.conf").unlink()
    bench.until(lambda: len(bench.sink.of(UnitRead)) > 1)
    bench.loop.turn()
    assert _settings(bench.sink.of(UnitRead)[-1])["LD_PRELOAD"] == "/new.so"
    assert (str(folder / "vgpu.conf"), "deleted") in [(one.path, one.what) for one in bench.sink.of(FileChanged)]
    (folder / "zz.conf").write_text("[Service]\nEnvironment=LD_PRELOAD=/newer.so\n")
    bench.until(lambda: _settings(bench.sink.of(UnitRead)[-1])["LD_PRELOAD"] == "/newer.so")
    assert (str(folder / "zz.conf"), "modified") in [(one.path, one.what) for one in bench.sink.of(FileChanged)]


def test_what_systemd_says_comes_with_the_unit(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = root / "systemctl"
    program.write_text(
        "#!/bin/sh\nprintf 'Environment=LD_PRELOAD=/old.so SECRET_X=1\\nMainPID=7\\nLoadState=loaded\\n'\n"
    )
    program.chmod(0o755)
    monkeypatch.setattr("inspector.collect.systemd.show.show_unit.__defaults__", ("systemctl", str(root)))
    bench = Bench(Plan(program_names=["ollama"]))
    UnitSource(bench.session, root=str(root), systemctl=str(program)).start()
    bench.loop.settle()
    event = bench.sink.of(UnitRead)[0]
    assert (event.in_force, event.main_pid) == ({"LD_PRELOAD": "/old.so"}, 7)
