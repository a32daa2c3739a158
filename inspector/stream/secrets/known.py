"""The words of `known.toml`, ready to look for."""

from pathlib import Path

import msgspec

from inspector.stream.decoded_toml import beside_bytecode, read_once

SHORTEST = 3
"""Characters that every prefix of a token has at least."""


class Program(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How some programs take a password (their manual pages); words are separated by spaces."""

    names: str
    options: str = ""
    """Behind these it stands, joined or as the next word."""
    only_with: str = ""
    """Only with one of these words among the arguments: `docker run -p 80:80` is a port. Empty: always."""
    last_words: int = 0
    """So many words at the end are secret."""
    login_with_slash: bool = False
    """Oracle's `user/password@db`."""


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    prefixes: str
    digests: str
    heads: str
    how_it_is: str
    results: str
    schemes: str
    strong: dict[str, list[str]]
    followers: dict[str, str]
    programs: list[Program]


class Known(msgspec.Struct, frozen=True):
    """All of it."""

    prefixes: tuple[str, ...]
    beginnings: frozenset[str]
    """The first characters of the prefixes, `SHORTEST` of each: nearly no other word begins with one."""
    digests: frozenset[str]
    heads: frozenset[str]
    """Last words of names that say that the value is no secret."""
    how_it_is: frozenset[str]
    results: frozenset[str]
    schemes: frozenset[str]
    strong: tuple[tuple[str, list[str]], ...]
    """Those that may stand in ASCII, each behind a part of it that is quick to look for."""
    strong_anywhere: tuple[tuple[str, list[str]], ...]
    """All of them."""
    followers: dict[str, str]
    """For each character, and for the start of a word, how unlikely each is to follow it in a name (`drawn`)."""
    programs: dict[str, list[Program]]


def known() -> Known:
    """Read once, at the start: later the file may be out of reach (another user, another root)."""
    return _KNOWN


def _read() -> Known:
    words = Path(__file__).with_name("known.toml")
    file = read_once(
        [words, Path(__file__)],
        _File,
        beside_bytecode(__spec__),
        lambda: msgspec.toml.decode(words.read_text(encoding="utf-8"), type=_File),
    )
    programs: dict[str, list[Program]] = {}
    for program in file.programs:
        for name in program.names.split():
            programs.setdefault(name, []).append(program)
    return Known(
        prefixes=tuple(file.prefixes.split()),
        beginnings=frozenset(prefix[:SHORTEST] for prefix in file.prefixes.split()),
        digests=frozenset(file.digests.split()),
        heads=frozenset(file.heads.split()),
        how_it_is=frozenset(file.how_it_is.split()),
        results=frozenset(file.results.split()),
        schemes=frozenset(file.schemes.split()),
        strong=tuple((part, words) for part, words in file.strong.items() if any(map(str.isascii, words))),
        strong_anywhere=tuple(file.strong.items()),
        followers=file.followers,
        programs=programs,
    )


_KNOWN = _read()
