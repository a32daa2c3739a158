"""Preload entries judged as the real loader judges them, in its own words."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from inspector.collect.elf.library import LibraryCache
from inspector.collect.elf.search import Surroundings
from inspector.collect.kernel.rootfs import Root
from inspector.collect.sources.libraries.file_view import ProcessFiles, Rights
from inspector.collect.sources.libraries.predictions import check_preload
from inspector.collect.sources.libraries.preload_check import Source, preload_entries
from inspector.stream.libraries import PreloadChecked
from tests.elf.agreement import around
from tests.elf.workshop import Workshop

NOBODY = Rights(uid=65534, groups=frozenset([65534]))


@pytest.fixture(scope="session")
def entries(workshop: Workshop) -> dict[str, str]:
    """Names of cases and the entries that they are."""
    folder = workshop.folder / "entries"
    good = workshop.library("entries/libgood.so", "int good;")
    narrow = folder / "libnarrow.so"
    narrow.write_bytes(good.read_bytes()[:4] + b"\1" + good.read_bytes()[5:])
    (folder / "libtext.so").write_text("this is not a library, and it is longer than an ELF header, so there\n")
    (folder / "libshort.so").write_bytes(b"\x7fELF")
    (folder / "libfolder.so").mkdir()
    (folder / "libloop.so").symlink_to("libloop.so")
    names = ("good", "narrow", "text", "short", "folder", "loop", "none")
    found = {name: str(folder / f"lib{name}.so") for name in names}
    return found | {"by-name": "libz.so.1", "no-name": "libnowhere.so.9", "program": "/bin/false"}


@pytest.fixture(scope="session")
def idle(workshop: Workshop) -> Path:
    return workshop.program("idle", "int main(void) { return 0; }")


def check(entry: str, source: Source = "LD_PRELOAD", surroundings: Surroundings | None = None) -> PreloadChecked:
    return check_preload(3, 4, source, os.fsencode(entry), surroundings or around(), LibraryCache(), None)


def said_by_the_loader(idle: Path, key: str, entry: str) -> str:
    done = subprocess.run([idle], env={key: entry}, capture_output=True, check=False)
    return done.stderr.decode().strip()


@pytest.mark.parametrize(
    "name", ["good", "narrow", "text", "short", "folder", "loop", "none", "by-name", "no-name", "program"]
)
@pytest.mark.parametrize("source", ["LD_PRELOAD", "LD_AUDIT"])
def test_the_words_about_an_entry_are_the_loaders(
    entries: dict[str, str], idle: Path, name: str, source: Source
) -> None:
    checked = check(entries[name], source)
    said = said_by_the_loader(idle, source, entries[name])
    assert checked.words == said
    assert checked.usable is (not said)
    assert bool(checked.problem) is bool(said)
    assert (checked.pid, checked.source, checked.entry) == (4, source, entries[name])


def test_a_usable_entry_says_where_it_was_found(entries: dict[str, str]) -> None:
    assert check(entries["good"]).path == entries["good"]
    assert Path(check("libz.so.1").path or "").resolve() == Path("/lib/x86_64-linux-gnu/libz.so.1").resolve()


def test_a_name_that_is_nowhere_says_how_many_places_were_searched() -> None:
    assert "places that are searched" in check("libnowhere.so.9").problem


def test_a_file_that_its_user_may_not_read_is_unusable_though_we_can_read_it(entries: dict[str, str]) -> None:
    target = Path(entries["good"]).with_name("libsecret.so")
    shutil.copy(entries["good"], target)
    target.chmod(0o600)
    for folder in (target.parent, *target.parent.parents):
        if folder.stat().st_uid == os.getuid() and str(folder) not in ("/", "/tmp"):
            folder.chmod(0o755)
    plain = around()
    files = ProcessFiles(Root(os.getpid()), NOBODY)
    surroundings = Surroundings(files, plain.loader, plain.cache)
    refused = check(str(target), surroundings=surroundings)
    assert (refused.problem, refused.there) == (f"its user may not read {target}", True)
    assert not check(str(target.with_name("libnone.so")), surroundings=surroundings).there
    assert check(entries["good"], surroundings=surroundings).usable
    assert check(str(target)).usable


def test_a_folder_that_may_not_be_searched_hides_what_lies_below(entries: dict[str, str]) -> None:
    folder = Path(entries["good"]).parent / "closed"
    folder.mkdir(exist_ok=True)
    shutil.copy(entries["good"], folder / "libinside.so")
    folder.chmod(0o700)
    files = ProcessFiles(Root(os.getpid()), NOBODY)
    with pytest.raises(PermissionError):
        files.locate(os.fsencode(folder / "libinside.so"))
    assert ProcessFiles(Root(os.getpid()), Rights(0, frozenset())).locate(os.fsencode(folder / "libinside.so"))


def test_rights_follow_owner_group_and_others() -> None:
    mine, theirs = (
        os.stat_result((0o640, 0, 0, 1, 5, 7, 0, 0, 0, 0)),
        os.stat_result((0o604, 0, 0, 1, 5, 7, 0, 0, 0, 0)),
    )
    assert Rights(5, frozenset()).allow(mine, 4)
    assert Rights(6, frozenset([7])).allow(mine, 4)
    assert not Rights(6, frozenset([8])).allow(mine, 4)
    assert not Rights(6, frozenset([7])).allow(theirs, 4)
    assert Rights(6, frozenset([8])).allow(theirs, 4)


def test_a_program_with_privileges_skips_entries_with_a_slash_without_a_word(entries: dict[str, str]) -> None:
    secure = Surroundings(around().files, around().loader, around().cache, secure=True)
    checked = check(entries["good"], surroundings=secure)
    assert (checked.usable, checked.words) == (False, "")
    assert "AT_SECURE" in checked.problem
    assert check(entries["good"], "/etc/ld.so.preload", secure).usable


@pytest.mark.skipif(os.getuid() != 0, reason="only root can make a set-user-ID program of another user")
def test_a_name_preloaded_into_a_program_with_privileges_is_answered_as_the_loader_does(idle: Path) -> None:
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        if os.statvfs(folder).f_flag & os.ST_NOSUID:
            pytest.skip("/var/tmp is mounted nosuid")
        Path(folder).chmod(0o755)
        program = Path(shutil.copy(idle, folder))
        program.chmod(0o4755)
        done = subprocess.run(
            [program], env={"LD_PRELOAD": "libz.so.1"}, user=65534, group=65534, extra_groups=[], capture_output=True
        )
    secure = Surroundings(around().files, around().loader, around().cache, secure=True)
    checked = check("libz.so.1", surroundings=secure)
    assert checked.words == done.stderr.decode().strip() != ""
    assert checked.usable is False
    assert "set-user-ID" in checked.problem


def test_entries_are_split_as_the_loader_splits_them() -> None:
    class Empty:
        def locate(self, path: bytes) -> bytes:
            raise FileNotFoundError(2, "no such file", path)

    environment = {b"LD_PRELOAD": b"/a.so:/b.so  libc.so", b"LD_AUDIT": b"/d.so:/e.so"}
    assert preload_entries(environment, Surroundings(Empty())) == [
        ("LD_AUDIT", b"/d.so"), ("LD_AUDIT", b"/e.so"),
        ("LD_PRELOAD", b"/a.so"), ("LD_PRELOAD", b"/b.so"), ("LD_PRELOAD", b"libc.so"),
    ]  # fmt: skip


def test_the_preload_file_of_the_processs_own_tree_is_read(tmp_path: Path) -> None:
    (tmp_path / "ld.so.preload").write_text("/x.so /y.so # comment\n/z.so\n")

    class Tree:
        def locate(self, path: bytes) -> bytes:
            return os.fsencode(tmp_path / Path(os.fsdecode(path)).name)

    found = preload_entries({}, Surroundings(Tree()))
    assert [entry for _, entry in found] == [b"/x.so", b"/y.so", b"/z.so"]
    assert {source for source, _ in found} == {"/etc/ld.so.preload"}


@pytest.fixture(autouse=True)
def nothing_is_left_behind() -> Iterator[None]:
    before = len(list(Path("/proc/self/fd").iterdir()))
    yield
    assert len(list(Path("/proc/self/fd").iterdir())) == before
