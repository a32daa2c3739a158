"""Predicted loads against the real loader: our own libraries in hundreds of layouts, and the system's own."""

import os
import re
import signal
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inspector.collect.elf.file import DT_STRSZ, ElfFile
from inspector.collect.elf.library import LibraryCache
from inspector.collect.elf.predict import Predictor, Present, Situation, predict_load
from inspector.collect.elf.search import Surroundings
from inspector.stream.libraries import LoadPredicted

from .agreement import FOLDER, LOADER, agreement, around, system_libraries
from .layouts import CONSUMERS, ODDITIES, PROVIDERS, Layout, build_pool, really_open
from .workshop import Workshop

FOLDERS = ("a", "b", "c", "d", "a/glibc-hwcaps/x86-64-v2", "c/glibc-hwcaps/x86-64-v3", f"d{FOLDER}")
PATHS = ("@/a", "@/b", "@/c/", "@/missing", "", "@/d", "$ORIGIN/b", "a")


@pytest.fixture(scope="session")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    workshop = Workshop(tmp_path_factory.mktemp("layouts"))
    build_pool(workshop)
    return workshop


@st.composite
def layouts(draw: Callable[..., object]) -> Layout:
    kinds = st.sampled_from([*PROVIDERS, *PROVIDERS, *ODDITIES])
    return Layout(
        consumer=str(draw(st.sampled_from(CONSUMERS))),
        places=draw(st.dictionaries(st.sampled_from(FOLDERS), kinds, max_size=4)),  # type: ignore[arg-type]
        helper=str(draw(st.sampled_from(["", "a", "c", "d"]))),
        library_path=str(draw(st.lists(st.sampled_from(PATHS), max_size=3).map(":".join))),
        preload=str(draw(st.sampled_from(["", "", *PROVIDERS]))),
    )


def surroundings(pool: Workshop, library_path: str) -> Surroundings:
    found = around(library_path.replace("@", str(pool.folder)))
    return Surroundings(found.files, found.loader, found.cache, found.library_path, directory=os.fsencode(pool.folder))


def without_line(words: str) -> str:
    """The loader's words without what only it can know: the line of an assertion."""
    return re.sub(r"dl-lookup\.c: \d+: ", "dl-lookup.c: ", words)


