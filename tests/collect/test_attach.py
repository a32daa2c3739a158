"""A living process is taken in whole: program, environment, libraries, descendants, and what happens next."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from inspector.stream.base import Request
from inspector.stream.libraries import ImageRead, LibraryUnmapped, ScopeRead
from inspector.stream.processes import ProcessExec, ProcessStarted, Vitals
from inspector.stream.requests import ReadSymbols, ScanPointers, SymbolPage
from inspector.stream.session import RequestFailed, SessionStarted

from .collector import Collector
from .targets import Life, Workshop

ENVIRONMENT = {"INSPECTOR_TEST_MODE": "a\x1b[31m", "INSPECTOR_TEST_TOKEN": "hunter2", "OTHER": "x", "LD_X": "1"}


class Observation:
    """One life and one collector that many tests look at."""

    def __init__(self, life: Life, collector: Collector) -> None:
        self.pid = life.pid
        self.collector = collector


@pytest.fixture(scope="module")
def attached(workshop: Workshop) -> Iterator[Observation]:
    with (
        Life(workshop.program, f"load:{workshop.shim}", "line", "line", env=ENVIRONMENT) as life,
        Collector(str(life.pid)) as collector,
    ):
        yield Observation(life, collector)
        assert collector.quit().reason == "asked to quit"
        assert b"hunter2" not in b"".join(collector.raw)
        assert life.lives()


def test_the_first_line_anchors_the_stream(attached: Observation) -> None:
    first = attached.collector.wait(SessionStarted)
    assert (first.target, first.collector, first.uid) == (str(attached.pid), attached.collector.pid, os.getuid())
    assert first.capabilities
    assert attached.collector.events[0] is first


def test_a_living_process_is_told_with_program_and_chosen_environment(
    attached: Observation, workshop: Workshop
) -> None:
    program = attached.collector.program(attached.pid)
    assert program.argv == [str(workshop.program), f"load:{workshop.shim}", "line", "line"]
    assert program.exe == str(workshop.program)
    assert program.environment == {
        "INSPECTOR_TEST_MODE": "a␛[31m",
        "INSPECTOR_TEST_TOKEN": "(hidden)",
        "LD_X": "1",
    }
    assert (program.other_keys, program.environment_source, program.static) == (1, "proc", False)
    assert (program.elf_class, program.secure, program.own_root) == (64, False, False)
    assert program.interpreter and program.interpreter.startswith("/lib")


def test_libraries_come_with_route_scope_and_elf_facts(attached: Observation, workshop: Workshop) -> None:
    shim = attached.collector.library(attached.pid, "libshim.so.1")
    assert (shim.route, shim.asked, shim.state) == ("dlopen", "libshim.so.1", "current")
    libc = attached.collector.library(attached.pid, "libc.so.6")
    assert (libc.route, libc.route_by, libc.asked) == ("needed", str(workshop.program), "libc.so.6")
    assert attached.collector.library(attached.pid, "/program").route == "executable"
    scope = attached.collector.wait(ScopeRead, lambda e: e.pid == attached.pid)
    assert (scope.order[0], scope.order[-1]) == (str(workshop.program), str(workshop.shim))
    image = attached.collector.wait(ImageRead, lambda e: e.file == shim.file)
    assert (image.soname, [export.name for export in image.exports]) == ("libshim.so.1", ["shim_one", "shim_two"])


@pytest.mark.longer
def test_symbols_are_answered_in_pages(attached: Observation) -> None:
    shim = attached.collector.library(attached.pid, "libshim.so.1")
    attached.collector.send(ReadSymbols(id=7, pid=attached.pid, file=shim.file, filter="shim_", limit=1))
    page = attached.collector.wait(SymbolPage, lambda e: e.id == 7)
    assert (page.total, [row.symbol.name for row in page.rows]) == (2, ["shim_one"])
    attached.collector.send(ReadSymbols(id=8, pid=attached.pid, filter="^shim_"))
    assert attached.collector.wait(SymbolPage, lambda e: e.id == 8).files >= 3


@pytest.mark.longer
@pytest.mark.parametrize(
    ("request_", "why"),
    [
        (ReadSymbols(id=11, pid=1), "not under observation"),
        (ReadSymbols(id=12, pid=0, file="0:0:0"), "not under observation"),
        (ScanPointers(id=13, pid=1), "not under observation"),
    ],
)
def test_requests_about_strangers_are_refused_in_words(attached: Observation, request_: Request, why: str) -> None:
    attached.collector.send(request_)
    assert why in attached.collector.wait(RequestFailed, lambda e: e.id == request_.id).why


@pytest.mark.longer
def test_a_file_that_the_process_does_not_map_has_no_symbols(attached: Observation) -> None:
    attached.collector.send(ReadSymbols(id=14, pid=attached.pid, file="0:0:0"))
    assert "no longer maps that file" in attached.collector.wait(RequestFailed, lambda e: e.id == 14).why


def test_a_request_that_nobody_knows_is_answered_in_words(attached: Observation) -> None:
    attached.collector.send_raw(b'{"request":"dance"}\nnonsense\n')
    assert "not a request" in attached.collector.wait(RequestFailed, lambda e: e.id == 0).why


@pytest.mark.longer
def test_vitals_come_once_and_then_only_when_they_change(attached: Observation) -> None:
    vitals = attached.collector.wait(Vitals, lambda e: e.pid == attached.pid)
    assert vitals.rss > 0 and vitals.threads == 1 and vitals.state == "S"
    told = [(e.cpu, e.rss, e.threads, e.state) for e in attached.collector.all(Vitals)]
    assert len(told) == len(set(told))


def test_each_file_is_read_once(attached: Observation) -> None:
    attached.collector.wait(ImageRead, lambda e: e.path.endswith("libc.so.6"))
    files = [image.file for image in attached.collector.all(ImageRead)]
    assert len(files) == len(set(files))


def test_descendants_that_are_there_already_are_taken_in(workshop: Workshop) -> None:
    command = f"sh -c 'sh -c \"{workshop.program} line; true\"; true'; true"
    with Life("sh", "-c", command) as life, Collector(str(life.pid)) as collector:
        deepest = collector.wait(ProcessExec, lambda e: e.exe == str(workshop.program))
        started = collector.all(ProcessStarted)
        parents = {each.pid: each.ppid for each in started}
        assert parents[parents[parents[deepest.pid]]] == life.pid
        assert {each.origin for each in started} == {"attach"}
        files = [image.file for image in collector.all(ImageRead)]
        assert len(files) == len(set(files))
        collector.quit()


def test_a_library_loaded_and_unloaded_later_comes_and_goes(workshop: Workshop) -> None:
    words = ["line", f"load:{workshop.shim}", "line", "unload", "line", "line"]
    with Life(workshop.program, *words) as life, Collector(str(life.pid)) as collector:
        collector.library(life.pid, "libc.so.6")
        life.step()
        base = collector.library(life.pid, "libshim.so.1").base
        life.step()
        assert collector.wait(LibraryUnmapped, lambda e: e.path.endswith("libshim.so.1")).base == base
        collector.quit()


@pytest.mark.longer
def test_a_library_that_is_loaded_again_has_a_second_life(workshop: Workshop) -> None:
    words = ["line", f"load:{workshop.shim}", "line", "unload", "line", f"load:{workshop.shim}", "line", "unload"]
    with Life(workshop.program, *words, "line", "line") as life, Collector(str(life.pid)) as collector:
        collector.library(life.pid, "libc.so.6")
        gone = _comes_and_goes(collector, life, since=0)
        _comes_and_goes(collector, life, since=gone)
        collector.quit()


def _comes_and_goes(collector: Collector, life: Life, since: int) -> int:
    life.step()
    came = collector.library(life.pid, "libshim.so.1", lambda e: e.at > since)
    life.step()
    gone = collector.wait(LibraryUnmapped, lambda e: e.path.endswith("libshim.so.1") and e.at > came.at)
    assert gone.base == came.base
    return gone.at


@pytest.mark.longer
def test_a_static_program_has_no_loader_and_no_libraries(workshop: Workshop) -> None:
    with Life(workshop.static, "line") as life, Collector(str(life.pid)) as collector:
        program = collector.program(life.pid)
        assert (program.static, program.interpreter) == (True, None)
        assert collector.library(life.pid, "static-program").route == "executable"
        collector.quit()


def test_preloaded_libraries_are_told_by_their_entries(workshop: Workshop, tmp_path: Path) -> None:
    link = tmp_path / "by-link.so"
    link.symlink_to(workshop.shim_at(tmp_path / "libother.so"))
    environment = {"LD_PRELOAD": f"{workshop.shim}:{link}"}
    with Life(workshop.program, "line", env=environment) as life, Collector(str(life.pid)) as collector:
        for name, entry in (("libshim.so.1", str(workshop.shim)), ("libother.so", str(link))):
            shim = collector.library(life.pid, name)
            assert (shim.route, shim.route_by, shim.asked) == ("preload", f"LD_PRELOAD entry {entry}", entry)
        collector.quit()


@pytest.mark.longer
def test_links_from_the_asked_name_to_the_file_are_told(workshop: Workshop, tmp_path: Path) -> None:
    (tmp_path / "libshim.so.1.2").write_bytes(workshop.shim.read_bytes())
    (tmp_path / "libshim.so.1").symlink_to("libshim.so.1.2")
    (tmp_path / "libshim.so").symlink_to(tmp_path / "libshim.so.1")
    with Life(workshop.program, f"load:{tmp_path}/libshim.so", "line") as life, Collector(str(life.pid)) as collector:
        shim = collector.library(life.pid, "libshim.so.1.2")
        names = ["libshim.so", "libshim.so.1", "libshim.so.1.2"]
        assert shim.links == [str(tmp_path / name) for name in names]
        assert (shim.route, shim.asked) == ("dlopen", "libshim.so")
        collector.quit()
