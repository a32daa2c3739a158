"""Units, containers, preload files, gained privileges: what depends on the machine around a process."""

import os
import secrets
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from inspector.collect.sources.processes.vitals import WaitsSource
from inspector.collect.target import parse_target
from inspector.stream.calls import CallsInside, OpenCall
from inspector.stream.processes import ProcessExec, ProcessStarted, ThreadWaits

from .collector import NOBODY, Collector
from .fakes import Kept
from .targets import Life, Workshop


def _cgroup_root() -> Path | None:
    for line in Path("/proc/mounts").read_text().splitlines():
        _, place, kind, *_ = line.split()
        if kind == "cgroup2":
            return Path(place)
    return None


@pytest.fixture
def group(request: pytest.FixtureRequest) -> Iterator[Path]:
    """A control group of our own, named as the test says; removed with the test."""
    root = _cgroup_root()
    folder = root / request.param if root else None
    try:
        if folder is None:
            raise FileNotFoundError("cgroup2 is not mounted")
        folder.mkdir()
    except OSError as error:
        pytest.skip(f"no control group can be made here: {error}")
    yield folder
    for _ in range(500):
        try:
            folder.rmdir()
            return
        except OSError:
            time.sleep(0.01)  # until the last process in it is gone


ID = secrets.token_hex(32)


def _enter(group: Path, pid: int) -> None:
    (group / "cgroup.procs").write_text(str(pid))


@pytest.mark.longer
@pytest.mark.parametrize("group", [f"docker-{ID}.scope"], indirect=True, ids=["docker"])
def test_a_container_is_all_of_its_processes_also_those_that_join_later(group: Path, workshop: Workshop) -> None:
    with Life(workshop.program, "line") as first, Life(workshop.program, "line") as other:
        _enter(group, first.pid)
        _enter(group, other.pid)
        with Collector(f"container:{ID[:12]}") as collector:
            assert collector.program(first.pid).container == ID
            assert collector.program(other.pid).container == ID
            with Life("sh", "-c", f"echo $$ > {group}/cgroup.procs; exec {workshop.program} line") as late:
                assert collector.wait(ProcessStarted, lambda e: e.pid == late.pid)
            collector.quit()


@pytest.mark.longer
@pytest.mark.parametrize("group", ["inspector-test.service"], indirect=True)
def test_a_unit_is_named_with_or_without_its_suffix(group: Path, workshop: Workshop) -> None:
    with Life(workshop.program, "line") as life:
        _enter(group, life.pid)
        assert parse_target("unit:inspector-test.service").find() == [life.pid]
        with Collector("unit:inspector-test") as collector:
            assert collector.program(life.pid).unit == "inspector-test.service"
            collector.quit()


def test_a_library_named_in_the_preload_file_is_told_so(workshop: Workshop) -> None:
    script = f"mount -t tmpfs none /etc && echo {workshop.shim} > /etc/ld.so.preload && {workshop.program} line; true"
    with Life("unshare", "-m", "sh", "-c", script) as life, Collector(str(life.pid)) as collector:
        pid = collector.wait(ProcessExec, lambda e: e.exe == str(workshop.program)).pid
        shim = collector.library(pid, "libshim.so.1")
        assert (shim.route, shim.route_by) == ("preload", f"/etc/ld.so.preload entry {workshop.shim}")
        collector.quit()


def test_a_program_that_gains_privileges_is_secure_and_says_by_what(workshop: Workshop) -> None:
    program = workshop.folder / "privileged"
    shutil.copy(workshop.program, program)
    cap_net_raw = bytes.fromhex("0100000200200000000000000000000000000000")
    try:
        os.setxattr(program, "security.capability", cap_net_raw)
    except OSError as error:
        pytest.skip(f"no file capabilities here: {error}")
    change = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
    environment = {"LD_PRELOAD": str(workshop.shim), "PATH": os.environ["PATH"]}
    with Life(*change, str(program), "line", "line", env=environment) as life:
        life.step()
        with Collector(str(life.pid)) as collector:
            seen = collector.program(life.pid)
            assert (seen.secure, seen.capabilities_added, seen.uid) == (True, "cap_net_raw", NOBODY)
            collector.quit()


def test_a_thread_inside_a_call_is_told_with_what_it_waits_for(workshop: Workshop) -> None:
    sink = Kept()
    waits = WaitsSource(sink)
    with Life(workshop.program, "line") as life:
        inside = CallsInside(at=1, open=[OpenCall(pid=life.pid, tid=life.pid, function=1, entered=1)])
        waits.send(inside)
        while Path(f"/proc/{life.pid}/stat").read_text().split()[2] != "S":
            pass
        waits.look(5)
        waits.look(6)
        assert sink.events[0] is inside
        assert sink.all(ThreadWaits) == [
            ThreadWaits(at=5, pid=life.pid, tid=life.pid, syscall="read", wchan=_wchan(life))
        ]
    waits.send(CallsInside(at=7, open=[]))
    waits.look(8)
    assert len(sink.all(ThreadWaits)) == 1


def _wchan(life: Life) -> str:
    place = Path(f"/proc/{life.pid}/wchan").read_text()
    return "" if place == "0" else place
