"""Processes that make observing hard: births in thousands, numbers used again, no right to look, changing libraries."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from inspector.stream.calls import CallsCounted, LookedUp
from inspector.stream.libraries import LibraryMapped
from inspector.stream.processes import ProcessEnded, ProcessExec, ProcessStarted
from inspector.stream.session import EventsLost, LimitNoted
from tests.access.conftest import needs_root

from .observed import Observed, record

pytestmark = pytest.mark.longer

BIRTHS = int(os.environ.get("ATTACK_BIRTHS", "5000"))
SAME_NUMBER = 60
_SPAWNS = r"""
#define _GNU_SOURCE
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>

/* As many children as the first word says, of the program that the second word names, within ten seconds. */
int main(int argc, char **argv) {
    int births = atoi(argv[1]);
    char *words[] = {argv[2], NULL};
    struct timespec rest = {0, 10000000000LL / births / 2};
    for (int i = 0; i < births; i++) {
        pid_t pid;
        if (posix_spawn(&pid, argv[2], NULL, NULL, words, NULL) == 0) waitpid(pid, NULL, 0);
        nanosleep(&rest, NULL);
    }
    return 0;
}
"""
_SAME_NUMBER = r"""
#define _GNU_SOURCE
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Each child gets the number that the one before had (clone3(2), set_tid), and tells which one it is. */
int main(int argc, char **argv) {
    int turns = atoi(argv[1]);
    pid_t number = fork();
    if (number == 0) _exit(0);
    waitpid(number, NULL, 0);
    for (int turn = 0; turn < turns; turn++) {
        struct clone_args how = {.exit_signal = SIGCHLD, .set_tid = (unsigned long)&number, .set_tid_size = 1};
        long child = syscall(SYS_clone3, &how, sizeof how);
        if (child < 0) { turn--; usleep(1000); if (getenv("NO_SET_TID")) return 3; continue; }
        if (child == 0) {
            char word[16];
            snprintf(word, sizeof word, "turn-%d", turn);
            execl("/bin/sh", "sh", "-c", "exit $(( ${0#turn-} % 200 ))", word, NULL);
            _exit(255);
        }
        waitpid(number, NULL, 0);
    }
    printf("%d\n", number);
    return 0;
}
"""


def failures(seen: Observed) -> list[LimitNoted]:
    """Limits that tell of a fault of ours."""
    return [limit for limit in seen.of(LimitNoted) if "Error" in limit.why or "failed" in limit.why]


@pytest.mark.skipif(not shutil.which("gcc"), reason="no C compiler here")
def test_five_thousand_births_in_ten_seconds_are_all_told_or_counted_as_lost(tmp_path: Path) -> None:
    for name, source, words in (("spawns", _SPAWNS, []), ("ends", "int main(void) { return 0; }", ["-static"])):
        (tmp_path / f"{name}.c").write_text(source)
        subprocess.run(["gcc", "-O1", *words, "-o", tmp_path / name, tmp_path / f"{name}.c"], check=True)
    program = [str(tmp_path / "spawns"), str(BIRTHS), str(tmp_path / "ends")]
    seen = record(tmp_path, program=program, seconds=280)
    births = [event for event in seen.of(ProcessStarted) if event.origin == "fork"]
    programs = [event for event in seen.of(ProcessExec) if event.exe.endswith("/ends")]
    lost = sum(event.count for event in seen.of(EventsLost))
    for told in (births, programs, seen.of(ProcessEnded)):
        assert len(told) + lost >= BIRTHS
    assert not failures(seen)


@needs_root
@pytest.mark.skipif(not shutil.which("gcc"), reason="no C compiler here")
def test_calls_of_children_that_live_for_a_moment_are_all_counted_or_said_to_be_missing(tmp_path: Path) -> None:
    driver = "int cuInit(unsigned x) { return x ? 1 : 0; } int cuDeviceGetCount(int *n) { return *n = 0; }"
    calls = (
        "int cuInit(unsigned), cuDeviceGetCount(int *), n;"
        "int main(void) { cuInit(0); for (int i = 0; i < 5; i++) cuDeviceGetCount(&n); return 0; }"
    )
    linked = [str(tmp_path / "libcuda.so.1"), f"-Wl,-rpath,{tmp_path}"]
    for made, source, words in (
        ("libcuda.so.1", driver, ["-shared", "-fPIC", "-Wl,-soname,libcuda.so.1"]),
        ("calls", calls, linked),
        ("spawns", _SPAWNS, []),
    ):
        (tmp_path / "x.c").write_text(source)
        subprocess.run(["gcc", "-O1", "-o", tmp_path / made, tmp_path / "x.c", *words], check=True)
    seen = record(tmp_path, program=[str(tmp_path / "spawns"), "600", str(tmp_path / "calls")], seconds=200)
    totals: dict[tuple[int, int], int] = {}
    for event in seen.of(CallsCounted):
        totals |= {(row.pid, row.function): row.count for row in event.counts}
    whole = [pid for pid in {pid for pid, _ in totals} if sum(n for (who, _), n in totals.items() if who == pid) == 6]
    assert len(whole) == 600 or seen.of(EventsLost), f"{len(whole)} of 600, and nothing is said"
    assert all(count <= 5 for count in totals.values()), "none is counted for another"


@needs_root
@pytest.mark.skipif(not shutil.which("gcc"), reason="no C compiler here")
def test_a_number_that_is_used_again_and_again_is_another_process_each_time(tmp_path: Path) -> None:
    source, made = tmp_path / "same.c", tmp_path / "same"
    source.write_text(_SAME_NUMBER)
    subprocess.run(["gcc", "-O1", "-o", made, source], check=True)
    seen = record(tmp_path, program=[str(made), str(SAME_NUMBER)], seconds=120)
    starts: dict[int, list[ProcessStarted]] = {}
    for event in seen.of(ProcessStarted):
        starts.setdefault(event.pid, []).append(event)
    number = max(starts, key=lambda pid: len(starts[pid]))
    codes = [event.code for event in seen.of(ProcessEnded) if event.pid == number]
    turns = [event.argv[-1] for event in seen.of(ProcessExec) if event.pid == number and event.argv]
    assert len(starts[number]) == SAME_NUMBER + 1
    assert codes == [0, *(turn % 200 for turn in range(SAME_NUMBER))]
    assert list(dict.fromkeys(turns)) == [f"turn-{turn}" for turn in range(SAME_NUMBER)]
    assert not failures(seen)


@pytest.mark.skipif(not shutil.which("gcc"), reason="no C compiler here")
def test_a_library_that_is_replaced_in_a_loop_breaks_no_reader(tmp_path: Path) -> None:
    source, place = tmp_path / "x.c", tmp_path / "libcuda.so.1"
    for number in range(3):
        source.write_text(f"int cuInit(unsigned x) {{ return {number}; }} int one{number}(void) {{ return 1; }}\n")
        subprocess.run(["gcc", "-shared", "-fPIC", "-o", tmp_path / f"v{number}", source], check=True)
    whole = (tmp_path / "v0").read_bytes()
    (tmp_path / "v1").write_bytes(whole[: len(whole) // 3])
    loop = (
        "import ctypes, os, shutil, sys\n"
        "folder = sys.argv[1]\n"
        "for turn in range(150):\n"
        "    shutil.copy(f'{folder}/v{turn % 3}', f'{folder}/new')\n"
        "    os.rename(f'{folder}/new', f'{folder}/libcuda.so.1')\n"
        "    try: ctypes.CDLL(f'{folder}/libcuda.so.1').cuInit(0)\n"
        "    except OSError: pass\n"
    )
    seen = record(tmp_path, program=[sys.executable, "-c", loop, str(tmp_path)], seconds=120)
    assert place.exists()
    assert seen.of(LookedUp), "the loads were seen"
    assert not failures(seen)


@needs_root
def test_who_may_not_be_inspected_by_its_own_user_is_refused_in_words(tmp_path: Path) -> None:
    program = (
        "import ctypes, os, time; os.setgroups([]); os.setgid(64123); os.setuid(64123);"
        "assert ctypes.CDLL(None).prctl(4, 0) == 0; print('up', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as hidden:
        assert hidden.stdout is not None
        hidden.stdout.readline()
        try:
            seen = record(tmp_path, str(hidden.pid), "--for", "2s")
        finally:
            hidden.kill()
    assert [event.pid for event in seen.of(ProcessExec)][:1] == [hidden.pid], "root sees it"
    assert not failures(seen)


@needs_root
def test_a_process_whose_first_thread_has_ended_lives_on_in_the_others(tmp_path: Path) -> None:
    program = (
        "import ctypes, threading, time\n"
        "threading.Thread(target=time.sleep, args=(60,)).start()\n"
        "ctypes.CDLL(None).syscall(60, 0)\n"  # SYS_exit: of this thread alone
    )
    with subprocess.Popen([sys.executable, "-c", program]) as left:
        try:
            stat = Path(f"/proc/{left.pid}/stat")
            while stat.read_text().rpartition(")")[2].split()[0] != "Z":
                assert left.poll() is None
            seen = record(tmp_path, str(left.pid), "--for", "4s")
        finally:
            left.kill()
    assert not seen.of(ProcessEnded), "the kernel calls it a zombie, and it is none"
    assert [event.pid for event in seen.of(ProcessExec)] == [left.pid]
    assert any("libc" in event.path for event in seen.of(LibraryMapped))
    assert not failures(seen)
