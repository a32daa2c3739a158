"""A living process is taken in whole: program, environment, libraries, descendants, and what happens next."""

from pathlib import Path

from inspector.stream.libraries import ImageRead, LibraryUnmapped, ScopeRead
from inspector.stream.processes import ProcessExec, ProcessStarted, Vitals
from inspector.stream.requests import ReadSymbols, ScanPointers, SymbolPage
from inspector.stream.session import RequestFailed, SessionStarted

from .collector import Collector
from .targets import Life, Workshop


def test_the_first_line_anchors_the_stream_and_the_last_one_says_why_it_ends(workshop: Workshop) -> None:
    with Life(workshop.program, "line") as life, Collector(str(life.pid)) as collector:
        first = collector.wait(SessionStarted)
        assert (first.target, first.collector) == (str(life.pid), collector.pid)
        assert collector.quit().reason == "asked to quit"
        assert collector.events[0] is first


def test_a_living_process_is_told_with_program_and_chosen_environment(workshop: Workshop) -> None:
    environment = {"INSPECTOR_TEST_MODE": "a\x1b[31m", "INSPECTOR_TEST_TOKEN": "hunter2", "OTHER": "x", "LD_X": "1"}
    with Life(workshop.program, "line", env=environment) as life, Collector(str(life.pid)) as collector:
        program = collector.program(life.pid)
        assert program.argv == [str(workshop.program), "line"]
        assert program.exe == str(workshop.program)
        assert program.environment == {
            "INSPECTOR_TEST_MODE": "a␛[31m",
            "INSPECTOR_TEST_TOKEN": "(hidden)",
            "LD_X": "1",
        }
        assert (program.other_keys, program.environment_source, program.static) == (1, "proc", False)
        assert (program.elf_class, program.secure, program.own_root) == (64, False, False)
        assert program.interpreter and program.interpreter.startswith("/lib")
        collector.quit()
        assert b"hunter2" not in b"".join(collector.raw)


def test_libraries_come_with_route_scope_and_elf_facts(workshop: Workshop) -> None:
    with Life(workshop.program, f"load:{workshop.shim}", "line") as life, Collector(str(life.pid)) as collector:
        shim = collector.library(life.pid, "libshim.so.1")
        assert (shim.route, shim.asked, shim.state) == ("dlopen", "libshim.so.1", "current")
        libc = collector.library(life.pid, "libc.so.6")
        assert (libc.route, libc.route_by, libc.asked) == ("needed", str(workshop.program), "libc.so.6")
        assert collector.library(life.pid, "/program").route == "executable"
        scope = collector.wait(ScopeRead, lambda e: e.pid == life.pid)
        assert scope.order[0] == str(workshop.program)
        assert scope.order[-1] == str(workshop.shim)
        image = collector.wait(ImageRead, lambda e: e.file == shim.file)
        assert (image.soname, [export.name for export in image.exports]) == ("libshim.so.1", ["shim_one", "shim_two"])
        collector.quit()


def test_each_file_is_read_once_even_when_two_processes_map_it(workshop: Workshop) -> None:
    command = f"{workshop.program} line & {workshop.program} line; wait"
    with Life("sh", "-c", command) as life, Collector(str(life.pid)) as collector:
        collector.wait(ImageRead, lambda e: e.path.endswith("libc.so.6"))
        collector.quit()
        files = [image.file for image in collector.all(ImageRead)]
        assert len(files) == len(set(files))


def test_descendants_that_are_there_already_are_taken_in(workshop: Workshop) -> None:
    command = f"sh -c 'sh -c \"{workshop.program} line; true\"; true'; true"
    with Life("sh", "-c", command) as life, Collector(str(life.pid)) as collector:
        deepest = collector.wait(ProcessExec, lambda e: e.exe == str(workshop.program))
        started = collector.all(ProcessStarted)
        parents = {each.pid: each.ppid for each in started}
        assert parents[parents[parents[deepest.pid]]] == life.pid
        assert {each.origin for each in started} == {"attach"}
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


def test_a_static_program_has_no_loader_and_no_libraries(workshop: Workshop) -> None:
    with Life(workshop.static, "line") as life, Collector(str(life.pid)) as collector:
        program = collector.program(life.pid)
        assert (program.static, program.interpreter) == (True, None)
        assert collector.library(life.pid, "static-program").route == "executable"
        collector.quit()


def test_a_preloaded_library_is_told_by_its_entry(workshop: Workshop, tmp_path: Path) -> None:
    link = tmp_path / "by-link.so"
    link.symlink_to(workshop.shim)
    for entry in (str(workshop.shim), str(link)):
        with Life(workshop.program, "line", env={"LD_PRELOAD": entry}) as life, Collector(str(life.pid)) as collector:
            shim = collector.library(life.pid, "libshim.so.1")
            assert (shim.route, shim.route_by, shim.asked) == ("preload", f"LD_PRELOAD entry {entry}", entry)
            collector.quit()


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


def test_symbols_are_answered_in_pages(workshop: Workshop) -> None:
    with Life(workshop.program, f"load:{workshop.shim}", "line") as life, Collector(str(life.pid)) as collector:
        shim = collector.library(life.pid, "libshim.so.1")
        collector.send(ReadSymbols(id=7, pid=life.pid, file=shim.file, filter="shim_", limit=1))
        page = collector.wait(SymbolPage, lambda e: e.id == 7)
        assert (page.total, [row.symbol.name for row in page.rows]) == (2, ["shim_one"])
        collector.send(ReadSymbols(id=8, pid=1))
        assert "not under observation" in collector.wait(RequestFailed, lambda e: e.id == 8).why
        collector.quit()


def test_a_request_that_nobody_knows_is_answered_in_words(workshop: Workshop) -> None:
    with Life(workshop.program, "line") as life, Collector(str(life.pid)) as collector:
        assert collector._process.stdin is not None
        collector._process.stdin.write(b'{"request":"dance"}\nnonsense\n')
        collector._process.stdin.flush()
        assert "not a request" in collector.wait(RequestFailed).why
        collector.quit()


def test_vitals_come_once_and_then_only_when_they_change(workshop: Workshop) -> None:
    with Life(workshop.program, "line") as life, Collector(str(life.pid)) as collector:
        vitals = collector.wait(Vitals, lambda e: e.pid == life.pid)
        assert vitals.rss > 0 and vitals.threads == 1 and vitals.state == "S"
        collector.quit()
        seen = [(e.cpu, e.rss, e.threads, e.state) for e in collector.all(Vitals)]
        assert len(seen) == len(set(seen))


def test_scanning_a_strange_process_is_refused_in_words(workshop: Workshop) -> None:
    with Life(workshop.program, "line") as life, Collector(str(life.pid)) as collector:
        collector.send(ScanPointers(id=9, pid=1))
        assert collector.wait(RequestFailed, lambda e: e.id == 9).why
        collector.quit()
