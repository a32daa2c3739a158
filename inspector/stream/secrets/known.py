"""The words of `known.toml`, ready to look for."""

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Program:
    """How one program takes a password (its manual page)."""

    options: tuple[str, ...] = ()
    """Behind these it stands, joined or as the next word."""
    only_with: frozenset[str] = frozenset()
    """Only with one of these words among the arguments: `docker run -p 80:80` is a port. Empty: always."""
    last_words: int = 0
    """So many words at the end are secret."""
    login_with_slash: bool = False
    """Oracle's `user/password@db`."""


@dataclass(frozen=True, slots=True)
class Known:
    """All of it."""

    prefixes: tuple[str, ...]
    digests: frozenset[str]
    how_it_is: frozenset[str]
    results: frozenset[str]
    schemes: frozenset[str]
    strong: dict[str, tuple[str, ...]]
    programs: dict[str, tuple[Program, ...]]


@cache
def known() -> Known:
    """Read once, when the first text is looked at."""
    data = tomllib.loads((Path(__file__).parent / "known.toml").read_text(encoding="utf-8"))
    programs: dict[str, tuple[Program, ...]] = {}
    for entry in data["programs"]:
        program = Program(
            tuple(entry.get("options", "").split()),
            frozenset(entry.get("only_with", "").split()),
            entry.get("last_words", 0),
            entry.get("login_with_slash", False),
        )
        for name in entry["names"].split():
            programs[name] = (*programs.get(name, ()), program)
    return Known(
        prefixes=tuple(data["prefixes"].split()),
        digests=frozenset(data["digests"].split()),
        how_it_is=frozenset(data["how_it_is"].split()),
        results=frozenset(data["results"].split()),
        schemes=frozenset(data["schemes"].split()),
        strong={part: tuple(words) for part, words in data["strong"].items()},
        programs=programs,
    )
