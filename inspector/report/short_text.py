"""Short forms of paths and commands; imports nothing, for commands that must start fast."""

from collections.abc import Iterable


def file_name(path: str) -> str:
    """The last part of a path; the whole text when it is none."""
    return path.rstrip("/").rsplit("/", 1)[-1] or path


def command(argv: Iterable[str]) -> str:
    """An argument list as one line; arguments with spaces are quoted."""
    return " ".join(f'"{word}"' if not word or " " in word else word for word in argv)
