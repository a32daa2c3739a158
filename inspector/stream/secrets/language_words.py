"""The words of `languages.toml`, ready to look for."""

from pathlib import Path

import msgspec

from inspector.stream.decoded_toml import beside_bytecode, read_once


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    names: str
    parts: str
    phrases: str
    codes: str
    copulas: str
    messages: str
    of_whom: str


class LanguageWords(msgspec.Struct, frozen=True):
    names: tuple[str, ...]
    parts: tuple[str, ...]
    """One of these is in each of them: most texts have none."""
    others: tuple[str, ...]
    """Those of the names that are written in other letters than Latin ones."""
    codes: tuple[str, ...]
    codes_in_ascii: tuple[str, ...]
    copulas: frozenset[str]
    messages: frozenset[str]
    of_whom: frozenset[str]

    def all(self) -> tuple[str, ...]:
        """Whatever names a password or a code."""
        return (*self.names, *self.others, *self.codes)


def _read() -> LanguageWords:
    words = Path(__file__).with_name("languages.toml")
    file = read_once(
        [words, Path(__file__)],
        _File,
        beside_bytecode(__spec__),
        lambda: msgspec.toml.decode(words.read_text(encoding="utf-8"), type=_File),
    )
    names = (*file.names.split(), *_by_lines(file.phrases))
    codes = tuple(
        code for line in file.codes.strip().splitlines() for code in (line.split("|") if "|" in line else line.split())
    )
    return LanguageWords(
        names=tuple(name for name in names if name.isascii()),
        parts=("de passe", *file.parts.split()),
        others=tuple(name for name in names if not name.isascii()),
        codes=codes,
        codes_in_ascii=tuple(filter(str.isascii, codes)),
        copulas=frozenset(file.copulas.split()),
        messages=frozenset(file.messages.split()),
        of_whom=frozenset(file.of_whom.split()),
    )


def _by_lines(phrases: str) -> list[str]:
    return [phrase for line in phrases.strip().splitlines() for phrase in line.split("|")]


def language_words() -> LanguageWords:
    """Read once, at the start: later the file may be out of reach (another user, another root)."""
    return _WORDS


_WORDS = _read()
