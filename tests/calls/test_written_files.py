"""A library that is written to, linked or renamed while its functions are counted."""

import subprocess
import time
from pathlib import Path

import pytest

from inspector.collect.kernel.file_writes import FileWrites
from inspector.stream.calls import CallsCounted, CountingStopped, FunctionsWatched
from inspector.stream.requests import ApiPlan, FunctionPlan, Plan
from tests.collect.collector import Collector

PLAN = Plan(
    apis=[
        ApiPlan(
            api="gpu",
            sonames=["libgpu.so.1"],
            prefixes=["gpu"],
            functions=[FunctionPlan(name="gpuInit"), FunctionPlan(name="gpuCount")],
        )
    ]
)
OLD = """
int gpuInit(int a) { return a - a; }
int gpuCount(int a) { return a * 3 + 1; }
"""
NEW = """
int gpuInit(int a) { volatile int x = 0x12345678; x += a * 0x1111111; x ^= 0x55555555; x -= 0x7654321; x += 0x1234567;
                     x *= 0x11111111; x ^= 0x2345671; x += 0x3456712; x -= 0x4567123; return x; }
int gpuCount(int a) { volatile int x = a; x *= 5; x ^= 0x1357; return x; }
"""
PROGRAM = """
#include <stdio.h>
int gpuInit(int), gpuCount(int);
int main(void) { for (int i = 0; i < 3; i++) printf("%d %d ", gpuInit(i), gpuCount(i)); return 0; }
"""


def _built(folder: Path, name: str, source: str) -> Path:
    code = folder / f"{name}.c"
    code.write_text(source)
    library = folder / f"{name}.so"
    command = ["gcc", "-O1", "-shared", "-fPIC", "-Wl,-soname,libgpu.so.1", "-o", str(library), str(code)]
    subprocess.run(command, check=True)
    return library


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    old = _built(tmp_path, "old", OLD)
    _built(tmp_path, "new", NEW)
    (tmp_path / "libgpu.so.1").write_bytes(old.read_bytes())
    (tmp_path / "program.c").write_text(PROGRAM)
    program = ["gcc", "-o", str(tmp_path / "program"), str(tmp_path / "program.c"), str(tmp_path / "libgpu.so.1")]
    subprocess.run(program, check=True)
    return tmp_path


def _observed(folder: Path, script: str) -> tuple[Collector, list[str]]:
    told = folder / "told"
    command = ["sh", "-c", f"cd {folder}; export LD_LIBRARY_PATH={folder}; ({script}) > {told}"]
    with Collector("--run-output", "null", "--", *command, plan=PLAN) as collector:
        collector.finish()
    return collector, told.read_text().splitlines()


@pytest.mark.longer
@pytest.mark.live
def test_a_program_that_loads_a_library_written_in_place_computes_what_it_would_without_us(
    folder: Path, live: None
) -> None:
    script = "./program; echo; sleep 0.3; cat new.so > libgpu.so.1; sleep 0.3; ./program; echo; ./program; echo"
    collector, seen = _observed(folder, script)
    alone = subprocess.run(
        [str(folder / "program")], env={"LD_LIBRARY_PATH": str(folder)}, capture_output=True, text=True, check=True
    ).stdout
    assert seen[0] != alone
    assert seen[1:] == [alone, alone]
    stopped = collector.all(CountingStopped)
    assert stopped and all(event.why.endswith("libgpu.so.1 was written to") for event in stopped)


@pytest.mark.longer
@pytest.mark.live
def test_a_link_or_other_rights_do_not_have_a_file_counted_twice(folder: Path, live: None) -> None:
    script = "./program; ln libgpu.so.1 other.so; chmod 700 libgpu.so.1; ./program"
    collector, _ = _observed(folder, script)
    names = {each.id: each.name for event in collector.all(FunctionsWatched) for each in event.functions}
    counted = {(row.pid, row.function): row.count for event in collector.all(CallsCounted) for row in event.counts}
    by_process = [(pid, names[function], count) for (pid, function), count in counted.items()]
    assert len(by_process) == len({(pid, name) for pid, name, _ in by_process})
    assert max(count for _, _, count in by_process) == 3


def test_the_first_write_to_a_file_is_told_and_a_rename_over_its_path_is_none(tmp_path: Path) -> None:
    one, two, other = tmp_path / "one", tmp_path / "two", tmp_path / "other"
    for path in (one, two, other):
        path.write_text("old")
    told: list[int] = []
    writes = FileWrites(told.append)
    try:
        first, _ = writes.follow(bytes(one)), writes.follow(bytes(two))
        other.rename(two)
        for _ in range(3):
            one.write_text("new")
        until = time.monotonic() + 5
        while not told and time.monotonic() < until:
            time.sleep(0.01)
        time.sleep(0.05)
        assert told == [first]
    finally:
        writes.close()
