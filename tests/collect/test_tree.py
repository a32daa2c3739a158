"""Records and /proc merged into one tree, whatever order they come in and whatever is missing."""

import os
import subprocess
from pathlib import Path

import pytest

from inspector.collect.agent import _check_births
from inspector.collect.kernel import procfs
from inspector.collect.kernel.records import Executed, Exited, Forked, Lost
from inspector.collect.sources.contract import Tracked
from inspector.collect.sources.processes.feed import Feed
from inspector.collect.sources.processes.polling import PollingRecords
from inspector.collect.target import TargetError
from inspector.stream.processes import ProcessEnded, ProcessExec, ProcessStarted
from inspector.stream.session import EventsLost

from .fakes import FakeLoop, Grove, Told, Witness
from .targets import Life, Workshop

NO_ONE = 2**22 - 7
"""Pids that no process has."""


@pytest.fixture
def grove() -> Grove:
    return Grove()


def _exec(pid: int, at: int, *argv: bytes, environment: bytes = b"A=1\0") -> Executed:
    return Executed(at, pid, argv[0], b"\0".join(argv) + b"\0", environment)


def test_following_comes_before_looking(grove: Grove, workshop: Workshop) -> None:
    with Life(workshop.program, "line", "line") as life:
        life.step()
        grove.tree.attach([life.pid])
        assert grove.source.followed == [life.pid]
        assert grove.witness.heard == [("born", life.pid), ("executed", life.pid)]
        assert grove.tree.processes()[0].raw_environment[b"PATH"] == os.environb[b"PATH"]


def test_who_watches_later_hears_of_the_processes_that_are_there_as_if_from_the_first(grove: Grove) -> None:
    class Late(Witness):
        def born(self, process: Tracked) -> None:
            assert process.program is None
            super().born(process)

        def executed(self, process: Tracked) -> None:
            assert process.program is not None
            super().executed(process)

    late = Late()
    grove.tree.attach([os.getpid()])
    grove.tree.watch(late)
    grove.witness.heard.clear()
    grove.tree.introduce()
    assert late.heard == grove.witness.heard
    assert late.heard[0] == ("born", os.getpid()) and ("executed", os.getpid()) in late.heard


def test_a_child_that_was_gone_before_we_looked_is_told_from_records_alone(grove: Grove) -> None:
    grove.tree.attach([os.getpid()])
    child, at = NO_ONE, grove.loop.now()
    environment = b"LD_PRELOAD=/x.so\0SECRET_THING=1\0"
    grove.feed.hand_out(
        [
            Forked(at, os.getpid(), child),
            _exec(child, at + 1, b"/bin/quick", b"--fast", environment=environment),
            Exited(at + 2, child, 3 << 8),
        ]
    )
    program = grove.sink.all(ProcessExec)[-1]
    assert (program.argv, program.exe, program.environment) == (
        ["/bin/quick", "--fast"],
        "/bin/quick",
        {"LD_PRELOAD": "/x.so"},
    )
    assert (program.environment_source, program.other_keys, program.cwd) == ("exec", 1, str(Path.cwd()))
    assert program.unset == ["DISPLAY", "WAYLAND_DISPLAY"]
    assert grove.sink.all(ProcessEnded)[-1].code == 3
    assert grove.witness.heard[-3:] == [("born", child), ("executed", child), ("ended", child)]


def test_two_execs_in_one_batch_are_both_told_by_their_own_records(grove: Grove, workshop: Workshop) -> None:
    with Life(workshop.program, "line") as life:
        grove.tree.attach([life.pid])
        at = grove.loop.now()
        grove.feed.hand_out([_exec(life.pid, at, b"/bin/first"), _exec(life.pid, at + 1, b"second")])
        first, second = grove.sink.all(ProcessExec)[-2:]
        assert (first.exe, first.argv) == ("/bin/first", ["/bin/first"])
        assert (second.exe, second.argv) == (str(workshop.program), ["second"])


