"""Rules about how processes end, or do not."""

import pytest

from inspector.model.verdict import Finding
from inspector.stream.calls import CallsInside, OpenCall
from inspector.stream.processes import ProcessEnded, SignalDelivered, ThreadWaits

from ..asking import BACKEND, CPU, answer, found, healthy, rules
from ..build import DRIVER, MS, SECOND, Story

LIBRARY = "/opt/shim/libcuda.so.1"


def _running() -> Story:
    story = Story()
    story.process(812)
    story.driver(812)
    story.consumer(812, BACKEND)
    story.call(812, "cuInit", by=BACKEND)
    return story


def _fault(
    story: Story, *, fatal: bool, library: str | None = LIBRARY, symbol: str | None = "cuDeviceGetCount",
    si_code: int = 0,
) -> None:  # fmt: skip
    event = SignalDelivered(
        at=story.later(), pid=812, tid=812, signal=11, si_code=si_code, fatal=fatal, library=library, symbol=symbol,
        offset=0x1C4,
    )  # fmt: skip
    story.tell(event)


def test_a_fault_is_told_with_its_place_and_the_last_call() -> None:
    story = _running()
    _fault(story, fatal=True)
    story.end(812, signal=11)
    finding = answer(story)
    assert (finding.rule, finding.confidence) == ("child-crashed", "proven")
    assert "was killed by SIGSEGV in cuDeviceGetCount+0x1c4 (libcuda.so.1)" in finding.title
    assert "Last, it called cuInit of libcuda.so.1" in finding.cause


def _handled(*, code: int, sender: int = 0, later: int = MS) -> Finding:
    story = _running()
    story.tell(SignalDelivered(
        at=story.later(), pid=812, tid=812, signal=31, si_code=code, fatal=False, library="/lib/libc.so.6",
        symbol="kill", sender=sender))  # fmt: skip
    story.later(later)
    story.end(812, code=2)
    return answer(story)


def test_a_handled_signal_that_somebody_sent_is_no_crash() -> None:
    assert _handled(code=1).rule == "child-crashed"
    assert _handled(code=0, sender=812).rule != "child-crashed"


def test_who_lives_on_after_a_fault_that_it_handled_was_not_ended_by_it() -> None:
    assert _handled(code=1, later=600 * MS).rule != "child-crashed"


def _raised(story: Story) -> None:
    for tid, code in ((812, -6), (815, 0)):
        event = SignalDelivered(
            at=story.later(), pid=812, tid=tid, signal=11, si_code=code, fatal=True, library="/lib/libc.so.6", offset=4
        )
        story.tell(event)


def test_a_signal_that_a_handler_raises_again_leaves_the_place_of_the_fault() -> None:
    story = _running()
    _fault(story, fatal=False, si_code=1)
    _raised(story)
    story.end(812, signal=11)
    assert "was killed by SIGSEGV in cuDeviceGetCount+0x1c4 (libcuda.so.1)" in answer(story).title


def test_a_signal_that_the_program_raised_has_no_place() -> None:
    story = _running()
    story.tell(SignalDelivered(at=story.later(), pid=812, tid=812, signal=11, si_code=-6, fatal=True, library="/lib/x"))
    story.end(812, signal=11)
    finding = answer(story)
    assert finding.title.endswith("was killed by SIGSEGV") and "unknown" in finding.cause
    assert "proven" not in finding.next_step


def test_a_fault_behind_a_plain_exit_status_is_found() -> None:
    story = _running()
    _fault(story, fatal=False)
    story.end(812, code=2)
    finding = answer(story)
    assert finding.rule == "child-crashed" and "SIGSEGV" in finding.title
    assert "its exit status only says: ended with code 2" in finding.cause


def test_a_fault_that_was_handled_long_before_an_orderly_end_is_no_crash() -> None:
    story = healthy()
    _fault(story, fatal=False)
    story.later(10 * SECOND)
    story.end(812, code=0)
    assert rules(story) == ["gpu-in-use"]


def test_a_null_answer_explains_a_jump_to_address_zero() -> None:
    story = _running()
    story.look_up(812, "cuGetProcAddress_v2", "cuCtxSynchronize", False, result=0)
    _fault(story, fatal=True, library=None, symbol=None)
    story.end(812, signal=11)
    finding = answer(story)
    assert finding.rule == "child-crashed" and "cuCtxSynchronize returned NULL" in finding.title


def test_a_jump_through_a_null_pointer_is_told_as_such_not_as_a_place_in_a_library() -> None:
    story = _running()
    _fault(story, fatal=True, library=None, symbol=None, si_code=1)
    story.end(812, signal=11)
    finding = answer(story)
    assert finding.chain[-1].text == "SIGSEGV: jumped to address 0x0: a function pointer was NULL"
    assert "a function pointer that is NULL" in finding.cause and "proven" not in finding.next_step


