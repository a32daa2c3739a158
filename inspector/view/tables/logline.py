"""One log line as a row shows it: its level, its message, whether it tells of trouble. Pure."""

from typing import NamedTuple

from inspector.model.log_meanings import harmless
from inspector.model.state import State
from inspector.stream.log_line import Level, read
from inspector.stream.logs import LogLine

from .row import Tone

_WORDS = {
    Level.UNKNOWN: "",
    Level.TRACE: "trace",
    Level.DEBUG: "debug",
    Level.INFO: "info",
    Level.WARN: "warn",
    Level.ERROR: "error",
    Level.FATAL: "fatal",
}
LEVEL_TONES: dict[Level, Tone] = {Level.WARN: "plain", Level.ERROR: "unknown", Level.FATAL: "unknown"}
"""Never red: what a program calls an error stopped it only where the answer tells of it."""


class Read(NamedTuple):
    """What a row shows of a line."""

    level: str
    tone: Tone
    words: str


def read_line(text: str) -> Read:
    """The line without its stamp; the message of a structured line before its other keys."""
    line = read(text)
    return Read(_WORDS[line.level], LEVEL_TONES.get(line.level, "quiet"), line.message)


def is_bad(state: State, source: int, line: LogLine) -> bool:
    """A line tells of trouble, and not of an answer that ordinary programs get as well."""
    return line.number in state.logs[source].refusals or reads_bad(state, line.text)


def reads_bad(state: State, text: str) -> bool:
    """By its words alone."""
    return read(text).trouble and not harmless(state.profiles, text)


def level_word(level: Level) -> str:
    """A level as the screen writes it."""
    return _WORDS[level]
