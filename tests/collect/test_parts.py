"""Smaller parts: requests, the list, images in order of importance, library summaries, launch errors."""

import os
import threading
from pathlib import Path

import pytest

from inspector.collect.elf.image_cache import ImageCache
from inspector.collect.listing import processes
from inspector.collect.loop import CollectorLoop
from inspector.collect.main import parse
from inspector.collect.request_reader import RequestReader
from inspector.collect.sources.contract import Mapping
from inspector.collect.sources.libraries.images import Images
from inspector.collect.sources.libraries.library_summaries import LibrarySummaries, LibrarySummary, same_file
from inspector.stream.libraries import ImageRead
from inspector.stream.requests import AnyRequest, Configure, Plan, Quit, ReadSymbols, encode_request

from .collector import PLAN
from .fakes import FakeLoop
from .targets import Life, Workshop


class Mail:
    """A request reader and the other end of its pipe."""

    def __init__(self) -> None:
        self.read_end, self.write_end = os.pipe()
        self.request_reader = RequestReader(self.read_end)
        self.taken: list[AnyRequest] = []
        self.refused: list[str] = []

    def write(self, data: bytes) -> None:
        os.write(self.write_end, data)

    def run(self) -> None:
        """Hand everything out until the end of the pipe."""
        loop = CollectorLoop(lambda what, error: pytest.fail(f"{what}: {error}"))
        self.request_reader.open(loop, self.taken.append, self.refused.append, loop.stop)
        os.close(self.write_end)
        loop.run()


def test_the_first_request_says_what_to_look_for_and_the_rest_waits() -> None:
    mail = Mail()
    mail.write(encode_request(Configure(plan=PLAN)) + encode_request(ReadSymbols(id=1, pid=2)) + b'{"request":"qu')
    assert mail.request_reader.configuration(5.0).plan == PLAN
    mail.write(b'it"}\n')
    mail.run()
    assert mail.taken == [ReadSymbols(id=1, pid=2), Quit()]


def test_another_first_request_means_an_empty_plan_and_is_not_lost() -> None:
    mail = Mail()
    mail.write(encode_request(Quit()))
    assert mail.request_reader.configuration(5.0) == Configure(plan=Plan())
    mail.run()
    assert mail.taken == [Quit()]


def test_nobody_who_sends_anything_means_an_empty_plan() -> None:
    mail = Mail()
    assert mail.request_reader.configuration(0.01) == Configure(plan=Plan())
    os.close(mail.write_end)
    assert mail.request_reader.configuration(60.0) == Configure(plan=Plan())


def test_a_configuration_in_pieces_is_waited_for() -> None:
    mail = Mail()
    line = encode_request(Configure(plan=PLAN))
    mail.write(line[:20])
    threading.Timer(0.02, mail.write, [line[20:]]).start()
    assert mail.request_reader.configuration(60.0).plan == PLAN


def test_lines_that_are_no_requests_are_refused_in_words() -> None:
    mail = Mail()
    mail.write(b'nonsense\n\n{"request":"dance"}\n\xff\xfe\n' + encode_request(Quit()))
    mail.run()
    assert mail.taken == [Quit()]
    assert len(mail.refused) == 3


def test_a_plain_file_of_requests_is_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "requests"
    path.write_bytes(encode_request(Configure(plan=PLAN)) + encode_request(ReadSymbols(id=3, pid=1)))
    with path.open("rb") as file:
        request_reader = RequestReader(file.fileno())
        assert request_reader.configuration(5.0).plan == PLAN
        taken: list[AnyRequest] = []
        loop = CollectorLoop(lambda what, error: pytest.fail(f"{what}: {error}"))
        request_reader.open(loop, taken.append, pytest.fail, loop.stop)
        loop.run()
    assert taken == [ReadSymbols(id=3, pid=1)]


def test_the_list_finds_providers_by_name_and_leaves_kernel_threads_out(workshop: Workshop) -> None:
    with Life(workshop.program, f"load:{workshop.shim}", "line", "line") as life:
        life.step()
        rows = {row.pid: row for row in processes(PLAN)}
        assert (rows[life.pid].apis, rows[life.pid].libraries) == (["shim"], [str(workshop.shim)])
        assert rows[life.pid].argv[0] == str(workshop.program)
        assert rows[life.pid].rss > 0 and rows[life.pid].age >= 0
        assert 2 not in rows and os.getpid() not in rows


