"""What is assigned to a name that nobody knows: shown only where it is plainly no secret (`gate=X`, `"cred": "X"`)."""

import re
from collections.abc import Iterator

from inspector.stream.lazy_pattern import lazy

from . import strangers
from .found import Span
from .known import known
from .plain import begin_of_secret, is_plain, is_plain_value
from .settings import is_setting

_VALUE = lazy(r"[=:>\u2192](\s*\\*[\"'`]?)([^\x00-/:-@\[-`{-\x7f\s][^\s\"'`,;()\[\]{}<>|\\=&]{3,255})")
"""Quick to find, for each line is asked: a letter or digit of any alphabet begins it."""
_NAME = lazy(r"(?:^|[^\w.?&-])([\w.-]*[^\W\d_]\w*)(?:\\{0,3}[\"'`\])}]){0,3}\s{0,24}[:=-]{0,2}$")
_ELEMENT = lazy(r"<(?:[\w.-]+:)?([\w.-]+)[^<>]{0,128}$")
_OPTION = lazy(r"(?<=\s)(--?[A-Za-z][\w-]{0,40})\s{1,3}[\"']?([^\W_][^\s\"'`;&|()<>=]{3,255})")
_NEAR = 160
_GOES_ON = "([{>"
_ENDS = "\"'`,;)]}|<\\&"
_NEXT = lazy(r"\s{0,3}(?:$|\(|[\w.-]{1,40}[=:]|[-\u2192\u2014|&;#])")
"""What goes on behind a value that stands alone behind a colon; behind one of a sentence the sentence goes on."""
_JOINT = lazy(r"[:/+.-][\w-]*$")
_END = ".:!?"


def spans(text: str) -> Iterator[Span]:
    """Where such values lie."""
    for match in _VALUE().finditer(text):
        if not is_plain_value(match[2]):
            yield from _assigned(text, match)
    if " -" in text:
        found = list(_behind_options(text))
        if found and known().tools.isdisjoint(text.split()):  # else the line tells of a program whose options are known
            yield from found


def _behind_options(text: str) -> Iterator[Span]:
    for option in _OPTION().finditer(text):
        value = option[2].rstrip(_END)
        if not is_plain(value) and strangers.may_take_secret(option[1]):
            yield option.start(2) + begin_of_secret(value), option.start(2) + len(value)


def _assigned(text: str, match: re.Match[str]) -> Iterator[Span]:
    sign, value, behind = text[match.start()], match[2].rstrip(_END), text[match.end() : match.end() + 1]
    if behind in _GOES_ON and behind:
        return  # a call or the like
    if (behind == "=" and match[1]) or (sign == ":" and text[match.start() - 1 : match.start()] == ":"):
        return  # another name, or a part of one
    if behind == "=" and (joint := _JOINT().search(value)) is not None:
        value = value[: joint.start()]  # `select=1:gpus=4`
    if sign == ":" and not match[1].strip() and behind not in _ENDS and _NEXT().match(text, match.end(2)) is None:
        return  # a sentence
    name = _name(text, match.start(), sign, behind)
    if name and not is_setting(name) and not name.endswith(value) and not is_plain(value):
        yield match.start(2) + begin_of_secret(value), match.start(2) + len(value)


def _name(text: str, at: int, sign: str, behind: str) -> str:
    """The name that stands before; empty for none."""
    if sign == ">" and text[at - 1 : at] not in ("-", "="):
        element = _ELEMENT().search(text, max(0, at - _NEAR), at) if behind == "<" else None
        return element[1] if element is not None else ""
    name = _NAME().search(text, max(0, at - _NEAR), at)
    return name[1] if name is not None else ""
