"""The level and the message of a log line, in the formats that programs write.

Known: JSON lines (zap, slog, pino, bunyan, structlog), logfmt (slog, logrus), glog and klog, syslog (RFC 3164, 5424),
Python logging, java.util.logging, log4j, spdlog, env_logger, tracing, Ruby's Logger, nginx, PostgreSQL, TensorFlow,
ONNX Runtime, PyTorch, NCCL, llama.cpp, and levels in brackets. The collector filters by level with it, the viewer
shows lines with it.
"""

import re
from enum import IntEnum
from typing import NamedTuple

from .lazy_pattern import lazy
from .log_time import HEAD

LONGEST = 4_000
"""Characters of a line that are looked at."""
_HEADER = 160
"""Characters in which a level stands, if not in a structured line."""
_TOKENS = 6
"""Words of a header at most, its time not counted."""


class Level(IntEnum):
    """How much a line matters; greater is worse."""

    UNKNOWN = 0
    TRACE = 1
    DEBUG = 2
    INFO = 3
    WARN = 4
    ERROR = 5
    FATAL = 6


class LineRead(NamedTuple):
    """A line taken apart."""

    level: Level
    message: str
    """The line without its time and level; the message of a structured line before its other keys."""
    trouble: bool
    """Its level is error or worse, or its words tell of something that failed."""

    @property
    def rank(self) -> Level:
        """The level by which lines are filtered: without one of its own, a line that tells of trouble is an error."""
        return self.level or (Level.ERROR if self.trouble else Level.INFO)


_WORDS: dict[Level, str] = {
    Level.TRACE: "trace trc finest finer verbose spam",
    Level.DEBUG: "debug dbg dbug fine debug1 debug2 debug3 debug4 debug5 d",
    Level.INFO: "info inf information informational notice note config log i",
    Level.WARN: "warn warning wrn w",
    Level.ERROR: "error err erro eror severe e",
    Level.FATAL: "fatal ftl fata panic dpanic critical crit alert emerg emergency f",
}
_LETTERS = frozenset("DIWEF")
_LEVELS = {word: level for level, words in _WORDS.items() for word in words.split()}
_SYSLOG = (*[Level.FATAL] * 3, Level.ERROR, Level.WARN, Level.INFO, Level.INFO, Level.DEBUG)

_KEY = lazy(r'(?:^|[\s,{(])(?:level|lvl|severity|loglevel|log_level|log\.level)="?([A-Za-z]{2,})"?')
_MSG = lazy(r'(?:^|\s)(?:msg|message)=("(?:[^"\\]|\\.)*"|\S*)')
_TIME_KEY = lazy(r'(?:^|\s)(?:time|ts|timestamp|t)=(?:"[^"]*"|\S+)|(?:^|\s)source=\S+')
_JSON_LEVEL = lazy(
    r'"(?:lvl|severity|levelname|loglevel|log\.level|(level))"\s*:\s*(?:"([A-Za-z]{2,})"|(?(1)(\d{1,3})\b))'
)
_GLOG = lazy(r"\[?([IWEFD])(?:\d{4}|\d{8}|\d{3}) \d\d:\d\d:\d\d(?:\.\d+)?\s[^\]]{0,80}\]\s?")
_PRIORITY = lazy(r"<(\d{1,3})>(?:1 )?")
_PROGRAM = lazy(r"[\w./@-]+ (?=[\w./@-]+(?:\[\d+\])?: )")
"""The host of a syslog line: its program follows."""
_TOKEN = lazy(r"[\s|,-]*(\[[^\]]{0,80}\]|\([^)]{0,80}\)|\S+)")
_NONE = (Level.UNKNOWN, 0)
_EDGE = "[](){}<>:|,-\"'"
_NAME = lazy(r"[a-zA-Z_][a-zA-Z_.$@-]*$")

_TROUBLE = lazy(
    r"\b(?:error|fail(?:ed|ure)?|fatal|panic(?:ked)?|cannot|can't|refused|denied|aborted|traceback|SIG[A-Z]{3,5}"
    r"|could(?: not|n't)|unable to|not (?:found|loaded|installed|compiled|supported|available)|no such|too old"
    r"|undefined symbol|terminate called|unhandled|uncaught|assertion|core dumped|segmentation fault|out of memory"
    r"|illegal instruction|stack smashing|no (?:[\w-]+ ){0,3}(?:gpu|device|driver)s?)\b"
    r"|(?:error|exception|\*\*\*|what\(\)|caused by):|_ERROR_[A-Z]|\b(?:cuda|hip)Error[A-Z]"
    r"|(?:free|alloc)\(\): |double free",
    re.IGNORECASE,
)
_HARMLESS = lazy(
    r"\b(?:no|0|without|zero) (?:error|failure|fail|fatal)\w*"
    r"|\b\w*(?:err|error|errors|fail|failed|failures)[\"']?\s*[=:]\s*(?:0\b|<nil>|nil\b|null\b|none\b|false\b|\"\"|'')"
    r"|\bif (?:it )?(?:fails|failed|not found)\b",
    re.IGNORECASE,
)
_CONTINUED = lazy(r"\s+\S|[})\]]|Traceback \(|Caused by|During handling|goroutine \d|\.\.\. \d+ more")
_LOOKED_AT = 400
"""Characters in which words of trouble are looked for."""


