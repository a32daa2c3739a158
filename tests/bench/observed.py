"""What being observed costs a program: its start-up on two processors, a loop of launches, a bystander's calls."""

import ctypes.util
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from .figures import Figure, Measurement

INSPECTOR = [sys.executable, "-m", "inspector"]
_STARTS = 7
_PAIRS, _LOOP_SECONDS = 7, 6
_LIBRARIES = 60
_DRIVER = """
#define F __attribute__((visibility("default"), noinline))
F int cuInit(unsigned flags) { return 0; }
F int cuDeviceGetCount(int *count) { *count = 1; return 0; }
F int cuMemAlloc_v2(unsigned long *to, unsigned long size) { *to = size; return 0; }
F int cuLaunchKernel(void *f, int a, int b, int c, int d, int e, int g, int h, void *s, void **p, void **x) {
  __asm__ volatile("push %rbx; pop %rbx");
  for (volatile int i = 0; i < 12000; i++) ;
  return 0;
}
"""
_LOOP = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
static double now(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec + t.tv_nsec * 1e-9; }
int main(int argc, char **argv) {  /* library seconds: prints the launches of each twentieth of a second */
  void *driver = dlopen(argv[1], RTLD_NOW);
  int (*launch)(void *, int, int, int, int, int, int, int, void *, void **, void **) = dlsym(driver, "cuLaunchKernel");
  int (*init)(unsigned) = dlsym(driver, "cuInit"), (*count)(int *) = dlsym(driver, "cuDeviceGetCount"), n;
  init(0); count(&n);
  double begin = now(), end = begin + atof(argv[2]), from = begin;
  while (from < end) {
    long made = 0;
    double at;
    do for (int i = 0; i < 100; i++, made++) launch(0, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0);
    while ((at = now()) - from < 0.05);
    printf("%.4f %.1f\\n", from, made / (at - from));
    fflush(stdout);
    from = at;
  }
}
"""
_OTHERS = 500
_MANY = "".join(
    f'F int cuOther{each}(int a) {{ __asm__ volatile("push %rbx; pop %rbx"); return 0; }}\n' for each in range(_OTHERS)
)
_CALLING = """
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
static double at(int clock) { struct timespec t; clock_gettime(clock, &t); return t.tv_sec + t.tv_nsec * 1e-9; }
int main(int argc, char **argv) {  /* library seconds others: prints ns of processor time for each launch */
  void *driver = dlopen(argv[1], RTLD_NOW);
  int (*launch)(void *, int, int, int, int, int, int, int, void *, void **, void **) = dlsym(driver, "cuLaunchKernel");
  int (*init)(unsigned) = dlsym(driver, "cuInit"), (*other[8])(int), others = atoi(argv[3]);
  for (int i = 0; i < 8; i++) {
    char name[32];
    sprintf(name, "cuOther%d", i * 60);
    other[i] = dlsym(driver, name);
  }
  init(0);
  double end = at(CLOCK_MONOTONIC) + atof(argv[2]), begun = at(CLOCK_PROCESS_CPUTIME_ID);
  long made = 0;
  while (at(CLOCK_MONOTONIC) < end)
    for (int i = 0; i < 100; i++, made++) {
      launch(0, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0);
      for (int k = 0; k < others; k++) other[k](i);
    }
  printf("%.3f\\n", (at(CLOCK_PROCESS_CPUTIME_ID) - begun) / made * 1e9);
}
"""
_STARTING = "int number_{0}(void) {{ return {0}; }}\n"


def start_up_pinned() -> list[Figure]:
    """A program that loads sixty libraries and computes, alone and under `report --`, pinned to the same two."""
    with tempfile.TemporaryDirectory() as folder:
        program = _starting(Path(folder))
        alone, observed, passive = [], [], []
        for _ in range(_STARTS):
            alone.append(_start([], program))
            observed.append(_start([*INSPECTOR, "report", "--"], program))
            passive.append(_start([*INSPECTOR, "report", "--no-count", "--"], program))
    words = "start-up under observation, both on the same two processors"
    return [
        _ratio(words, observed, alone, 1.03),
        _ratio(f"{words}, --no-count", passive, alone, 1.03),
    ]


def launch_loop() -> list[Figure]:
    """The slowest half second of a loop of more than 100,000 launches a second, attaching included."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        library, loop = _build(folder, _DRIVER, "libcuda.so.1", "-shared", "-fPIC"), _build(folder, _LOOP, "loop")
        counted, passive, alone = (_slowest(loop, library, options) for options in ([], ["--no-count"], None))
    words = "slowest half second of a launch loop against its median before"
    return [
        Figure(what=f"{words}, attaching", ours=counted, budget=0.97, more_is_better=True, peer="alone",
               peer_value=alone, note="the machine's own noise is in the figure of the peer"),
        Figure(what=f"{words}, --no-count", ours=passive, budget=0.97, more_is_better=True, peer="alone",
               peer_value=alone),
    ]  # fmt: skip


