"""Ladders: nine rungs, three-valued, each unknown with what is missing."""

import pytest

from inspector.demo.cases import CASES
from inspector.demo.record import recording_of
from inspector.model.diagnosis import diagnose
from inspector.model.fold import apply_all
from inspector.model.verdict import RUNGS, Answer, Ladder, RungName
from inspector.stream.libraries import Slot, SlotsRead
from inspector.stream.processes import ProcessStarted
from inspector.stream.recording import Recording
from inspector.stream.session import Capability, EventsLost, SessionStarted

from .asking import BACKEND, CPU, SHIM, healthy, rung
from .build import DRIVER, NVML, SECOND, WALL, Story


def _ladders(story: Story) -> list[Ladder]:
    return diagnose(story.state).ladders


def test_a_healthy_program_has_a_ladder_without_a_broken_rung() -> None:
    (ladder,) = _ladders(healthy())
    assert tuple(one.rung for one in ladder.rungs) == RUNGS
    assert [one.state for one in ladder.rungs] == ["yes"] * 7 + ["unknown", "yes"]
    assert (ladder.first_broken, ladder.provider, ladder.api) == (None, "/opt/shim/libcuda.so.1", "cuda-driver")


def test_every_rung_that_says_no_shows_a_row_that_proves_it() -> None:
    story = Story()
    story.process(812, environment={"LD_PRELOAD": SHIM}, secure=True)
    story.image("/opt/app/server", soname=None)
    story.map(812, "/opt/app/server", "executable")
    story.consumer(812, BACKEND)
    story.end(812)
    story.log(CPU)
    (ladder,) = _ladders(story)
    broken = [one for one in ladder.rungs if one.state == "no"]
    assert [one.rung for one in broken] == ["environment"]
    assert not any(one.reached for one in ladder.rungs[1:7])
    assert all(one.evidence and one.evidence[0].text for one in broken)
    assert ladder.first_broken == "environment"


def test_a_program_without_any_gpu_library_still_has_one_ladder_for_its_first_process() -> None:
    story = Story()
    story.process(812, ("/bin/sleep", "5"))
    story.process(813, ("/bin/true",), parent=812)
    (ladder,) = _ladders(story)
    assert (ladder.pid, ladder.api, ladder.first_broken) == (812, "cuda-driver", None)


def test_what_the_machine_does_not_permit_is_said_with_what_grants_it() -> None:
    story = Story()
    row = Capability(name="count-calls", state="no", how="", why="needs CAP_BPF", grant="sudo inspector")
    story.tell(
        SessionStarted(
            at=story.now,
            version="1",
            wall=WALL,
            host="h",
            kernel="6",
            uid=1,
            target="x",
            collector=1,
            capabilities=[row],
        )
    )
    story.process(812)
    story.driver(812, watch=False)
    story.consumer(812, BACKEND)
    assert rung(story, "called").detail == "needs CAP_BPF (grant: sudo inspector)"
    assert rung(story, "called").state == "unknown"


def test_a_process_met_late_says_since_when_it_was_watched() -> None:
    story = Story()
    story.process(812, age=3 * 3600 * SECOND)
    story.driver(812)
    story.consumer(812, BACKEND)
    assert rung(story, "called").detail == "counting of libcuda.so.1 began 3 h after it started"
    assert rung(story, "resolved").detail == "look-ups not seen: the process started 3 h before we attached"


def test_an_exec_under_observation_makes_a_process_found_late_known_from_its_first_instruction() -> None:
    story = Story()
    story.watch("/opt/shim/libcuda.so.1", DRIVER)
    story.process(812, ("/opt/gate",), age=60 * SECOND)
    story.execute(812, ("/opt/app/server",), environment_source="exec")
    story.driver(812, watch=False)
    story.consumer(812, BACKEND)
    assert rung(story, "called").state == "no"


