"""Reports on a running program, one after the other: an earlier look must not change what a later one says."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.elf.workshop import Workshop

from .run import inspector

pytestmark = pytest.mark.longer

NAMES = ("cuInit", "cuDeviceGetCount", "cuDeviceGet", "cuLaunchKernel", "cuMemAlloc_v2")
DRIVER = "static volatile long calls;" + "".join(f"int {name}(void) {{ calls++; return 0; }}" for name in NAMES)
PROGRAM = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
int main(int argc, char **argv) {
  void *driver = dlopen(argv[1], RTLD_NOW);
  const char *names[] = {"cuInit", "cuDeviceGetCount", "cuDeviceGet", "cuLaunchKernel"};
  for (int i = 0; i < 4; i++) ((int (*)(void))dlsym(driver, names[i]))();
  char line[512]; unsigned long from, to; FILE *maps = fopen("/proc/self/maps", "r");
  while (atoi(argv[2]) && fgets(line, sizeof line, maps))
    if (strstr(line, "libcuda") && sscanf(line, "%lx-%lx", &from, &to) == 2)
      madvise((void *)from, to - from, atoi(argv[2]));
  puts("called"); fflush(stdout);
  pause();
}
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    workshop = Workshop(tmp_path_factory.mktemp("second"))
    driver = workshop.library("libcuda.so.1", DRIVER, soname="libcuda.so.1")
    return workshop.program("program", PROGRAM), driver


@pytest.fixture(params=[0, 4, 20, 21], ids=["as-it-is", "dontneed", "cold", "pageout"])
def called(program: tuple[Path, Path], request: pytest.FixtureRequest) -> Iterator[int]:
    """A program that has made its calls, and dropped its pages afterwards in one of the ways of madvise(2)."""
    process = subprocess.Popen([*program, str(request.param)], stdout=subprocess.PIPE)
    assert process.stdout is not None and process.stdout.readline() == b"called\n"
    yield process.pid
    process.kill()
    process.wait()
    process.stdout.close()


def test_no_look_says_that_functions_were_never_called_that_were(called: int) -> None:
    for _ in range(2):
        made = json.loads(inspector("report", "--for", "500ms", "--format", "json", str(called)).stdout)
        assert "not-called" not in {finding["rule"] for finding in made["findings"]}
        states = [rung["state"] for api in made["apis"] for rung in api["rungs"] if rung["rung"] == "called"]
        assert states == ["unknown"]
