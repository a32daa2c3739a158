"""Many short lives on a machine that is full: each call is counted, or it is said of its process that it may not be."""

import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest

from inspector.model.coverage import lower_bound
from inspector.model.fold import apply
from inspector.model.profiles import builtin_profiles
from inspector.model.state import State
from inspector.stream.calls import CallsCounted
from inspector.stream.requests import Quit
from tests.collect.collector import Collector

from .conftest import Targets

pytestmark = [pytest.mark.live, pytest.mark.longer]

_LIVES = 300
_FUNCTIONS = ("cuInit", "cuDriverGetVersion", "cuDeviceGetCount", "cuDeviceGet")
_PERCENT = 60.0
"""Of a processor: nothing is let go for what it costs."""


def _built(targets: Targets, name: str) -> tuple[Path, Path]:
    program, library = targets.folder / name, targets.folder / "libcuda.so.1"
    source = Path(__file__).parent / "targets" / "short_lives.c"
    subprocess.run(["gcc", "-O1", "-w", "-o", program, source, "-ldl", "-pthread"], check=True)
    code = "".join(f"int {name}(void) {{ return 0; }}\n" for name in _FUNCTIONS)
    named = ["-Wl,-soname,libcuda.so.1", "-x", "c", "-"]
    subprocess.run(["gcc", "-O1", "-shared", "-fPIC", "-o", library, *named], input=code, text=True, check=True)
    return program, library


@pytest.mark.parametrize("waits", [False, True], ids=["started by us", "waited for"])
def test_each_call_of_a_short_life_is_counted_or_said_to_be_missing(
    targets: Targets, live: None, tmp_path: Path, waits: bool
) -> None:
    program, library = _built(targets, "late_lives" if waits else "short_lives")  # they run side by side
    notes = tmp_path / "notes"
    notes.touch()
    command = [str(program), str(_LIVES), str(notes), str(library)]
    words = ["--wait", f"--target={program.name}"] if waits else ["--run", "--run-output", "null", "--", *command]
    profiles = builtin_profiles()
    with Collector(*words, plan=profiles.plan(), budget=_PERCENT) as collector:
        if waits:
            collector.hears(f"waiting for {program.name}")
            subprocess.run(command, check=True)
            time.sleep(0.4)
            collector.send(Quit())
        collector.finish()
    made = Counter({int(pid): int(count) for pid, count in map(str.split, notes.read_text().splitlines())})
    counts = {(each.pid, each.function): each.count for told in collector.all(CallsCounted) for each in told.counts}
    counted = Counter[int]()
    for (pid, _), count in counts.items():
        counted[pid] += count
    state = State(profiles=profiles)
    for event in collector.events:
        apply(state, event)
    assert len(made) > _LIVES
    assert not counted - made
    unsaid = {pid: missing for pid, missing in (made - counted).items() if not _is_said(state, pid)}
    assert not unsaid, (len(unsaid), state.lost)


def _is_said(state: State, pid: int) -> bool:
    functions = [each for each in state.functions.values() if each.name in _FUNCTIONS]
    found = [each for each in state.processes if each.pid == pid]
    return any(lower_bound(state, process, function) for process in found for function in functions)
