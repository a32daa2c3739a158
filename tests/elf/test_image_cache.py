"""What was read of a file is known in the next run, while the file and the watch plan are the same."""

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inspector.collect.access.user_cache import folder
from inspector.collect.elf.file import ElfFile
from inspector.collect.elf.image import read_image
from inspector.collect.elf.image_cache import ImageCache
from inspector.stream.libraries import ImageRead
from inspector.stream.requests import ApiPlan, Plan

PLAN = Plan(apis=[ApiPlan(api="c", sonames=["libc.so.6"], prefixes=["x"], functions=[])])


@pytest.fixture(autouse=True)
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    copy = tmp_path / "program"
    shutil.copy("/bin/true", copy)
    return copy


def read(file: Path, cache: ImageCache, plan: Plan = PLAN) -> ImageRead:
    return read_image(os.fsencode(file), str(file), "1:2:3", 7, plan, cache)


def known(file: Path, plan: Plan = PLAN) -> bool:
    cache = ImageCache(plan)
    cache.load()
    with ElfFile(os.fsencode(file)) as elf:
        return cache.find(elf) is not None


def kept(file: Path) -> ImageRead:
    cache = ImageCache(PLAN)
    image = read(file, cache)
    cache.save()
    return image


def test_the_next_run_knows_what_was_read(library: Path) -> None:
    image = kept(library)
    cache = ImageCache(PLAN)
    cache.load()
    assert known(library)
    assert read(library, cache) == image


def test_a_file_that_changed_is_read_anew(library: Path) -> None:
    kept(library)
    os.utime(library, ns=(1, 1))
    assert not known(library)


def test_another_plan_asks_other_things_of_a_file(library: Path) -> None:
    kept(library)
    assert not known(library, Plan())


def test_a_cache_that_others_may_write_is_not_believed(library: Path) -> None:
    kept(library)
    folder().chmod(0o777)
    assert not known(library)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300))
def test_any_bytes_in_place_of_the_cache_are_no_cache(library: Path, content: bytes) -> None:
    kept(library)
    for file in folder().iterdir():
        file.write_bytes(content)
    cache = ImageCache(PLAN)
    cache.load()
    assert read(library, cache).build_id


def test_an_entry_that_cannot_be_read_is_forgotten(library: Path) -> None:
    kept(library)
    (file,) = folder().iterdir()
    file.write_bytes(file.read_bytes().replace(b"image-read", b"image-torn"))
    assert not known(library)
