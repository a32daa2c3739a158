"""The reactor on the live kernel: libraries that nobody could foresee are counted before their first call."""

import mmap
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from inspector.collect.kernel import uprobes
from inspector.collect.kernel.early_programs import FirstRead, file_key
from inspector.collect.kernel.engine import Engine
from inspector.collect.kernel.membership import SLOTS
from inspector.collect.reactor import cpu_threads, load_watch, messages
from inspector.collect.reactor.arming import Interests
from inspector.collect.reactor.client import Reactor
from inspector.collect.reactor.messages import Armed, Unable
from inspector.collect.reactor.priority import PRIORITY
from inspector.collect.sources.calls.call_plans import function_at
from inspector.stream.requests import FunctionPlan
from tests.kernel.test_uprobes import defined
from tests.slower import SLOWER

pytestmark = pytest.mark.live
_SHIM = """
#include <time.h>
long began;
int gpuInit(void) { return 7; }
__attribute__((constructor)) static void begin(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    began = now.tv_sec * 1000000000L + now.tv_nsec;
    gpuInit();
}
"""
_LOADS = """
import ctypes, os, sys
shim = ctypes.CDLL(os.path.join(*sys.argv[1:]))
shim.gpuInit()
print(ctypes.c_long.in_dll(shim, "began").value)
"""
"""Says when the constructor began."""
_LOADS_MANY = """
import ctypes, os, sys
os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
for number in range(int(sys.argv[1])):
    ctypes.CDLL(os.path.join(sys.argv[2], str(number), sys.argv[3])).gpuInit()
"""
_MANY = 300
_TRIES = 5
INTERESTS = Interests(
    names=["gpuInit"],
    stems=["gpu"],
    places=[],
    function_at=lambda site: function_at(site, FunctionPlan(name="gpuInit")),
    is_awaited=lambda pid: Path(f"/proc/{pid}/comm").read_text().strip() == "awaited",
)


class Observed:
    """A reactor with its engine, and what it told."""

    def __init__(self) -> None:
        self.reactor = Reactor(INTERESTS)
        self.engine = Engine(self.reactor.maps)
        self.told: list[Armed | Unable] = []
        self._links: list[int] = []
        self.reactor.listen(self._hear)
        self.reactor.observe(10.0)
        self.reactor.settle()

    def _hear(self, told: Armed | Unable, descriptors: list[int]) -> None:
        self.told.append(told)
        self._links += descriptors

    def calls(self) -> int:
        """Of all functions, in all processes."""
        block, total = self.reactor.block, 0
        for slot in range(SLOTS):
            row = block.row(slot)
            total += sum(int.from_bytes(row[at : at + 8], "little") for at in range(0, len(row), 32))
        return total

    def close(self) -> None:
        for link in self._links:
            uprobes.close(link)
        self._links.clear()
        self.reactor.close()
        self.engine.close()
        uprobes.finish()


@pytest.fixture
def shim(tmp_path: Path) -> Path:
    (tmp_path / "shim.c").write_text(_SHIM)
    path = tmp_path / "libgpu.so"
    subprocess.run(["gcc", "-O1", "-shared", "-fPIC", "-o", path, tmp_path / "shim.c"], check=True)
    return path


@pytest.fixture
def observed() -> Iterator[Observed]:
    made = _observed()
    yield made
    made.close()


def _observed() -> Observed:
    try:
        return Observed()
    except OSError as error:
        pytest.skip(f"no kernel programs here: {error}")


def children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def priorities(pid: int) -> list[int]:
    return [os.sched_getparam(int(each.name)).sched_priority for each in Path(f"/proc/{pid}/task").iterdir()]


def load(observed: Observed, shim: Path) -> int:
    """When its constructor began, ns."""
    with observed.engine.adopting():
        command = [sys.executable, "-c", _LOADS, str(shim.parent), shim.name]
        began = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    observed.reactor.settle()
    return int(began)


def test_a_library_of_which_only_the_process_knows_is_counted_from_its_constructor_on(
    observed: Observed, shim: Path
) -> None:
    counted = 0
    for number in range(_TRIES):  # on a machine that is more than full a fork holds probes up: then that is told
        copy = shim.parent / str(number) / shim.name
        copy.parent.mkdir()
        shutil.copy(shim, copy)
        before, began = observed.calls(), load(observed, copy)
        if any(isinstance(each, Unable) for each in observed.told):
            pytest.skip("first reads are not told here, or without priority")
        armed = [each for each in observed.told if isinstance(each, Armed)]
        assert [each.path for each in armed[number:]] == [os.fsencode(copy)]
        counted = observed.calls() - before
        assert counted == 2 or armed[number].at > began
        if counted == 2:
            break
    assert counted == 2


