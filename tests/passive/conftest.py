"""A program that uses a driver library on command, to be looked at from outside."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from inspector.collect.kernel.engine import Engine, EngineError
from tests.elf.workshop import Workshop

NAMES = ("cuInit", "cuDeviceGetCount", "cuDeviceGet", "cuMemAlloc", "cuLaunchKernel", "cuCtxCreate")
PLACES = "".join(
    f".balign 0x40000\n.globl {name}\n.type {name},@function\n{name}: push %rbx\n pop %rbx\n xor %eax,%eax\n ret\n"
    f".size {name},.-{name}\n"
    for name in NAMES
)
DRIVER = f'__asm__(".text\\n{PLACES.replace(chr(10), chr(92) + "n")}");'
USER = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
int cuInit(unsigned); int cuDeviceGetCount(int *); int cuMemAlloc(void);
static void *volatile kept;
static void drop(int advice) {  /* all code of the driver, as a program that saves memory might */
  char line[512]; unsigned long from, to; FILE *maps = fopen("/proc/self/maps", "r");
  while (fgets(line, sizeof line, maps))
    if (strstr(line, "libcuda.so.1") && strstr(line, "r-x") && sscanf(line, "%lx-%lx", &from, &to) == 2)
      madvise((void *)from, to - from, advice);
  fclose(maps);
}
void *exported_table[1] = {cuMemAlloc};
int main(void) {
  char command; int n; void *on_heap[64];
  void **block = malloc(4096);
  memset(block, 0, 4096);
  write(1, "\\n", 1);
  while (read(0, &command, 1) == 1) {
    if (command == 'i') cuInit(0);
    if (command == 'c') cuDeviceGetCount(&n);
    if (command == 'k') kept = dlsym(RTLD_DEFAULT, "cuLaunchKernel");
    if (command == 'h') block[7] = dlsym(RTLD_DEFAULT, "cuCtxCreate");
    if (command == 'D') drop(MADV_DONTNEED);
    if (command == 'O') drop(21 /* MADV_PAGEOUT */);
    if (command == 'C') drop(20 /* MADV_COLD */);
    if (command == 'p') {
      char *at = (char *)((unsigned long)dlsym(RTLD_DEFAULT, "cuDeviceGet") & ~4095UL);
      mprotect(at, 4096, 7);
      *(volatile char *)(at + 100) = 0x90;
    }
    write(1, "\\n", 1);
  }
  return 0;
}
"""


class User:
    """The running program; each command is carried out when the call returns."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._process = process
        self._input: IO[bytes] = process.stdin
        self._output: IO[bytes] = process.stdout
        self._output.readline()

    @property
    def pid(self) -> int:
        return self._process.pid

    def do(self, commands: str) -> None:
        for command in commands:
            self._input.write(command.encode())
            self._input.flush()
            self._output.readline()

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        self._input.close()
        self._output.close()


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    return Workshop(tmp_path_factory.mktemp("passive"))


@pytest.fixture(scope="session")
def driver(workshop: Workshop) -> Path:
    return workshop.library("libcuda.so.1", DRIVER, soname="libcuda.so.1")


@pytest.fixture(scope="session")
def program(workshop: Workshop, driver: Path) -> Path:
    flags = ["-Wl,-z,lazy", f"-Wl,-rpath,{workshop.folder}"]
    return workshop.program("user", USER, links=[driver], flags=flags)


@pytest.fixture
def engine() -> Iterator[Engine]:
    try:
        opened = Engine()
    except EngineError as error:
        pytest.skip(f"no kernel programs here: {error}")
    yield opened
    opened.close()


@pytest.fixture
def user(program: Path) -> Iterator[User]:
    process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    user = User(process)
    yield user
    user.end()
