"""What the kernel tells about a tree of real processes."""

import os
import select
import subprocess
import sys
from pathlib import Path

import pytest

from inspector.collect.kernel.engine import Engine
from inspector.collect.kernel.records import Executed, Exited, Forked, Mapped, Opened, Signalled, SignalSent, Written

from .observed import drain_until, of, run

pytestmark = pytest.mark.live


def test_a_child_that_lives_one_millisecond_shows_with_arguments_environment_and_exit_code(engine: Engine) -> None:
    command = "for i in 1 2 3 4 5; do MARK=$i sh -c 'exit $MARK' one-$i; done"
    pid, records = run(engine, "sh", "-c", command)
    children = [record.pid for record in of(Forked, records) if record.ppid == pid]
    assert len(children) == 5
    executed = {record.pid: record for record in of(Executed, records)}
    ends = {record.pid: record.status for record in of(Exited, records)}
    for number, child in enumerate(children, 1):
        assert executed[child].argv == f"sh\0-c\0exit $MARK\0one-{number}\0".encode()
        assert f"MARK={number}".encode() in executed[child].environment.split(b"\0")
        assert not executed[child].truncated
        assert ends[child] == number << 8


def test_a_long_environment_is_cut_off_and_said_to_be(engine: Engine) -> None:
    large = {f"KEY{number}": "x" * 90_000 for number in range(3)}
    _, records = run(engine, "true", environment=large)
    (executed,) = of(Executed, records)
    assert executed.truncated
    assert executed.argv == b"true\0"
    assert len(executed.environment) > 100_000


def test_mappings_of_a_new_program_come_after_its_exec(engine: Engine) -> None:
    _, records = run(engine, "true")
    kinds = [type(record) for record in records if isinstance(record, Executed | Mapped)]
    assert kinds[0] is Executed
    paths = [Path(os.fsdecode(record.path)).name for record in of(Mapped, records)]
    assert any(path.startswith("libc.so") for path in paths)