def every_export() -> list[Figure]:
    """A loop on a driver with 500 more exports, all of which are counted by their prefix: attached against not, in
    turn, by the loop's own processor time, attaching included; in the second loop each launch calls eight of them."""
    figures = []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        library = _build(folder, _DRIVER + _MANY, "libcuda.so.1", "-shared", "-fPIC")
        loop = _build(folder, _CALLING, "calling")
        for others in (0, 8):
            pairs = [(_cost(loop, library, others, True), _cost(loop, library, others, False)) for _ in range(_PAIRS)]
            observed, alone = zip(*pairs, strict=True)
            figures.append(
                Figure(what=f"a launch and {others} calls that no profile lists, of a driver with {_OTHERS} exports",
                       ours=statistics.median(observed), unit="ns", peer="alone", peer_value=statistics.median(alone),
                       ratio_budget=1.01)
            )  # fmt: skip
    return figures


def _cost(loop: Path, library: Path, others: int, observed: bool) -> float:
    """ns of processor time for each launch."""
    words = [str(loop), str(library), f"{_LOOP_SECONDS}", str(others)]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    if observed:
        report = [*INSPECTOR, "report", str(process.pid), "--for", f"{_LOOP_SECONDS + 1}s"]
        subprocess.run(report, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    return float(process.communicate()[0])


def bystander() -> list[Figure]:
    """A loop of launches that maps the same file as the target, beside itself unobserved."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        library, loop = _build(folder, _DRIVER, "libcuda.so.1", "-shared", "-fPIC"), _build(folder, _LOOP, "loop")
        alone = _slowest(loop, library, None)
        beside = _slowest(loop, library, [], target=[sys.executable, "-c", _HOLDS, str(library)])
    words = "slowest half second of a bystander that maps the same file"
    return [
        Figure(what=words, ours=beside, budget=0.97, more_is_better=True, peer="alone", peer_value=alone)
    ]  # fmt: skip


_HOLDS = "import ctypes, sys, time; ctypes.CDLL(sys.argv[1]); time.sleep(60)"


def _ratio(what: str, ours: Sequence[float], alone: Sequence[float], budget: float) -> Figure:
    return Figure(
        what=what, ours=statistics.median(ours), unit="s", peer="alone", peer_value=statistics.median(alone),
        ratio_budget=budget,
    )  # fmt: skip


def _start(before: Sequence[str], program: Sequence[str]) -> float:
    """Seconds from the program's exec to its own last word."""
    script = f"BEGUN=$(date +%s.%N) exec {' '.join(program)}"
    words = [*before, "sh", "-c", script]
    done = subprocess.run(
        words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, preexec_fn=_pin
    )  # fmt: skip
    line = next(line for line in done.stdout.splitlines() if line.startswith(b"took "))
    return float(line.split()[1])


def _pin() -> None:
    """To two processors, for a start-up."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])


def _pin_loop() -> None:
    """To the first one: a loop that is moved tells of the scheduler instead of us."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])


def _starting(folder: Path) -> list[str]:
    """A Python program that loads many libraries, as large programs do."""
    names = [
        _build(folder, _STARTING.format(each), f"libpart{each}.so", "-shared", "-fPIC") for each in range(_LIBRARIES)
    ]
    math = ctypes.util.find_library("m") or "libm.so.6"
    code = (
        "import ctypes, os, sys, time\n"
        f"for name in sys.argv[1:] + [{math!r}]: ctypes.CDLL(name)\n"
        "sum(i * i for i in range(3000000))\n"
        "print('took', time.time() - float(os.environ['BEGUN']), flush=True)\n"
    )
    script = folder / "start.py"
    script.write_text(code)
    return [sys.executable, str(script), *map(str, names)]


def _slowest(loop: Path, library: Path, options: list[str] | None, target: Sequence[str] = ()) -> float:
    """The lowest rate of half a second from a report's begin on, against the median before it; None: no report."""
    process = subprocess.Popen([str(loop), str(library), "8"], stdout=subprocess.PIPE, text=True, preexec_fn=_pin_loop)
    other = subprocess.Popen(target) if target else process
    time.sleep(2.5)
    at = time.monotonic()
    if options is not None:
        words = [*INSPECTOR, "report", str(other.pid), "--for", "3s", *options]
        subprocess.run(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    out, _ = process.communicate()
    if other is not process:
        other.kill()
        other.wait()
    rows = [tuple(map(float, line.split())) for line in out.splitlines()]
    before = statistics.median(rate for begun, rate in rows if begun < at)
    after = [rate for begun, rate in rows if at <= begun < at + 4.5]
    return min(statistics.mean(after[place : place + 10]) for place in range(len(after) - 9)) / before


def _build(folder: Path, code: str, name: str, *flags: str) -> Path:
    compiler = shutil.which("cc") or "gcc"
    output = folder / name
    command = [compiler, "-O1", "-w", "-x", "c", "-", *flags, "-o", str(output), "-ldl"]
    subprocess.run(command, input=code.encode(), check=True)
    return output


MEASUREMENTS = [
    Measurement("observed", start_up_pinned),
    Measurement("observed", launch_loop),
    Measurement("observed", every_export),
    Measurement("observed", bystander),
]
