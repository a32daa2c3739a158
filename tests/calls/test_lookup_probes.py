"""Look-ups and loader errors, as the kernel tells them while real programs make them."""

import os
import subprocess
from collections.abc import Iterator

import pytest

from inspector.collect.elf.sites import find_sites
from inspector.collect.kernel import procfs
from inspector.collect.kernel.engine import Engine
from inspector.collect.kernel.lookup_probes import SIGNALS, LookupProbes, parse
from inspector.collect.kernel.lookup_programs import KINDS
from inspector.collect.kernel.records import Asked, Looked, Refused
from inspector.collect.sources.lookups.lookups import lookup_functions
from tests.kernel.observed import of, run

from .conftest import Targets

pytestmark = pytest.mark.live


@pytest.fixture
def lookup_probes(engine: Engine) -> Iterator[LookupProbes]:
    opened = LookupProbes(engine)
    for line in procfs.executable_maps(os.getpid()):
        if b"libc.so" in line.path or b"ld-linux" in line.path:
            watch(opened, line.path)
    yield opened
    opened.close()


def watch(lookup_probes: LookupProbes, path: bytes) -> int:
    """Tell of all look-up functions of a file."""
    sites = find_sites(path, (*KINDS, *SIGNALS)).found
    functions = lookup_functions(path, [site for site in sites if site.name in (*KINDS, *SIGNALS)])
    number = lookup_probes.reserve()
    lookup_probes.watch(number, path, functions)
    return number


def test_a_load_tells_who_asked_and_where_the_library_lies(
    engine: Engine, lookup_probes: LookupProbes, targets: Targets
) -> None:
    _, records = run(engine, str(targets.loading_program), f"open:{targets.library}")
    (asked,) = of(Asked, records)
    (looked,) = of(Looked, records)
    assert (asked.via, asked.name) == ("dlopen", bytes(targets.library))
    assert (looked.via, looked.name) == ("dlopen", bytes(targets.library))
    assert looked.answer != 0
    assert looked.base % 4096 == 0
    assert looked.entered <= asked.at < looked.at
    assert asked.caller == looked.caller != 0


def test_a_failed_load_tells_the_words_of_the_loader(
    engine: Engine, lookup_probes: LookupProbes, targets: Targets
) -> None:
    _, records = run(engine, str(targets.loading_program), "missing:libnowhere.so.7")
    looked = of(Looked, records)[-1]
    assert (looked.name, looked.answer) == (b"libnowhere.so.7", 0)
    refused = of(Refused, records)[0]
    assert (refused.object, refused.text, refused.errno) == (b"libnowhere.so.7", b"cannot open shared object file", 2)


def test_a_program_that_cannot_start_tells_what_is_missing(
    engine: Engine, lookup_probes: LookupProbes, targets: Targets
) -> None:
    program = targets.folder / "lonely"
    subprocess.run(["cp", targets.program, program], check=True)
    hidden = targets.library.with_suffix(".hidden")
    targets.library.rename(hidden)
    try:
        pid, records = run(engine, str(program))
    finally:
        hidden.rename(targets.library)
    words = {(refused.object, refused.text) for refused in of(Refused, records) if refused.pid == pid}
    assert words == {(b"libwatched.so", b"cannot open shared object file")}


@pytest.mark.parametrize("way", ["sym", "cold", "temporary"])
def test_a_symbol_name_is_read_wherever_it_lies(
    engine: Engine, lookup_probes: LookupProbes, targets: Targets, way: str
) -> None:
    _, records = run(engine, str(targets.loading_program), f"open:{targets.library}", f"{way}:stride")
    symbols = [record for record in of(Looked, records) if record.via == "dlsym"]
    assert [(record.name, record.answer != 0) for record in symbols] == [(b"stride", True)]


def test_a_symbol_that_is_not_there_has_no_answer_and_a_reason(
    engine: Engine, lookup_probes: LookupProbes, targets: Targets
) -> None:
    _, records = run(engine, str(targets.loading_program), f"open:{targets.library}", "sym:nothing")
    symbol = next(record for record in of(Looked, records) if record.via == "dlsym")
    assert (symbol.name, symbol.answer) == (b"nothing", 0)
    assert [refused.text for refused in of(Refused, records)] == [b"undefined symbol: nothing"]


def test_a_driver_that_answers_by_name_tells_both_of_its_answers(
    engine: Engine, lookup_probes: LookupProbes, targets: Targets
) -> None:
    number = watch(lookup_probes, bytes(targets.driver))
    _, records = run(engine, str(targets.driver_program))
    asked = [record for record in of(Looked, records) if record.cookie == number]
    assert [(each.via, each.name) for each in asked[:2]] == [
        ("cuGetProcAddress_v2", b"cuInit"), ("cuGetProcAddress_v2", b"cuNothing"),
    ]  # fmt: skip
    assert asked[0].answer != 0
    assert (asked[0].status, asked[0].second_status) == (0, 0)
    assert (asked[1].status, asked[1].second_status, asked[1].answer) == (500, 1, 0)
    assert (asked[2].via, asked[2].name[:4].hex(), asked[2].status) == ("cuGetExportTable", "6bd5fb6c", 200)


def test_thousands_of_look_ups_are_all_told(engine: Engine, lookup_probes: LookupProbes, targets: Targets) -> None:
    _, records = run(engine, str(targets.loading_program), f"open:{targets.library}", "repeat:3000")
    assert len([record for record in of(Looked, records) if record.name == b"stride"]) == 3000


def test_a_record_that_is_cut_short_is_none() -> None:
    assert parse(b"") is None
    assert parse(b"\x20\0\0\0" + bytes(30)) is None