def test_a_jump_through_a_null_pointer_names_the_driver_that_its_loader_was_refused_before() -> None:
    story = Story()
    story.process(812, ("/usr/bin/viewer",))
    loader = "/usr/lib/libEGL.so.1"
    story.look_up(812, "dlopen", "libEGL.so.1", answer=loader, by="/usr/bin/viewer")
    story.image(loader, soname="libEGL.so.1", exports=("eglInitialize",))
    story.map(812, loader)
    error = "libEGL_gpu.so.0: cannot open shared object file: No such file or directory"
    story.look_up(812, "dlopen", "libEGL_gpu.so.0", found=False, by=loader, error=error)
    _fault(story, fatal=True, library=None, symbol=None, si_code=1)
    story.end(812, signal=11)
    assert "libEGL.so.1 asked for libEGL_gpu.so.0 in vain" in answer(story).cause


def test_a_long_command_is_told_without_the_folders_of_its_files() -> None:
    story = Story()
    story.process(812, ("/srv/environments/of/somebody/bin/python", "/srv/projects/of/somebody/train.py"))
    _fault(story, fatal=True, library="/usr/lib/libother.so")
    story.end(812, signal=11)
    assert answer(story).title.startswith("PID 812 (python train.py) was killed by SIGSEGV")


def test_no_core_dump_is_asked_for_where_none_was_written() -> None:
    story = _running()
    _fault(story, fatal=False)
    story.end(812, code=2)
    finding = answer(story)
    assert "a handler turned it into exit status 2, so there is no core dump" in finding.next_step
    assert finding.command == "gdb -ex run --args /opt/app/server"
    assert not any("coredumpctl" in row.by_hand for row in finding.evidence)


def test_a_core_dump_that_was_written_is_looked_for_where_the_kernel_put_it() -> None:
    story = _running()
    _fault(story, fatal=True)
    story.tell(ProcessEnded(at=story.later(), pid=812, signal=11, core=True))
    assert answer(story).command == "cat /proc/sys/kernel/core_pattern"


def _effect(story: Story) -> str:
    story.end(812, signal=11)
    return next(link.text for link in answer(story).chain if link.kind == "mode")


def test_a_program_that_crashed_is_not_told_to_be_on_the_cpu() -> None:
    early = _running()
    _fault(early, fatal=True)
    assert _effect(early) == "crashed before it used a GPU"
    later = _running()
    later.call(812, "cuMemAlloc_v2", by=BACKEND, values={"pointer": 0x7F30_0000_0000})
    _fault(later, fatal=True)
    assert _effect(later) == "crashed on the GPU (CUDA)"


@pytest.mark.parametrize(("code", "effect"), [(1, "ended before it used a GPU"), (0, "on the CPU")])
def test_a_program_that_ended_with_a_failure_over_a_refusal_did_not_compute(code: int, effect: str) -> None:
    story = Story()
    story.process(812)
    story.driver(812)
    story.consumer(812, BACKEND)
    story.call(812, "cuInit", 100, by=BACKEND)
    story.end(812, code=code)
    assert answer(story).chain[0].text == effect


def test_the_program_of_a_child_that_crashed_is_on_the_cpu_while_it_lives() -> None:
    story = Story()
    story.process(700, ("/opt/app/server",))
    story.process(812, ("/opt/app/server", "runner"), parent=700)
    story.driver(812)
    story.consumer(812, BACKEND)
    story.call(812, "cuInit", by=BACKEND)
    _fault(story, fatal=True)
    assert _effect(story) == "on the CPU"


def test_an_end_from_outside_or_in_order_is_no_crash() -> None:
    for end in ({"signal": 15}, {"signal": 9}, {"code": 0}, {"code": 1}):
        story = healthy()
        story.end(812, **end)
        assert rules(story) == ["gpu-in-use"]


def test_a_status_of_127_names_what_could_have_ended_it() -> None:
    story = Story()
    story.process(812, environment={"LD_PRELOAD": "/opt/libhook.so"})
    story.image("/opt/libhook.so", overrides=["open", "read"])
    story.map(812, "/opt/libhook.so", "preload")
    story.end(812, code=127)
    finding = answer(story)
    assert (finding.rule, finding.confidence) == ("child-crashed", "likely")
    assert "libhook.so overrides libc functions" in finding.cause


def test_a_shell_that_did_not_find_a_command_is_not_blamed() -> None:
    story = Story()
    story.process(812, ("/bin/sh",))
    story.end(812, code=127)
    assert rules(story) == []


