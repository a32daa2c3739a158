"""What stands behind a refusal: limits, rights, and the environment as the program has changed it since its start."""

import os
import subprocess
import sys

import pytest

from inspector.collect.sources.processes.live_environment import find_environ, read_environment
from inspector.stream.calls import FileOpened
from inspector.stream.processes import ConstraintsRead, EnvironmentRead, ProcessEnded, SignalDelivered
from tests.collect.collector import Collector, observed

pytestmark = pytest.mark.live

_CHANGING = """
import ctypes, os, time
os.environ['INSPECTOR_TEST_SET'] = 'late'
del os.environ['INSPECTOR_TEST_GONE']
print('ready', flush=True)
try: ctypes.CDLL('libnowhere.so.1')
except OSError: pass
time.sleep({seconds})
"""
_FULL = """
import os, resource, time
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
try:
    while True: os.open('/dev/zero', os.O_RDONLY)
except OSError: time.sleep(1)
"""
_ENVIRONMENT = {**os.environ, "INSPECTOR_TEST_GONE": "1", "INSPECTOR_TEST_KEPT": "1"}


def test_what_a_program_has_set_and_removed_since_its_start_is_told_when_a_load_is_refused() -> None:
    changes = ["env", "INSPECTOR_TEST_GONE=1", "INSPECTOR_TEST_KEPT=1"]
    seen = observed(*changes, sys.executable, "-S", "-c", _CHANGING.format(seconds=1))
    read = seen.all(EnvironmentRead)[-1]
    assert read.environment["INSPECTOR_TEST_SET"] == "late"
    assert read.environment["INSPECTOR_TEST_KEPT"] == "1"
    assert read.changed == ["INSPECTOR_TEST_GONE", "INSPECTOR_TEST_SET"]


def test_what_a_program_has_set_before_a_load_that_succeeds_is_told_as_well() -> None:
    script = (
        "import os, time; os.environ['INSPECTOR_TEST_SET'] = 'early'; time.sleep(0.3); "
        "import ctypes; ctypes.CDLL('libm.so.6'); time.sleep(0.5)"
    )
    read = observed(sys.executable, "-S", "-c", script).all(EnvironmentRead)[-1]
    assert (read.why, read.changed) == ("dlopen", ["INSPECTOR_TEST_SET"])
    assert read.environment["INSPECTOR_TEST_SET"] == "early"


@pytest.mark.longer
def test_what_a_program_has_set_milliseconds_after_another_load_is_told_as_well() -> None:
    script = (
        "import ctypes, os; [ctypes.CDLL(name) for name in ('libdl.so.2', 'librt.so.1', 'libutil.so.1')]; "
        "os.environ['INSPECTOR_TEST_SET'] = 'late'; ctypes.CDLL('libm.so.6'); import time; time.sleep(1)"
    )
    assert observed(sys.executable, "-S", "-c", script).all(EnvironmentRead)[-1].changed == ["INSPECTOR_TEST_SET"]


def test_a_program_that_runs_already_is_read_at_attach() -> None:
    command = [sys.executable, "-S", "-c", _CHANGING.format(seconds=60)]
    with subprocess.Popen(command, env=_ENVIRONMENT, stdout=subprocess.PIPE) as target:
        assert target.stdout is not None
        target.stdout.readline()
        with Collector(str(target.pid)) as collector:
            read = collector.wait(EnvironmentRead)
            limits = collector.wait(ConstraintsRead)
            collector.quit()
        target.kill()
    assert (read.why, limits.why) == ("attach", "attach")
    assert read.changed == ["INSPECTOR_TEST_GONE", "INSPECTOR_TEST_SET"]
    assert limits.uid == os.geteuid()


def test_a_secret_in_the_changed_environment_stays_where_it_is() -> None:
    script = "import os; os.environ['INSPECTOR_TEST_TOKEN'] = 'hunter2'\n" + _CHANGING.format(seconds=1)
    seen = observed("env", "INSPECTOR_TEST_GONE=1", sys.executable, "-S", "-c", script)
    read = seen.all(EnvironmentRead)[-1]
    assert "INSPECTOR_TEST_TOKEN" in read.changed
    assert b"hunter2" not in b"".join(line for line in seen.raw if b"environment-read" in line)


def test_a_program_without_a_c_library_of_its_own_has_no_such_pointer() -> None:
    assert find_environ(b"/nowhere/at-all") is None


def test_our_own_environment_is_read_from_memory_as_it_is() -> None:
    import ctypes

    os.environ["INSPECTOR_TEST_OWN"] = "now"
    library = ctypes.CDLL(None)
    pointer = ctypes.addressof(ctypes.c_void_p.in_dll(library, "environ"))
    assert read_environment(os.getpid(), pointer)[b"INSPECTOR_TEST_OWN"] == b"now"
    del os.environ["INSPECTOR_TEST_OWN"]


@pytest.mark.longer
def test_the_limit_that_a_refused_open_met_is_told_with_the_number_of_open_descriptors() -> None:
    seen = observed(sys.executable, "-S", "-c", _FULL)
    read = next(event for event in seen.all(ConstraintsRead) if event.why == "open: EMFILE")
    assert {row.name: row.soft for row in read.limits}["RLIMIT_NOFILE"] == 64
    assert read.descriptors == 64
    assert seen.all(FileOpened, lambda event: event.errno == 24)


def test_the_end_of_a_process_tells_its_cpu_time_and_who_killed_it() -> None:
    seen = observed("sh", "-c", "sleep 60 & kill -KILL $!; wait $!; true")
    (signal,) = seen.all(SignalDelivered, lambda event: event.signal == 9)
    shell = next(event.pid for event in seen.all(ProcessEnded) if event.signal is None)
    assert (signal.sender, signal.sender_name) == (shell, "sh")
    assert all(event.cpu is not None for event in seen.all(ProcessEnded))