def test_an_exec_that_proc_told_already_is_not_told_again(grove: Grove, workshop: Workshop) -> None:
    with Life(workshop.program, "line") as life:
        at = grove.loop.now()
        grove.tree.attach([life.pid])
        grove.feed.hand_out([_exec(life.pid, at, b"/bin/before")])
        assert len(grove.sink.all(ProcessExec)) == 1


def test_a_truncated_environment_of_a_process_that_is_gone_is_partial_and_says_so(grove: Grove) -> None:
    grove.tree.attach([os.getpid()])
    at = grove.loop.now()
    record = Executed(at + 1, NO_ONE, b"/x", b"x\0", b"LD_A=1\0LD_B=", truncated=True)
    grove.feed.hand_out([Forked(at, os.getpid(), NO_ONE), record])
    program = grove.sink.all(ProcessExec)[-1]
    assert program.environment["LD_A"] == "1"
    assert (program.environment_known, program.environment_source) == (False, "exec")


def test_a_fork_that_was_found_by_looking_is_not_told_twice(grove: Grove, workshop: Workshop) -> None:
    with Life(workshop.program, "line") as life:
        grove.tree.attach([life.pid])
        process = grove.tree.find(life.pid)
        assert process is not None
        grove.feed.hand_out([Forked(process.started, os.getpid(), life.pid)])
        assert len(grove.sink.all(ProcessStarted)) == 1


def test_a_pid_that_is_used_again_is_a_new_process(grove: Grove) -> None:
    grove.tree.attach([os.getpid()])
    at = grove.loop.now()
    grove.feed.hand_out([Forked(at, os.getpid(), NO_ONE), Forked(at + 10**9, os.getpid(), NO_ONE)])
    kinds = [event for event in grove.sink.events if getattr(event, "pid", 0) == NO_ONE]
    assert [type(event) for event in kinds] == [ProcessStarted, ProcessEnded, ProcessStarted]
    found = grove.tree.find(NO_ONE)
    assert found is not None and found.started == at + 10**9


def test_a_target_whose_pid_went_to_another_process_meanwhile_is_refused(grove: Grove) -> None:
    grove.tree.attach([os.getpid()])
    _check_births(grove.tree, {os.getpid(): procfs.stat(os.getpid()).started})
    with pytest.raises(TargetError, match="another process has that number now"):
        _check_births(grove.tree, {os.getpid(): 1})
    with pytest.raises(TargetError, match="ended while attaching"):
        _check_births(grove.tree, {NO_ONE: 1})


def test_ends_that_no_record_told_are_noticed_by_looking(grove: Grove, workshop: Workshop) -> None:
    with Life(workshop.program, "line") as life:
        grove.tree.attach([life.pid])
        process = grove.tree.find(life.pid)
        assert process is not None and grove.tree.recheck(process) is not None
        life.kill()
        assert grove.tree.recheck(process) is None
        assert grove.tree.recheck(process) is None
        assert grove.sink.all(ProcessEnded)[-1].signal == 9
        assert grove.emptied == 1


def test_all_processes_are_told_before_the_first_is_looked_at(grove: Grove, workshop: Workshop) -> None:
    with Life("sh", "-c", f"{workshop.program} line line; true") as life:
        life.step()
        grove.tree.attach([life.pid])
        told = [type(event) for event in grove.sink.events if isinstance(event, ProcessStarted | ProcessExec)]
        assert told == [ProcessStarted, ProcessStarted, ProcessExec, ProcessExec]


def test_a_look_does_not_overtake_the_records_of_an_end(grove: Grove, workshop: Workshop) -> None:
    with Life(workshop.program, "line") as life:
        grove.tree.attach([life.pid])
        process = grove.tree.find(life.pid)
        life.kill()
        assert process is not None and grove.tree.recheck(process) is None
        grove.feed.hand_out([_exec(life.pid, grove.loop.now(), b"/bin/last"), Exited(grove.loop.now(), life.pid, 9)])
        assert grove.sink.all(ProcessExec)[-1].exe == "/bin/last"
        assert len(grove.sink.all(ProcessEnded)) == 1


