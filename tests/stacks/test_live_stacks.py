"""Who asked, of real interpreters of each version and of a C program: exactly the line, the function, the symbol."""

import subprocess
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet

from inspector.collect.kernel.registers import HERE, OTHER_PROCESSOR, X86_64
from inspector.stream.calls import LookedUp
from inspector.stream.requests import ApiPlan, FunctionPlan, Plan
from inspector.stream.stacks import Occasion, StackTaken
from tests.calls.conftest import live as live
from tests.collect.collector import Collector
from tests.slower import SLOWER

from .pythons import pythons

pytestmark = [pytest.mark.live, pytest.mark.usefixtures("live")]
_PYTHON = pytest.mark.skipif(HERE is not X86_64, reason=OTHER_PROCESSOR)

PLAN = Plan(
    apis=[
        ApiPlan(
            api="gpu", sonames=["libgpu.so.1"], prefixes=["gpu"],
            functions=[FunctionPlan(name=name, returns=True, decides=name == "gpuInit") for name in
                       ("gpuInit", "gpuCount", "gpuCrash")],
        )
    ]
)  # fmt: skip
_SHIM = """
int gpuInit(void) { return 100; }
int gpuCount(int *count) { *count = 0; return 3; }
int gpuCrash(int *place) { return *place; }
"""
_PROGRAM = """
#include <stddef.h>
int gpuInit(void); int gpuCrash(int *);
__attribute__((noinline)) int ask_driver(int deep) { return deep ? ask_driver(deep - 1) + 1 : gpuInit() + 1; }
int main(void) { int answer = ask_driver(3); return answer + gpuCrash(NULL); }
"""
_SEEKER = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
__attribute__((noinline)) int want(const char *name) { return dlsym(RTLD_DEFAULT, name) ? 1 : 0; }
__attribute__((noinline)) int seek(const char *name) { return want(name) + 1; }
int main(int argc, char **argv) {
    char name[64];
    int found = 0;
    usleep(300000);
    if (argc > 2) for (int i = 0; i < 50; i++) found += seek("gpuAgain");
    for (int i = 0; i < atoi(argv[1]); i++) {
        snprintf(name, sizeof name, "gpuOptional%d", i);
        found += seek(name);
    }
    if (argc > 2) found += seek("gpuInit");
    return found == 0;
}
"""
_SCRIPT = """\
import ctypes, threading


def ask(gpu):
    return gpu.gpuInit()


def naïve(gpu):
    class Loader:
        def go(self):
            return (
                1 +
                gpu.gpuCount(ctypes.byref(ctypes.c_int())))
    return Loader().go()


def main():
    try:
        ctypes.CDLL("libnothere.so.9")
    except OSError:
        pass
    gpu = ctypes.CDLL("SHIM")
    ask(gpu)
    thread = threading.Thread(target=lambda: naïve(gpu))
    thread.start()
    thread.join()
    gpu.gpuCrash(None)


import time; time.sleep(0.8)
main()
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("stacks")
    (place / "shim.c").write_text(_SHIM)
    (place / "program.c").write_text(_PROGRAM)
    (place / "seeker.c").write_text(_SEEKER)
    (place / "train.py").write_text(_SCRIPT.replace("SHIM", f"{place}/libgpu.so.1"))
    shim = ["-shared", "-fPIC", "-Wl,-soname,libgpu.so.1", "-o", f"{place}/libgpu.so.1", f"{place}/shim.c"]
    program = ["-fomit-frame-pointer", "-fno-optimize-sibling-calls", "-o", f"{place}/program", f"{place}/program.c"]
    seeker = ["-fomit-frame-pointer", "-fno-optimize-sibling-calls", "-o", f"{place}/seeker", f"{place}/seeker.c"]
    for words in (shim, seeker, [*program, f"-L{place}", "-l:libgpu.so.1", f"-Wl,-rpath,{place}"]):
        subprocess.run(["gcc", "-O2", *words], check=True)
    return place


def stacks(*command: str) -> list[StackTaken]:
    with Collector("--run-output", "null", "--", *command, plan=PLAN) as collector:
        collector.finish()
    return collector.all(StackTaken)


def source(taken: list[StackTaken], occasion: Occasion, number: int = 0) -> list[tuple[str, int | None, str]]:
    one = [stack for stack in taken if stack.occasion == occasion][number]
    assert not one.source_end
    return [(Path(frame.file).name, frame.line, frame.function) for frame in one.source]


def _versions() -> list[ParameterSet]:
    """The newest; the others are for the longer suite."""
    found = sorted(pythons())
    marks = {version: [pytest.mark.longer] for version in found[:-1]}
    return [pytest.param(one, id=f"{one[0]}.{one[1]}", marks=marks.get(one, ())) for one in found]