def read(text: str) -> LineRead:
    """A line taken apart; what has no known form is all message, without a level."""
    text = text[:LONGEST]
    level, message = _structured(text) or _headed(text)
    return LineRead(level, message, level >= Level.ERROR or tells_trouble(text))


def level_of(text: str) -> Level:
    """The level of a line, without taking the rest apart."""
    return (_structured(text[:LONGEST]) or _headed(text[:LONGEST]))[0]


def continues(text: str) -> bool:
    """Whether a line goes on with what the line before it said: indented, a traceback."""
    return _CONTINUED().match(text) is not None


def tells_trouble(text: str) -> bool:
    """Whether the words of a line tell of something that failed; `no errors` and `error=<nil>` do not."""
    head = text[:_LOOKED_AT]
    return _TROUBLE().search(head) is not None and _TROUBLE().search(_HARMLESS().sub(" ", head)) is not None


def _structured(text: str) -> tuple[Level, str] | None:
    """Lines whose keys say what is what; None when it is none."""
    if text.startswith("{"):
        found = _JSON_LEVEL().search(text)
        if found is None:
            return None
        level = _LEVELS.get(found[2].lower(), Level.UNKNOWN) if found[2] else _numbered(int(found[3] or 6))
        return level, text
    key = _KEY().search(text, 0, 600) if "=" in text else None
    if key is None or (level := _LEVELS.get(key[1].lower(), Level.UNKNOWN)) is Level.UNKNOWN:
        return None
    message = _MSG().search(text)
    if message is None:
        return level, text
    words = message[1][1:-1].replace('\\"', '"') if message[1].startswith('"') else message[1]
    rest = text[: message.start()] + text[message.end() :]
    rest = _TIME_KEY().sub("", rest.replace(key[0].strip(" ,{("), "", 1))
    rest = " ".join(rest.split()) if len(rest) < _LOOKED_AT else rest.strip()
    return level, f"{words} {rest}".rstrip()


def _numbered(number: int) -> Level:
    """pino, bunyan and Python count in tens: 10 trace or debug, 20, 30, 40, 50, 60; others are syslog's 0 to 7."""
    if number < 8:
        return _SYSLOG[number]
    return Level(max(1, min(6, number // 10)))


def _headed(text: str) -> tuple[Level, str]:
    """A level in the words before the message."""
    glog = _GLOG().match(text)
    if glog is not None:
        return _LEVELS[glog[1].lower()], text[glog.end() :]
    priority = _PRIORITY().match(text)
    begin = priority.end() if priority is not None else 0
    stamp = HEAD().match(text, begin)
    if stamp is not None:
        begin = stamp.end()
        host = _PROGRAM().match(text, begin) if stamp["yearless"] or priority is not None else None
        begin = host.end() if host is not None else begin
    level, message = _in_words(text, begin, stamp is not None)
    if level is Level.UNKNOWN and priority is not None:
        level = _SYSLOG[int(priority[1]) & 7]
    return level, message


def _in_words(text: str, begin: int, stamped: bool) -> tuple[Level, str]:
    """The level among the first words from `begin` on, and the message without it."""
    at, names = begin, 0
    for number in range(_TOKENS):
        token = _TOKEN().match(text, at, begin + _HEADER)
        if token is None:
            break
        sure = stamped or not names or token[1][-1] == ":"
        level, end = _level_in(token[1], token.start(1), first=number == 0, stamped=stamped) if sure else _NONE
        if level is Level.UNKNOWN and stamped and token[1] in _LETTERS and text[token.start(1) - 1] == " ":
            level, end = _LEVELS[token[1].lower()], token.end()
        if level is not Level.UNKNOWN:
            before = text[begin : token.start(1)].strip(" -|:,")
            after = text[end:].lstrip(" -|:,]")
            return level, f"{before} {after}" if before else after
        names += _is_plain(token[1])
        if names > 1:
            break
        at = token.end()
    return Level.UNKNOWN, text[begin:].lstrip() if stamped and text[begin:].strip() else text


def _level_in(token: str, at: int, *, first: bool, stamped: bool) -> tuple[Level, int]:
    """The level that a word of a header names and where it ends; UNKNOWN for any other word."""
    bracketed = token[0] in "[(<"
    core = token.strip(_EDGE)
    head = core.split(":", 1)[0].split(" ", 1)[0]
    level = _LEVELS.get(head.lower(), Level.UNKNOWN)
    if level is Level.UNKNOWN:
        return level, at
    loud = head.isupper() and token[-1] not in ".,;!?)"
    told = bracketed or loud or (token[len(head) : len(head) + 1] == ":" and (first or stamped)) or (first and stamped)
    if not told or (len(head) == 1 and token[0] != "["):
        return Level.UNKNOWN, at
    end = at + token.index(head) + len(head)
    return level, at + len(token) if bracketed and core == head else end


def _is_plain(token: str) -> bool:
    """A word that a sentence may begin with, and no sign of a header: no bracket, number, colon, not all capitals."""
    return _NAME().match(token) is not None and not token.isupper()