def test_after_lost_records_the_tree_is_compared_with_proc(grove: Grove, workshop: Workshop) -> None:
    with Life("sh", "-c", f"{workshop.program} line; true") as life:
        grove.tree.attach([os.getpid()])
        before = {process.pid for process in grove.tree.processes()}
        grove.tree._processes.pop(life.pid, None)
        grove.feed.hand_out([Lost("kernel records", 5)])
        assert grove.sink.all(EventsLost)[-1].count == 5
        assert {process.pid for process in grove.tree.processes()} >= before | {life.pid}


def test_after_lost_stacks_and_counters_nobody_is_taken_for_ended_before_that_is_told(
    grove: Grove, workshop: Workshop
) -> None:
    with Life(workshop.program, "line") as life:
        grove.tree.attach([life.pid])
        life.kill()
        grove.feed.hand_out([Lost("call stacks", 5), Lost("processes without counters", 1), Lost("call stacks", 5)])
        grove.feed.hand_out([Exited(grove.loop.now(), life.pid, 9)])
    assert [event.signal for event in grove.sink.all(ProcessEnded)] == [9]
    assert len(grove.sink.all(EventsLost)) == 3


def test_records_of_strangers_change_nothing(grove: Grove) -> None:
    grove.tree.attach([os.getpid()])
    before = len(grove.sink.events)
    grove.feed.hand_out([Forked(1, 1, NO_ONE), _exec(NO_ONE, 2, b"x"), Exited(3, NO_ONE, 0), Exited(4, NO_ONE, 0)])
    assert len(grove.sink.events) == before


def test_where_no_record_tells_of_ends_a_descriptor_does(workshop: Workshop) -> None:
    grove = Grove(tells_ends=False)
    with Life(workshop.program, "line", "exit:9") as life:
        grove.tree.attach([life.pid])
        (callback,) = grove.loop.readable.values()
        life.step()
        assert life.code() == 9
        callback()
    assert grove.sink.all(ProcessEnded)[-1].code == 9
    assert not grove.loop.readable


def test_whom_the_first_source_refuses_the_second_takes() -> None:
    first, second, loop = Told(), Told(), FakeLoop()
    first.refuses = True
    feed = Feed(first, tells_ends=False, second=second)
    feed.follow(7)
    assert (first.followed, second.followed) == ([7], [7])
    heard: list[Exited] = []
    feed.listen(Exited, heard.append)
    feed.begin(loop)
    first.waiting, second.waiting = [Exited(1, 1, 0)], [Exited(2, 2, 0)]
    loop.tick()
    assert [record.pid for record in heard] == [1, 2]


def test_a_listener_that_fails_costs_the_others_no_record() -> None:
    feed = Feed(Told(), tells_ends=True)
    heard: list[Exited] = []

    def fail(record: Exited) -> None:
        raise ValueError(record.pid)

    feed.listen(Exited, fail)
    feed.listen(Exited, heard.append)
    with pytest.raises(ValueError, match="1"):
        feed.hand_out([Exited(1, 1, 0), Exited(2, 2, 0)])
    assert [record.pid for record in heard] == [1, 2]


def test_polling_sees_births_execs_and_ends(workshop: Workshop) -> None:
    loop = FakeLoop()
    polling = PollingRecords(loop.now)
    with Life("sh", "-c", f"read x; echo ok; read x; echo ok; {workshop.program} line; read x") as life:
        life.step()
        assert polling.follow(life.pid)
        assert polling.drain() == []
        life.step()
        records = polling.drain()
        while not records:
            records = polling.drain()
        birth = next(record for record in records if isinstance(record, Forked))
        assert birth.ppid == life.pid
        while not any(isinstance(record, Executed) for record in records):
            records += polling.drain()
        life.step()
        while not any(isinstance(record, Exited) for record in records):
            records += polling.drain()
        ended = next(record for record in records if isinstance(record, Exited))
        assert ended.pid == birth.pid
        subprocess.run(["true"], check=True)  # a stranger
        assert all(record.pid in (life.pid, birth.pid) for record in records if isinstance(record, Forked | Exited))
    assert not polling.follow(NO_ONE)
