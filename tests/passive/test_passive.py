"""Passive evidence about a real process: what it never ran, what it bound, which addresses it holds."""

import os
from pathlib import Path

import pytest

from inspector.collect.elf.relocations import function_slots, relocated_words
from inspector.collect.elf.sites import find_sites
from inspector.collect.kernel import procfs
from inspector.collect.kernel.counting import Counting
from inspector.collect.kernel.engine import Engine
from inspector.collect.kernel.file_watch import Function
from inspector.collect.kernel.pages import Presence, Span
from inspector.collect.kernel.private_copies import PrivateCopies
from inspector.collect.sources.calls.passive import PassiveSource
from inspector.collect.sources.calls.passive_events import Circumstances, Code
from inspector.collect.sources.calls.pointers import PointersSource
from inspector.stream.libraries import CodePatched, NeverExecuted, PointersHeld, SlotsRead
from inspector.stream.requests import ApiPlan, FunctionPlan, Plan, ReadLog, ScanPointers
from inspector.stream.session import RequestFailed
from tests.elf.workshop import Workshop

from .conftest import NAMES, User
from .session import Bench

PLAN = Plan(
    apis=[
        ApiPlan(
            api="cuda-driver",
            sonames=["libcuda.so.1"],
            prefixes=["cu"],
            functions=[FunctionPlan(name=name) for name in NAMES],
        )
    ]
)


def look(user: User, *, count: bool = True) -> Bench:
    bench = Bench(PLAN, count=count)
    PassiveSource(bench.session)
    PointersSource(bench.session)
    bench.tell_images(bench.track(user.pid))
    return bench


def slots_of(bench: Bench) -> dict[str, tuple[str | None, bool]]:
    slots = {}
    for event in bench.sink.of(SlotsRead):
        slots = {slot.name: (slot.bound_to, slot.lazy) for slot in event.slots}
    return slots


def test_functions_whose_pages_were_never_read_in_are_proven_not_executed(user: User, driver: Path) -> None:
    user.do("i")
    (picture,) = look(user).sink.of(NeverExecuted)
    assert picture.path == str(driver)
    assert set(picture.functions) == set(NAMES) - {"cuInit"}
    assert (picture.proven, picture.total) == (5, 6)
    assert picture.since <= picture.at
    assert picture.pid == user.pid


def test_a_function_that_ran_is_never_called_unexecuted(user: User) -> None:
    user.do("ic")
    (picture,) = look(user).sink.of(NeverExecuted)
    assert not {"cuInit", "cuDeviceGetCount"} & set(picture.functions)


def test_looking_does_not_change_what_is_seen(user: User) -> None:
    first = look(user).sink.of(NeverExecuted)[0]
    second = look(user).sink.of(NeverExecuted)[0]
    assert first.functions == second.functions == sorted(NAMES)


def test_the_picture_is_taken_once_where_calls_are_counted_and_again_where_not(user: User) -> None:
    counted, passive = look(user), look(user, count=False)
    user.do("i")
    for bench in (counted, passive):
        bench.loop.tick()
    assert len(counted.sink.of(NeverExecuted)) == 1
    assert "cuInit" not in passive.sink.of(NeverExecuted)[-1].functions


def test_patched_code_is_seen_and_untouched_code_is_not(user: User, driver: Path) -> None:
    assert look(user).sink.of(CodePatched) == []
    user.do("p")
    (patched,) = look(user).sink.of(CodePatched)
    assert (patched.path, patched.pages, patched.pid) == (str(driver), 1, user.pid)


def test_a_provider_that_is_known_already_may_have_been_probed_by_us_so_its_patches_are_not_reported(
    user: User,
) -> None:
    bench = look(user)
    user.do("p")
    source = next(observer for observer in bench.tree.observers if isinstance(observer, PassiveSource))
    source.executed(bench.tree.members[0])
    source.picture(bench.tree.members[0])
    assert len(bench.sink.of(NeverExecuted)) == 2
    assert bench.sink.of(CodePatched) == []


def test_a_lazy_slot_is_unbound_until_its_function_is_called(user: User, driver: Path) -> None:
    bench = look(user)
    assert slots_of(bench)["cuInit"] == (None, True)
    user.do("i")
    bench.loop.tick()
    assert slots_of(bench)["cuInit"] == (str(driver), True)
    assert slots_of(bench)["cuDeviceGetCount"] == (None, True)


def test_unchanged_slots_are_not_sent_again(user: User) -> None:
    bench = look(user)
    bench.loop.tick()
    bench.loop.tick()
    assert len(bench.sink.of(SlotsRead)) == 1


def test_a_function_pointer_in_data_is_bound_at_load_and_says_nothing_about_calls(user: User, driver: Path) -> None:
    assert slots_of(look(user))["cuMemAlloc"] == (str(driver), False)


def test_addresses_that_were_looked_up_are_found_with_their_holder(user: User, program: Path, driver: Path) -> None:
    user.do("kh")
    (held,) = look(user).sink.of(PointersHeld)
    assert held.path == str(driver)
    assert held.holders[str(program)] == ["cuLaunchKernel"]
    assert held.holders["[heap]"] == ["cuCtxCreate"]
    assert held.complete


def test_slots_and_tables_that_the_loader_fills_in_are_not_look_ups(user: User) -> None:
    user.do("ic")
    (held,) = look(user).sink.of(PointersHeld)
    names = {name for owner, names in held.holders.items() if owner != "[stack]" for name in names}
    assert names & {"cuMemAlloc", "cuInit", "cuDeviceGetCount"} == set()


