"""Hides who and where: user names, home folders, hosts, addresses; every name gets the same stand-in everywhere."""

import ipaddress
import re
from collections.abc import Callable
from functools import lru_cache
from types import UnionType
from typing import Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

from .events import AnyEvent
from .processes import ProcessListed
from .session import SessionStarted

S = TypeVar("S", bound=msgspec.Struct)

_HOME = re.compile(r"/(?:home|Users|export/home)/(?P<name>[^/\s:;,\"'`\]\)>]+)")
_LOGIN = re.compile(r"(?<![\w.@/-])(?P<name>[a-z_][\w.-]{0,31})@(?P<host>[a-z0-9][a-z0-9.-]{0,252})(?!\w)")
_USER_WORD = re.compile(r"(?P<before>\b(?:USER|LOGNAME|SUDO_USER|user(?:name)?|owner)[=:]\s?\"?)(?P<name>[\w.-]+)")
_ADDRESS = re.compile(r"(?<![\w.:-])(?:\d{1,3}(?:\.\d{1,3}){3}(?![\w.])|[0-9A-Fa-f:]*:[0-9A-Fa-f:]*:[0-9A-Fa-f:]+)")
"""Looks like IPv4 or IPv6; a version number at the end of a file name does not."""
_STAND_IN = re.compile(r"(?:USER|HOST|ADDRESS)\d+")
_HARMLESS_NAMES = frozenset(("localhost", "root", "nobody", "daemon", "systemd-journal", "ollama"))


class Redactor(msgspec.Struct):
    """Replaces names as it finds them; `hidden` lists what was hidden."""

    hidden: dict[str, str] = msgspec.field(default_factory=dict)
    """What stood there -> its stand-in, in order of first meeting."""
    counts: dict[str, int] = msgspec.field(default_factory=dict)
    """Stand-in -> how often it was put in."""
    _known: re.Pattern[str] | None = None

    def learn(self, name: str, kind: str) -> None:
        """Hide this name from now on, as a whole word, wherever it stands."""
        if len(name) > 1 and name not in self.hidden and name not in _HARMLESS_NAMES and not _STAND_IN.fullmatch(name):
            number = 1 + sum(stand_in.startswith(kind) for stand_in in self.hidden.values())
            self.hidden[name] = f"{kind}{number}"
            words = "|".join(re.escape(word) for word in sorted(self.hidden, key=len, reverse=True))
            self._known = re.compile(rf"(?<!\w)(?:{words})(?!\w)")

    def greet(self, session: SessionStarted) -> None:
        """Take the names that the collector tells of its machine, so that they are hidden from the first event on."""
        self.learn(session.host, "HOST")
        for name, kind in session.names.items():
            self.learn(name, kind)

    def texts(self, texts: list[str]) -> list[str]:
        """The texts redacted; what is found in one is hidden in all of them."""
        for text in texts:
            self._meet(text)
        return [self.text(text) for text in texts]

    def text(self, text: str) -> str:
        """The text with everything hidden that names a person or a machine."""
        if text.isalnum() and self._known is None:
            return text
        self._meet(text)
        return self._known.sub(self._stand_in, text) if self._known else text

    def event(self, event: AnyEvent) -> AnyEvent:
        """An event with all its texts redacted."""
        if isinstance(event, SessionStarted):
            self.greet(event)
            event = msgspec.structs.replace(event, names={})
        if isinstance(event, ProcessListed):
            self.learn(event.user, "USER")
        return rewritten(event, self.text)

    def preview(self) -> list[str]:
        """One line for each name that was hidden, for the eyes of the person who shares."""
        return [
            f"{stand_in} for {name} ({self.counts[stand_in]} times)"
            for name, stand_in in self.hidden.items()
            if stand_in in self.counts
        ]

    def _meet(self, text: str) -> None:
        if "/" in text:
            for match in _HOME.finditer(text):
                self.learn(match["name"], "USER")
        if "@" in text:
            for match in _LOGIN.finditer(text):
                self._meet_login(match["name"], match["host"])
        for match in _USER_WORD.finditer(text):
            self.learn(match["name"], "USER")
        if "." in text or ":" in text:
            for match in _ADDRESS.finditer(text):
                self._meet_address(match[0])

    def _meet_login(self, name: str, host: str) -> None:
        unit = host.endswith((".service", ".socket", ".timer"))  # getty@tty1.service
        version = ".so" in host  # cudaMalloc@libcudart.so.12
        if not (unit or version):
            self.learn(name, "USER")
            self.learn(host, "HOST")

    def _meet_address(self, text: str) -> None:
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            return
        if not (address.is_loopback or address.is_unspecified):
            self.learn(text, "ADDRESS")

    def _stand_in(self, match: re.Match[str]) -> str:
        stand_in = self.hidden[match[0]]
        self.counts[stand_in] = self.counts.get(stand_in, 0) + 1
        return stand_in


def rewritten(struct: S, change: Callable[[str], str]) -> S:
    """The same struct with every free text in it changed, dictionary keys included; words of the contract stay."""
    changed = {}
    for name in _text_fields(type(struct)):
        before = getattr(struct, name)
        after = change(before) if type(before) is str else _rewritten(before, change) if before else before
        if after is not before and after != before:
            changed[name] = after
    return msgspec.structs.replace(struct, **changed) if changed else struct


def _rewritten(value: object, change: Callable[[str], str]) -> object:
    match value:
        case str():
            return change(value)
        case list():
            after = [_rewritten(item, change) for item in value]
            return value if after == value else after
        case dict():
            changed = {_rewritten(key, change): _rewritten(item, change) for key, item in value.items()}
            return value if changed == value else changed
        case msgspec.Struct():
            return rewritten(value, change)
    return value


@lru_cache
def _text_fields(kind: type[msgspec.Struct]) -> list[str]:
    hints = get_type_hints(kind)
    return [name for name in kind.__struct_fields__ if _may_hold_text(hints[name])]


def _may_hold_text(hint: object) -> bool:
    parts = [part for part in get_args(hint) if part is not type(None)]
    if get_origin(hint) in (Union, UnionType):
        return any(map(_may_hold_text, parts))
    return hint not in (int, float, bool) and not _is_literal(hint)


def _is_literal(hint: object) -> bool:
    parts = [part for part in get_args(hint) if part is not type(None)]
    return get_origin(hint) is Literal or (bool(parts) and all(_is_literal(part) for part in parts))
