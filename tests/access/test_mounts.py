"""A file system that never answers costs a moment and a word, never the observation."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from inspector.collect.access.mounts import ANSWER_SECONDS, Mounts, stalling

from .conftest import needs_root

_ROOT_TABLE = b"21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
_DEAD = (
    "import ctypes, os, sys\n"
    "libc = ctypes.CDLL(None)\n"
    "assert libc.unshare(0x20000) == 0 and libc.mount(None, b'/', None, 0x44000, None) == 0\n"
    "device = os.open('/dev/fuse', os.O_RDWR)\n"
    "os.set_inheritable(device, True)\n"
    "options = f'fd={device},rootmode=40000,user_id=0,group_id=0,allow_other'\n"
    "assert libc.mount(b'dead', sys.argv[1].encode(), b'fuse', 0, options.encode()) == 0\n"
    "os.execvp(sys.argv[2], sys.argv[2:])\n"
)
"""Mounts, in a mount name space of its own, a FUSE file system whose program never answers; then executes a command."""
needs_fuse = pytest.mark.skipif(not Path("/dev/fuse").exists(), reason="this kernel has no FUSE")


def test_mounts_that_go_to_a_server_or_a_program_may_stall() -> None:
    table = _ROOT_TABLE + (
        b"30 21 0:40 / /home/my\\040files rw - nfs4 server:/x rw\n"
        b"31 21 0:41 / /mnt rw shared:3 master:1 - fuse.sshfs me@x: rw\n"
        b"32 21 0:42 / /tmp rw - tmpfs tmpfs rw\nnonsense\n"
    )
    assert stalling(table) == (b"/home/my files", b"/mnt")


def test_a_local_file_system_is_not_asked(tmp_path: Path) -> None:
    mounts = Mounts()
    assert mounts.answers(bytes(tmp_path))


@needs_root
@needs_fuse
def test_a_dead_mount_is_found_out_once_and_then_refused_at_once(tmp_path: Path) -> None:
    program = (
        "import sys, time\n"
        "from inspector.collect.access.mounts import Mounts\n"
        "mounts, path = Mounts(), sys.argv[1].encode() + b'/x'\n"
        "for _ in range(2):\n"
        "    before = time.monotonic(); print(mounts.answers(path), time.monotonic() - before)\n"
    )
    words = [sys.executable, "-c", _DEAD, str(tmp_path), sys.executable, "-c", program, str(tmp_path)]
    first, second = subprocess.run(words, capture_output=True, text=True, check=True, timeout=30).stdout.splitlines()
    assert first.startswith("False") and second.startswith("False")
    assert float(second.split()[1]) < ANSWER_SECONDS / 2


@pytest.mark.longer
@needs_root
@needs_fuse
def test_a_dead_mount_as_log_and_library_folder_is_named_in_the_report(tmp_path: Path) -> None:
    dead = tmp_path / "dead"
    dead.mkdir()
    target = f"LD_LIBRARY_PATH={dead} exec {sys.executable} -c 'import time; time.sleep(60)'"
    report = f"exec {sys.executable} -m inspector report $pid --for 2s --log {dead}/x.log"
    script = f'sh -c "{target}" & pid=$!; sleep 1; ({report}); kill $pid'
    begun = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", _DEAD, str(dead), "sh", "-c", script], capture_output=True, text=True, timeout=60
    )
    assert f"mounted at {dead}, does not answer" in " ".join(done.stdout.split()), done.stdout + done.stderr
    assert time.monotonic() - begun < 50