def test_a_child_that_was_only_noticed_by_polling_is_not_known_from_its_birth() -> None:
    story = Story()
    story.watch("/opt/shim/libcuda.so.1", DRIVER)
    born = story.later()
    story.tell(ProcessStarted(at=story.later(SECOND // 20), pid=812, ppid=1, started=born, origin="fork"))
    story.execute(812, ("/opt/app/server",))
    story.driver(812, watch=False)
    story.consumer(812, BACKEND)
    assert rung(story, "called").state == "unknown"


def test_a_command_that_we_started_is_known_from_its_first_instruction_however_long_it_waited_for_us() -> None:
    story = Story()
    story.watch("/opt/shim/libcuda.so.1", DRIVER)
    born = story.later()
    story.tell(ProcessStarted(at=story.later(5 * SECOND), pid=812, ppid=1, started=born, origin="run"))
    story.execute(812, ("/opt/app/server",))
    story.driver(812, watch=False)
    story.consumer(812, BACKEND)
    assert rung(story, "called").state == "no"


def test_functions_that_were_let_go_make_their_count_a_lower_bound() -> None:
    from inspector.stream.calls import CountingStopped

    story = healthy()
    launch = next(number for number, f in story.state.functions.items() if f.name == "cuLaunchKernel")
    story.tell(CountingStopped(at=story.later(), functions=[launch], why="costs too much"))
    assert rung(story, "called").detail.startswith("at least ")


@pytest.mark.parametrize(("source", "told"), [("processes without counters", True), ("call stacks", False)])
def test_only_where_counters_were_short_may_who_was_not_counted_have_called(source: str, told: bool) -> None:
    story = Story()
    story.process(812)
    story.driver(812)
    story.consumer(812, BACKEND)
    before = rung(story, "called")
    story.tell(EventsLost(at=story.later(), source=source, count=3))
    after = rung(story, "called")
    assert ("too busy to keep counters apart" in after.detail, after != before) == (told, told)


def test_who_was_counted_has_counters_of_its_own_however_short_they_were() -> None:
    story = healthy()
    before = rung(story, "called")
    story.tell(EventsLost(at=story.later(), source="processes without counters", count=3))
    assert rung(story, "called") == before


def test_a_slot_that_points_elsewhere_breaks_the_rung_resolved() -> None:
    story = Story()
    story.process(812)
    story.driver(812)
    story.consumer(812, BACKEND, imports=["cuInit"])
    slot = Slot(name="cuInit", bound_to="/usr/lib/libother.so")
    story.tell(SlotsRead(at=story.later(), pid=812, path=BACKEND, slots=[slot]))
    assert rung(story, "resolved").state == "no"
    good = Slot(name="cuInit", bound_to="/opt/shim/libcuda.so.1")
    story.tell(SlotsRead(at=story.later(), pid=812, path=BACKEND, slots=[good]))
    assert rung(story, "resolved").state == "yes"


def test_slots_that_were_read_and_are_not_bound_yet_are_said_to_have_been_read() -> None:
    story = Story()
    story.process(812)
    story.driver(812)
    story.consumer(812, BACKEND, imports=["cuInit"])
    story.tell(SlotsRead(at=story.later(), pid=812, path=BACKEND, slots=[Slot(name="cuInit", bound_to=None)]))
    told = rung(story, "resolved")
    assert (told.state, told.detail) == ("unknown", "its slots were read: none is bound yet")


@pytest.mark.parametrize(
    ("name", "step", "state", "words"),
    [
        ("discovery-timeout", "called", "yes", "was inside cuInit for 716 ms when it ended"),
        ("success-without-work", "used", "unknown", "84 launches returned 0, no sign of work"),
        ("healthy-legacy", "used", "unknown", "not yet"),
        ("preload-one-missing", "environment", "yes", "entries of LD_PRELOAD is ignored ("),
        ("healthy-ends-in-order", "returned", "yes", "20 calls returned 0, 3 a normal answer other than 0"),
        ("wrapper-dies", "mapped", "no", "was killed by SIGSEGV"),
    ],
)
def test_the_rung_says_what_was_seen(name: str, step: RungName, state: str, words: str) -> None:
    case = next(one for one in CASES if one.name == name)
    rail = diagnose(apply_all(Recording(str(recording_of(case))))).ladders[0]
    told = next(one for one in rail.rungs if one.rung == step)
    assert told.state == state and words in told.detail, told.detail


def test_a_fork_that_executed_nothing_says_that_it_has_its_parents_environment() -> None:
    story = Story()
    story.process(812, environment={"LD_PRELOAD": SHIM})
    story.driver(812, SHIM, "preload")
    story.tell(ProcessStarted(at=story.later(), pid=850, ppid=812, started=story.now, origin="fork"))
    assert "its parent's" in rung(story, "environment", 850).detail


def test_an_unknown_environment_is_unknown() -> None:
    story = Story()
    story.process(812, environment_known=False)
    story.driver(812)
    assert rung(story, "environment").state == "unknown"


def test_a_cpu_without_a_cause_is_told_as_such_with_the_rung_that_was_not_seen() -> None:
    story = Story(can=())
    story.process(812, age=60 * SECOND)
    story.driver(812, watch=False)
    story.consumer(812, BACKEND)
    story.log(CPU)
    first = diagnose(story.state).findings[0]
    assert (first.rule, first.severity, first.confidence) == ("cause-not-seen", "info", "guess")
    assert "started before we attached" in first.cause and first.command.startswith("inspector --wait")


def test_the_coverage_says_how_many_processes_were_seen_from_when_on() -> None:
    words = diagnose(healthy().state).coverage
    assert "1 process (1 running), 1 seen from the first instruction" in words
    assert "14 functions counted" in words


def _first_broken(story: Story, api: str) -> RungName | None:
    return next(one.first_broken for one in diagnose(story.state).ladders if one.api == api)


def test_a_rung_of_an_api_that_nobody_asked_for_is_no_fault() -> None:
    story = healthy()
    story.image("/opt/shim/libnvidia-ml.so.1", soname="libnvidia-ml.so.1", exports=NVML)
    story.map(812, "/opt/shim/libnvidia-ml.so.1", "preload")
    assert rung(story, "reachable", api="nvml").state == "unknown"
    assert _first_broken(story, "nvml") is None


def test_a_program_without_any_api_has_no_broken_rung() -> None:
    story = Story()
    story.process(812, ("/bin/sleep", "60"))
    story.image("/lib/libc.so.6", soname="libc.so.6")
    story.map(812, "/lib/libc.so.6")
    assert (rung(story, "mapped").state, rung(story, "mapped").reached) == ("unknown", False)
    assert _first_broken(story, "cuda-driver") is None


def test_an_api_that_was_asked_for_in_vain_has_its_broken_rung() -> None:
    story = Story()
    story.process(812)
    words = "libnvidia-ml.so.1: cannot open shared object file: No such file or directory"
    story.look_up(812, "dlopen", "libnvidia-ml.so.1", False, by="/opt/app/server", error=words)
    story.end(812)
    assert _first_broken(story, "nvml") == "resolved"


def test_names_that_the_provider_lacks_are_not_said_to_be_among_its_own() -> None:
    story = Story()
    story.process(812)
    story.driver(812, SHIM, exports=["cuInit"])
    story.consumer(812, BACKEND, imports=["cuInit", "cuDeviceGet"])
    assert rung(story, "exported").state == "no"
    story.map(812, "/opt/app/libunread.so")
    told = rung(story, "exported")
    assert told.state == "unknown"
    assert told.detail == "1 name; 1 of the 2 that consumers here import are among them; 1 mapped file not read"
    story.image("/opt/app/libunread.so", exports=["cuDeviceGet"])
    told = rung(story, "exported")
    assert (told.state, told.detail.rpartition(", ")[2]) == ("yes", "other files define the rest")


def test_that_another_process_is_the_one_to_look_at_breaks_no_rung() -> None:
    answer = _answer("other-service-answers")
    assert answer.findings[0].rule == "other-service-answers"
    assert not [rung for rail in answer.ladders for rung in rail.rungs if rung.state == "no"]


def test_a_break_in_the_environment_is_asked_about_on_no_other_rail() -> None:
    first, *others = _answer("static-program").ladders
    assert first.first_broken == "environment" and others
    rungs = [rail.rungs[0] for rail in others]
    assert not [rung for rung in rungs if rung.state == "unknown" and rung.reached]


def _answer(case: str) -> Answer:
    return diagnose(apply_all(Recording(str(recording_of(next(one for one in CASES if one.name == case))))))
