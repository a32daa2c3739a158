"""The loader's list, from living processes and from memory that lies or changes."""

import os
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspector.collect.elf.linkmap import AT_PHDR, AT_PHENT, AT_PHNUM, LinkMap, read_link_map
from inspector.collect.kernel import procfs
from inspector.collect.kernel.memory import Memory

from .workshop import Workshop

TABLE, DYNAMIC, DEBUG, FIRST, NAMES = 0x1040, 0x2000, 0x3000, 0x4000, 0x8000
AUXILIARY = {AT_PHDR: TABLE, AT_PHENT: 56, AT_PHNUM: 2}


class FakeMemory:
    """Bytes at addresses; everything else cannot be read."""

    def __init__(self, size: int = 0x10000) -> None:
        self.bytes = bytearray(size)

    def put(self, address: int, form: str, *values: int) -> None:
        struct.pack_into(form, self.bytes, address, *values)

    def read(self, address: int, size: int) -> bytes:
        if address < 0x1000 or address + size > len(self.bytes):
            raise OSError("not mapped")
        return bytes(self.bytes[address : address + size])


def memory_with(objects: int, *, version: int = 1) -> FakeMemory:
    memory = FakeMemory()
    memory.put(TABLE, "<IIQQQQQQ", 6, 4, 0, 0x40, 0, 0, 0, 0)
    memory.put(TABLE + 56, "<IIQQQQQQ", 2, 6, 0, DYNAMIC - 0x1000, 0, 0, 0, 0)
    memory.put(DYNAMIC, "<QQQQ", 1, 77, 21, DEBUG)
    memory.put(DEBUG, "<i4xQQi4xQQ", version, FIRST, 0, 0, 0, 0)
    for number in range(objects):
        at = FIRST + 40 * number
        following = at + 40 if number + 1 < objects else 0
        before = at - 40 if number else 0
        memory.put(at, "<5Q", 0x1000 * number, NAMES + 16 * number, 0, following, before)
        memory.bytes[NAMES + 16 * number : NAMES + 16 * number + 8] = b"/lib/%03d" % number
    return memory


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    code = "import time, ctypes.util, ssl; print(flush=True); time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_living_process_shows_what_it_mapped_in_load_order(sleeper: subprocess.Popen[bytes]) -> None:
    with Memory(sleeper.pid) as memory:
        found = read_link_map(memory, procfs.auxiliary(sleeper.pid))
    assert found.consistent
    assert found.objects[0].name == b""
    mapped = {line.path for line in procfs.executable_maps(sleeper.pid) if line.path.startswith(b"/")}
    mapped.discard(os.fsencode(Path(f"/proc/{sleeper.pid}/exe").readlink()))
    assert {os.path.realpath(each.name) for each in found.objects if each.name.startswith(b"/")} == mapped


def test_a_library_opened_in_a_namespace_of_its_own_is_listed_there(workshop: Workshop) -> None:
    library = workshop.library("libapart.so", "int apart(void) { return 1; }")
    code = f"""
    #define _GNU_SOURCE
    #include <dlfcn.h>
    #include <unistd.h>
    int main(void) {{ dlmopen(LM_ID_NEWLM, "{library}", RTLD_NOW); write(1, "\\n", 1); pause(); return 0; }}
    """
    program = workshop.program("apart", code)
    with subprocess.Popen([program], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with Memory(process.pid) as memory:
            found = read_link_map(memory, procfs.auxiliary(process.pid))
        process.kill()
    assert [each.namespace for each in found.objects if each.name == os.fsencode(library)] == [1]
    assert {each.namespace for each in found.objects} == {0, 1}


def test_a_static_program_has_no_list(workshop: Workshop) -> None:
    program = workshop.program("static", "int main(void) { pause(); return 0; }", flags=["-static"])
    with subprocess.Popen([program]) as process, Memory(process.pid) as memory:
        found = read_link_map(memory, procfs.auxiliary(process.pid))
        process.kill()
    assert found == LinkMap([], True)


def test_a_chain_that_runs_in_a_circle_ends() -> None:
    memory = memory_with(3)
    memory.put(FIRST + 80 + 24, "<Q", FIRST)
    found = read_link_map(memory, AUXILIARY)
    assert [each.name for each in found.objects] == [b"/lib/000", b"/lib/001", b"/lib/002"]
    assert not found.consistent


def test_a_chain_that_breaks_off_keeps_what_was_read() -> None:
    memory = memory_with(3)
    memory.put(FIRST + 40 + 24, "<Q", 0xDEAD0000)
    found = read_link_map(memory, AUXILIARY)
    assert (len(found.objects), found.consistent) == (2, False)


def test_namespaces_that_point_at_each_other_end() -> None:
    memory = memory_with(1, version=2)
    memory.put(DEBUG + 40, "<Q", DEBUG)
    assert len(read_link_map(memory, AUXILIARY).objects) == 1


def test_a_loader_at_work_is_said() -> None:
    memory = memory_with(2)
    memory.put(DEBUG + 24, "<i", 1)
    assert not read_link_map(memory, AUXILIARY).consistent


def test_a_process_that_is_gone_gives_an_empty_list() -> None:
    assert read_link_map(FakeMemory(0), AUXILIARY) == LinkMap([], False)
    assert read_link_map(FakeMemory(0), {}) == LinkMap([], True)


@settings(max_examples=150, deadline=None)
@given(
    writes=st.lists(
        st.tuples(st.integers(0x1000, 0x4200), st.integers(0, 2**64 - 1) | st.integers(0x1000, 0x9000)), max_size=12
    )
)
def test_memory_that_changes_at_will_gives_a_bounded_list(writes: list[tuple[int, int]]) -> None:
    memory = memory_with(5, version=2)
    for address, value in writes:
        memory.put(address & ~7, "<Q", value)
    assert len(read_link_map(memory, AUXILIARY).objects) <= 8192


def test_the_loader_itself_is_in_the_list(sleeper: subprocess.Popen[bytes]) -> None:
    with Memory(sleeper.pid) as memory:
        names = [each.name for each in read_link_map(memory, procfs.auxiliary(sleeper.pid)).objects]
    assert Path("/lib64/ld-linux-x86-64.so.2").resolve() in {Path(os.fsdecode(name)).resolve() for name in names}
