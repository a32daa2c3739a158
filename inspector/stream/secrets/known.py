"""The words of `known.toml`, ready to look for."""

from pathlib import Path

import msgspec

from inspector.stream.decoded_toml import beside_bytecode, read_once

SHORTEST = 3
"""Characters that every prefix of a token has at least."""


NAMES = ("key", "token", "pass", "secret", "word")
"""One of these is in nearly each name of a secret: asked once of each line, for most have none."""


class Program(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How some programs take a password (their manual pages); words are separated by spaces."""

    names: str
    options: str = ""
    """Behind these it stands, joined or as the next word."""
    joined: bool = True
    """Whether a value may be joined to an option of one letter."""
    logins: str = ""
    """Behind these a user stands, and perhaps its password behind `:`, `%` or `,`."""
    only_with: str = ""
    """Only with one of these words among the arguments: `docker run -p 80:80` is a port. Empty: always."""
    last_words: int = 0
    """So many words at the end are secret."""
    positions: str = ""
    """These of its words that are no options are secret, counted from 1."""
    login_with_slash: bool = False
    """Oracle's `user/password@db`."""


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    prefixes: str
    digests: str
    heads: str
    how_it_is: str
    results: str
    processes: str
    plain_parameters: str
    partitions: str
    schemes: str
    field: str
    settings: str
    families: str
    tools: str
    wrappers: str
    taken: str
    strong: dict[str, list[str]]
    strong_of_languages: dict[str, list[str]]
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
    processes: frozenset[str]
    """What stands behind the word of a secret without being one: `password prompt`."""
    plain_parameters: frozenset[str]
    """Words of names of query parameters whose values are no secrets, whatever they look like."""
    schemes: frozenset[str]
    field: frozenset[str]
    """Names of this field, which no vocabulary of messages has."""
    settings: frozenset[str]
    """Last words of names whose values are shown, whatever they are."""
    families: frozenset[str]
    """First words of the names of variables and options of this field."""
    tools: frozenset[str]
    """Programs whose options are known."""
    wrappers: frozenset[str]
    """Programs that run another one."""
    taken: frozenset[str]
    """Words of messages that people take for passwords."""
    strong: tuple[tuple[str, list[str]], ...]
    """Those that may stand in ASCII, each behind a part of it that is quick to look for."""
    strong_others: tuple[tuple[str, list[str]], ...]
    """Those of them without one of `found.NAMES`."""
    strong_of_languages: tuple[tuple[str, list[str]], ...]
    """Those in ASCII that other languages than English have."""
    strong_anywhere: tuple[tuple[str, list[str]], ...]
    """All of them."""
    followers: dict[str, str]
    """For each character, and for the start of a word, how unlikely each is to follow it in a name (`drawn`)."""
    telling: frozenset[str]
    """Words that tell of a secret without being one."""
    partitions: frozenset[str]
    """Programs whose -p is none of a user's password."""
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
        processes=frozenset(file.processes.split()),
        plain_parameters=frozenset(file.plain_parameters.split()),
        schemes=frozenset(file.schemes.split()),
        field=frozenset(file.field.split()),
        settings=frozenset(file.settings.split()),
        families=frozenset(file.families.split()),
        tools=frozenset(file.tools.split()),
        wrappers=frozenset(file.wrappers.split()),
        taken=frozenset(file.taken.split()),
        telling=frozenset(f"{file.how_it_is} {file.processes} {file.results} {file.heads}".split()),
        partitions=frozenset(file.partitions.split()),
        strong=tuple((part, words) for part, words in file.strong.items() if any(map(str.isascii, words))),
        strong_others=tuple(
            (part, words)
            for part, words in file.strong.items()
            if any(map(str.isascii, words)) and not all(any(name in word for name in NAMES) for word in words)
        ),
        strong_of_languages=tuple(file.strong_of_languages.items()),
        strong_anywhere=(*file.strong.items(), *file.strong_of_languages.items()),
        followers=file.followers,
        programs=programs,
    )


_KNOWN = _read()
