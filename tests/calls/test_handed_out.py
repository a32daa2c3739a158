"""A shim that exports none of its functions and answers look-ups with them: they are counted under the asked names."""

import subprocess
from pathlib import Path

import pytest

from inspector.model.profiles import builtin_profiles
from inspector.stream.calls import CallReturned, FunctionsWatched, LookedUp
from tests.calls.conftest import live as live
from tests.collect.collector import Collector

_HIDDEN = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <string.h>
static int begin(unsigned flags) { return 0; }
static int count(int *devices) { *devices = 3; return 0; }
static int odd(int number) { return number % 2 ? 801 : 0; }
static void *find(const char *name) {
  return !strcmp(name, "cuInit") ? (void *)begin : !strcmp(name, "cuDeviceGetCount") ? (void *)count
       : !strcmp(name, "cuStreamIsCapturing") ? (void *)odd : 0;
}
"""
_BY_THE_API = """
int cuGetProcAddress_v2(const char *name, void **place, int version, unsigned long flags, int *status) {
  *place = find(name); return *place ? 0 : 500;
}
"""
_BY_DLSYM = """
void *dlsym(void *handle, const char *name) {
  void *mine = find(name);
  void *(*real)(void *, const char *) = dlvsym(RTLD_NEXT, "dlsym", "GLIBC_2.2.5");
  return mine ? mine : real(handle, name);
}
"""
_PROGRAM = """
#include <dlfcn.h>
#include <unistd.h>
int main(void) {
  void *driver = dlopen("libcuda.so.1", RTLD_NOW);
  int (*get)(const char *, void **, int, unsigned long, int *) = dlsym(driver, "cuGetProcAddress_v2");
  void *found[3]; const char *names[] = {"cuInit", "cuDeviceGetCount", "cuStreamIsCapturing"};
  for (int i = 0; i < 3; i++)
    if (!get || get(names[i], &found[i], 12000, 0, 0)) found[i] = dlsym(driver, names[i]);
  sleep(1);
  int devices;
  for (int i = 0; i < 30; i++) {
    ((int (*)(unsigned))found[0])(0); ((int (*)(int *))found[1])(&devices); ((int (*)(int))found[2])(i);
    usleep(100000);
  }
  return 0;
}
"""


@pytest.mark.longer
@pytest.mark.usefixtures("live")
@pytest.mark.parametrize("answer", [_BY_THE_API, _BY_DLSYM], ids=["cuGetProcAddress", "dlsym"])
def test_hidden_functions_are_counted_at_the_address_that_was_answered(answer: str, tmp_path: Path) -> None:
    library, program = _built(tmp_path, answer, _PROGRAM)
    command = ["env", f"LD_LIBRARY_PATH={tmp_path}", f"LD_PRELOAD={library}", program]
    with Collector("--run-output", "null", "--", *command, plan=builtin_profiles().plan()) as collector:
        collector.finish()
    watched = {one.name: one for event in collector.all(FunctionsWatched) for one in event.functions}
    assert {"cuInit", "cuDeviceGetCount", "cuStreamIsCapturing"} <= set(watched)
    assert {watched[name].library for name in ("cuInit", "cuDeviceGetCount")} == {library}
    calls = [call for call in collector.all(CallReturned) if call.caller == program]
    results = {watched[name].id: {call.result for call in calls if call.function == watched[name].id}
               for name in ("cuInit", "cuStreamIsCapturing")}  # fmt: skip
    assert results == {watched["cuInit"].id: {0}, watched["cuStreamIsCapturing"].id: {0, 801}}
    counted = [call.values for call in calls if call.function == watched["cuDeviceGetCount"].id]
    assert counted and all(values == {"count": 3} for values in counted)


_ASKS_AT_ONCE = """
#include <dlfcn.h>
#include <unistd.h>
int main(void) {
  sleep(1);
  void *driver = dlopen("libcuda.so.1", RTLD_NOW), *found;
  int (*get)(const char *, void **, int, unsigned long, int *) = dlsym(driver, "cuGetProcAddress_v2");
  return get("cuInit", &found, 12000, 0, 0) || get("cuNothing", &found, 12000, 0, 0) != 500;
}
"""


@pytest.mark.usefixtures("live")
def test_what_a_driver_in_the_library_path_is_asked_right_after_its_load_is_told(tmp_path: Path) -> None:
    _, program = _built(tmp_path, _BY_THE_API, _ASKS_AT_ONCE)
    command = ["env", f"LD_LIBRARY_PATH={tmp_path}", program]
    with Collector("--run-output", "null", "--", *command, plan=builtin_profiles().plan()) as collector:
        collector.finish()
    asked = [(each.name, each.found) for each in collector.all(LookedUp) if each.via == "cuGetProcAddress_v2"]
    assert asked == [("cuInit", True), ("cuNothing", False)]


def _built(folder: Path, answer: str, source: str) -> tuple[str, str]:
    """The shim, and a program that asks it."""
    (folder / "shim.c").write_text(_HIDDEN + answer)
    (folder / "program.c").write_text(source)
    library, program = f"{folder}/libcuda.so.1", f"{folder}/program"
    shared = ["-w", "-shared", "-fPIC", "-Wl,-soname,libcuda.so.1", "-o", library, f"{folder}/shim.c", "-ldl"]
    subprocess.run(["gcc", "-O1", *shared], check=True)
    subprocess.run(["gcc", "-O1", "-w", "-o", program, f"{folder}/program.c", "-ldl"], check=True)
    return library, program
