"""What was not observable is never the ground of a "no", and what files tell is, where look-ups were not all seen."""

from inspector.stream.calls import FileOpened, Via
from inspector.stream.libraries import PackageRead
from inspector.stream.processes import ProcessStarted
from inspector.stream.session import Capability, CollectorWaits, EventsLost
from inspector.stream.syscalls import SystemCallsWatched

from ..asking import BACKEND, answer
from ..build import DRIVER, MS, Story
from .asking import decision

CHANNELS = ("process-births", "environment", "library-loads", "count-calls", "results", "open-files", "lookups")
SLOW = CHANNELS[:-1]
"""What Linux before 6.6 tells: the first look-ups come before a probe is set."""


def on(can: tuple[str, ...]) -> Story:
    story = Story(can=can)
    session = story.state.session
    assert session is not None
    if "lookups" not in can:
        session.capabilities.append(Capability(name="lookups", state="partly", how="uprobes", why="no uprobe_multi"))
    return story


def looked_for(story: Story, *paths: str, errno: int = 2) -> None:
    for path in paths:
        story.tell(FileOpened(at=story.later(), pid=812, tid=812, path=path, errno=errno))


def test_a_program_that_has_not_begun_yet_did_not_ask_for_nothing() -> None:
    story = on(CHANNELS)
    story.tell(ProcessStarted(at=story.later(), pid=812, ppid=1, started=story.now, origin="run", comm="python3"))
    assert decision(story.state).reason == "unknown"


def test_silence_of_a_collector_that_does_not_go_on_says_nothing_of_the_program() -> None:
    story = on(CHANNELS)
    story.process(812, ("/bin/app",))
    assert decision(story.state).reason == "nobody-asked"
    story.tell(CollectorWaits(at=story.later(), doing="asking the kernel (perf_event_open)"))
    assert decision(story.state).reason == "unknown"
    story.tell(CollectorWaits(at=story.later(), doing=""))
    assert decision(story.state).reason == "nobody-asked"


def test_where_records_were_lost_it_is_a_guess_that_says_what_is_missing() -> None:
    story = on(CHANNELS)
    story.process(812, ("/bin/app",))
    story.tell(EventsLost(at=story.later(), source="kernel records", count=3))
    finding = answer(story)
    assert (finding.rule, finding.confidence) == ("cause-not-seen", "guess") and "3 events were lost" in finding.title


def test_a_slow_kernel_tells_by_mappings_and_opens_that_nobody_asked() -> None:
    story = on(SLOW)
    story.process(812, ("/bin/app",))
    looked_for(story, "/usr/lib/libc.so.6", errno=0)
    story.end(812)
    made = decision(story.state)
    assert (made.verdict, made.confidence, made.reason) == ("cpu", "likely", "nobody-asked")
    assert (answer(story).rule, answer(story).confidence) == ("nobody-asked", "likely")


def test_a_slow_kernel_tells_it_not_where_opens_were_not_told_or_records_were_lost() -> None:
    for trouble in ("pause", "loss"):
        story = on(SLOW)
        story.process(812, ("/bin/app",))
        at = story.later(100 * MS)
        pause = SystemCallsWatched(at=at, on=False, means="tracepoint")
        story.tell(pause if trouble == "pause" else EventsLost(at=at, source="kernel records", count=1))
        story.later(100 * MS)
        story.end(812)
        assert decision(story.state).reason == "unknown", trouble


def test_a_library_that_was_looked_for_in_vain_is_the_cause_although_the_look_up_was_not_seen() -> None:
    story = on(SLOW)
    story.process(812, ("/bin/app",))
    looked_for(
        story, "/lib/x86_64-linux-gnu/libcuda.so.1", "/usr/lib/x86_64-linux-gnu/libcuda.so.1", "/lib/libcuda.so.1"
    )
    story.end(812, 1)
    finding = answer(story)
    assert (finding.rule, finding.confidence) == ("lookup-failed", "likely")
    assert "libcuda.so.1" in finding.title and "/lib/x86_64-linux-gnu" in finding.cause
    assert decision(story.state).verdict == "cpu"


def test_a_library_that_was_found_in_the_last_folder_was_not_refused() -> None:
    story = on(SLOW)
    story.process(812, ("/bin/app",))
    looked_for(story, "/opt/a/libcuda.so.1", "/opt/b/libcuda.so.1")
    looked_for(story, "/opt/c/libcuda.so.1", errno=0)
    story.driver(812, "/opt/c/libcuda.so.1")
    assert decision(story.state).reason != "stopped"


def test_a_shell_that_ran_before_us_was_not_seen_from_its_first_instruction() -> None:
    story = on(CHANNELS)
    story.process(812, ("/bin/sh",), age=1_000 * MS, environment_source="proc")
    assert decision(story.state).reason == "unknown"
    story.process(813, ("/bin/app",), parent=812)
    assert decision(story.state).reason == "nobody-asked"
    assert "all but sh were seen from their first instruction" in answer(story).title


def _only_began(via: Via = "dlsym") -> Story:
    story = Story()
    story.watch("/opt/shim/libcuda.so.1", DRIVER)
    story.process(812)
    story.driver(812, watch=False)
    story.consumer(812, BACKEND, imports=["dlsym"])
    for name in ("cuInit", "cuDeviceGetCount"):
        story.look_up(812, via, name, by=BACKEND, answer="/opt/shim/libcuda.so.1")
    story.call(812, "cuInit", by=BACKEND)
    story.end(812)
    return story


def test_a_program_that_began_an_api_and_ended_is_on_the_cpu() -> None:
    finding = answer(_only_began())
    assert (finding.rule, finding.severity) == ("found-not-used", "warning")
    assert "the API began (cuInit in PID 812" in finding.title
    assert "no device was asked for, then it ended" in finding.title


def test_what_a_driver_hands_out_itself_may_have_been_called_without_a_count() -> None:
    assert answer(_only_began("cuGetProcAddress_v2")).rule == "cause-not-seen"


def test_a_package_that_a_running_program_unpacks_is_not_yet_told_as_a_build_for_the_cpu() -> None:
    library = "/tmp/onnxruntime-java8348/libonnxruntime.so"
    story = on(CHANNELS)
    story.process(812, ("/bin/java",))
    story.tell(PackageRead(at=story.later(), pid=812, package="onnxruntime", path=library, gpu_part=False))
    assert answer(story).rule == "nobody-asked"
    story.end(812)
    assert answer(story).rule == "cpu-only-build"


def test_who_was_ended_by_somebody_is_not_advised_another_build() -> None:
    story = on(CHANNELS)
    story.process(812, ("/bin/app",))
    story.end(812, code=None, signal=15)
    finding = answer(story)
    assert finding.rule == "nobody-asked" and "was ended by SIGTERM after" in finding.title
    assert "let it run" in finding.next_step
