"""Functions of a private table that a driver hands out: counted under their place in it, and what it lacks."""

import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.collect.kernel.records import Looked
from inspector.collect.sources.calls.export_tables import read_table
from inspector.model.profiles import builtin_profiles
from inspector.model.stages import stage_of
from inspector.stream.calls import CallsCounted, FunctionsWatched, LookedUp
from tests.calls.conftest import live as live
from tests.collect.collector import Collector

_DRIVER = """
static int first(void) { return 7; }
static int second(void) { return 0; }
static void *const table[] = {(void *)48, first, second, 0, first, (void *)table};
int cuInit(unsigned flags) { return 0; }
int cuGetExportTable(const void **answer, const unsigned char *id) { *answer = table; return 0; }
"""
_PROGRAM = """
#include <dlfcn.h>
#include <unistd.h>
int main(void) {
  void *driver = dlopen("libcuda.so.1", RTLD_NOW);
  int (*get)(const void **, const unsigned char *) = dlsym(driver, "cuGetExportTable");
  static const unsigned char id[16] = {0x6b, 0xd5, 0xfb, 0x6c};
  int (*const *table)(void);
  get((const void **)&table, id);
  sleep(1);
  for (int i = 0; i < 30; i++) { table[1](); table[2](); table[2](); usleep(100000); }
  return 0;
}
"""


@pytest.mark.longer
@pytest.mark.usefixtures("live")
def test_functions_of_a_private_table_are_counted_by_their_place_in_it(tmp_path: Path) -> None:
    (tmp_path / "driver.c").write_text(_DRIVER)
    (tmp_path / "program.c").write_text(_PROGRAM)
    library, program = f"{tmp_path}/libcuda.so.1", f"{tmp_path}/program"
    shared = ["-w", "-shared", "-fPIC", "-Wl,-soname,libcuda.so.1", "-o", library, f"{tmp_path}/driver.c"]
    subprocess.run(["gcc", "-O1", *shared], check=True)
    subprocess.run(["gcc", "-O1", "-w", "-o", program, f"{tmp_path}/program.c", "-ldl"], check=True)
    command = ["env", f"LD_LIBRARY_PATH={tmp_path}", program]
    with Collector("--run-output", "null", "--", *command, plan=builtin_profiles().plan()) as collector:
        collector.finish()
    (handed_out,) = (one for one in collector.all(LookedUp) if one.via == "cuGetExportTable")
    assert handed_out.lacking == [3]
    watched = {one.name: one for event in collector.all(FunctionsWatched) for one in event.functions}
    names = {name for name in watched if name.startswith("cuGetExportTable[")}
    assert names == {"cuGetExportTable[6bd5fb6c][1]", "cuGetExportTable[6bd5fb6c][2]"}, "the last entry is data"
    assert not any(watched[name].returns for name in names), "nobody knows what they answer"
    last = {count.function: count.count for event in collector.all(CallsCounted) for count in event.counts}
    first, second = (last[watched[f"cuGetExportTable[6bd5fb6c][{index}]"].id] for index in (1, 2))
    assert 0 < first <= 30 and second == 2 * first


def test_a_call_through_a_table_is_no_step_of_its_api() -> None:
    assert stage_of(builtin_profiles(), "cuda-driver", "cuGetExportTable[6bd5fb6c][1]") is None


@given(st.binary(max_size=240))
def test_whatever_lies_at_the_answer_is_read_within_its_bounds(raw: bytes) -> None:
    table = read_table(_record(raw))
    if table is not None:
        assert all(0 < index < len(raw) // 8 for index in (*table.entries, *table.lacking))


def test_of_a_table_that_says_its_size_the_null_entries_are_told() -> None:
    table = read_table(_record(struct.pack("<5Q", 40, 0x1000, 0, 0x2000, 0) + bytes(200)))
    assert table is not None and (table.entries, table.lacking) == ({1: 0x1000, 3: 0x2000}, (2, 4))


def _record(raw: bytes) -> Looked:
    return Looked(
        entered=1, at=2, pid=0, tid=0, cookie=0, via="cuGetExportTable", name=bytes(16), version=b"", handle=0, flags=0,
        caller=0, status=0, answer=0x1000, table=raw,
    )  # fmt: skip
