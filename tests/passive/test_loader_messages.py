"""What the loader refused before we attached, read out of the memory of a process that still lives."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.collect.sources.libraries.loader_messages import LoaderMessagesSource, sentences
from inspector.model.profiles import builtin_profiles
from inspector.stream.libraries import LoaderWordsFound

from .session import Bench

REFUSED = """
import ctypes, time
try:
    ctypes.CDLL("libnowhere-at-all.so.3")
except OSError as error:
    kept = str(error)
print(flush=True)
time.sleep(600)
"""
SENTENCES = [
    b"libcuda.so.1: cannot open shared object file: No such file or directory",
    b"/opt/x/libcuda.so: wrong ELF class: ELFCLASS32",
    b"./app: undefined symbol: cuGraphFoo, version libcuda.so.1",
    b"/a/libhelper.so.12: version `V2' not found (required by /b/libbackend.so)",
    b"Error loading shared library libcuda.so.1: No such file or directory",
]


@pytest.fixture
def refused() -> Iterator[int]:
    """A process that was refused a library and went on."""
    process = subprocess.Popen([sys.executable, "-c", REFUSED], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    yield process.pid
    process.kill()
    process.communicate()


def test_what_a_process_was_refused_before_we_came_is_found_in_its_memory(refused: int) -> None:
    bench = Bench(builtin_profiles().plan())
    bench.track(refused)
    LoaderMessagesSource(bench.session).start()
    (found,) = bench.sink.of(LoaderWordsFound)
    assert "libnowhere-at-all.so.3: cannot open shared object file: No such file or directory" in found.words
    assert found.pid == refused


SILENT = """
#include <dlfcn.h>
#include <stdio.h>
#include <unistd.h>
int main(void) {
    dlopen("libcuda-of-nobody.so.1", RTLD_NOW);
    puts("");
    fflush(stdout);
    sleep(600);
    return 0;
}
"""


@pytest.fixture
def silent(tmp_path: Path) -> Iterator[int]:
    """A program that takes the refusal and never asks why."""
    (tmp_path / "silent.c").write_text(SILENT)
    subprocess.run(["gcc", "-O1", "-o", tmp_path / "silent", tmp_path / "silent.c", "-ldl"], check=True)
    process = subprocess.Popen([tmp_path / "silent"], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    yield process.pid
    process.kill()
    process.communicate()


def test_a_refusal_that_nobody_asked_the_reason_of_is_found_as_well(silent: int) -> None:
    bench = Bench(builtin_profiles().plan())
    bench.track(silent)
    LoaderMessagesSource(bench.session).start()
    (found,) = bench.sink.of(LoaderWordsFound)
    assert found.words == ["libcuda-of-nobody.so.1: cannot open shared object file"]


def test_a_process_that_began_under_our_eyes_is_not_searched(refused: int) -> None:
    bench = Bench(builtin_profiles().plan())
    process = bench.track(refused)
    source = LoaderMessagesSource(bench.session)
    process.started = bench.loop.now()
    source.start()
    assert bench.sink.of(LoaderWordsFound) == []


@pytest.mark.parametrize("sentence", SENTENCES)
def test_each_sentence_of_a_loader_is_known_among_other_memory(sentence: bytes) -> None:
    assert sentences(b"\0\0\x17q no GPU: " + sentence + b"\0\xff\0") == [sentence]


def test_who_never_asks_for_the_error_leaves_its_parts_in_memory() -> None:
    memory = b"A\0\0\0cannot open shared object file\0libcuda.so.1\0\0Q\0undefined symbol: cuFoo\0/opt/libcuda.so.1\0"
    assert sentences(memory) == [b"libcuda.so.1: cannot open shared object file"]  # names are often optional


def test_words_that_name_no_file_are_a_text_about_loading() -> None:
    assert sentences(b"\0%s: cannot open shared object file: %s\0grep 'undefined symbol: ' x\0") == []


@given(st.lists(st.binary(max_size=60) | st.sampled_from(SENTENCES), max_size=8))
def test_any_memory_is_searched_without_harm(pieces: list[bytes]) -> None:
    memory = b"\0".join(pieces)
    assert all(part in memory for found in sentences(memory) for part in found.split(b": ", 1))
