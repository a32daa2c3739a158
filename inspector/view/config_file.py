"""The text of the configuration file: which line sets what, one value changed and the rest left, safe writing."""

import os
import re
import stat
from collections.abc import Sequence
from pathlib import Path

from inspector.stream.files import stranger_on_the_way
from inspector.stream.lazy_pattern import lazy

Value = str | bool | Sequence[str]
"""What a setting can be."""

_SECTION = lazy(r"\s*\[\s*([A-Za-z0-9_-]+)\s*\]\s*(?:#.*)?$")
_QUOTED = lazy(r""""(?:\\.|[^"\\])*"|'[^']*'|#.*""")
"""Strings and a comment: brackets in them mean nothing."""
_KEY = lazy(r"""\s*(?:"([^"]*)"|'([^']*)'|([A-Za-z0-9_.-]+))\s*=""")
_LARGEST = 1 << 20


def config_path() -> Path:
    """Where it lies: below $XDG_CONFIG_HOME or ~/.config; it need not be there."""
    base = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(base) / "shim-inspector" / "config.toml"


def text_of(path: Path) -> str | None:
    """Its text; None when there is none. OSError with a sentence when it cannot be read or must not be used.

    Only what root, or whoever runs us by sudo(8), could have written is used.
    """
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            raw = file.read(_LARGEST)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise OSError(f"{path} cannot be read: {(error.strerror or str(error)).lower()}") from None
    owners = {0, os.geteuid(), *(int(uid) for uid in [os.environ.get("SUDO_UID", "")] if uid.isdecimal())}
    if status.st_uid not in owners:
        raise OSError(f"{path} belongs to uid {status.st_uid} and is not used")
    if status.st_mode & stat.S_IWOTH:
        raise OSError(f"{path} may be written by everybody and is not used: chmod o-w {path}")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise OSError(f"{path} is not UTF-8 text") from None


def line_of(text: str, section: str, key: str = "") -> int:
    """The number, from 1, of the line that sets a key of a section (empty: before all sections), or begins it."""
    current = ""
    for number, line in enumerate(text.splitlines(), 1):
        header = _SECTION().match(line)
        if header is not None:
            current = header[1]
            if current == section and not key:
                return number
        elif current == section and key and _named(line) == key:
            return number
    return 0


def _named(line: str) -> str | None:
    found = _KEY().match(line)
    return next((name for name in found.groups() if name is not None), "") if found is not None else None


def edited(text: str, section: str, key: str, value: Value | None) -> str:
    """The text with one key set, or without it; comments and other keys stay as they are."""
    lines = text.splitlines()
    at = line_of(text, section, key)
    written = f"{_quoted(key)} = {_written(value)}" if value is not None else ""
    if at:
        lines[at - 1 : _end_of_value(lines, at)] = [written] if written else []
    elif written:
        lines = _inserted(lines, text, section, written)
    return "\n".join(lines) + "\n" if lines else ""


def _end_of_value(lines: Sequence[str], at: int) -> int:
    """The line behind a value that begins in line `at`: a list may take several."""
    depth = 0
    for number in range(at, len(lines) + 1):
        bare = _QUOTED().sub("", lines[number - 1])
        depth += bare.count("[") - bare.count("]")
        if depth <= 0:
            return number
    return at


def _inserted(lines: list[str], text: str, section: str, written: str) -> list[str]:
    if not section:
        first = next((number for number, line in enumerate(lines) if _SECTION().match(line)), len(lines))
        gap = [""] if first < len(lines) and (not first or lines[first - 1].strip()) else []
        return [*lines[:first], written, *gap, *lines[first:]]
    at = line_of(text, section)
    if not at:
        return [*lines, *([""] if lines else []), f"[{section}]", written]
    return [*lines[:at], written, *lines[at:]]


def _quoted(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _string(key)


def _written(value: Value) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return _string(value)
    return "[" + ", ".join(_string(one) for one in value) + "]"


def _string(text: str) -> str:
    """A basic string of TOML, which is one of JSON."""
    import json

    return json.dumps(text, ensure_ascii=False)


def write(path: Path, text: str) -> None:
    """Put the text in the place of the old one, whole or not at all, with mode 0600; OSError says why not.

    Only into a folder that is ours alone, and by links of ours: somebody else's could lead us anywhere.
    """
    stranger = stranger_on_the_way(path)
    if stranger is not None:
        raise PermissionError(f"settings are not saved: uid {stranger} may lead {path} elsewhere")
    path = Path(os.path.realpath(path))
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        status = os.fstat(folder)
        if status.st_uid != os.geteuid() or status.st_mode & stat.S_IWOTH:
            raise PermissionError(f"settings are not saved: {path.parent} belongs to uid {status.st_uid}")
        fresh = f".config.toml.{os.urandom(6).hex()}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(fresh, flags, 0o600, dir_fd=folder), "wb") as file:
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
        os.rename(fresh, path.name, src_dir_fd=folder, dst_dir_fd=folder)
    finally:
        os.close(folder)


def reset(path: Path) -> str:
    """Put the file aside as `config.toml.old`; returns words to say, empty when there was none."""
    if not path.exists():
        return ""
    aside = path.with_name(path.name + ".old")
    path.replace(aside)
    return f"settings are reset; the old ones are kept in {aside}"
