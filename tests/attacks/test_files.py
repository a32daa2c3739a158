"""File systems and names that are to make us hang or to reach what is not theirs."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from inspector.commands.run_folder import run_folder
from inspector.stream.transport import Transport, collector_command
from tests.access.conftest import STRANGER, needs_root
from tests.access.test_mounts import needs_fuse

from .observed import record

pytestmark = pytest.mark.longer

_SERVER = r"""
import ctypes, os, struct, sys, time

# A FUSE file system with one file, whose program stops to answer (or ends) after a while (linux/fuse.h). The file
# is called x.log and holds some lines, or is called and holds what SERVED names.
place, seconds, how = sys.argv[1], float(sys.argv[2]), sys.argv[3]
device = os.open("/dev/fuse", os.O_RDWR)
libc = ctypes.CDLL(None)
assert libc.unshare(0x20000) == 0 and libc.mount(None, b"/", None, 0x44000, None) == 0
options = f"fd={device},rootmode=40000,user_id=0,group_id=0,allow_other"
assert libc.mount(b"dying", place.encode(), b"fuse", 0, options.encode()) == 0

def attributes(node):
    mode, size = (0o40755, 0) if node == 1 else (0o100644, len(TEXT))
    now = int(time.time())
    return struct.pack("<QQQQQQIIIIIIIIII", node, size, 1, now, now, now, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)

TEXT, NAME = b"a line of a log\n" * 100, b"x.log"
if served := os.environ.get("SERVED"):
    with open(served, "rb") as file:
        TEXT, NAME = file.read(), os.path.basename(served).encode()

def answer(opcode, node, body):
    if opcode == 26:  # INIT
        return struct.pack("<IIIIHHIIHH8I", 7, 31, 65536, 0, 12, 9, 65536, 1, 16, 0, *[0] * 8)
    if opcode == 1:  # LOOKUP
        if body.rstrip(b"\0") != NAME:
            return -2
        return struct.pack("<QQQQII", 2, 0, 0, 0, 0, 0) + attributes(2)
    if opcode == 3:  # GETATTR
        return struct.pack("<QII", 0, 0, 0) + attributes(node)
    if opcode in (14, 27):  # OPEN, OPENDIR
        return struct.pack("<QII", 1, 1, 0)
    if opcode == 15:  # READ
        handle, offset, size = struct.unpack_from("<QQI", body)
        return TEXT[offset : offset + size]
    return b"" if opcode in (18, 25, 29, 34, 17) else -38

def serve(until):
    while time.time() < until:
        try:
            request = os.read(device, 1 << 20)
        except OSError:
            return
        length, opcode, unique, node = struct.unpack_from("<IIQQ", request)
        if opcode in (2, 36, 42):
            continue
        told = answer(opcode, node, request[40:])  # the header has 40 bytes
        error, data = (told, b"") if isinstance(told, int) else (0, told)
        try:
            os.write(device, struct.pack("<IiQ", 16 + len(data), error, unique) + data)
        except OSError as error:
            print("refused", opcode, error, file=sys.stderr)

child = os.fork()
if child == 0:
    os.close(device)
    os.execvp(sys.argv[4], sys.argv[4:])
import threading
threading.Thread(target=serve, args=(time.time() + seconds,), daemon=True).start()
time.sleep(seconds)
if how == "ends":
    os.close(device)
os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@needs_root
@needs_fuse
@pytest.mark.parametrize("how", ["ends", "hangs"])
def test_a_mount_that_dies_while_its_log_is_followed_ends_no_observation(tmp_path: Path, how: str) -> None:
    mounted, report = tmp_path / "mounted", tmp_path / "report.txt"
    mounted.mkdir()
    holds = f"exec {sys.executable} -c 'import sys, time; log = open(sys.argv[1]); time.sleep(60)' {mounted}/x.log"
    watch = f"{sys.executable} -m inspector report $pid --for 5s --log {mounted}/x.log -o {report}"
    script = f'sh -c "{holds}" & pid=$!; sleep 1; {watch}; kill -9 $pid'
    begun = time.monotonic()
    words = [sys.executable, "-c", _SERVER, str(mounted), "5", how, "sh", "-c", script]
    done = subprocess.run(words, capture_output=True, text=True, timeout=90)
    assert report.exists(), done.stderr
    assert "Traceback" not in done.stderr
    assert time.monotonic() - begun < 60