@pytest.mark.longer
@settings(max_examples=220, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(layout=layouts())
def test_a_predicted_load_is_what_the_real_loader_does(pool: Workshop, layout: Layout) -> None:
    path = os.fsencode(layout.spread(pool))
    truth = really_open(pool, os.fsdecode(path), layout.environment(pool))
    if not truth.before:
        return
    preloads = [os.fsencode(layout.environment(pool)["LD_PRELOAD"])] if layout.preload else []
    situation = Situation(1, surroundings(pool, layout.library_path), truth.before, preloads)
    predictor = Predictor(situation, LibraryCache())
    prediction = predictor.load(path)
    assert prediction.words == without_line(truth.words)
    assert prediction.unknown == ""
    unseen = Situation(1, situation.around, (), preloads, os.fsencode(pool.folder / "opener"))
    assert Predictor(unseen, LibraryCache()).load(path).words == prediction.words
    if not truth.words:
        present = {place.path for place in truth.before}
        assert {place.path for place in prediction.objects} - present == set(map(os.fsencode, truth.after))


def open_in_shell(pool: Workshop, name: str, library_path: str = "", requester: str = "") -> LoadPredicted:
    """A load predicted for a process that runs /bin/true."""
    libc, loader = os.fsencode(f"{FOLDER}/libc.so.6"), os.fsencode(LOADER)
    present = [Present(path, path) for path in (b"/bin/true", libc, loader)]
    situation = Situation(7, surroundings(pool, library_path), present)
    return predict_load(situation, LibraryCache(), os.fsencode(name), os.fsencode(requester), at=5)


def test_a_good_load_tells_who_needs_what_and_by_which_rule(pool: Workshop) -> None:
    Layout("none", {"a": "needs-helper"}, "c", "").spread(pool)
    event = open_in_shell(pool, f"{pool.folder}/d/libconsumer.so", "@/a:@/c")
    assert (event.ok, event.words, event.pid, event.at) == (True, "", 7, 5)
    rules = {dependency.name: dependency.rule for dependency in event.tree}
    assert rules["libprovider.so.1"] == rules["libhelper.so"] == "LD_LIBRARY_PATH"
    assert rules["libc.so.6"] == "loaded"
    assert event.tree[0].rule == "given path"
    assert [step.result for step in event.tree[0].steps] == ["found"]


def test_a_missing_dependency_shows_all_places_that_were_looked_at(pool: Workshop) -> None:
    Layout("runpath", {}, "", "").spread(pool)
    event = open_in_shell(pool, f"{pool.folder}/d/libconsumer.so", "@/d")
    assert event.ok is False
    assert event.words == "libprovider.so.1: cannot open shared object file: No such file or directory"
    (missing,) = event.missing
    assert missing.by == f"{pool.folder}/d/libconsumer.so"
    assert (f"{pool.folder}/d/libprovider.so.1", "LD_LIBRARY_PATH") in {(s.path, s.rule) for s in missing.steps}
    assert {step.rule for step in missing.steps} == {
        "LD_LIBRARY_PATH", f"DT_RUNPATH of {pool.folder}/d/libconsumer.so", "default",
    }  # fmt: skip


def test_an_undefined_name_says_who_offers_it_under_which_node(pool: Workshop) -> None:
    Layout("none", {"a": "other-node"}, "", "").spread(pool)
    event = open_in_shell(pool, f"{pool.folder}/d/libconsumer.so", "@/a")
    assert event.words.endswith(f"version `V_1' not found (required by {pool.folder}/d/libconsumer.so)")
    assert {(need.name, need.version, need.file) for need in event.undefined} == {
        ("first", "V_1", "libprovider.so.1"), ("second", "V_1", "libprovider.so.1"),
    }  # fmt: skip
    assert event.offered_instead["first"] == "libprovider.so.1 defines it @V_OTHER"


def test_a_provider_without_any_version_table_makes_the_loader_give_up(pool: Workshop) -> None:
    Layout("none", {"a": "bare"}, "", "").spread(pool)
    event = open_in_shell(pool, f"{pool.folder}/d/libconsumer.so", "@/a")
    assert event.words.startswith("Inconsistency detected by ld.so")
    assert event.offered_instead["first"] == "libprovider.so.1 defines it without any version table"


def test_a_name_that_is_loaded_already_is_answered_without_a_search(pool: Workshop) -> None:
    event = open_in_shell(pool, "libc.so.6")
    assert event.ok
    assert [(dependency.rule, dependency.path) for dependency in event.tree] == [("loaded", f"{FOLDER}/libc.so.6")]


def test_a_program_and_a_file_that_is_not_there_are_refused_in_the_loaders_words(pool: Workshop) -> None:
    assert open_in_shell(pool, "/bin/false").words == (
        "/bin/false: cannot dynamically load position-independent executable"
    )
    words = "/none/libx.so: cannot open shared object file: No such file or directory"
    assert open_in_shell(pool, "/none/libx.so").words == words


def test_a_name_offered_only_by_a_library_opened_for_itself_leaves_the_answer_open(pool: Workshop) -> None:
    pool.library("apart/liblonely.so", "int first(void); int f(void) { return first(); }")
    paths = [b"/bin/true", os.fsencode(f"{FOLDER}/libc.so.6"), os.fsencode(pool.folder / "pool/good/libprovider.so.1")]
    situation = Situation(1, surroundings(pool, ""), [Present(path, path) for path in paths])
    event = predict_load(situation, LibraryCache(), os.fsencode(pool.folder / "apart/liblonely.so"), b"", at=0)
    assert event.ok is None
    assert "RTLD_GLOBAL" in event.unknown_because
    assert event.words == ""


def test_a_library_that_was_cut_off_kills_who_loads_it(pool: Workshop) -> None:
    path = pool.folder / "cut.so"
    path.write_bytes((pool.folder / "pool/good/libprovider.so.1").read_bytes()[:0x1100])
    event = open_in_shell(pool, str(path))
    assert event.ok is False
    assert event.words.startswith(f"{path}: truncated")
    assert event.words.endswith("dies of SIGBUS")
    died = subprocess.run([str(pool.folder / "opener"), str(path)], capture_output=True, check=False)
    assert died.returncode == -signal.SIGBUS


def test_what_the_start_of_a_program_brings_in_is_taken_as_loaded_though_nobody_saw_it(pool: Workshop) -> None:
    Layout("none", {"a": "needs-helper"}, "c", "").spread(pool)
    consumer = os.fsencode(pool.folder / "d/libconsumer.so")
    provider = os.fsencode(pool.folder / "a/libprovider.so.1")
    around = surroundings(pool, "@/c")
    blind = predict_load(Situation(1, around), LibraryCache(), consumer, b"", at=0)
    assert blind.words == "libprovider.so.1: cannot open shared object file: No such file or directory"
    started = Situation(1, around, preloads=[provider, b"/none.so"], program=b"/bin/true")
    event = predict_load(started, LibraryCache(), consumer, b"", at=0)
    assert (event.ok, event.words, event.unknown_because) == (True, "", "")
    rules = {dependency.name: dependency.rule for dependency in event.tree}
    assert rules["libprovider.so.1"] == rules["libc.so.6"] == "loaded"


def test_a_damaged_library_leaves_the_answer_open_and_says_why(pool: Workshop) -> None:
    path = pool.folder / "damaged.so"
    raw = bytearray((pool.folder / "pool/good/libprovider.so.1").read_bytes())
    with ElfFile(os.fsencode(pool.folder / "pool/good/libprovider.so.1")) as elf:
        at = raw.index(struct.pack("<QQ", DT_STRSZ, elf.tag(DT_STRSZ) or 0))
    raw[at + 8 : at + 16] = b"\xff" * 8
    path.write_bytes(raw)
    event = open_in_shell(pool, str(path))
    assert event.ok is None
    assert "damaged" in event.unknown_because


def test_the_folders_of_the_requester_are_searched(pool: Workshop) -> None:
    Layout("rpath", {"a": "good"}, "", "").spread(pool)
    consumer = os.fsencode(pool.folder / "d/libconsumer.so")
    situation = Situation(1, surroundings(pool, ""), [Present(b"/bin/true", b"/bin/true"), Present(consumer, consumer)])
    found = predict_load(situation, LibraryCache(), b"libprovider.so.1", consumer, at=0)
    assert found.tree[0].rule == f"DT_RPATH of {pool.folder}/d/libconsumer.so"
    assert predict_load(situation, LibraryCache(), b"libprovider.so.1", b"", at=0).ok is False


def test_a_secure_program_ignores_the_environment_and_origin(pool: Workshop) -> None:
    Layout("origin", {"a": "good", "b": "good"}, "", "").spread(pool)
    plain = surroundings(pool, "@/a")
    secure = Surroundings(plain.files, plain.loader, plain.cache, plain.library_path, secure=True)
    consumer = os.fsencode(pool.folder / "d/libconsumer.so")
    for surround, ok in ((plain, True), (secure, False)):
        assert predict_load(Situation(1, surround), LibraryCache(), consumer, b"", at=0).ok is ok


@pytest.mark.longer
def test_system_libraries_load_as_the_loader_lists_them() -> None:
    libraries = system_libraries(Path(f"/usr{FOLDER}"))
    result = agreement(libraries[:: max(1, len(libraries) // 60)])
    assert result.differences == []
    assert result.compared >= 50
