"""Settings that decide: variables and options with which a program uses no GPU, and since when they say so."""

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Literal

import msgspec

from .formatting import name_of
from .profiles import Profiles
from .profiles.schema import EnvironmentKey
from .state import Process
from .tree import libraries

Place = Literal["environment", "memory", "argument"]
"""`environment`: as at exec. `memory`: set inside the process since then. `argument`: on its command line."""


class Setting(msgspec.Struct, frozen=True):
    """One setting of one process with which it uses no GPU, or not all."""

    key: str
    value: str
    place: Place
    effect: str
    mode: str = ""
    """Of which mode (`cuda`, `rocm`, ...); empty: of any."""

    @property
    def text(self) -> str:
        """As it would be typed: `JAX_PLATFORMS=cpu`, `-ngl 0`, `--no-gpu`."""
        if self.place == "argument":
            return f"{self.key} {self.value}".rstrip()
        return f"{self.key}={self.value or '(empty)'}"


def without_gpu(process: Process, profiles: Profiles) -> list[Setting]:
    """All settings by which this process is told to use no GPU."""
    return [*_variables(process, profiles), *_arguments(process, profiles)]


def _variables(process: Process, profiles: Profiles) -> Iterator[Setting]:
    at_exec = process.program.environment if process.program else {}
    now = process.environments[-1].environment if process.environments else None
    for key, value in (at_exec if now is None else now).items():
        known = profiles.environment_key(key)
        if known is not None and _is_off(_deciding(known, value), known.off) and _is_read(process, known.of):
            place: Place = "environment" if now is None or at_exec.get(key) == value else "memory"
            yield Setting(key, value, place, known.effect, known.mode or "")


def _is_read(process: Process, globs: list[str]) -> bool:
    """Whether the process is, or has mapped, what reads such a variable; a whole service may have it for one program.

    Where no mapping is known, nobody can say that it does not.
    """
    runs, mapped = process.program, libraries(process)
    if not globs or not mapped:
        return True
    paths = [one.path for one in mapped.values()] + ([runs.exe, *runs.argv[:1]] if runs is not None else [])
    return any(fnmatchcase(path if "/" in glob else name_of(path), glob) for path in paths for glob in globs)


def _arguments(process: Process, profiles: Profiles) -> Iterator[Setting]:
    words = process.program.argv[1:] if process.program else []
    for place, word in enumerate(words):
        name, given, value = word.partition("=")
        option = profiles.options.get(name)
        if option is None:
            continue
        if not option.off:
            yield Setting(word, "", "argument", option.effect)
            continue
        if not given and not name.startswith("-"):
            continue  # `cuda=false` is a setting, `cuda` a word
        value = value if given else next(iter(words[place + 1 : place + 2]), "")
        if value and _is_off(value, option.off):
            key, value = (name, value) if name.startswith("-") else (word, "")
            yield Setting(key, value, "argument", option.effect)


def _deciding(known: EnvironmentKey, value: str) -> str:
    """The first entry of a list of devices that is none ends it (CUDA C++ programming guide): the first one decides."""
    return value.split(",")[0] if known.kind == "visible-devices" else value


def _is_off(value: str, off: list[str]) -> bool:
    """Globs but for the empty value, which only an empty one means; a list is off when all of it is."""
    if not value.strip():
        return "" in off
    parts = [part.strip().lower() for part in value.split(",")]
    return all(any(glob and fnmatchcase(part, glob.lower()) for glob in off) for part in parts)
