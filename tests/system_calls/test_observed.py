"""Real programs whose system calls are refused, under the real collector."""

import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from inspector.stream.calls import FileOpened, LookedUp
from inspector.stream.syscalls import FolderListed, SystemCallRefused, SystemCallsSummed, SystemCallsWatched
from tests.collect.collector import observed

pytestmark = pytest.mark.live

_PROGRAM = """
import os
def refused(call, *arguments):
    try: call(*arguments)
    except OSError: pass
refused(open, '/nowhere/settings')
import ctypes, fcntl, socket, time
for number in range(3):
    refused(open, '/proc/nowhere/device')
    time.sleep(0.02)
refused(os.stat, '/dev/nvidia77')
device = os.open('/dev/zero', os.O_RDONLY)
refused(fcntl.ioctl, device, 0xC0104652, bytes(16))
refused(socket.socket(socket.AF_UNIX).connect, '/run/nowhere.sock')
refused(ctypes.CDLL, 'libnowhere.so.1')
refused(os.execv, '/no/such/tool', ['tool'])
os.listdir('/usr/lib')
"""


def test_what_the_kernel_refused_comes_with_thread_moment_and_subject() -> None:
    seen = observed(sys.executable, "-S", "-c", _PROGRAM)
    told = {(event.call, event.subject): event for event in seen.all(SystemCallRefused)}
    assert told["newfstatat", "/dev/nvidia77"].errno == 2
    assert told["ioctl", "/dev/zero"].errno == 25
    assert told["ioctl", "/dev/zero"].arguments["request"] == 0xC0104652
    assert told["connect", "unix:/run/nowhere.sock"].errno == 2
    assert told["execve", "/no/such/tool"].errno == 2
    assert all(event.tid == event.pid for event in told.values())
    assert "/usr/lib" in {event.path for event in seen.all(FolderListed)}
    assert seen.all(SystemCallsSummed), "what Python looks for at its start"
    assert seen.all(SystemCallsWatched)[0].on


def test_each_repeated_open_has_a_moment_of_its_own_and_what_only_looks_for_settings_is_not_told() -> None:
    seen = observed(sys.executable, "-S", "-c", _PROGRAM)
    moments = [event.at for event in seen.all(FileOpened, lambda event: event.path == "/proc/nowhere/device")]
    assert len(moments) == 3
    assert all(later - sooner >= 20_000_000 for sooner, later in pairwise(moments))
    assert not seen.all(FileOpened, lambda event: event.path == "/nowhere/settings")


def test_an_open_inside_of_a_load_is_told_although_it_only_found_nothing(tmp_path: Path) -> None:
    source, library = tmp_path / "looks.c", tmp_path / "liblooks.so"
    source.write_text(
        '#include <fcntl.h>\n__attribute__((constructor)) void looks(void) { open("/nowhere/inside", O_RDONLY); }\n'
    )
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", library, source], check=True)
    seen = observed(sys.executable, "-S", "-c", f"import ctypes; ctypes.CDLL({str(library)!r})")
    (load,) = seen.all(LookedUp, lambda event: event.name == str(library))
    (opened,) = seen.all(FileOpened, lambda event: event.path == "/nowhere/inside")
    assert load.entered < opened.at < load.at and opened.tid == load.tid


def test_the_opens_of_a_dlopen_lie_between_its_question_and_its_answer() -> None:
    seen = observed(sys.executable, "-S", "-c", _PROGRAM)
    (load,) = seen.all(LookedUp, lambda event: event.name == "libnowhere.so.1")
    tried = seen.all(FileOpened, lambda event: event.path.endswith("/libnowhere.so.1"))
    assert 0 < load.entered < load.at
    assert tried and all(load.entered < event.at < load.at and event.tid == load.tid for event in tried)
