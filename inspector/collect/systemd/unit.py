"""What a unit's files say together: environment with the place of each assignment, output, sandbox, damage."""

import os
import platform
import re
import stat

import msgspec

from inspector.collect.access.opening import read_regular

from .environment_file import parse_environment_file
from .syntax import Directive, Trouble, assignment, parse_unit, split_words
from .unit_load_path import find_unit, instance_of

SANDBOX = frozenset((
    "PrivateTmp", "PrivateDevices", "PrivateNetwork", "PrivateUsers", "PrivateMounts", "PrivateIPC", "ProtectSystem",
    "ProtectHome", "ProtectProc", "ProcSubset", "ProtectKernelTunables", "ProtectKernelModules",
    "ProtectControlGroups", "ProtectClock", "ReadWritePaths", "ReadOnlyPaths", "InaccessiblePaths", "ExecPaths",
    "NoExecPaths", "TemporaryFileSystem", "BindPaths", "BindReadOnlyPaths", "RootDirectory", "RootImage",
    "DevicePolicy", "DeviceAllow", "CapabilityBoundingSet", "NoNewPrivileges", "SystemCallFilter",
    "RestrictAddressFamilies", "RestrictNamespaces", "MemoryDenyWriteExecute", "DynamicUser", "LimitMEMLOCK", "User",
))  # fmt: skip
"""Directives that make a unit see or be allowed other things than a shell on the same machine (systemd.exec(5))."""
_OFF = ("no", "false", "off", "0", "")
_LARGEST = 1 << 20
_SPECIFIER = re.compile(r"%(.)")


class Setting(msgspec.Struct, frozen=True):
    """One environment assignment and where it is made."""

    key: str
    value: str
    path: str
    line: int


class Unit(msgspec.Struct):
    """A unit as its files say."""

    name: str
    files: list[tuple[str, int]] = msgspec.field(default_factory=list)
    """Path and mtime in ns, in reading order."""
    watched: list[str] = msgspec.field(default_factory=list)
    """Files and directories whose change may change the unit."""
    settings: list[Setting] = msgspec.field(default_factory=list)
    """In the order in which they take effect: the last one of a key wins."""
    stderr: str = ""
    sandbox: list[str] = msgspec.field(default_factory=list)
    trouble: list[str] = msgspec.field(default_factory=list)


class _Placed(msgspec.Struct, frozen=True):
    """A directive and the file that it stands in."""

    path: str
    directive: Directive


def read_unit(name: str, root: str = "/") -> Unit:
    """Read a unit's files below `root`; a unit without files has none in `files`."""
    places = find_unit(name, root)
    unit = Unit(name, trouble=list(places.ignored), watched=[*places.looked, *places.files])
    directives: list[_Placed] = []
    for path in places.files:
        text = _text(unit, path)
        if text is not None:
            parsed = parse_unit(text)
            directives += [
                _Placed(path, directive) for directive in parsed.directives if directive.section == "Service"
            ]
            _complain(unit, path, parsed.trouble)
    _environment(unit, directives, root)
    _output_and_sandbox(unit, directives)
    unit.trouble += _repeated(unit.settings)
    return unit


def _text(unit: Unit, path: str) -> str | None:
    """The text of one file of the unit; None when it is masked or cannot be read, which is told."""
    try:
        status = os.stat(path)
        unit.files.append((path, status.st_mtime_ns))
        if not stat.S_ISREG(status.st_mode):
            unit.trouble.append(f"{path} is masked: it leads to {os.path.realpath(path)}")
            return None
        raw = read_regular(os.fsencode(path), _LARGEST)
    except OSError as error:
        unit.trouble.append(f"{path} cannot be read: {(error.strerror or str(error)).lower()}")
        return None
    if b"\0" in raw:
        unit.trouble.append(f"{path} holds NUL bytes")
    return raw.decode("utf-8", "backslashreplace")


def _complain(unit: Unit, path: str, trouble: list[Trouble]) -> None:
    unit.trouble += [f"{path}:{one.line}: {one.words}" for one in trouble]