def test_a_call_that_does_not_come_back_is_told_with_its_age_and_where_it_waits() -> None:
    story = _running()
    story.inside(812, "cuMemAlloc_v2", since=214 * SECOND)
    story.tell(ThreadWaits(at=story.later(), pid=812, tid=812, syscall="clock_nanosleep", wchan="hrtimer_nanosleep"))
    finding = answer(story)
    assert (finding.rule, finding.confidence) == ("call-blocked", "proven")
    assert "cuMemAlloc_v2 in PID 812 (server) has been running for 4 min" in finding.title
    assert "clock_nanosleep" in finding.title
    assert (finding.chain[0].kind, finding.chain[0].text) == ("mode", "stuck in cuMemAlloc_v2 for over 4 min")


def test_a_call_of_a_moment_is_not_blocked_and_a_young_one_only_likely() -> None:
    story = _running()
    story.inside(812, "cuMemAlloc_v2", since=SECOND // 5)
    assert "call-blocked" not in rules(story)
    story.inside(812, "cuMemAlloc_v2", since=3 * SECOND)
    assert found(story, "call-blocked").confidence == "likely"


def test_a_synchronisation_may_take_long() -> None:
    story = Story()
    story.process(812)
    story.driver(812, exports=[*DRIVER, "cuCtxSynchronize"])
    story.consumer(812, BACKEND)
    story.inside(812, "cuCtxSynchronize", since=60 * SECOND)
    assert "call-blocked" not in rules(story)


def _given_up(*, log: bool) -> Story:
    story = Story()
    story.process(812)
    story.process(850, ("/opt/app/server", "runner"), parent=812)
    story.driver(850)
    story.consumer(850, BACKEND)
    story.inside(850, "cuInit", since=30 * SECOND)
    story.end(850, signal=9)
    story.tell(CallsInside(at=story.later(), open=[OpenCall(pid=812, tid=1, function=999, entered=1)]))
    if log:
        story.log('msg="failure during GPU discovery" error="failed to finish discovery before timeout"', CPU)
    return story


def test_a_child_ended_inside_a_call_is_a_timeout_and_names_the_call() -> None:
    finding = answer(_given_up(log=True))
    assert (finding.rule, finding.confidence) == ("discovery-timeout", "proven")
    assert "PID 850 (server) was killed after 30.0 s, still inside cuInit" in finding.title
    assert answer(_given_up(log=False)).confidence == "likely"


def test_a_timeout_in_the_log_names_a_child_that_had_ended_long_before() -> None:
    story = Story()
    story.process(812)
    story.process(850, ("/opt/app/server", "runner"), parent=812)
    story.end(850, code=127)
    story.log('msg="failure during GPU discovery" error="failed to finish discovery before timeout"', CPU)
    finding = found(story, "discovery-timeout")
    assert "PID 850 (server) had ended long before: ended with code 127" in finding.cause


def test_a_child_that_is_ended_after_its_answer_is_no_timeout() -> None:
    story = _running()
    story.call(812, "cuDeviceGetCount", by=BACKEND, values={"count": 1})
    story.end(812, signal=9)
    assert "discovery-timeout" not in rules(story)


def test_a_fault_that_a_handler_turned_into_an_exit_status_killed_nobody() -> None:
    story = _running()
    _fault(story, fatal=False, si_code=1)
    story.end(812, code=3)
    assert "crashed with SIGSEGV" in answer(story).title


def _trapped(library: str | None, symbol: str | None = None, offset: int = 0) -> Story:
    story = _running()
    trap = SignalDelivered(
        at=story.later(), pid=812, tid=812, signal=5, si_code=128, fatal=True, ip=0x7F00, library=library,
        symbol=symbol, offset=offset,
    )  # fmt: skip
    story.tell(trap)
    story.end(812, signal=5)
    return story


def test_a_trap_in_copied_code_is_perhaps_a_byte_of_ours() -> None:
    finding = answer(_trapped(None))
    assert (finding.rule, finding.confidence) == ("child-crashed", "likely")
    assert finding.cause.startswith("Perhaps by us: functions of libcuda.so.1 are counted by one changed byte in each")
    assert finding.command.startswith("inspector --no-count --wait ")


def test_a_trap_behind_a_probe_of_a_counted_function_is_perhaps_a_byte_of_ours() -> None:
    """Code that was copied to huge pages lies in the place of the original, with the byte of the probe."""
    finding = answer(_trapped("/opt/shim/libcuda.so.1", "cuInit", 5))
    assert (finding.rule, finding.confidence) == ("child-crashed", "likely")
    assert finding.cause.startswith("Perhaps by us: functions of libcuda.so.1 are counted by one changed byte in each")


def test_a_trap_elsewhere_in_a_library_is_its_own() -> None:
    assert "by us" not in answer(_trapped("/opt/app/libassert.so")).cause
    assert "by us" not in answer(_trapped("/opt/shim/libcuda.so.1", "cuInit", 200)).cause
    assert "by us" not in answer(_trapped("/opt/shim/libcuda.so.1", "helper", 5)).cause