@needs_root
@needs_fuse
@pytest.mark.skipif(not shutil.which("gcc"), reason="no C compiler here")
@pytest.mark.parametrize("how", ["ends", "hangs"])
def test_a_mount_that_dies_while_a_library_from_it_is_mapped_ends_no_observation(tmp_path: Path, how: str) -> None:
    mounted, report = tmp_path / "mounted", tmp_path / "report.json"
    mounted.mkdir()
    (tmp_path / "x.c").write_text("int cuInit(unsigned flags) { return flags ? 1 : 0; }\n")
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", tmp_path / "libcuda.so.1", tmp_path / "x.c"], check=True)
    loads = (
        "import ctypes, sys, time; cuda = ctypes.CDLL(sys.argv[1]); cuda.cuInit(0)\n"
        "for _ in range(300): time.sleep(0.2); cuda.cuInit(0)"
    )
    (tmp_path / "loads.py").write_text(loads)
    watch = f"{sys.executable} -m inspector report $pid --for 20s --format json -o {report}"
    script = f"{sys.executable} {tmp_path}/loads.py {mounted}/libcuda.so.1 & pid=$!; sleep 1; {watch}; kill -9 $pid"
    begun = time.monotonic()
    words = [sys.executable, "-c", _SERVER, str(mounted), "15", how, "sh", "-c", script]
    environment = {**os.environ, "SERVED": str(tmp_path / "libcuda.so.1")}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=120)
    assert report.exists(), done.stderr
    assert "Traceback" not in done.stderr
    assert time.monotonic() - begun < 90
    told = json.loads(report.read_text())
    assert any(library["path"].endswith("/libcuda.so.1") for library in told["libraries"])
    whys = [limit["why"] for limit in told["limits"]]
    assert not any("Error" in why for why in whys), told["limits"]
    assert all(how == "hangs" and "libcuda.so.1" in why for why in whys if "stuck" in why), "else it is said at what"
    (library,) = (one for one in told["libraries"] if one["path"].endswith("/libcuda.so.1"))
    assert library["state"] != "deleted", "who does not answer says nothing"


def test_sudo_elevates_the_collector_and_never_the_viewer(tmp_path: Path) -> None:
    fake, told = tmp_path / "sudo", tmp_path / "told"
    fake.write_text(f'#!/bin/sh\nprintf "%s " "$@" >> {told}\nid -u >> {told}\nexit 1\n')
    fake.chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    words = [sys.executable, "-m", "inspector", "report", "1", "--sudo", "--for", "1s"]
    subprocess.run(words, env=environment, capture_output=True, timeout=60)
    commands = told.read_text().splitlines()
    assert commands[0].startswith("-n -- ") and " collect " in commands[0], "sudo is given the collector alone"
    assert collector_command(["--target=1"], Transport(sudo=True))[:3] == ["sudo", "-n", "--"]


def test_no_control_socket_of_ours_lies_where_others_may_write() -> None:
    words = " ".join(collector_command(["--target=1"], Transport(host="h")))
    assert "Control" not in words, "your own ssh configuration decides"


@needs_root
def test_folders_of_killed_runs_are_swept_and_living_ones_and_those_of_others_stay(tmp_path: Path) -> None:
    os.environ["TMPDIR"] = str(tmp_path)
    killed, theirs = tmp_path / "inspector-run-killed", tmp_path / "inspector-run-theirs"
    for folder in (killed, theirs):
        folder.mkdir()
        (folder / "x").write_text("x")
    os.chown(theirs, STRANGER, STRANGER)
    link = tmp_path / "inspector-run-link"
    victim = tmp_path / "victim"
    victim.mkdir()
    link.symlink_to(victim)
    program = (
        "import sys, tempfile, time; tempfile.tempdir = sys.argv[1]\n"
        "from inspector.commands.run_folder import run_folder\n"
        "with run_folder() as folder: print(folder, flush=True); time.sleep(60)\n"
    )
    try:
        with subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE) as living:
            assert living.stdout is not None
            held = Path(living.stdout.readline().decode().strip())
            import tempfile

            tempfile.tempdir = None
            with run_folder() as folder:
                assert folder.parent == tmp_path
                assert held.exists() and theirs.exists() and victim.exists() and link.is_symlink()
                assert not killed.exists()
            living.kill()
            living.wait()
            with run_folder():
                assert not held.exists()
    finally:
        del os.environ["TMPDIR"]
        tempfile.tempdir = None


def test_a_recording_from_a_hostile_target_draws_no_markup_in_pictures(tmp_path: Path) -> None:
    evil = "</text><script>alert(1)</script>\x1b]52;c;YQ==\x07"
    seen = record(tmp_path, program=["sh", "-c", f": '{evil}'; sleep 0.3"])
    assert seen.events
    for format in ("html", "markdown", "text", "json"):
        page = tmp_path / f"out.{format}"
        words = [sys.executable, "-m", "inspector", "report", str(tmp_path / "seen.jsonl"), "--format", format]
        subprocess.run([*words, "-o", str(page)], check=False, capture_output=True)
        text = page.read_text()
        assert "\x1b" not in text and "\x07" not in text
        assert format != "html" or "<script>alert" not in text
