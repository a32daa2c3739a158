"""What the collector and its reactor say to each other."""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from inspector.collect.reactor.messages import Armed, Unable, pair, receive_answer, send


def test_probes_whose_descriptors_find_no_room_are_told_as_not_counted() -> None:
    ours, theirs = pair()
    armed = Armed(0, b"/lib/libcuda.so.1", 1, 2, 0, [], [], {}, {}, 0)
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    files = [os.open("/dev/null", os.O_RDONLY) for _ in range(20)]
    send(theirs, armed, files)
    free = max(files) + 3
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, before[1]))
    try:
        answered = receive_answer(ours)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
        for each in (*files, ours.detach(), theirs.detach()):
            os.close(each)
    assert answered is not None
    answer, descriptors = answered
    assert isinstance(answer, Unable) and "/lib/libcuda.so.1" in answer.what and "ulimit -n" in answer.why
    assert descriptors == []


def test_who_may_not_wait_for_a_slow_reader_is_told_so() -> None:
    ours, theirs = pair()
    with ours, theirs, pytest.raises(BlockingIOError):
        while True:  # it ends when there is no room left
            send(theirs, Unable("x" * 100_000, ""), [theirs.fileno()], wait=False)


@pytest.mark.longer
@pytest.mark.live
def test_a_low_soft_limit_of_open_files_is_no_limit_of_libraries_and_stays_that_of_the_program(tmp_path: Path) -> None:
    script = f"ulimit -Sn 64; exec {sys.executable} -m inspector report --quiet --format json -- sh -c 'ulimit -Sn >&2'"
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=False, cwd=tmp_path)
    report = json.loads(done.stdout)
    assert not [limit for limit in report["limits"] if "ulimit" in limit["why"]]
    assert any("64" in line["text"] for log in report["logs"] for line in log["lines"])
