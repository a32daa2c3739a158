"""No secret of any known shape is shown, and nothing that a GPU program is set by or says is hidden."""

import re
from collections.abc import Iterable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspector.stream.secrets import HIDDEN, hide, hide_lines, hide_names, shown_arguments, shown_value
from inspector.stream.secrets.opaque import is_opaque

from .samples import ARGUMENTS, HARMLESS_LINES, HARMLESS_VALUES, LATER, LINES, TOKENS, fill

_SEEDS = range(4)
_LEAST = 4
"""Shorter pieces are found in any text."""


def _filled(shape: str, seed: int) -> tuple[str, list[str]]:
    text, secrets = fill(shape.replace("{{", "\1").replace("}}", "\2"), seed)
    return text.replace("\1", "{").replace("\2", "}"), [secret for secret in secrets if len(secret) >= _LEAST]


def _samples(shapes: Iterable[str]) -> Iterator[tuple[str, list[str]]]:
    """Texts of these shapes, and the secrets in each."""
    return (_filled(shape, seed) for shape in shapes for seed in _SEEDS)


def test_a_token_is_hidden_alone_and_in_a_sentence() -> None:
    for text, secrets in _samples(TOKENS):
        for said in (text, f"got {text} from server", f"level=INFO msg=x value={text}", f'["{text}", 1]'):
            shown = hide(said)
            assert not [secret for secret in secrets if secret in shown], shown


def test_a_secret_in_a_line_is_hidden() -> None:
    for text, secrets in _samples([*LINES, *LATER]):
        shown = hide(text)
        assert not [secret for secret in secrets if secret in shown], shown


def test_a_secret_in_an_argument_is_hidden() -> None:
    for text, secrets in _samples(ARGUMENTS):
        shown = " ".join(shown_arguments(text.split("␀")))
        assert not [secret for secret in secrets if secret in shown], shown


def test_a_setting_of_a_gpu_program_is_shown() -> None:
    for setting in HARMLESS_VALUES:
        key, _, value = setting.partition("=")
        assert shown_value(key, value) == value
        assert shown_arguments(["env", setting, "serve"]) == ["env", setting, "serve"]
        assert hide(f"the variable {key} is {value}") == f"the variable {key} is {value}"


def test_what_gpu_programs_say_is_shown() -> None:
    for line in HARMLESS_LINES:
        assert hide(line) == line
        assert hide_names(line) == line


def test_a_private_key_is_hidden_over_its_lines() -> None:
    body = [fill("{B64}", seed)[0] for seed in range(8)]
    lines = ["before", "-----BEGIN RSA PRIVATE KEY-----", *body, "ab+/Zg==", "-----END RSA PRIVATE KEY-----", "after"]
    shown, inside = hide_lines(lines)
    assert not inside
    assert [line for line in shown if line != HIDDEN] == [lines[0], lines[1], lines[-2], lines[-1]]
    for cut in range(1, len(lines)):
        first, inside = hide_lines(lines[:cut])
        second, _ = hide_lines(lines[cut:], inside)
        assert first + second == shown
    assert not any(piece in "".join(hide_lines(lines[4:])[0]) for piece in (*body, "ab+/Zg==")), (
        "its beginning was lost"
    )


def test_a_certificate_is_no_private_key() -> None:
    lines = ["-----BEGIN CERTIFICATE-----", "MIIB", "-----END CERTIFICATE-----"]
    assert hide_lines(lines)[0] == lines


@pytest.mark.parametrize(
    "path",
    ["/tmp/upload-npm_{A36}.log", "/run/creds/ghp_{A36}", "/home/me/.cache/hf_{X34}/x", "/x/xoxb-{N12}-{N12}-{A24}"],
)
def test_a_token_in_a_path_is_hidden(path: str) -> None:
    text, secrets = _filled(path, 0)
    assert not [secret for secret in secrets if secret in hide_names(text)]


@pytest.mark.parametrize(
    "path",
    [
        "/root/.ollama/models/blobs/sha256-74701a8c35f6c8d9a4b91f3f3497643001d63e0c7a84e085bed452548fa88d45",
        "/usr/lib/x86_64-linux-gnu/libnvidia-ml.so.580.95.05",
        "/root/.triton/cache/ZXKQ3L5Y6R7T2VQJ4M5N6B7C8D9F2G3H4J5K6L7M8N9P2Q3R4S5T/kernel.so",
        "/opt/conda/lib/python3.11/site-packages/hf_transfer/hf_transfer.abi3.so",
        "/proc/1234/task/1234/fd/17",
    ],
)
def test_paths_of_this_field_stay(path: str) -> None:
    assert hide_names(path) == path


@given(st.text(alphabet="kKey=:tok npas word@/:'\"sk-12aA_?&%", max_size=200))
def test_hiding_twice_hides_nothing_new_that_is_no_secret(text: str) -> None:
    once = hide(text)
    assert len(hide(once)) <= len(once) + text.count("=") * len(HIDDEN) + len(HIDDEN)


@given(st.text(max_size=300), st.lists(st.text(max_size=40), max_size=6))
@settings(max_examples=300)
def test_any_text_can_be_looked_at(text: str, words: list[str]) -> None:
    assert isinstance(hide(text), str)
    assert isinstance(hide_names(text), str)
    assert len(shown_arguments(words)) == len(words)
    assert isinstance(shown_value(text[:20], text), str)


def test_names_that_compilers_give_are_not_taken_for_chance() -> None:
    names = "cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags _ZN3c104cuda20getStreamFromExternalEP11CUstream_sta"
    assert not [name for name in names.split() if is_opaque(name)]
    assert re.fullmatch(r"got \(hidden\)", hide("got 3Jk9sLq0Zx7Vb2Nm5Tr8Yw1Pc4Hd6Gf"))
