"""Unit files are read as systemd reads them, and what systemd ignores is told."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspector.collect.systemd.environment_file import parse_environment_file
from inspector.collect.systemd.syntax import assignment, parse_unit, split_words

QUOTED = st.text(alphabet=st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ('A=1 "B=two words" C="q r"', ["A=1", "B=two words", "C=q r"]),
        ("'A=it''s'", ["A=its"]),
        (r"A=a\x41b B=\s C=\101 D=é", ["A=aAb", "B= ", "C=A", "D=é"]),
        ("LD_PRELOAD=/a.so /b.so", ["LD_PRELOAD=/a.so", "/b.so"]),
        ('""', [""]),
        ("  ", []),
        ("A=1;B=2 #c", ["A=1;B=2", "#c"]),
    ],
)
def test_blanks_part_words_and_quotes_hold_them_together(value: str, words: list[str]) -> None:
    assert split_words(value).words == words
    assert split_words(value).damage == ""


@pytest.mark.parametrize(
    ("value", "words", "damage"),
    [
        ('A=1 "B=2', ["A=1"], 'a quote " is never closed'),
        (r"A=1 B=\q C=3", ["A=1"], "unknown escape"),
        ("A=1 B=2\\", ["A=1"], "unknown escape"),
        (r"A=\x00", [], "unknown escape"),
        (r"A=\UFFFFFFFF", [], "unknown escape"),
    ],
)
def test_damage_ends_the_reading_and_keeps_the_words_before(value: str, words: list[str], damage: str) -> None:
    found = split_words(value)
    assert found.words == words
    assert damage in found.damage


@given(words=st.lists(QUOTED, max_size=6))
@settings(max_examples=80)
def test_words_that_are_quoted_come_back_whole(words: list[str]) -> None:
    def quoted(word: str) -> str:
        return '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'

    assert split_words(" ".join(map(quoted, words))).words == words


@given(text=st.text(max_size=120))
@settings(max_examples=100)
def test_any_text_is_read_without_an_error(text: str) -> None:
    unit = parse_unit(text)
    lines = text.count("\n") + 1
    assert all(1 <= directive.line <= lines for directive in unit.directives)
    assert all(split_words(directive.value) for directive in unit.directives)
    variables, trouble = parse_environment_file(text)
    assert all(1 <= line <= lines for line in [*(one.line for one in variables), *(one.line for one in trouble)])


def test_continued_lines_are_one_and_comments_between_them_none() -> None:
    unit = parse_unit("[Service]\nEnvironment=A=1 \\\n# comment\n  B=2 \\\n\n; x\nUser=u\n")
    assert [(one.key, one.value.split(), one.line) for one in unit.directives] == [
        ("Environment", ["A=1", "B=2"], 2),
        ("User", ["u"], 7),
    ]


def test_lines_that_systemd_ignores_are_told_without_their_text() -> None:
    unit = parse_unit("Early=1\n[Service\nsecret words\n[Service]\nUser=u\n")
    assert [one.words for one in unit.trouble] == [
        "Early= stands before any [Section]: it is ignored",
        "damaged section header '[Service'",
        "a line without '=' is ignored",
    ]
    assert [one.key for one in unit.directives] == ["User"]


@pytest.mark.parametrize(
    ("word", "pair"),
    [("A=1", ("A", "1")), ("A=", ("A", "")), ("A=b=c", ("A", "b=c")), ("1A=2", None), ("=x", None), ("A", None)],
)
def test_only_names_of_variables_are_assigned(word: str, pair: tuple[str, str] | None) -> None:
    assert assignment(word) == pair


def test_an_environment_file_is_read_like_the_shell_would_without_expansion() -> None:
    text = "\n".join(
        [
            "# comment \\",
            "still a comment",
            "A=1",
            'B="two words"',
            " C='x $y'",
            "D=a\\",
            "b",
            'E="multi',
            'line \\" \\n"',
            "lonely",
            "G= spaced   out  ",
            "H=$A",
            'I=half"quoted"',
            "J=last",
        ]
    )
    variables, trouble = parse_environment_file(text)
    assert [(one.key, one.value, one.line) for one in variables] == [
        ("A", "1", 3),
        ("B", "two words", 4),
        ("C", "x $y", 5),
        ("D", "ab", 6),
        ("E", 'multi\nline " \\n', 8),
        ("G", "spaced   out", 11),
        ("H", "$A", 12),
        ("I", 'half"quoted"', 13),
        ("J", "last", 14),
    ]
    assert [(one.line, one.words) for one in trouble] == [(10, "a line that is not an assignment is ignored")]
