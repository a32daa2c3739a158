"""Uprobes by each means that this kernel has: exact counts with the right cookies, and nothing left behind."""

import os
import struct
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from inspector.collect.elf.sites import find_sites
from inspector.collect.kernel import tracefs_events, uprobe_events, uprobes
from inspector.collect.kernel.assembler import Assembler, Helper, Reg
from inspector.collect.kernel.attach import AttachThreads, attach_all, close_all
from inspector.collect.kernel.bpf import Map, MapKind
from inspector.collect.kernel.tracepoints import open_tracefs
from inspector.collect.kernel.uprobe_events import UprobeEvents
from inspector.collect.kernel.uprobes import Means, MultiLinks, ProbeSite, UprobeProgram

pytestmark = pytest.mark.live
FUNCTIONS, CALLS = 300, 7


@dataclass(frozen=True)
class Built:
    """A program that calls every function of its library CALLS times."""

    library: bytes
    program: Path


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    folder = tmp_path_factory.mktemp("many")
    source = "".join(f"__attribute__((noinline)) int fn{n}(int a) {{ return a + {n}; }}\n" for n in range(FUNCTIONS))
    calls = "".join(f"fn{n}(i);" for n in range(FUNCTIONS))
    (folder / "many.c").write_text(source)
    heads = "".join(f"int fn{n}(int);" for n in range(FUNCTIONS))
    (folder / "main.c").write_text(f"{heads}\nint main() {{ for (int i = 0; i < {CALLS}; i++) {{ {calls} }} }}\n")
    library = folder / "libmany.so"
    subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-o", library, folder / "many.c"], check=True)
    linked = f"-L {folder} -lmany -Wl,-rpath,{folder}".split()
    subprocess.run(["cc", "-O0", "-o", folder / "main", folder / "main.c", *linked], check=True)
    return Built(os.fsencode(library), folder / "main")


@pytest.fixture(params=["chosen", "single, constant cookies", "tracefs, constant cookies"])
def means(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Means]:
    """What would be chosen here; the others only where they could be, on kernels without `uprobe_multi` links."""
    try:
        chosen = uprobes.means()
    except OSError as error:
        pytest.skip(f"no uprobes here: {error}")
    if request.param == "chosen":
        yield chosen
        return
    if isinstance(chosen, MultiLinks):
        pytest.skip("uprobe_multi links are used on this kernel")
    other = UprobeEvents(cookies=False, tracefs=request.param.startswith("tracefs"))
    monkeypatch.setattr(uprobes, "find_means", lambda: other)
    uprobes.means.cache_clear()
    yield other
    uprobes.means.cache_clear()


def _counting(counts: Map) -> bytes:
    a = Assembler()
    a.move(Reg.R6, Reg.R1)
    a.call(Helper.ATTACH_COOKIE)
    a.compute("rsh", Reg.R0, 32)
    a.store(Reg.R10, -4, Reg.R0, 4)
    a.map(Reg.R1, counts.fd)
    a.stack_address(Reg.R2, -4)
    a.call(Helper.MAP_LOOKUP)
    a.jump_if(Reg.R0, "==", 0, "out")
    a.move(Reg.R1, 1)
    a.atomic_add(Reg.R0, 0, Reg.R1)
    a.label("out")
    a.leave()
    return a.build()


def _read(counts: Map) -> list[int]:
    values = (counts.get(struct.pack("<I", number)) or b"" for number in range(FUNCTIONS))
    return [struct.unpack("<Q", value)[0] for value in values]


@pytest.mark.parametrize("number", [1, 8, FUNCTIONS])
def test_each_call_of_each_probed_function_counts_once_and_none_afterwards(
    means: Means, built: Built, number: int
) -> None:
    counts = Map(MapKind.ARRAY, 4, 8, FUNCTIONS)
    program = UprobeProgram(_counting(counts), "counts")
    sites = {site.name: site for site in find_sites(built.library, [f"fn{n}" for n in range(FUNCTIONS)]).found}
    places = [ProbeSite(sites[f"fn{n}"].offset, n << 32) for n in range(number)]
    attached = attach_all(program, built.library, places)
    bound = number if means.most is None else min(number, means.most)
    try:
        subprocess.run([built.program], check=True)
        assert _read(counts) == [CALLS] * bound + [0] * (FUNCTIONS - bound)
        assert len(attached.refused) == number - bound
        assert all(str(uprobe_events.MOST_SINGLE) in why for why in attached.refused.values())
    finally:
        close_all(attached.links)
        uprobes.finish()
    subprocess.run([built.program], check=True)
    assert sum(_read(counts)) == CALLS * bound
    assert defined() == []


@pytest.mark.parametrize("contended", [False, True])
def test_threads_set_each_probe_once_whether_others_are_in_the_way_or_not(
    built: Built, contended: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(AttachThreads, "CONTENDED_NS", -1 if contended else 1 << 62)
    counts = Map(MapKind.ARRAY, 4, 8, FUNCTIONS)
    program = UprobeProgram(_counting(counts), "counts")
    sites = {site.name: site for site in find_sites(built.library, [f"fn{n}" for n in range(FUNCTIONS)]).found}
    places = [ProbeSite(sites[f"fn{n}"].offset, n << 32) for n in range(FUNCTIONS)] + [ProbeSite(1 << 40, 0)]
    attached = attach_all(program, built.library, places, AttachThreads(4, 1))
    try:
        subprocess.run([built.program], check=True)
    finally:
        close_all(attached.links)
        uprobes.finish()
    bound = FUNCTIONS - sum(number < FUNCTIONS for number in attached.refused)
    assert sum(_read(counts)) == CALLS * bound
    assert FUNCTIONS in attached.refused
    assert defined() == []


def test_a_fault_in_one_of_the_threads_is_raised_and_nobody_waits_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AttachThreads, "CONTENDED_NS", -1)

    def attach(numbers: list[int]) -> None:
        if 5 in numbers:
            raise ValueError("five")

    with pytest.raises(ValueError, match="five"):
        AttachThreads(4, 1).attach(attach, list(range(9)))


def test_what_a_killed_process_defined_is_removed_by_the_next(built: Built) -> None:
    if isinstance(uprobes.means(), MultiLinks):
        pytest.skip("uprobe_multi links are used on this kernel")
    child = os.fork()
    if child == 0:
        tracefs_events.define(built.library, [find_sites(built.library, ["fn0"]).found[0].offset])
        os._exit(0)
    os.waitpid(child, 0)
    assert defined() == [f"inspector_{child}"]
    tracefs_events.sweep()
    assert defined() == []


def defined() -> list[str]:
    """Groups of ours that tracefs has."""
    try:
        root = open_tracefs()
    except OSError:
        return []
    try:
        with open(os.open("uprobe_events", os.O_RDONLY, dir_fd=root)) as file:
            return sorted({line.split(":")[1].split("/")[0] for line in file if ":inspector_" in line})
    except OSError:
        return []
    finally:
        os.close(root)
