"""How this very program is called here: what proposed commands begin with, so that they run as they are.

Commands are made with the plain word `inspector`, here or by a collector elsewhere; whoever shows them knows how it was
started itself: by its name in PATH, by a path, as `python -m inspector`, or as the one file (`inspector.pyz`).
"""

import os
import re
import shlex
import site
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from .lazy_pattern import lazy
from .transport import MAIN, Transport

NAME = "inspector"
_CALLED = lazy(r"(^|(?<=[;:|&] ))((?:\w+=\S+ )*)(sudo (?:-n )?)?((?:\w+=\S+ )*)inspector(?=[ ,]|$)")
"""The word where a shell would take it for a program: at the beginning, behind sudo, settings or punctuation."""
_SUDO_LOOKS_IN = ("/usr/bin", "/bin", "/usr/sbin", "/sbin")
"""The folders of sudo's own PATH (`secure_path`, sudoers(5)) on every distribution."""

_place: list[Transport] = [Transport()]


def reach_by(place: Transport) -> None:
    """From now on commands look where this session looks: at another machine or into a container."""
    _place[0] = place


def runnable(text: str) -> str:
    """A command, or words that hold one, with this program called as it can be called here."""
    return _CALLED().sub(_replaced, text) if NAME in text else text


def _replaced(found: "re.Match[str]") -> str:
    before, first, sudo, second = (part or "" for part in found.groups())
    place = _place[0]
    if place.here:
        called = shlex.join(_as_root() if sudo else _called())
        return f"{before}{first}{sudo}{second}{called}"
    return f"{before}{first}{second}{shlex.join([*_called(), *_there(place, elevated=bool(sudo))])}"


def _there(place: Transport, *, elevated: bool) -> list[str]:
    """The options that lead to the same place again (`inspector --help`)."""
    words = [f"--host={place.host}"] if place.host else []
    words += [f"--ssh-option={word}" for word in place.ssh_options]
    words += [f"--via={place.via}"] if place.via else []
    words += ["--sudo"] if place.sudo or elevated else []
    named = place.remote_command != Transport().remote_command
    return [*words, f"--remote-command={place.remote_command}"] if named else words


@cache
def _called() -> Sequence[str]:
    """The words that start this program in the caller's own shell."""
    from shutil import which
    from zipfile import is_zipfile

    started = sys.argv[0] if sys.argv else ""
    if _is_file(started, str(MAIN)):
        return [_python(), "-m", NAME] if "-m" in sys.orig_argv[1:3] else [_python(), str(MAIN)]
    if Path(started).name == NAME or is_zipfile(started):
        if _is_file(which(Path(started).name) or "", started):
            return [Path(started).name]
        path = str(Path(started).absolute())
        return [path] if os.access(path, os.X_OK) else [_python(), path]
    return [NAME]  # within another program (tests): nobody typed a name


@cache
def _as_root() -> Sequence[str]:
    """The same behind sudo, which looks in folders of its own and takes no settings of Python along."""
    from shutil import which

    program, *words = _called()
    if words[:1] == ["-m"]:
        words = [str(MAIN)]  # a folder inspector/ in the current directory must not become root's
    found = which(program)
    path = program if found is None or str(Path(found).parent) in _SUDO_LOOKS_IN else str(Path(found).absolute())
    folders = [site.getusersitepackages(), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    own = [folder for folder in folders if folder and Path(folder).resolve() == MAIN.parent.parent]
    return [*(["env", f"PYTHONPATH={own[0]}"] if own else []), path, *words]


def _python() -> str:
    """The interpreter by its name where that leads to it, else by its path: a link keeps its virtual environment."""
    from shutil import which

    typed = sys.orig_argv[0]
    return typed if "/" not in typed and which(typed) == sys.executable else sys.executable


def _is_file(one: str, other: str) -> bool:
    try:
        return Path(one).samefile(other)
    except OSError:
        return False
