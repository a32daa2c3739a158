"""Whether a thread of ours may run before the program that it reacts to is found out by trying."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from inspector.collect.kernel.real_time import enter_root_group, why_refused

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="SCHED_FIFO is for root")
_ASKS = "from inspector.collect.kernel.real_time import enter_root_group as enter, why_refused as why; "
_WITHOUT = ("setpriv", "--bounding-set=-sys_nice", "--inh-caps=-sys_nice")


def _printed(code: str, *before: str) -> str:
    return subprocess.run([*before, sys.executable, "-c", _ASKS + code], capture_output=True, text=True).stdout.strip()


def test_what_may_be_real_time_where_it_is_stays_in_its_control_group() -> None:
    before = Path("/proc/self/cgroup").read_text()
    assert why_refused() == ""
    enter_root_group()
    assert Path("/proc/self/cgroup").read_text() == before


def test_without_the_right_the_refusal_is_told_and_nothing_is_moved() -> None:
    assert _printed("print(why())", *_WITHOUT) == "operation not permitted"
    moved = _printed("enter(); print(open('/proc/self/cgroup').read())", *_WITHOUT)
    assert moved == Path("/proc/self/cgroup").read_text().strip()


@pytest.fixture
def without_share() -> Iterator[Path]:
    """A control group that has no real-time share, as all but the root have by default."""
    tree = next((each for each in (Path("/sys/fs/cgroup/cpu"), Path("/sys/fs/cgroup")) if _divides(each)), None)
    if tree is None:
        pytest.skip("this kernel grants real-time to every control group, or shows none")
    group = tree / f"inspector-test-{os.getpid()}"
    group.mkdir()
    yield group
    group.rmdir()


def _divides(tree: Path) -> bool:
    return (tree / "cpu.rt_runtime_us").exists()


def test_a_process_in_a_group_without_real_time_share_moves_itself_to_the_root(without_share: Path) -> None:
    enter = f"open('{without_share}/cgroup.procs', 'w').write('0'); import os; "
    asks = "os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))"
    tries = f"refused = []\ntry: {asks}\nexcept OSError: refused.append(1)\n"
    assert _printed(f"{enter}\n{tries}print(refused)") == "[1]"
    assert _printed(f"{enter}\nenter()\n{tries}print(refused)") == "[]"
    assert (
        _printed(f"{enter}\nprint(repr(why()), open('/proc/self/cgroup').read().count('{without_share.name}'))")
        == "'' 1"
    )