def test_the_list_knows_programs_of_the_plan(workshop: Workshop) -> None:
    with Life(workshop.program, "line") as life:
        rows = {row.pid: row for row in processes(Plan(program_names=["program"]))}
        assert rows[life.pid].known_program
        assert not rows[os.getppid()].known_program


def _mapping(path: str, number: int) -> Mapping:
    return Mapping(1, path, path.encode(), f"0:0:{number}", 0, 0, 0, 0)


def test_files_that_matter_most_are_read_first() -> None:
    class Slow(FakeLoop):
        """Begins work only when told to."""

        def in_background(self, work, done):  # type: ignore[no-untyped-def]
            self.soon(lambda: done(work()))

    loop, read = Slow(), list[ImageRead]()
    images = Images(loop, PLAN, ImageCache(PLAN), read.append)
    wanted = [
        ("/usr/lib/libz.so.1", "needed"),
        ("/opt/other.so", "dlopen"),
        ("/usr/lib/libshim.so.1", "dlopen"),
        ("/usr/bin/app", "executable"),
        ("/opt/pre.so", "preload"),
    ]
    for number, (path, route) in enumerate(wanted):
        images.want(_mapping(path, number), route, [])
        images.want(_mapping(path, number), route, [])
    assert images.busy
    loop.settle()
    first, *rest = [image.path for image in read]
    assert first == "/usr/lib/libz.so.1"  # it was alone when it came
    assert rest == ["/usr/bin/app", "/opt/pre.so", "/usr/lib/libshim.so.1", "/opt/other.so"]
    assert all("no longer at its path" in (image.error or "") for image in read)
    assert not images.busy


def test_an_image_is_read_only_from_a_path_that_leads_to_the_mapped_file(workshop: Workshop) -> None:
    read = list[ImageRead]()
    images = Images(FakeLoop(), PLAN, ImageCache(PLAN), read.append)
    path, inode = os.fsencode(workshop.shim), workshop.shim.stat().st_ino
    images.want(_mapping(str(workshop.shim), inode), "dlopen", [b"/nowhere", path])
    images.want(_mapping(str(workshop.shim), inode + 1), "dlopen", [path])
    assert [image.error is None for image in read] == [True, False]


def test_a_file_that_our_reader_fails_on_does_not_stop_those_behind_it(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> ImageRead:
        raise RuntimeError("on purpose")

    monkeypatch.setattr("inspector.collect.sources.libraries.images.read_image", fail)
    read = list[ImageRead]()
    images = Images(FakeLoop(), PLAN, ImageCache(PLAN), read.append)
    images.want(_mapping("/a", workshop.shim.stat().st_ino), "dlopen", [os.fsencode(workshop.shim)])
    images.want(_mapping("/b", 2), "dlopen", [])
    assert read[0].error == "our reader failed on it: RuntimeError: on purpose"
    assert len(read) == 2 and not images.busy


def test_an_outline_gives_names_needs_and_load_bias(workshop: Workshop) -> None:
    summaries = LibrarySummaries()
    status = workshop.shim.stat()
    path = os.fsencode(workshop.shim)
    summary = summaries.of(f"0:0:{status.st_ino}", [b"/nowhere", path])
    assert summary.soname == b"libshim.so.1"
    (code,) = summary.code
    assert summary.bias(0x7F0000001000, code.offset) == 0x7F0000001000 - code.address
    assert summaries.of("0:0:1", [path]) == LibrarySummary()
    assert LibrarySummary().bias(0x5000, 0x1000) == 0x4000
    assert same_file("fe:0:7", "0:2b:7") and not same_file("fe:0:7", "fe:0:8")


def test_words_of_the_command_line_are_read() -> None:
    options = parse(["--target=--odd", "--wait", "--log", "/a", "--log", "/b"])
    assert options is not None
    assert (options.target, options.wait, options.logs) == ("--odd", True, ("/a", "/b"))
    run = parse(["--run-output", "null", "--keep", "--", "cmd", "--flag", "--", "x"])
    assert run is not None
    assert (run.command, run.keep, run.run_output) == (("cmd", "--flag", "--", "x"), True, "null")


@pytest.mark.parametrize("words", [[], ["1", "--", "x"], ["--run"], ["--wait"]])
def test_words_that_make_no_sense_are_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert parse(words) is None
    assert capsys.readouterr().err.startswith("inspector collect: ")
