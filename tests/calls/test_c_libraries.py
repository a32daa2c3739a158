"""Programs of other C libraries than this machine's: look-ups and calls are told all the same, or said not to be."""

import shutil
import subprocess
from pathlib import Path

import pytest

from inspector.collect.elf.exits import find_exits
from inspector.collect.elf.sites import find_sites
from inspector.stream.c_library import answers_lookups
from inspector.stream.calls import CallReturned, LookedUp
from inspector.stream.requests import ApiPlan, FunctionPlan, Plan
from inspector.stream.session import LimitNoted
from tests.collect.collector import Collector

PROGRAM = """
#include <dlfcn.h>
int main(int argc, char **argv) {
    void *handle = dlopen(argv[1], RTLD_NOW);
    int (*init)(void) = (int (*)(void))dlsym(handle, "gpuInit");
    return dlsym(handle, "gpuNothing") || init() != 7;
}
"""
PLAN = Plan(apis=[ApiPlan(api="gpu", sonames=[], prefixes=["gpu"], functions=[FunctionPlan(name="gpuInit")])])


@pytest.fixture
def musl(tmp_path: Path) -> str:
    compiler = shutil.which("musl-gcc")
    if compiler is None:
        pytest.skip("no musl-gcc here")
    (tmp_path / "shim.c").write_text("int gpuInit(void) { return 7; }")
    (tmp_path / "program.c").write_text(PROGRAM)
    for command in (["-shared", "-fPIC", "-o", "libgpu.so", "shim.c"], ["-o", "program", "program.c"]):
        subprocess.run([compiler, *command], cwd=tmp_path, check=True)
    return str(tmp_path / "program")


@pytest.mark.live
def test_look_ups_and_calls_of_a_musl_program_are_told_from_its_start(musl: str, live: None) -> None:
    with Collector("--run-output", "null", "--", musl, str(Path(musl).parent / "libgpu.so"), plan=PLAN) as seen:
        seen.finish()
    asked = [(each.via, each.name.rpartition("/")[2], each.found) for each in seen.all(LookedUp)]
    assert asked == [("dlopen", "libgpu.so", True), ("dlsym", "gpuInit", True), ("dlsym", "gpuNothing", False)]
    assert [call.result for call in seen.all(CallReturned)] == [7]
    assert any("loader's own words" in limit.what and "not glibc" in limit.why for limit in seen.all(LimitNoted))


def test_a_function_that_goes_on_in_another_is_followed_to_its_end(musl: str) -> None:
    library = b"/lib/ld-musl-x86_64.so.1"
    (dlsym,) = find_sites(library, ["dlsym"]).found
    exits = find_exits(library, [dlsym])[dlsym.entry]
    assert exits.offsets and not exits.unproven


@pytest.mark.parametrize(
    "path",
    [
        "/usr/lib/x86_64-linux-gnu/libc.so.6",
        "/lib/x86_64-linux-gnu/libdl.so.2",
        "/lib/x86_64-linux-gnu/libdl-2.31.so",
        "/lib/x86_64-linux-gnu/libc-2.31.so",
        "/lib/x86_64-linux-gnu/ld-2.17.so",
        "/lib64/ld-linux-x86-64.so.2",
        "/lib/ld-musl-x86_64.so.1",
        "/usr/lib/x86_64-linux-musl/libc.so",
    ],
)
def test_the_files_that_answer_look_ups_are_known_in_every_c_library(path: str) -> None:
    assert answers_lookups(path)


@pytest.mark.parametrize(
    "path", ["/opt/libcuda.so.1", "/usr/lib/libcrypto.so.3", "/opt/mylibc.so", "/x/libdl.so.2.old"]
)
def test_other_files_do_not(path: str) -> None:
    assert not answers_lookups(path)
