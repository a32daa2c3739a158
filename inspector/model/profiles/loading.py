"""Profile files read and checked; a bad file gives one clear sentence."""

import os
import re
import stat
import string
from collections.abc import Iterable
from pathlib import Path

import msgspec

from inspector.stream.decoded_toml import beside_bytecode, read_once
from inspector.stream.regex_cost import PatternError, longest_text

from .schema import LogRule, Profile

_LARGEST = 1 << 20
USER_DIRECTORY = "shim-inspector/profiles"
"""Below $XDG_CONFIG_HOME or ~/.config."""


class ProfileError(Exception):
    """A profile that cannot be used; the message names the file, the place and the way out."""


def parse(text: str, where: str) -> Profile:
    """One profile from TOML, and whether its parts fit each other; `where` names it in the error message."""
    profile = _decode(text, where)
    _check(profile, where)
    return profile


def _decode(text: str, where: str) -> Profile:
    try:
        return msgspec.toml.decode(text, type=Profile)
    except msgspec.ValidationError as error:
        raise ProfileError(f"profile {where} does not fit the format: {error}") from None
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise ProfileError(f"profile {where} is no TOML: {error}") from None


def read(path: Path, *, named: bool = True) -> Profile:
    """One profile file; ProfileError says why it cannot be used.

    One that nobody `named` lies in the configuration folder: root, or whoever runs us by sudo(8), put it there.
    """
    try:
        flags = os.O_RDONLY | os.O_CLOEXEC | (0 if named else os.O_NONBLOCK)  # of a FIFO in its place nobody waits
        with open(os.open(path, flags), "rb") as file:
            if not named:
                _refuse_strangers(path, os.fstat(file.fileno()))
            raw = file.read(_LARGEST + 1)
        if len(raw) > _LARGEST:
            raise ProfileError(f"profile {path} has more than {_LARGEST >> 20} MiB: that is no profile")
        text = raw.decode("utf-8")
    except OSError as error:
        raise ProfileError(f"profile {path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ProfileError(f"profile {path} is no text in UTF-8") from None
    return parse(text, str(path))


def builtin() -> list[Profile]:
    """The profiles that come with the program, in order of their names.

    A test checks how their parts fit; here it would take longer than all the rest, before the first word is printed.
    """
    files = sorted(Path(__file__).parent.glob("*.toml"))
    sources = [*files, Path(__file__).with_name("schema.py")]

    def read() -> list[Profile]:
        return [_decode(file.read_text(encoding="utf-8"), file.name) for file in files]

    return read_once(sources, list[Profile], beside_bytecode(__spec__), read)


def _refuse_strangers(path: Path, status: os.stat_result) -> None:
    """Of what lies in a folder only what nobody but root or the person at the keyboard could have written."""
    owners = {0, os.geteuid(), *(int(uid) for uid in [os.environ.get("SUDO_UID", "")] if uid.isdecimal())}
    if not stat.S_ISREG(status.st_mode):
        raise ProfileError(f"profile {path} is no file, so it is not read by itself")
    if status.st_uid not in owners or status.st_mode & stat.S_IWOTH:
        why = f"belongs to uid {status.st_uid}" if status.st_uid not in owners else "may be written by everybody"
        raise ProfileError(f"profile {path} {why}, so it is not read by itself: name it with --profile, or: chmod o-w")


def from_user(places: Iterable[Path], *, named: bool = True) -> list[Profile]:
    """Profiles of a person: each place is a file, or a directory whose *.toml are read; a missing one is an error."""
    found = []
    for place in places:
        if place.is_dir():
            found += [read(path, named=named) for path in sorted(place.glob("*.toml"))]
        else:
            found.append(read(place, named=named))
    return found


def _check(profile: Profile, where: str) -> None:
    if not profile.name:
        raise ProfileError(f"profile {where} has an empty name")
    for rule in profile.logs:
        _check_log_rule(rule, where)
    if profile.api is not None:
        for group in profile.api.functions:
            if not all(name.strip() for name in group.names):
                raise ProfileError(f"profile {where}: a function group of {profile.api.name} holds an empty name")


def _check_log_rule(rule: LogRule, where: str) -> None:
    if not rule.contains:
        raise ProfileError(f"profile {where}: log rule {rule.id} needs `contains`, a text that every such line holds")
    try:
        longest_text(rule.pattern)
    except PatternError as error:
        raise ProfileError(f"profile {where}: pattern of log rule {rule.id}: {error}") from None
    groups = set(re.compile(rule.pattern).groupindex)
    try:
        fields = {field for _, field, _, _ in string.Formatter().parse(rule.says) if field is not None}
    except ValueError as error:
        raise ProfileError(f"profile {where}: `says` of log rule {rule.id}: {error}") from None
    if fields - groups:
        missing = ", ".join(sorted(fields - groups))
        raise ProfileError(f"profile {where}: `says` of log rule {rule.id} names {missing}, not a group of its pattern")
