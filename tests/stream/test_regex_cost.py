"""Regular expressions of strangers take no time to speak of, or are refused with the reason."""

import random
import re
import time

import pytest

from inspector.model.profiles import builtin_profiles
from inspector.stream.regex_cost import PatternError, longest_text

REFUSED = [
    r"(a+)+$", r"(a|a)*b", r"(.*)*x", r"(x+x+)+y", r".*.*x", r"(a?){30}a{30}", r"(?:a?)*b", r"(\w+\s?)*$", r"^(\d+)*$",
    r"(?=(a+)+)b", r"(a)\1", r".*a.*b.*c", r"a{0,5}a{0,5}a{0,5}a{0,5}a{0,5}a{0,5}b", r"([a-z]+)*1", r"(a|b|ab)*c",
    r"^(?:(?:a|aa)+)$", r"\s*\s*\s*x", r"(?:a*b?)*c", r"(", r"x" * 2000,
]  # fmt: skip
ACCEPTED = [
    r"cuInit err: (?P<code>\d+)", r"^\s*(?P<library>CUDA|ROCm)(?P<ordinal>\d+): (?P<name>.*)", r"(?:\w+,)*x",
    r"key=\"(?P<value>[^\"]*)\"", r"(?:ab)*c", r"\d+\.\d+", r"a.*?b", r"[^\]]*\]", r"(?:a|b)+c",
]  # fmt: skip
NASTY = ["a", "ab", "aA", "x", " ", "1", "msg=", "library=cuda ", "driver=1 ", "[libx] ", "pid=", ".*", "\t", "("]


@pytest.mark.parametrize("pattern", REFUSED)
def test_a_pattern_that_may_take_for_ever_is_refused_in_words(pattern: str) -> None:
    with pytest.raises(PatternError, match=r"."):
        longest_text(pattern)


@pytest.mark.parametrize("pattern", ACCEPTED)
def test_ordinary_patterns_are_accepted(pattern: str) -> None:
    assert longest_text(pattern) >= 512


def test_all_builtin_patterns_are_accepted() -> None:
    for profile in builtin_profiles().profiles:
        for rule in profile.logs:
            assert longest_text(rule.pattern or re.escape(rule.contains)) >= 512, rule.pattern


def hostile_lines(pattern: str, length: int, chance: random.Random) -> list[str]:
    """Lines made of pieces of the pattern and of what repeats match, without an end that fits."""
    pieces = [*NASTY, *re.findall(r"[A-Za-z_=\"]{2,}", pattern)]
    lines = [(piece * length)[:length] for piece in pieces]
    return lines + ["".join(chance.choice(pieces) for _ in range(length))[:length] for _ in range(3)]


def test_no_accepted_pattern_is_slow_on_lines_made_for_it() -> None:
    chance = random.Random(1)
    builtin = [rule.pattern for profile in builtin_profiles().profiles for rule in profile.logs if rule.pattern]
    for pattern in [*ACCEPTED, *dict.fromkeys(builtin)]:
        compiled, length = re.compile(pattern), longest_text(pattern)
        for line in hostile_lines(pattern, length, chance):
            begun = time.thread_time()
            compiled.search(line)
            assert time.thread_time() - begun < 0.3, (pattern, line[:60])


def test_patterns_made_by_lot_are_refused_or_quick() -> None:
    chance = random.Random(2)
    atoms = ["a", "b", ".", "[ab]", "[^a]", r"\w", r"\s", "(?:a|ab)", "(a)", "(?:b|a)", r"\d"]
    quantifiers = ["", "", "", "*", "+", "?", "{0,3}", "*?", "{2}", "{1,40}"]
    accepted = 0
    for _ in range(250):
        parts = [chance.choice(atoms) + chance.choice(quantifiers) for _ in range(chance.randint(1, 5))]
        pattern = "".join(parts)
        if chance.random() < 0.4:
            pattern = f"(?:{pattern}){chance.choice(quantifiers)}{chance.choice(atoms)}"
        try:
            length = longest_text(pattern)
        except PatternError:
            continue
        accepted += 1
        compiled = re.compile(pattern)
        for line in (
            "a" * length,
            "ab" * (length // 2),
            "ba" * (length // 2),
            "aab" * (length // 3),
            "aba",
        ):
            begun = time.thread_time()
            compiled.search(line[:length])
            assert time.thread_time() - begun < 0.5, pattern
    assert accepted > 30
