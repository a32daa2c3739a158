"""Being observed changes nothing: not for the target, not for a process beside it."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from .run import COMMAND

SOURCE = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
int main(void) {
    /* The answer depends on who asks: the loader takes the caller's return address, dlsym(3) RTLD_NEXT. */
    void *next = dlsym(RTLD_NEXT, "close");
    /* So does this one: the RUNPATH of the caller is searched, dlopen(3). */
    void *beside = dlopen("libbeside.so", RTLD_NOW);
    printf("%s %s\\n", next ? "next" : dlerror(), beside ? "beside" : dlerror());
    return 0;
}
"""
pytestmark = [
    pytest.mark.skipif(shutil.which("gcc") is None, reason="no gcc here"),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root may probe"),
]


@pytest.fixture
def asker(tmp_path: Path) -> str:
    """A program whose look-ups depend on their caller."""
    (tmp_path / "asker.c").write_text(SOURCE)
    (tmp_path / "empty.c").write_text("")
    library, program = tmp_path / "lib" / "libbeside.so", tmp_path / "asker"
    library.parent.mkdir()
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", library, tmp_path / "empty.c"], check=True)
    runpath = f"-Wl,--enable-new-dtags,-rpath,{library.parent}"
    subprocess.run(["gcc", "-o", program, tmp_path / "asker.c", runpath], check=True)
    return str(program)


def test_a_target_gets_the_same_answers_from_the_loader_as_unobserved(asker: str, tmp_path: Path) -> None:
    assert answers(asker) == "next beside"
    out = tmp_path / "out"
    subprocess.run([*COMMAND, "trace", "--", "sh", "-c", f"sleep 0.5; {asker} >{out}"], capture_output=True, timeout=60)
    assert out.read_text().strip() == "next beside"


@pytest.mark.longer
def test_a_process_beside_the_target_gets_the_same_answers_too(asker: str) -> None:
    recording = subprocess.Popen(
        [*COMMAND, "record", "-o", "-", "--", "sleep", "600"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    try:
        assert recording.stdout is not None
        for line in recording.stdout:
            if b'"process-exec"' in line:
                break
        for _ in range(20):
            assert answers(asker) == "next beside"
    finally:
        recording.send_signal(signal.SIGINT)
        recording.communicate(timeout=60)


def answers(asker: str) -> str:
    return subprocess.run([asker], capture_output=True, text=True, timeout=60).stdout.strip()


READS_ITSELF = """
#include <stdio.h>
#include <time.h>
int cuInit(unsigned flags);
static int differs(const unsigned char *code, const unsigned char *before) {
    for (int at = 0; at < 16; at++) if (code[at] != before[at]) return 1;
    return 0;
}
int main(void) {
    const volatile unsigned char *code = (const volatile unsigned char *)cuInit;
    unsigned char before[16];
    int changed = 0;
    for (int at = 0; at < 16; at++) before[at] = code[at];
    puts("up");
    fflush(stdout);
    for (int turn = 0; turn < 300; turn++) {
        struct timespec rest = {0, 10000000};
        nanosleep(&rest, 0);
        changed |= differs((const unsigned char *)code, before);
        cuInit(0);
    }
    return changed;
}
"""


@pytest.mark.longer
def test_without_counting_a_program_that_checks_its_own_code_finds_it_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "cuda.c").write_text("int cuInit(unsigned flags) { return flags ? 1 : 0; }\n")
    (tmp_path / "checks.c").write_text(READS_ITSELF)
    library, program = tmp_path / "libcuda.so.1", tmp_path / "checks"
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", library, tmp_path / "cuda.c"], check=True)
    linked = [str(library), f"-Wl,-rpath,{tmp_path}"]
    subprocess.run(["gcc", "-O1", "-fPIC", "-o", program, tmp_path / "checks.c", *linked], check=True)
    with subprocess.Popen([program], stdout=subprocess.PIPE) as target:
        assert target.stdout is not None
        target.stdout.readline()
        words = [*COMMAND, "report", str(target.pid), "--for", "2s", "--no-count"]
        subprocess.run(words, capture_output=True, timeout=120)
        assert target.wait(timeout=60) == 0