def test_no_thread_keeps_a_processor_from_the_one_that_holds_the_lock_of_python(observed: Observed) -> None:
    """All threads of a process have one priority, also while work of every kind goes on: none begins with less."""
    observed.reactor.wait_for(["awaited"])
    observed.reactor.settle()
    if any(isinstance(each, Unable) for each in observed.told):
        pytest.skip("SCHED_FIFO is refused here")
    [reacting] = children(observed.reactor.pid)
    assert len(priorities(reacting)) > 2 * len(os.sched_getaffinity(0))
    assert set(priorities(reacting)) == {PRIORITY}
    assert max(priorities(observed.reactor.pid)) <= 1  # before ordinary programs while it has a file claimed


@pytest.mark.longer
def test_libraries_are_counted_on_one_processor_however_many_come_while_nobody_reads_what_is_told(
    shim: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messages, "_ROOM", 1 << 16)
    observed = _observed()
    try:
        for number in range(_MANY):
            (tmp_path / str(number)).mkdir()
            shutil.copy(shim, tmp_path / str(number))
        with observed.engine.adopting():
            subprocess.run([sys.executable, "-c", _LOADS_MANY, str(_MANY), tmp_path, shim.name], check=True)
        calls = observed.calls()
        observed.reactor.settle(10)
        if any(isinstance(each, Unable) for each in observed.told):
            pytest.skip("first reads are not told here, or without priority")
        deadline = time.monotonic() + 60
        while (armed := sum(isinstance(each, Armed) for each in observed.told)) < _MANY:
            assert time.monotonic() < deadline, armed
            observed.reactor.settle(1)
        # Each is called twice. On a machine that is more than full, forks hold some up; one that waits for its reader
        # misses all calls behind the 169th library.
        assert calls > 1.2 * _MANY
    finally:
        observed.close()


@pytest.mark.longer
@pytest.mark.parametrize("kind", ["tmpfs", "overlay", "squashfs"])
def test_a_library_on_a_file_system_of_another_kind_is_armed_at_its_first_touch(
    observed: Observed, shim: Path, tmp_path: Path, kind: str
) -> None:
    for number in range(5):  # each in a mount of its own, which nobody has seen before
        place, lower, empty = (tmp_path / f"{name}{number}" for name in ("mounted", "lower", "empty"))
        for folder in (place, lower, empty):
            folder.mkdir()
        shutil.copy(shim, lower / shim.name)
        options, source = (["-o", f"lowerdir={empty}:{lower}"] if kind == "overlay" else []), "none"
        if kind == "squashfs":
            options, source = ["-o", "loop"], _squashed(lower, empty / "image")
        if not source or subprocess.run(["mount", "-t", kind, *options, source, place], capture_output=True).returncode:
            pytest.skip(f"{kind} cannot be mounted here")
        try:
            if kind == "tmpfs":
                shutil.copy(shim, place / shim.name)
            load(observed, place / shim.name)
        finally:
            subprocess.run(["umount", "-l", place], check=True)
    if any(isinstance(each, Unable) for each in observed.told):
        pytest.skip("first reads are not told here, or without priority")
    # Nothing tells of the load itself there: where all processors are busy, a program may be over before we look at it.
    assert sum(isinstance(each, Armed) for each in observed.told) >= 3
    assert 0 < observed.calls() <= 10


def _squashed(folder: Path, image: Path) -> str:
    """The image of a snap's file system; empty where nothing makes one."""
    if shutil.which("mksquashfs") is None:
        return ""
    subprocess.run(["mksquashfs", folder, image, "-quiet", "-no-progress"], check=True)
    return str(image)


