"""GPU devices, /etc/ld.so.preload and namesakes, on made-up machines and on this one."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from inspector.collect.kernel.rootfs import Root
from inspector.collect.sources.machine import preload_file
from inspector.collect.sources.machine.gpu_facts import read_gpu
from inspector.collect.sources.machine.machine import MachineSource
from inspector.collect.sources.machine.namesakes import Family, Namesakes, telling
from inspector.collect.sources.machine.preload_file import find_carriers, read_preload_file
from inspector.stream.machine import GpuRead, PreloadFileRead
from inspector.stream.processes import SameNameProcess
from inspector.stream.requests import Plan

from .fakes import Bench

SERVER = """
import socket, sys
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
sys.stdin.read()
"""


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A root directory with a GPU, a network card and a driver."""
    for name, kind in {"0000:00:05.0": "0x030200", "0000:00:06.0": "0x120000", "0000:00:07.0": "0x020000"}.items():
        folder = tmp_path / "sys/bus/pci/devices" / name
        folder.mkdir(parents=True)
        for file, value in {"class": kind, "vendor": "0x10de", "device": "0x2331"}.items():
            (folder / file).write_text(value + "\n")
    (tmp_path / "proc/driver/nvidia").mkdir(parents=True)
    (tmp_path / "proc/driver/nvidia/version").write_text("NVRM version: 550\x1b[31m.54\nGCC version: 12\n")
    (tmp_path / "proc/modules").write_text("nvidia_uvm 1 0 - Live 0\next4 1 0 - Live 0\nnvidia 2 1 - Live 0\n")
    (tmp_path / "dev").mkdir()
    return tmp_path


def test_what_the_machine_shows_of_gpus_is_read(machine: Path) -> None:
    facts = read_gpu(1, ["/dev/nvidia*"], str(machine))
    assert facts.pci == ["0000:00:05.0 10de:2331 class 030200", "0000:00:06.0 10de:2331 class 120000"]
    assert facts.modules == ["nvidia", "nvidia_uvm"]
    assert facts.driver == "NVRM version: 550␛[31m.54"
    assert {device.path for device in facts.devices if not device.present} >= {"/dev/nvidia0", "/dev/nvidiactl"}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes device files")
def test_device_files_are_told_with_mode_and_owner(machine: Path) -> None:
    os.mknod(machine / "dev/nvidia0", 0o020660, os.makedev(195, 0))
    os.mknod(machine / "dev/nvidia7", 0o020666, os.makedev(195, 7))
    (machine / "dev/nvidia-caps").mkdir()
    facts = read_gpu(1, ["/dev/nvidia*"], str(machine))
    present = {device.path: (device.mode, device.owner) for device in facts.devices if device.present}
    assert present == {"/dev/nvidia0": ("crw-r-----", "root:root"), "/dev/nvidia7": ("crw-r--r--", "root:root")}


def test_the_first_look_tells_everything_and_the_next_only_what_differs(machine: Path) -> None:
    bench = Bench()
    bench.tree.add(os.getpid())
    source = MachineSource(bench.session, str(machine))
    source.start()
    bench.loop.turn()
    bench.loop.turn()
    assert len(bench.sink.of(GpuRead)) == 1
    assert len(bench.sink.of(PreloadFileRead)) == 1
    (machine / "proc/modules").write_text("")
    bench.loop.turn()
    assert bench.sink.of(GpuRead)[-1].modules == []


@pytest.fixture
def preload(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file in the place of /etc/ld.so.preload, which no test ever touches."""
    path = tmp_path / "ld.so.preload"
    monkeypatch.setattr(preload_file, "PATH", os.fsencode(path))
    return path


def _read(before: PreloadFileRead | None = None) -> PreloadFileRead:
    return read_preload_file(1, Root(os.getpid()), before)


def test_no_preload_file_is_no_problem(preload: Path) -> None:
    assert _read() == PreloadFileRead(at=1, path=str(preload), entries=[])


def test_entries_of_the_preload_file_and_who_carries_them(preload: Path) -> None:
    libc = next(line.split()[-1] for line in Path("/proc/self/maps").read_text().splitlines() if "libc.so" in line)
    preload.write_text(f"# comment\n{libc}:/nowhere/shim.so\n")
    found = _read()
    assert found.entries == [libc, "/nowhere/shim.so"]
    assert found.problem == "/nowhere/shim.so does not exist: every program start prints an error"
    assert found.carriers >= 1
    assert (
        Path("/proc/self/comm").read_text().strip() in find_carriers([os.fsencode(libc)]).names or found.carriers > 12
    )
    believed = PreloadFileRead(at=0, path=found.path, entries=[], mtime=found.mtime, carriers=41)
    assert _read(believed).carriers == 41


def test_a_typed_secret_in_the_preload_file_is_not_shown(preload: Path) -> None:
    preload.write_bytes(b"hunter2 /lib/libc.so.6\0\n")
    found = _read()
    assert "hunter2" not in repr(found)
    assert "names no library" in found.entries[0]
    assert "NUL bytes" in found.problem
    assert "perhaps a typed secret" in found.problem


def test_a_preload_file_that_cannot_be_read_is_told(preload: Path) -> None:
    preload.mkdir()
    assert _read().problem == "a directory, not a file"


def test_a_process_of_the_same_program_and_the_holder_of_a_port_are_namesakes() -> None:
    other = subprocess.Popen([sys.executable, "-c", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert other.stdout is not None
    port = int(other.stdout.readline())
    name = Path(f"/proc/{other.pid}/exe").readlink().name.encode()
    ours = frozenset([os.getpid()])
    by_name = Namesakes().look(1, Family(frozenset([name]), frozenset(), ours))
    by_port = Namesakes().look(1, Family(frozenset(), frozenset([port]), ours))
    other.communicate()
    assert other.pid in {one.pid for one in by_name}
    assert [(one.pid, one.listening) for one in by_port] == [(other.pid, [f"127.0.0.1:{port}"])]
    assert os.getpid() not in {one.pid for one in by_name}


def test_names_of_interpreters_tell_nothing() -> None:
    assert not telling(b"python3.11")
    assert not telling(b"bash")
    assert not telling(b"")
    assert telling(b"ollama")
    assert telling(b"shared-server"), "it only begins with the name of a shell"
    assert not telling(b"node")


def test_ports_count_only_for_programs_that_profiles_know() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        bench = Bench(Plan(ports=[server.getsockname()[1]], program_names=["ollama"]))
        MachineSource(bench.session).start()
        bench.loop.turn()
        assert bench.sink.of(SameNameProcess) == []
