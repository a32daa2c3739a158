"""What operators would write, listed by where it stands: «…» marks the secrets; what is harmless has its own lists."""

import re
import shlex
from pathlib import Path

import pytest

from inspector.stream.logs import LogRead
from inspector.stream.processes import ProcessExec
from inspector.stream.recording import Recording
from inspector.stream.secrets import hide, hide_lines, hide_names, shown_arguments, shown_value
from tests.recordings import ALL

_MARKED = re.compile("«(.*?)»")
_NEXT_LINE = "\u23ce"
_LISTS = Path(__file__).with_name("told")
LEAST_LOOKED_AT = 3000
"""Lines and processes of all recordings together."""
_PLACES = ("arguments", "variables", "lines", "names")


def _shapes(name: str) -> list[str]:
    return (_LISTS / f"{name}.txt").read_text(encoding="utf-8").splitlines()


def _shown(place: str, text: str) -> tuple[str, str]:
    """A text as it is and as it is shown."""
    if place == "arguments":
        words = shlex.split(text)
        return " ".join(words), " ".join(shown_arguments(words))
    if place == "variables":
        key, _, value = text.partition("=")
        return value, shown_value(key, value)
    if place == "names":
        return text, hide_names(text)
    lines = text.split(_NEXT_LINE)
    return "\n".join(lines), "\n".join(hide_lines(lines)[0])


@pytest.mark.parametrize("place", _PLACES)
def test_what_an_operator_would_not_tell_is_hidden(place: str) -> None:
    told = []
    for shape in _shapes(place):
        secrets = _MARKED.findall(shape)
        _, shown = _shown(place, shape.replace("«", "").replace("»", ""))
        if not secrets or any(secret in shown for secret in secrets):
            told.append((shape, shown))
    assert told == []


@pytest.mark.parametrize("place", _PLACES)
def test_what_an_operator_needs_to_see_is_shown(place: str) -> None:
    both = [_shown(place, text) for text in _shapes(f"harmless_{place}")]
    assert [shown for _, shown in both] == [as_it_is for as_it_is, _ in both]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("the password is open sesame", "the password is (hidden)"),
        ("password is required by the server", "password is required by the server"),
        ("password=X7 user=bob", "password=(hidden) user=bob"),
        ("the secret key is tiger", "the secret key is (hidden)"),
        ("the secret sauce is batching", "the secret sauce is batching"),
        ("failed to pin 1048576 bytes of host memory", "failed to pin 1048576 bytes of host memory"),
        ("my_password=hope]nobody[finds this", "my_password=(hidden) this"),
        ("password (default:Qx7rTb2w) of it", "password (default:(hidden)) of it"),
        ("Qx7rTb2w is the password, use it", "(hidden) is the password, use it"),
        ("ID/PW: bob/Qx7rTb2w", "ID/PW: bob/(hidden)"),
        ('if (password !== "Qx7rTb2w") {', 'if (password !== "(hidden)") {'),
        ("set Qx7r#Tb2w^ for bob", "set (hidden) for bob"),
        ("see issue#12345, Foo#L12 and the run!", "see issue#12345, Foo#L12 and the run!"),
        ('-v "$(pwd):$(pwd)" x', '-v "$(pwd):$(pwd)" x'),
        ("error code 700, login code 7001", "error code 700, login code (hidden)"),
        ("GET /x?gpu=RTX4090&q=a1b2c3&state=k4j5h6g7", "GET /x?gpu=RTX4090&q=a1b2c3&state=(hidden)"),
        ("INSERT INTO t (id, password) VALUES (1, 'tiger')", "INSERT INTO t (id, password) VALUES (1, '(hidden)')"),
    ],
)
def test_only_the_secret_of_a_sentence_is_hidden(text: str, shown: str) -> None:
    assert hide(text) == shown


@pytest.mark.parametrize(
    "unit",
    [
        "password is a-",
        "a, b ",
        "code 1-2-",
        "insert into t (a) values ('",
        "creds a:b ",
        "['-a', ",
        "('-p' ",
        "password zq ",
        "connect('a', ",
        "auth(",
        "[('-a',",
    ],
)
def test_long_texts_are_looked_at_in_linear_time(unit: str) -> None:
    assert len(hide(unit * 4000)) > 0


@pytest.mark.parametrize(
    "line",
    [
        "    passwd = _raw_input(prompt, stream, input=input)",
        "    self.secret = secret",
        "    credentials = property(get_credentials, set_credentials)",
        '{"event": "send", "to": "gpu0"}',
    ],
)
def test_a_line_of_a_program_that_names_a_secret_is_shown(line: str) -> None:
    assert hide(line) == line


def test_what_programs_said_and_were_given_in_all_recordings_is_shown() -> None:
    hidden = looked_at = 0
    for name in ALL:
        for event in Recording(str(ALL[name])):
            if isinstance(event, ProcessExec):
                looked_at += 1
                variables = {key: shown_value(key, value) for key, value in event.environment.items()}
                hidden += shown_arguments(event.argv) != event.argv or variables != event.environment
            elif isinstance(event, LogRead):
                looked_at += len(event.lines)
                hidden += sum(hide(line.text) != line.text for line in event.lines)
    assert looked_at > LEAST_LOOKED_AT
    assert hidden <= 1, "one name of a library looks drawn by lot"