def _environment(unit: Unit, directives: list[_Placed], root: str) -> None:
    """Environment= in order, then the files of EnvironmentFile=, which win whatever their place (systemd.exec(5))."""
    settings: list[Setting] = []
    files: list[str] = []
    dropped: list[str] = []
    for placed in directives:
        key, value = placed.directive.key, placed.directive.value
        if key == "Environment":
            settings = settings + _assignments(unit, placed) if value else []
        elif key == "EnvironmentFile":
            files = [*files, expand(value, unit.name)] if value else []
        elif key == "UnsetEnvironment":
            dropped = [*dropped, *split_words(value).words] if value else []
    for path in files:
        settings += _from_file(unit, path, root)
    unit.settings = [one for one in settings if one.key not in dropped and f"{one.key}={one.value}" not in dropped]
    if len(unit.settings) < len(settings):
        removed = ", ".join(one.partition("=")[0] for one in dropped)
        unit.trouble.append(f"UnsetEnvironment= removes {removed}")


def _assignments(unit: Unit, placed: _Placed) -> list[Setting]:
    path, directive = placed.path, placed.directive
    split = split_words(directive.value)
    found: list[Setting] = []
    for word in split.words:
        pair = assignment(expand(word, unit.name))
        if pair is not None:
            found.append(Setting(*pair, path, directive.line))
            continue
        shown = repr(word) if word.startswith("/") else "a word"  # anything else may be the rest of a secret
        hint = f": quote the whole assignment of {found[-1].key}" if found else ""
        unit.trouble.append(f"{path}:{directive.line}: {shown} is not an assignment and is ignored{hint}")
    if split.damage:
        unit.trouble.append(f"{path}:{directive.line}: {split.damage}: the rest of the line is ignored")
    return found


def _from_file(unit: Unit, value: str, root: str) -> list[Setting]:
    optional, path = value.startswith("-"), value.removeprefix("-")
    unit.watched.append(os.path.join(root, path.lstrip("/")))
    try:
        text = read_regular(os.fsencode(unit.watched[-1]), _LARGEST).decode("utf-8", "backslashreplace")
    except OSError as error:
        if not optional:
            words = (error.strerror or str(error)).lower()
            unit.trouble.append(f"EnvironmentFile={path} cannot be read ({words}): the unit does not start")
        return []
    variables, trouble = parse_environment_file(text)
    _complain(unit, path, trouble)
    return [Setting(one.key, one.value, path, one.line) for one in variables]


def _output_and_sandbox(unit: Unit, directives: list[_Placed]) -> None:
    sandbox: dict[str, list[str]] = {}
    for placed in directives:
        key, value = placed.directive.key, placed.directive.value
        if key == "StandardError":
            unit.stderr = expand(value, unit.name)
        elif key in SANDBOX:
            earlier = sandbox.get(key, []) if "Paths" in key or key in ("DeviceAllow", "TemporaryFileSystem") else []
            sandbox[key] = [*earlier, value] if value else []
    for key, values in sandbox.items():
        text = " ".join(values)
        if text.lower() not in _OFF:
            unit.sandbox.append(f"{key}={text}")


def _repeated(settings: list[Setting]) -> list[str]:
    """Keys that are set more than once: which place wins."""
    by_key: dict[str, list[Setting]] = {}
    for setting in settings:
        by_key.setdefault(setting.key, []).append(setting)
    return [
        f"{key} is set {len(places)} times in {len({one.path for one in places})} files: "
        f"{places[-1].path}:{places[-1].line} wins"
        for key, places in by_key.items()
        if len(places) > 1
    ]


def expand(text: str, unit: str) -> str:
    """Specifiers of the system manager that can be known from the name and the machine; others stay as they are."""
    stem, _, _ = unit.rpartition(".")
    _, instance = instance_of(unit)
    values = {
        "%": "%",
        "n": unit,
        "N": stem,
        "p": stem.partition("@")[0],
        "P": unescape(stem.partition("@")[0]),
        "i": instance,
        "I": unescape(instance),
        "t": "/run",
        "S": "/var/lib",
        "C": "/var/cache",
        "L": "/var/log",
        "E": "/etc",
        "T": "/tmp",
        "V": "/var/tmp",
        "h": "/root",
        "u": "root",
        "U": "0",
        "H": platform.node(),
        "v": platform.release(),
    }
    return _SPECIFIER.sub(lambda found: values.get(found[1], found[0]), text)


def unescape(name: str) -> str:
    """A unit name part with its escapes undone: `-` is `/`, `\\x2d` is `-` (systemd-escape(1))."""
    plain = name.replace("-", "/")
    return re.sub(r"\\x([0-9a-fA-F]{2})", lambda found: chr(int(found[1], 16)), plain)