def test_a_file_is_found_by_its_inode_where_its_descriptor_means_another_one_by_now(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "libx.so").write_bytes(b"x")
    one, two = ((tmp_path / name / "libx.so").stat() for name in ("one", "two"))
    with (tmp_path / "two" / "libx.so").open() as held:
        by_number = b"/proc/%d/fd/%d" % (os.getpid(), held.fileno())

        def found(status: os.stat_result) -> bytes:
            key = file_key(status.st_ino, status.st_dev, status.st_ctime_ns)
            return cpu_threads.opened_file(FirstRead(0, os.getpid(), key, held.fileno(), b"libx.so"))

        assert found(two) == by_number
        assert found(one) == by_number  # it is not mapped: an overlay, whose inodes are others
        with (tmp_path / "one" / "libx.so").open() as file, mmap.mmap(file.fileno(), 1, prot=mmap.PROT_READ):
            assert (tmp_path / "one" / "libx.so").samefile(os.fsdecode(found(one)))


def test_without_first_reads_mappings_tell_of_libraries_and_it_is_said(
    shim: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load_watch, "READ_TRACEPOINT", "no_such_tracepoint")
    observed = _observed()
    try:
        for number in range(5):  # a process of a moment may have ended before its mapping is looked at
            copy = shim.with_name(f"libgpu{number}.so")
            copy.write_bytes(shim.read_bytes())
            load(observed, copy)
        assert any(isinstance(each, Armed) for each in observed.told)
        assert any(isinstance(each, Unable) and "0.1 ms of the load" in each.what for each in observed.told)
        assert observed.calls() >= 1
    finally:
        observed.close()


def test_a_file_is_armed_once_whoever_asks(observed: Observed, shim: Path) -> None:
    observed.reactor.arm(os.fsencode(shim), b"as seen")
    observed.reactor.arm(os.fsencode(shim), b"again")
    load(observed, shim)
    assert [each.path for each in observed.told if isinstance(each, Armed)] == [b"as seen"]
    assert observed.calls() == 2


def test_a_file_that_offers_nothing_is_left_alone(observed: Observed, tmp_path: Path) -> None:
    for name, content in (("text.so", b"hello"), ("empty.so", b""), ("cut.so", Path("/bin/true").read_bytes()[:100])):
        (tmp_path / name).write_bytes(content)
        observed.reactor.arm(os.fsencode(tmp_path / name), name.encode())
    observed.reactor.arm(os.fsencode(tmp_path / "absent.so"), b"absent")
    observed.reactor.settle()
    assert not [each for each in observed.told if isinstance(each, Armed)]


def test_a_program_that_is_waited_for_has_its_library_path_foreseen(
    observed: Observed, shim: Path, tmp_path: Path
) -> None:
    program = tmp_path / "awaited"
    program.write_bytes(Path("/bin/sleep").read_bytes())
    program.chmod(0o755)
    observed.reactor.wait_for(["awaited"])
    observed.reactor.settle()
    subprocess.run([program, "0.3"], env={**os.environ, "LD_LIBRARY_PATH": str(tmp_path)}, check=True)
    observed.reactor.settle()
    assert [each.path for each in observed.told if isinstance(each, Armed)] == [os.fsencode(shim)]


def test_what_lies_beside_a_program_that_is_waited_for_is_counted_before_it_begins(
    observed: Observed, shim: Path, tmp_path: Path
) -> None:
    program = tmp_path / "awaited"
    program.write_bytes(Path("/bin/sleep").read_bytes())
    program.chmod(0o755)
    observed.reactor.wait_for(["awaited"], str(program))
    armed: list[bytes] = []
    until = time.monotonic() + 5 * SLOWER
    while not armed and time.monotonic() < until:  # it is done behind all that is urgent
        time.sleep(0.02)
        observed.reactor.settle()
        armed = [each.path for each in observed.told if isinstance(each, Armed)]
    assert os.fsencode(shim) in armed


def test_what_offers_nothing_is_not_looked_at_again_by_the_next_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    plain = tmp_path / "libplain.so"
    subprocess.run(["gcc", "-shared", "-x", "c", "/dev/null", "-o", plain], check=True)
    first = _observed()
    first.reactor.arm(os.fsencode(plain), b"plain")
    first.reactor.settle()
    first.close()
    status = plain.stat()
    [kept] = (tmp_path / "cache" / "shim-inspector").glob("unrelated-*")
    assert file_key(status.st_ino, status.st_dev, status.st_ctime_ns) in kept.read_bytes()


def test_the_helper_ends_with_its_collector(observed: Observed) -> None:
    [reacting] = children(observed.reactor.pid)
    [warmup] = children(reacting)
    observed.reactor.close()
    for pid in (observed.reactor.pid, reacting, warmup):
        assert not Path(f"/proc/{pid}").exists()
    observed.close()
    assert defined() == []
