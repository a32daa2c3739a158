"""Programs that ask the kernel by ways that nobody watches: what is not seen is said, and never taken for a no."""

import shutil
import subprocess
from pathlib import Path

import pytest

from inspector.model.coverage import opens_told_throughout
from inspector.model.profiles import builtin_profiles
from inspector.report.observe import from_recording
from inspector.stream.session import OPENS_UNTOLD, LimitNoted
from tests.access.conftest import needs_root

from .observed import Observed, record

pytestmark = [pytest.mark.longer, pytest.mark.skipif(not shutil.which("gcc"), reason="no C compiler here")]

_32_BIT = r"""
static int ask(int call, int a, int b, int c) {
    int answer;
    __asm__ volatile("int $0x80" : "=a"(answer) : "a"(call), "b"(a), "c"(b), "d"(c) : "memory");
    return answer;
}

void _start(void) {
    int rest[2] = {1, 0};
    ask(5, (int)"/dev/nvidia0", 2, 0);
    ask(162, (int)rest, 0, 0);
    ask(1, 3, 0, 0);
}
"""
_RING = r"""
#include <linux/io_uring.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(void) {
    struct io_uring_params how;
    memset(&how, 0, sizeof how);
    if (syscall(SYS_io_uring_setup, 4, &how) < 0) return 77;
    sleep(4);
    return 0;
}
"""


def _made(folder: Path, source: str, *words: str) -> str:
    (folder / "x.c").write_text(source)
    done = subprocess.run(["gcc", "-O1", *words, "-o", folder / "x", folder / "x.c"], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"cannot be compiled here: {done.stderr.strip().splitlines()[-1]}")
    return str(folder / "x")


def _is_said(folder: Path, seen: Observed) -> bool:
    """That silence proves nothing; whoever reads the recording does not take it for a proof either."""
    state = from_recording(str(folder / "seen.jsonl"), builtin_profiles()).state
    (process,) = state.processes
    assert not opens_told_throughout(state, process)
    return any(limit.what == OPENS_UNTOLD and limit.pid == process.pid for limit in seen.of(LimitNoted))


@needs_root
def test_a_program_of_32_bit_opens_what_nobody_sees(tmp_path: Path) -> None:
    words = ["-m32", "-nostdlib", "-static", "-fno-pic", "-no-pie", "-fno-stack-protector"]
    assert _is_said(tmp_path, record(tmp_path, program=[_made(tmp_path, _32_BIT, *words)]))


@needs_root
def test_a_program_with_an_io_uring_opens_what_nobody_sees(tmp_path: Path) -> None:
    program = _made(tmp_path, _RING)
    if subprocess.run([program]).returncode == 77:
        pytest.skip("this kernel gives no io_uring")
    assert _is_said(tmp_path, record(tmp_path, program=[program]))