@_PYTHON
@pytest.mark.parametrize("version", _versions())
def test_python_code_is_told_by_file_line_and_function(version: tuple[int, int], folder: Path) -> None:
    taken = stacks(pythons()[version], str(folder / "train.py"))
    qualified = version > (3, 10)
    main, module = ("train.py", 23, "main"), ("train.py", 31, "<module>")
    first = source(taken, "entered")
    assert first == [("train.py", 5, "ask"), main, module]
    load = source(taken, "load")
    assert load[-2:] == [("train.py", 19, "main"), module]
    assert load[0][0] == "__init__.py"
    refused = source(taken, "refused")
    assert refused[0] == ("train.py", 13, "naïve.<locals>.Loader.go" if qualified else "go")
    assert refused[1] == ("train.py", 14, "naïve")
    assert source(taken, "signal") == [("train.py", 27, "main"), module]
    crash = next(stack for stack in taken if stack.occasion == "signal")
    assert crash.native[0].symbol == "gpuCrash"


@pytest.mark.longer
def test_a_c_program_without_frame_pointers_is_told_to_its_beginning(folder: Path) -> None:
    taken = stacks(str(folder / "program"))
    entered = next(stack for stack in taken if stack.occasion == "entered")
    assert [frame.symbol for frame in entered.native[:5]] == [*["ask_driver"] * 4, "main"]
    assert entered.native[-1].symbol == "_start"
    assert not entered.native_end and not entered.source and not entered.source_end
    crash = next(stack for stack in taken if stack.occasion == "signal")
    assert [frame.symbol for frame in crash.native[:2]] == ["gpuCrash", "main"]


_ASKING = """\
import ctypes, time


def main():
    gpu = ctypes.CDLL("SHIM")
    getattr(gpu, "gpuInit")
    return hasattr(gpu, "gpuLaunch")


time.sleep(0.8)
main()
"""


def looked_up(*command: str) -> tuple[list[StackTaken], list[LookedUp]]:
    with Collector("--run-output", "null", "--", *command, plan=PLAN) as collector:
        collector.finish()
    stacks = collector.all(StackTaken, lambda one: one.occasion == "lookup")
    return stacks, collector.all(LookedUp, lambda one: one.name.startswith("gpu"))


@_PYTHON
@pytest.mark.parametrize("version", _versions())
def test_who_asked_for_a_name_that_is_not_there_is_told(version: tuple[int, int], folder: Path) -> None:
    script = folder / "asking.py"
    script.write_text(_ASKING.replace("SHIM", f"{folder}/libgpu.so.1"))
    stacks, lookups = looked_up(pythons()[version], str(script))
    (refused,) = (one for one in lookups if one.found is False)
    (stack,) = (one for one in stacks if (one.tid, one.moment) == (refused.tid, refused.entered))
    assert source([stack], "lookup")[-2:] == [("asking.py", 7, "main"), ("asking.py", 11, "<module>")]


@pytest.mark.longer
def test_compiled_code_that_asks_for_a_name_in_vain_is_told_to_its_beginning(folder: Path) -> None:
    stacks, lookups = looked_up(str(folder / "seeker"), "1")
    (refused,) = (one for one in lookups if one.name == "gpuOptional0")
    (stack,) = (one for one in stacks if one.moment == refused.entered)
    assert [frame.symbol for frame in stack.native[:3]] == ["want", "seek", "main"]
    assert not stack.native_end


@pytest.mark.longer
def test_of_thousands_of_names_that_are_not_there_a_few_stacks_are_copied(folder: Path) -> None:
    """Two of a name that is asked for again and again, sixteen in all, and the one of a name that decides."""
    stacks, lookups = looked_up(str(folder / "seeker"), f"{2000 / SLOWER:.0f}", "again")
    again = next(one for one in lookups if one.name == "gpuAgain")
    begun = {one.name: one.entered for one in lookups if one.name.startswith("gpuOptional")}
    assert again.entered == stacks[0].moment
    assert [one.moment for one in stacks[2:-1]] == [begun[f"gpuOptional{number}"] for number in range(14)]
    (decides,) = (one for one in lookups if one.name == "gpuInit")
    assert stacks[-1].moment == decides.entered


@pytest.mark.longer
@_PYTHON
def test_a_compiled_program_that_python_starts_is_no_python(folder: Path) -> None:
    script = folder / "starting.py"
    script.write_text(f"import subprocess, time\ntime.sleep(0.3)\nsubprocess.run([{str(folder / 'seeker')!r}, '1'])\n")
    stacks, lookups = looked_up(pythons()[max(pythons())], str(script))
    (stack,) = (one for one in stacks if one.pid == lookups[0].pid)
    assert (stack.source, stack.source_end) == ([], "")
    assert stack.native[0].symbol == "want"