def test_a_search_on_request_answers_or_says_why_not(user: User) -> None:
    bench = look(user)
    user.do("k")
    pointers = next(observer for observer in bench.tree.observers if isinstance(observer, PointersSource))
    assert pointers.handle(ScanPointers(id=3, pid=user.pid))
    assert any("cuLaunchKernel" in names for names in bench.sink.of(PointersHeld)[-1].holders.values())
    assert pointers.handle(ScanPointers(id=4, pid=1))
    assert [failure.id for failure in bench.sink.of(RequestFailed)] == [4]
    assert not pointers.handle(ReadLog(source=1))


def test_a_process_without_a_provider_has_nothing_to_search_for(user: User) -> None:
    bench = Bench(PLAN)
    source = PointersSource(bench.session)
    bench.track(user.pid)
    source.handle(ScanPointers(id=9, pid=user.pid))
    assert "nothing to look for" in bench.sink.of(RequestFailed)[0].why


def test_a_process_that_ended_gives_no_picture_and_no_error(program: Path, user: User) -> None:
    bench = Bench(PLAN)
    PassiveSource(bench.session)
    PointersSource(bench.session)
    process = bench.track(user.pid)
    user.end()
    bench.tell_images(process)
    bench.loop.tick()
    assert not [event for event in bench.sink.sent if isinstance(event, NeverExecuted | SlotsRead | PointersHeld)]


@pytest.mark.parametrize(
    ("circumstances", "start_up_page", "words"),
    [
        (Circumstances([0x1000], False, 0), True, ""),
        (Circumstances([0x1000], False, 0), False, "gone from memory"),
        (Circumstances([0x1000, 0x8000], False, 0), True, "gone from memory"),
        (Circumstances([], False, 0), True, "no code that ran at its load stands apart"),
        (Circumstances([0x1000], True, 0), True, "probes"),
        (Circumstances([0x1000], None, 0), True, "only root"),
        (Circumstances([0x1000], False, 5 << 20), True, "5 MiB of the process are swapped out"),
    ],
)
def test_absent_pages_prove_something_only_where_code_that_ran_is_still_there_and_nobody_changed_any(
    circumstances: Circumstances, start_up_page: bool, words: str
) -> None:
    spans = [Span(0x1000, 0x2000, True)] if start_up_page else []
    code = Code("/lib/x.so", "0:0:1", 0, [(0x1000, 0x9000)], Presence(spans))
    caveat = circumstances.caveat(code)
    assert caveat == "" if not words else words in caveat


def test_a_page_that_is_absent_amid_neighbours_that_are_there_may_have_been_taken_away_alone() -> None:
    code = Code("/lib/x.so", "0:0:1", 0, [(0x10000, 0x40000)], Presence([Span(0x21000, 0x22000, True)]))
    assert [code.untouched(address) for address in (0x1F000, 0x20000, 0x2F000, 0x30000)] == [True, False, False, True]


@pytest.mark.parametrize("how", ["D", "O", "C", "DO"])
def test_pages_that_the_program_dropped_prove_nothing(user: User, how: str) -> None:
    user.do("ic" + how)
    (picture,) = look(user).sink.of(NeverExecuted)
    assert picture.caveat or not {"cuInit", "cuDeviceGetCount"} & set(picture.functions)


def test_a_program_that_saves_memory_and_calls_on_is_not_said_to_have_called_less(user: User) -> None:
    user.do("icDi")
    (picture,) = look(user).sink.of(NeverExecuted)
    assert "gone from memory" in picture.caveat


def test_pages_that_probes_sat_on_prove_nothing_afterwards(user: User, driver: Path, engine: Engine) -> None:
    counting = Counting(engine)
    sites = find_sites(os.fsencode(driver), NAMES).found
    counting.watch(os.fsencode(driver), [Function(site.offset) for site in sites], mapped=True)
    user.do("ic")
    counting.close()
    (picture,) = look(user).sink.of(NeverExecuted)
    assert "probes" in picture.caveat


def test_the_kernel_remembers_which_code_had_private_copies(user: User, driver: Path) -> None:
    def changed() -> bool:
        code = [line for line in procfs.executable_maps(user.pid) if line.path == os.fsencode(driver)]
        ever = PrivateCopies().ever(user.pid)
        assert ever is not None
        return any(line.start < end and line.end > start for line in code for start, end in ever)

    assert not changed()
    user.do("p")
    assert changed()


def test_nothing_is_known_of_a_process_that_is_gone(user: User) -> None:
    user.end()
    assert not PrivateCopies().ever(user.pid)


def test_slots_and_relocated_words_come_from_the_file(program: Path) -> None:
    slots = function_slots(str(program).encode(), {b"cuInit", b"cuMemAlloc", b"main"})
    assert {(slot.name, slot.lazy) for slot in slots.wanted} >= {(b"cuInit", True), (b"cuMemAlloc", False)}
    assert {slot.address for slot in slots.wanted} <= relocated_words(str(program).encode())


def test_packed_relative_relocations_are_unpacked(workshop: Workshop) -> None:
    code = "static int a, b, c; int *table[] = {&a, &b, &c, 0, &a, &b};"
    plain = workshop.library("libplain.so", code, flags=["-Wl,-z,nopack-relative-relocs"])
    packed = workshop.library("libpacked.so", code, flags=["-Wl,-z,pack-relative-relocs"])
    assert len(relocated_words(str(plain).encode())) == len(relocated_words(str(packed).encode()))