def test_mappings_that_are_read_before_the_birth_of_their_process_come_after_its_exec_too(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with engine.adopting():
        process = subprocess.Popen(["true"])
    process.wait()
    with monkeypatch.context() as late:
        late.setattr(engine.members.ring, "drain", list)
        assert [record for record in engine.drain() if getattr(record, "pid", 0) == process.pid] == []
    told = [record for record in engine.drain() if isinstance(record, Executed | Mapped) and record.pid == process.pid]
    assert isinstance(told[0], Executed)
    assert any(Path(os.fsdecode(record.path)).name.startswith("libc.so") for record in of(Mapped, list(told[1:])))


def test_opens_tell_path_and_errno(engine: Engine) -> None:
    _, records = run(engine, "cat", "/nowhere/at-all")
    found = {record.path: record.errno for record in of(Opened, records)}
    assert found[b"/nowhere/at-all"] == 2
    assert 0 in found.values()


def test_words_written_to_stdout_are_counted_and_sampled(engine: Engine) -> None:
    _, records = run(engine, "sh", "-c", "echo first; echo second")
    (written,) = (record for record in of(Written, records) if record.fd == 1)
    assert (written.calls, written.size, written.failed) == (2, 13, 0)
    assert written.sample == b"first\nsecond\n"


def test_failed_writes_are_counted(engine: Engine) -> None:
    _, records = run(engine, "sh", "-c", "echo lost >/dev/full")
    assert any(record.failed == 1 and record.size == 0 for record in of(Written, records))


@pytest.mark.parametrize("signal", [15, 11, 9, 6])
def test_a_deadly_signal_is_told_once_under_its_own_number(engine: Engine, signal: int) -> None:
    pid, records = run(engine, "sh", "-c", f"kill -{signal} $$")
    (signalled,) = of(Signalled, records)
    assert (signalled.pid, signalled.signal, signalled.handled) == (pid, signal, False)
    (exited,) = of(Exited, records)
    assert exited.status is not None
    assert exited.status & 0x7F == signal


def test_the_sender_of_a_deadly_signal_is_told_with_its_name(engine: Engine) -> None:
    pid, records = run(engine, "sh", "-c", "sleep 60 & kill -KILL $!; wait $!; kill -TERM $$")
    sent = {(record.pid, record.signal): record for record in of(SignalSent, records)}
    (killed,) = (record for record in of(Signalled, records) if record.signal == 9)
    assert sent[killed.pid, 9].sender == pid
    assert sent[killed.pid, 9].name == b"sh"
    assert sent[pid, 15].sender == pid


def test_a_process_that_ends_tells_the_cpu_time_of_all_its_threads(engine: Engine) -> None:
    busy = (
        "import threading, time\ndef work():\n end = time.thread_time() + 0.15\n while time.thread_time() < end: pass\n"
    )
    script = f"{busy}threads = [threading.Thread(target=work) for _ in range(2)]\n"
    script += "for one in threads: one.start()\nfor one in threads: one.join()\nwork()\n"
    pid, records = run(engine, sys.executable, "-S", "-c", script)
    (ended,) = (record for record in of(Exited, records) if record.pid == pid)
    assert ended.cpu is not None and 450_000_000 <= ended.cpu < 5_000_000_000


def test_threads_that_end_by_exit_group_are_no_deaths_by_signal(engine: Engine) -> None:
    script = "import threading, time, os\nfor _ in range(4): threading.Thread(target=time.sleep, args=(9,)).start()\n"
    pid, records = run(engine, sys.executable, "-c", script + "os._exit(7)")
    assert of(Signalled, records) == []
    assert [(record.pid, record.status) for record in of(Exited, records)] == [(pid, 7 << 8)]


def test_waiting_reports_the_process_that_matches_and_its_children_alone(engine: Engine) -> None:
    engine.wait_for(lambda record: b"the-one" in record.argv)
    others = [subprocess.Popen(["sh", "-c", "sh -c true"]) for _ in range(5)]
    wanted = subprocess.Popen(["sh", "-c", "sh -c true; exit 3", "the-one"])
    records = drain_until(engine, lambda record: isinstance(record, Exited) and record.pid == wanted.pid)
    engine.wait_for(None)
    for process in [*others, wanted]:
        process.wait()
    family = {wanted.pid} | {record.pid for record in of(Forked, records)}
    assert len(family) == 2
    assert {record.pid for record in of(Executed, records)} == family
    assert any(isinstance(record, Mapped) and record.pid == wanted.pid for record in records)
    assert engine.drain() == []


def test_following_a_process_that_is_gone_says_so(engine: Engine) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    assert not engine.follow(ended.pid)
    assert engine.processes() == []


def test_a_followed_process_tells_of_children_born_later(engine: Engine) -> None:
    shell = subprocess.Popen(["sh", "-c", "read line; true & wait"], stdin=subprocess.PIPE)
    assert engine.follow(shell.pid)
    shell.communicate(b"go\n")
    records = drain_until(engine, lambda record: isinstance(record, Exited) and record.pid == shell.pid)
    assert [record.ppid for record in of(Forked, records)] == [shell.pid]


def test_slots_are_given_back_so_that_a_thousand_children_find_one(engine: Engine) -> None:
    pid, records = run(engine, "sh", "-c", "i=0; while [ $i -lt 1000 ]; do (:) ; i=$((i+1)); done")
    assert len([record for record in of(Forked, records) if record.ppid == pid]) == 1000
    assert len(of(Exited, records)) == 1001
    engine.drain()
    engine.drain()
    assert engine.processes() == []


_OPENS = "import sys\nfor line in sys.stdin: [open('/dev/null').close() for _ in range(int(line))]; print(flush=True)"


@pytest.mark.parametrize("at_once", [True, False])
def test_an_opened_file_wakes_who_reads_the_records_only_when_it_is_to_be_told_at_once(
    engine: Engine, at_once: bool
) -> None:
    engine.members.tell_opens_at_once(at_once)
    with engine.adopting():
        process = subprocess.Popen([sys.executable, "-c", _OPENS], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None and process.stdout is not None

    def let_open(times: int) -> bool:
        assert process.stdin is not None and process.stdout is not None
        engine.drain()
        process.stdin.write(b"%d\n" % times)
        process.stdin.flush()
        process.stdout.readline()
        return bool(select.select([engine.fd], [], [], 0.2)[0])

    try:
        let_open(1)  # it has begun
        while select.select([engine.fd], [], [], 0.2)[0]:  # and all that this told is read
            engine.drain()
        woken = [let_open(1) for _ in range(5)]
        assert all(woken) if at_once else not all(woken), "what strangers map wakes as well, when it is much"
        assert [record.path for record in of(Opened, engine.drain())] == [b"/dev/null"]
        assert let_open(4_000), "many that wait do wake"
        assert len(of(Opened, engine.drain())) == 4_000
    finally:
        process.kill()
        process.communicate()
