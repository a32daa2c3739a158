"""Shims that no setting, command line or SONAME names: counted from the first call, or honestly late."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from inspector.model.coverage import lower_bound
from inspector.model.fold import apply
from inspector.model.state import State
from inspector.stream.calls import CallersCounted, CallReturned, CallsCounted, FunctionsWatched
from inspector.stream.requests import ApiPlan, FunctionPlan, Plan
from tests.collect.collector import Collector

pytestmark = pytest.mark.live

CALLS = 300
SHIM = """
int gpuInit(void) { return 7; }
int gpuCount(void) { return 1; }
__attribute__((constructor)) static void begin(void) { gpuCount(); }
"""
PROGRAM = f"""
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
/* The path is put together at run time: WHERE and argv[1] coded, so that no word of it can be read beforehand.
   With argv[2] it goes on until there is a file of that name, and calls once more: counting has begun by then. */
int main(int argc, char **argv) {{
    char path[4096];
    int at = snprintf(path, sizeof path, "%s/", getenv("WHERE"));
    for (int end = 0; argv[1][end]; end++) path[at + end] = argv[1][end] ^ 1;
    path[at + 9] = 0;
    void *handle = dlopen(path, RTLD_NOW);
    if (!handle) {{ fprintf(stderr, "%s", dlerror()); return 9; }}
    int (*init)(void) = (int (*)(void))dlsym(handle, "gpuInit");
    for (int i = 0; i < {CALLS}; i++) {{ init(); usleep(1000); }}
    if (argc > 2) {{ while (access(argv[2], F_OK)) usleep(1000); init(); }}
    return 0;
}}
"""
NAME = "libodd.so"
CODED = "".join(chr(ord(letter) ^ 1) for letter in NAME)
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


@dataclass(frozen=True)
class Layout:
    """A program in one folder, a shim in another."""

    folder: Path

    @property
    def program(self) -> Path:
        return self.folder / "bin" / "program"

    @property
    def elsewhere(self) -> Path:
        return self.folder / "elsewhere"


@pytest.fixture
def layout(tmp_path: Path, live: None) -> Iterator[Layout]:
    built = Layout(tmp_path)
    for folder in (built.program.parent, built.elsewhere):
        folder.mkdir()
    (tmp_path / "shim.c").write_text(SHIM)
    (tmp_path / "program.c").write_text(PROGRAM)
    shim = ["gcc", "-O1", "-shared", "-fPIC", "-o", str(built.elsewhere / NAME), str(tmp_path / "shim.c")]
    program = ["gcc", "-O1", "-o", str(built.program), str(tmp_path / "program.c"), "-ldl"]
    for command in (shim, program):
        subprocess.run(command, check=True)
    yield built


def counts(collector: Collector) -> dict[str, int]:
    """Calls by function, in the end."""
    names = {each.id: each.name for event in collector.all(FunctionsWatched) for each in event.functions}
    return {names[row.function]: row.count for event in collector.all(CallsCounted) for row in event.counts}


def observe(*command: str) -> Collector:
    with Collector("--run-output", "null", "--", *command, plan=PLAN) as collector:
        collector.finish()
    return collector


def counted_whole(collector: Collector) -> None:
    """Every call was counted, the constructor's included, which is told apart as the library's own.

    Its result need not be read: on a busy machine the exits of a function may still be decoded when it returns.
    """
    assert counts(collector) == {"gpuInit": CALLS, "gpuCount": 1}
    rows = {(row.function, row.own): row.count for event in collector.all(CallersCounted) for row in event.counts}
    assert [count for (_, own), count in rows.items() if own] == [1]
    assert all(event.own for event in collector.all(CallReturned, lambda event: event.constructor))


def test_a_shim_beside_the_program_is_counted_from_its_constructor_on(layout: Layout) -> None:
    (layout.elsewhere / NAME).rename(layout.program.parent / NAME)
    counted_whole(observe("env", f"WHERE={layout.program.parent}", str(layout.program), CODED))


def test_a_shim_in_the_library_path_is_counted_from_its_constructor_on(layout: Layout) -> None:
    setting = f"LD_LIBRARY_PATH={layout.elsewhere}"
    counted_whole(observe("env", setting, f"WHERE={layout.elsewhere}/.", str(layout.program), CODED))


@pytest.mark.longer
def test_a_shim_that_a_script_names_is_counted_from_its_constructor_on(layout: Layout) -> None:
    script = layout.program.parent / "script.py"
    path = layout.elsewhere / NAME
    script.write_text(f"import ctypes\ngpu = ctypes.CDLL({str(path)!r})\nfor _ in range({CALLS}): gpu.gpuInit()\n")
    counted_whole(observe(sys.executable, str(script)))


@pytest.mark.longer
def test_a_shim_that_a_library_of_the_program_names_is_counted_from_its_constructor_on(layout: Layout) -> None:
    (layout.folder / "between.c").write_text(f'const char *name(void) {{ return "{NAME}"; }}')
    between = layout.program.parent / "libbetween.so"
    command = ["gcc", "-shared", "-fPIC", "-o", str(between), str(layout.folder / "between.c")]
    subprocess.run([*command, f"-Wl,-rpath,{layout.elsewhere}"], check=True)
    counted_whole(observe("env", f"WHERE={layout.elsewhere}/.", str(layout.program), CODED))


def test_a_shim_that_nobody_could_foresee_is_counted_from_its_constructor_on_or_said_to_be_late(layout: Layout) -> None:
    hidden = layout.elsewhere / "deep"
    hidden.mkdir()
    (layout.elsewhere / NAME).rename(hidden / NAME)
    go = layout.folder / "go"
    script = f"cd /; W={layout.elsewhere}; WHERE=$W/deep {layout.program} {CODED} {go}"
    with Collector("--run-output", "null", "--", "sh", "-c", script, plan=PLAN) as collector:
        collector.wait(FunctionsWatched, lambda event: "gpuInit" in {each.name for each in event.functions})
        go.touch()
        collector.finish()
    seen, made = counts(collector), {"gpuInit": CALLS + 1, "gpuCount": 1}
    assert 0 < seen["gpuInit"] <= CALLS + 1
    state = State()
    for event in collector.events:
        apply(state, event)
    functions = {each.name: each for each in state.functions.values() if each.name in made}
    (process,) = [each for each in state.processes if functions["gpuInit"].id in each.counts]
    for name in (each for each in made if seen.get(each, 0) != made[each]):
        assert seen.get(name, 0) < made[name]
        words = lower_bound(state, process, functions[name])
        assert words.startswith(f"counting of {NAME} began"), name
        assert words.endswith(("after the library was loaded", "after it started"))
