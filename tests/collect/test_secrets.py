"""Values that look secret never leave the collector, whatever form they take."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspector.collect.sources.processes.secrets import LONGEST, shown_arguments, shown_value
from inspector.stream.secrets import HIDDEN


@pytest.mark.parametrize(
    "key",
    ["HF_TOKEN", "OPENAI_API_KEY", "DB_PASSWORD", "MY_SECRET", "XAUTHORITY", "COOKIE", "AWS_CREDENTIALS", "token"],
)
def test_the_value_of_a_secret_key_is_hidden(key: str) -> None:
    assert shown_value(key, "abc123") == HIDDEN


def test_a_switch_is_shown_even_when_its_name_looks_secret() -> None:
    assert shown_value("TOKENIZERS_PARALLELISM", "false") == "false"


def test_ordinary_values_are_shown() -> None:
    assert shown_value("LD_LIBRARY_PATH", "/opt/vgpu/lib:/usr/lib") == "/opt/vgpu/lib:/usr/lib"


def test_credentials_in_an_address_are_hidden() -> None:
    assert shown_value("HTTP_PROXY", "http://joe:pw@proxy:3128/") == f"http://{HIDDEN}@proxy:3128/"


@pytest.mark.parametrize(
    "argv",
    [
        [b"serve", b"--token", b"hunter2"],
        [b"serve", b"--hf-token", b"hunter2"],
        [b"serve", b"-password=hunter2"],
        [b"serve", b"password=hunter2"],
        [b"env", b"OPENAI_API_KEY=hunter2", b"serve"],
        [b"sh", b"-c", b"curl -H 'Authorization: Bearer hunter2' host"],
        [b"sh", b"-c", b"serve --api-key hunter2 --port 1"],
        [b"curl", b"http://joe:hunter2@host/"],
        [b"x", b'{"password": "hunter2"}'],
    ],
)
def test_secrets_in_arguments_are_hidden(argv: list[bytes]) -> None:
    shown = " ".join(shown_arguments(argv))
    assert "hunter2" not in shown
    assert HIDDEN in shown


def test_options_that_only_resemble_secrets_are_shown() -> None:
    argv = [b"runner", b"--max-tokens", b"512", b"--keep-alive", b"5m", b"--port", b"11434"]
    assert shown_arguments(argv) == [raw.decode() for raw in argv]


def test_control_bytes_and_overlong_arguments_become_harmless() -> None:
    shown = shown_arguments([b"\x1b[31mred\xff", b"a" * 100_000])
    assert shown[0] == "␛[31mred\\xff"
    assert len(shown[1]) < LONGEST + 100


def test_a_very_long_argument_list_is_cut_and_says_so() -> None:
    assert shown_arguments([b"x"] * 5000)[-1] == "... and 3976 more arguments"


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text("a-_.=: 'k\"?token", max_size=300), max_size=5))
def test_no_argument_list_is_slow_or_raises(texts: list[str]) -> None:
    assert len(shown_arguments([text.encode() for text in texts])) == len(texts)


def test_hostile_runs_of_separators_are_linear() -> None:
    assert shown_arguments([b"-_." * 100_000, b"a-" * 100_000])[0].startswith("-_.")
