"""The examples of the documentation: fenced `console` blocks, run as they stand and compared with what they show.

A line that begins with `$ ` is a command of bash, lines below it that begin with `> ` belong to it; then comes what it
prints. `...` stands for any text in a line, a line of its own for any number of lines. Runs of blanks count as
one.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

_FENCE = re.compile(r"^```console\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
_PROMPT, _MORE = "$ ", "> "


@dataclass(frozen=True)
class Example:
    """One command and what it prints."""

    page: str
    line: int
    """Where it stands, from 1."""
    command: str
    output: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks(page: Path) -> list[list[Example]]:
    """The blocks of a page; commands of one block run in one folder, one after the other."""
    text = page.read_text(encoding="utf-8")
    return [
        list(_examples(page.name, text.count("\n", 0, found.start("body")) + 1, found["body"].splitlines()))
        for found in _FENCE.finditer(text)
    ]


def _examples(page: str, first: int, lines: Sequence[str]) -> Iterator[Example]:
    starts = [number for number, line in enumerate(lines) if line.startswith(_PROMPT)]
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        body = next((at for at in range(start + 1, end) if not lines[at].startswith(_MORE)), end)
        command = "\n".join(line[len(_PROMPT) :] for line in lines[start:body])
        yield Example(page, first + start, command, tuple(lines[body:end]))


def matches(shown: Sequence[str], printed: Sequence[str]) -> bool:
    """Whether the lines that a page shows are those that were printed."""
    parts = [r"(?:[^\n]*\n)*" if line.strip() == "..." else _line(line) + r"\n" for line in shown]
    return re.fullmatch("".join(parts), "".join(f"{_plain(line)}\n" for line in printed)) is not None


def _line(line: str) -> str:
    return r"[^\n]*".join(re.escape(part) for part in _plain(line).split("..."))


def _plain(line: str) -> str:
    return " ".join(line.split())
