"""Words in settings, scripts and files that hint at libraries."""

from hypothesis import given
from hypothesis import strategies as st

from inspector.collect.sources.libraries.hints import library_words, of_file, split_list

from .targets import Workshop


def test_words_of_a_script_that_look_like_libraries_are_found_once() -> None:
    text = b"""gpu = CDLL("/opt/x/libgpu.so.1"); 'libodd.so', "notes.sofa", "./near/plug-in.so" 'libodd.so'"""
    assert library_words(text) == [b"/opt/x/libgpu.so.1", b"libodd.so", b"./near/plug-in.so"]


def test_of_an_endless_word_only_the_end_is_taken() -> None:
    (word,) = library_words(b"a" * (1 << 18) + b".so")
    assert len(word) < 1 << 8


@given(st.binary(max_size=400))
def test_any_text_has_words_that_end_like_a_library(text: bytes) -> None:
    assert all(b".so" in word and word in text for word in library_words(text))


def test_the_needs_of_a_file_hint_at_its_libraries(workshop: Workshop) -> None:
    hints = of_file(bytes(workshop.top), bytes(workshop.folder))
    assert b"libshim.so.1" in hints.names and bytes(workshop.folder) in hints.folders
    assert of_file(b"/etc/hostname", b"/etc").names == []


def test_entries_of_loader_variables_are_split_as_the_loader_splits_them() -> None:
    assert split_list(b"/a:/b;/c /d") == [b"/a", b"/b", b"/c", b"/d"]
