"""Truth as a test, on the recording of every case: a closed channel makes an answer weaker, never different and sure.

One channel after the other is withheld, its events and its ability; and harmless refusals of all kinds are put into
healthy streams: never the CPU, never an error.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache

import msgspec
import pytest
from _pytest.mark import ParameterSet
from hypothesis import given, settings
from hypothesis import strategies as st

from inspector.demo.cases import CASES
from inspector.model.causes.registry import find
from inspector.model.diagnosis import diagnose
from inspector.model.families import family_of_api
from inspector.model.fold import apply_all
from inspector.model.profiles import builtin_profiles
from inspector.model.verdict import RUNGS, Answer, Ladder
from inspector.stream.base import Event
from inspector.stream.calls import (
    CallReturned,
    CallsCounted,
    CallsInside,
    FileOpened,
    FunctionsWatched,
    LoaderRefused,
    LookedUp,
    OutcomesCounted,
)
from inspector.stream.libraries import CopiesFound, LoadPredicted
from inspector.stream.logs import LogFound, LogRead
from inspector.stream.processes import (
    ConstraintsRead,
    DescriptorsRead,
    ProcessEnded,
    ProcessExec,
    SignalDelivered,
    SocketsRead,
    Vitals,
)
from inspector.stream.session import Capability, SessionStarted
from inspector.stream.stacks import StackTaken
from inspector.stream.syscalls import FolderListed, SystemCallRefused, SystemCallsSummed, SystemCallsWatched
from tests.recordings import OF_CASES, OF_PROGRAMS, answer_of, events_of, together

from .attached_late import attached_late

ON_GPU = ("cuda", "rocm", "vulkan", "opencl")
CHANNELS: dict[str, tuple[tuple[type[Event], ...], tuple[str, ...]]] = {
    "look-ups": ((LookedUp, LoaderRefused), ("lookups",)),
    "calls": (
        (FunctionsWatched, CallsCounted, OutcomesCounted, CallReturned, CallsInside),
        ("count-calls", "results"),
    ),
    "results": ((OutcomesCounted, CallReturned), ("results",)),
    "opens": ((FileOpened,), ("open-files",)),
    "logs": ((LogFound, LogRead), ()),
    "environment": ((), ("environment",)),
    "stacks": ((StackTaken,), ()),
    "signals": ((SignalDelivered,), ()),
    "system calls": ((SystemCallRefused, SystemCallsSummed, FolderListed), ()),
    "limits": ((ConstraintsRead,), ()),
    "copies": ((CopiesFound,), ()),
    "what others hold": ((DescriptorsRead, SocketsRead, Vitals), ()),
    "how it ended": ((), ("exit-status",)),
}
"""What is withheld together: events, and the abilities that bring them."""
MAIN = ("look-ups", "calls", "opens", "logs", "environment")
"""Those that most answers rest on; the others are for the longer suite."""


def longer(value: str | float) -> ParameterSet:
    """A parameter of the longer suite."""
    return pytest.param(value, marks=pytest.mark.longer)


def withheld(events: Sequence[Event], channel: str) -> Iterator[Event]:
    """The stream as it comes where a channel is closed, and said to be."""
    kinds, abilities = CHANNELS[channel]
    for event in events:
        if isinstance(event, SessionStarted):
            rows = [
                Capability(name=one.name, state="no", how="", why="closed by a test") if one.name in abilities else one
                for one in event.capabilities
            ]
            yield msgspec.structs.replace(event, capabilities=rows)
        elif channel == "environment" and isinstance(event, ProcessExec):
            yield msgspec.structs.replace(event, environment={}, environment_known=False)
        elif channel == "how it ended" and isinstance(event, ProcessEnded):
            yield msgspec.structs.replace(event, code=None, signal=None, core=False, cpu=None)
        elif channel == "system calls" and isinstance(event, SystemCallsWatched):
            yield msgspec.structs.replace(event, on=False)
        elif channel == "results" and isinstance(event, FunctionsWatched):
            functions = [msgspec.structs.replace(one, returns=False) for one in event.functions]
            yield msgspec.structs.replace(event, functions=functions)
        elif not isinstance(event, kinds):
            yield event


@lru_cache(len(CHANNELS))
def answer_without(name: str, channel: str) -> Answer:
    """What is said where a channel is closed."""
    return diagnose(apply_all(withheld(events_of(name), channel)))


@pytest.mark.parametrize("channel", [each if each in MAIN else longer(each) for each in CHANNELS])
@pytest.mark.parametrize("name", together(OF_CASES))
def test_a_channel_that_is_switched_off_makes_no_answer_different_and_sure(name: str, channel: str) -> None:
    never_different_and_sure(answer_of(name), answer_without(name, channel))


def never_different_and_sure(full: Answer, part: Answer) -> None:
    """A mode or an error is proven of a part only where the whole has it."""
    if full.mode.verdict in ON_GPU:
        assert (part.mode.verdict, part.mode.confidence) != ("cpu", "proven")
    else:
        assert not (part.mode.verdict in ON_GPU and part.mode.confidence == "proven")
    known = {one.rule for one in full.findings}
    told = {link.subject for one in full.findings for link in one.chain}
    for one in part.findings:
        if one.severity == "error" and one.confidence == "proven" and one.rule not in known:
            own = {link.subject for link in one.chain if link.kind not in ("root", "mode", "words")}
            assert own and own <= told, f"{one.rule}: {one.title}"  # a link of the same chain, and no more than that


@pytest.mark.parametrize("part", [longer(0.3), 0.6, longer(0.9)])
@pytest.mark.parametrize("name", together(OF_CASES))
def test_who_attaches_late_is_told_nothing_different_and_sure(name: str, part: float) -> None:
    """`part`: of an observation, after which it might have begun."""
    events = events_of(name)
    at = sorted(event.at for event in events)[int(len(events) * part)]
    told = attached_late(events, at)
    if told:
        never_different_and_sure(answer_of(name), diagnose(apply_all(told)))


@pytest.mark.parametrize("name", together([*OF_CASES, *OF_PROGRAMS]))
def test_the_ladder_is_never_against_the_answer(name: str) -> None:
    _agrees(answer_of(name))


def _agrees(answer: Answer) -> None:
    """The rung of the first finding is broken on a rail of its process, and nothing is red where nobody is blamed."""
    first = answer.findings[0]
    rule = find(first.rule)
    assert rule is not None
    warned = first.severity == "warning" and answer.mode.verdict not in ON_GPU and rule.place != "logged"
    blamed = first.severity == "error" or warned  # what a log alone tells breaks no rail
    broken = [ladder.first_broken for ladder in answer.ladders if ladder.pid == first.pid and ladder.first_broken]
    if blamed:
        assert answer.ladders[0].pid == first.pid, "the first rail is that of the answer"
        assert broken or rule.place == "which process", "what another process does breaks nothing in this one"
        places = {rule.place} | ({"exported"} if rule.id == "lookup-failed" else set())  # the asked file lacks the name
        assert places & {*broken} or rule.place in ("end", "which process")
        of_process = [
            (rail.pid, rail.started, family_of_api(builtin_profiles(), rail.api))
            for rail in answer.ladders
            if rail.first_broken
        ]
        assert len(of_process) == len({*of_process}), "one break is marked once"
    else:
        assert not [ladder.first_broken for ladder in answer.ladders if ladder.first_broken]
    for ladder in answer.ladders:
        _is_one_break(ladder)


def _is_one_break(ladder: Ladder) -> None:
    """Up to the break nothing is red, there one cross, behind it nothing was reached; without one no cross at all."""
    assert [rung.rung for rung in ladder.rungs if rung.state == "no"] == [ladder.first_broken][
        : bool(ladder.first_broken)
    ]
    if ladder.first_broken:
        place = RUNGS.index(ladder.first_broken)
        assert all(rung.reached for rung in ladder.rungs[: place + 1] if rung.rung != "logged")
        assert all(rung.state == "unknown" and not rung.reached for rung in ladder.rungs[place + 1 :])


@pytest.mark.parametrize("channel", [each if each in MAIN else longer(each) for each in CHANNELS])
@pytest.mark.parametrize("name", together(OF_CASES))
def test_a_ladder_has_one_break_at_most_whatever_was_not_seen(name: str, channel: str) -> None:
    for ladder in answer_without(name, channel).ladders:
        _is_one_break(ladder)


HEALTHY = [case.name for case in CASES if case.family == "healthy" and case.mode in ON_GPU]


def _harmless(pid: int, tid: int) -> st.SearchStrategy[list[Event]]:
    """One refusal that healthy programs see, made good where its kind asks for that."""
    at = st.integers(0, 10**6)

    def load(offset: int, name: str) -> list[Event]:
        words = f"{name}: cannot open shared object file: No such file or directory"
        return [
            LookedUp(at=offset, pid=pid, tid=tid, via="dlopen", name=name, requester="/opt/x", found=False, error=words)
        ]

    def name(offset: int, symbol: str) -> list[Event]:
        words = f"undefined symbol: {symbol}"
        return [
            LookedUp(
                at=offset, pid=pid, tid=tid, via="dlsym", name=symbol, requester="/opt/x", found=False, error=words
            )
        ]

    def opened(offset: int, path: str) -> list[Event]:
        return [FileOpened(at=offset, pid=pid, tid=tid, path=path, errno=2)]

    def handled(offset: int, signal: int) -> list[Event]:
        return [SignalDelivered(at=offset, pid=pid, tid=tid, signal=signal, fatal=False, library="/opt/libjvm.so")]

    def foretold(offset: int, name: str) -> list[Event]:
        return [LoadPredicted(at=offset, pid=pid, name=name, ok=False, words=f"{name}: cannot open shared object file")]

    return st.one_of(
        st.builds(load, at, st.sampled_from(["libcuda.so", "libamdhip64.so", "libcudnn.so.9", "libvulkan.so.1"])),
        st.builds(name, at, st.sampled_from(["cuCtxCreate_v4", "cuFutureThing", "cudaFutureThing", "hipInit"])),
        st.builds(opened, at, st.sampled_from(["/dev/nvidia7", "/etc/nvidia/x.conf", "/dev/kfd", "/opt/none/a.txt"])),
        st.builds(handled, at, st.sampled_from([11, 8])),
        st.builds(foretold, at, st.sampled_from(["/opt/x/libggml-hip.so", "/opt/x/libggml-vulkan.so"])),
    )


@pytest.mark.longer
@settings(max_examples=60, deadline=None)
@given(st.data())
def test_harmless_refusals_in_a_healthy_stream_never_make_it_the_cpu_or_an_error(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(HEALTHY))
    events = events_of(name)
    answer = answer_of(name)
    working = next((row.pid for row in answer.mode.evidence if row.pid), None)
    pid = working or next(event.pid for event in events if isinstance(event, ProcessExec))
    begun = next((event.at for event in events if isinstance(event, ProcessExec) and event.pid == pid), events[0].at)
    injected: list[Event] = []
    for _ in range(data.draw(st.integers(1, 6))):
        for event in data.draw(_harmless(pid, pid)):
            injected.append(msgspec.structs.replace(event, at=begun + event.at))
    mixed = sorted([*events, *injected], key=lambda event: event.at)
    spoiled = diagnose(apply_all(mixed))
    assert spoiled.mode.verdict == answer.mode.verdict
    assert not [f"{one.rule}: {one.title}" for one in spoiled.findings if one.severity == "error"]
