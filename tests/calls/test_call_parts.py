"""The parts that turn what the kernel tells into events, without a kernel."""

import struct

from hypothesis import given, settings
from hypothesis import strategies as st

from inspector.collect.elf.sites import Site
from inspector.collect.kernel.counter_block import Read
from inspector.collect.kernel.records import Asked, Looked, Opened, Refused
from inspector.collect.sources.calls.call_plans import arguments_of, function_at, planned_functions, signed, values_of
from inspector.collect.sources.calls.pending_dlopens import PendingLoads, loader_words
from inspector.collect.sources.libraries.addresses import Addresses, CodeRange
from inspector.collect.sources.lookups.lookup_events import Folding, LookupEvents
from inspector.stream.calls import LookedUp, TriedFile
from inspector.stream.requests import ApiPlan, Argument, FunctionPlan, OutValue, Plan

PROPERTIES = FunctionPlan(
    name="getProperties",
    arguments=[
        Argument(name="id", index=1, kind="uuid", size=16),
        Argument(name="ordinal", index=2, kind="i32"),
        Argument(name="path", index=3, kind="string", size=8),
    ],
    values=[
        OutValue(name="name", argument=0, kind="string", size=16),
        OutValue(name="total", argument=0, kind="u64", offset=256),
        OutValue(name="ratio", argument=0, kind="f32", offset=264),
    ],
)
SITE = Site("getProperties", (), 0x1000, 0x1004, 500, 0x1008, 500, "nop", 64)


def test_reads_are_out_values_then_arguments_behind_pointers() -> None:
    function = function_at(SITE, PROPERTIES)
    assert (function.offset, function.at_entry) == (0x1004, True)
    assert function.reads == (
        Read(0, 16, 0, True), Read(0, 8, 256), Read(0, 4, 264), Read(1, 16), Read(3, 8, 0, True),
    )  # fmt: skip


def test_a_function_that_returns_no_status_is_counted_at_the_cheapest_place() -> None:
    assert function_at(SITE, FunctionPlan(name="f", returns=False)).offset == 0x1008
    assert function_at(SITE, None).offset == 0x1008


def test_values_and_arguments_are_decoded_as_the_plan_says() -> None:
    memory = (b"NVIDIA H100\0junk", struct.pack("<Q", 85 << 30), struct.pack("<f", 0.5), bytes(range(16)), b"/dev/x\0y")
    assert values_of(PROPERTIES, memory) == {"name": "NVIDIA H100", "total": 85 << 30, "ratio": 0.5}
    assert arguments_of(PROPERTIES, (0, 1, 0xFFFF_FFFF, 0, 0, 0), memory) == {
        "id": "00010203-0405-0607-0809-0a0b0c0d0e0f", "ordinal": -1, "path": "/dev/x",
    }  # fmt: skip


def test_what_could_not_be_read_is_left_out() -> None:
    assert values_of(PROPERTIES, (b"", struct.pack("<Q", 5), b"", b"", b"")) == {"total": 5}
    assert arguments_of(PROPERTIES, (0,) * 6, (b"",) * 5) == {"ordinal": 0}


@settings(max_examples=100)
@given(st.lists(st.binary(min_size=8, max_size=256), max_size=5))
def test_hostile_memory_never_breaks_the_decoding(memory: list[bytes]) -> None:
    shown = [
        *values_of(PROPERTIES, tuple(memory)).values(),
        *arguments_of(PROPERTIES, (0,) * 6, tuple(memory)).values(),
    ]
    assert all("\x1b" not in value for value in shown if isinstance(value, str))


def test_results_are_signed_ints() -> None:
    assert (signed(100), signed(0xFFFF_FFFF)) == (100, -1)


def test_planned_functions_know_their_api() -> None:
    plan = Plan(apis=[ApiPlan(api="a", sonames=[], prefixes=[], functions=[PROPERTIES])])
    assert planned_functions(plan)["getProperties"].api == "a"


def test_a_load_inside_a_load_keeps_its_own_files_and_words() -> None:
    loads = PendingLoads()
    loads.begin(asked(100, b"outer"))
    loads.opened(opened(b"/a/outer.so", 2))
    loads.begin(asked(200, b"inner"))
    loads.opened(opened(b"/a/inner.so", 0))
    loads.opened(opened(b"/etc/hosts", 0))
    assert loads.refused(7, "inner: no")
    inner = loads.end(looked(199))
    assert inner is not None
    assert (inner.tried, inner.words) == ([TriedFile(path="/a/inner.so", errno=0)], "inner: no")
    outer = loads.end(looked(99))
    assert outer is not None
    assert (outer.asked.name, outer.tried, outer.words) == (b"outer", [TriedFile(path="/a/outer.so", errno=2)], "")
    assert not loads.refused(7, "nobody's")
    assert loads.end(looked(300)) is None


def test_loads_of_a_process_that_ends_are_given_up() -> None:
    loads = PendingLoads()
    loads.begin(asked(100, b"a"))
    assert [each.asked.name for each in loads.leave(7)] == [b"a"]
    assert loads.leave(7) == []


def test_loads_of_a_file_that_is_watched_no_more_are_given_up() -> None:
    loads = PendingLoads()
    loads.begin(asked(100, b"a"))
    loads.forget(1)
    assert loads.is_inside(7)
    loads.forget(0)
    assert not loads.is_inside(7)


class Nowhere(Addresses):
    """Nothing is known of any address."""

    def __init__(self) -> None:
        pass

    def owner(self, pid: int, address: int, now: int) -> CodeRange | None:
        return None


def test_a_load_whose_name_could_not_be_read_is_known_by_the_files_that_were_tried() -> None:
    loads = PendingLoads()
    loads.begin(asked(100, b""))
    loads.opened(opened(b"/a/libcuda.so.1", 2))
    (pending,) = loads.leave(7)
    told = LookupEvents(Nowhere()).unanswered(pending, "/lib/libc.so.6", 300)
    assert (told.name, told.found, told.entered) == ("libcuda.so.1", None, 100)


def test_the_loaders_words_are_those_of_dlerror() -> None:
    refused = Refused(1, 7, 7, b"libx.so", b"cannot open shared object file", b"", 2)
    assert loader_words(refused) == "libx.so: cannot open shared object file: No such file or directory"
    assert loader_words(Refused(1, 7, 7, b"", b"undefined symbol: f", b"", 0)) == "undefined symbol: f"


def test_equal_look_ups_are_told_once_and_then_counted() -> None:
    folding = Folding()
    event = LookedUp(at=1, pid=7, tid=7, via="dlsym", name="f", requester="/p", found=True, tried=[])
    assert folding.is_new(event)
    assert not any(folding.is_new(event) for _ in range(3))
    assert [folded.count for folded in folding.take()] == [3]
    assert folding.take() == []


def asked(at: int, name: bytes) -> Asked:
    return Asked(at, 7, 7, 0, "dlopen", name, 0, 0)


def looked(entered: int) -> Looked:
    return Looked(entered, entered + 50, 7, 7, 0, "dlopen", b"", b"", 0, 0, 0, 0, 0)


def opened(path: bytes, errno: int) -> Opened:
    return Opened(1, 7, 7, path, errno, 0)
