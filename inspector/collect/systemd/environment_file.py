"""Files of EnvironmentFile=: shell-like assignments without expansion (systemd.exec(5), src/basic/env-file.c)."""

from collections.abc import Callable

import msgspec

from .syntax import WHITESPACE, Trouble, assignment


class Variable(msgspec.Struct, frozen=True):
    """One assignment."""

    key: str
    value: str
    line: int


def parse_environment_file(text: str) -> tuple[list[Variable], list[Trouble]]:
    """All assignments in order, and what systemd ignores."""
    reader = _Reader()
    for char in text:
        reader.take(char)
    reader.end()
    return reader.found, reader.trouble


class _Reader:
    """The state machine of `parse_env_file_internal`: the state is the method that takes the next character."""

    def __init__(self) -> None:
        self.found: list[Variable] = []
        self.trouble: list[Trouble] = []
        self._line = 1
        self._begin = 1
        self._key = ""
        self._value = ""
        self._kept = 0
        """How much of the value stays when blanks at its end are cut."""
        self._state: Callable[[str], None] = self._before_key

    def take(self, char: str) -> None:
        """The next character."""
        self._state(char)
        if char == "\n":
            self._line += 1

    def end(self) -> None:
        """The end of the file ends the last assignment."""
        if self._state not in (self._before_key, self._comment, self._comment_escape):
            self._finish()

    def _before_key(self, char: str) -> None:
        if char in "#;":
            self._state = self._comment
        elif char not in WHITESPACE:
            self._begin, self._key, self._value, self._kept = self._line, char, "", 0
            self._state = self._in_key

    def _in_key(self, char: str) -> None:
        if char == "\n":
            self._ignore()
        elif char == "=":
            self._state = self._before_value
        else:
            self._key += char

    def _before_value(self, char: str) -> None:
        """Also after a closing quote: another quoted part may follow."""
        if char == "\n":
            self._finish()
        elif char == "'":
            self._state = self._single
        elif char == '"':
            self._state = self._double
        elif char == "\\":
            self._state = self._escape
        elif char not in WHITESPACE:
            self._append(char)
            self._state = self._in_value

    def _in_value(self, char: str) -> None:
        if char == "\n":
            self._finish()
        elif char == "\\":
            self._state = self._escape
        elif char in WHITESPACE:
            self._value += char
        else:
            self._append(char)

    def _escape(self, char: str) -> None:
        if char != "\n":
            self._append(char)
        self._state = self._in_value

    def _single(self, char: str) -> None:
        if char == "'":
            self._state = self._before_value
        else:
            self._append(char)

    def _double(self, char: str) -> None:
        if char == '"':
            self._state = self._before_value
        elif char == "\\":
            self._state = self._double_escape
        else:
            self._append(char)

    def _double_escape(self, char: str) -> None:
        if char in '"\\`$':
            self._append(char)
        elif char != "\n":
            self._append("\\" + char)
        self._state = self._double

    def _comment(self, char: str) -> None:
        if char == "\\":
            self._state = self._comment_escape
        elif char == "\n":
            self._state = self._before_key

    def _comment_escape(self, char: str) -> None:
        self._state = self._comment

    def _append(self, text: str) -> None:
        self._value += text
        self._kept = len(self._value)

    def _finish(self) -> None:
        pair = assignment(f"{self._key.strip(WHITESPACE)}={self._value[: self._kept]}")
        if self._state == self._in_key or pair is None:
            self._ignore()
        else:
            self.found.append(Variable(*pair, self._begin))
            self._state = self._before_key

    def _ignore(self) -> None:
        self.trouble.append(Trouble(self._begin, "a line that is not an assignment is ignored"))
        self._state = self._before_key
