"""Settings and arguments by which somebody chose the CPU, or hid the devices: where they stand, and what they say."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from .profiles import Profiles
from .state import Process
from .tree import program
from .usage import hides_devices

_PLATFORM = re.compile(r"(PLATFORMS?|BACKEND|LLM_LIBRARY|DEVICE|PROVIDERS?|ACCELERATOR|DEFAULT_DEVICE)S?(_NAME)?$")
_CPU = re.compile(r"^(cpu\w*|none|host)$", re.I)
_LAYERS = re.compile(r"^(-ngl|--(n-)?gpu-layers|--n-gpu(-layers)?|--num-gpu)$")
_DEVICE = re.compile(r"^(--?dev(ice)?|--accelerator|--backend|--provider)$")


@dataclass(frozen=True, slots=True)
class Choice:
    """One setting that keeps a process off the device."""

    process: Process
    key: str
    value: str
    kind: Literal["cpu", "hidden", "layers"]
    where: Literal["environment", "argument", "memory"]
    """`memory`: set inside the process after its start."""

    @property
    def words(self) -> str:
        """`CUDA_VISIBLE_DEVICES=-1`, `-ngl 0`."""
        if self.where == "argument":
            return f"{self.key} {self.value}"
        return f"{self.key}={self.value or '(empty)'}"


def choices(process: Process, profiles: Profiles) -> Iterator[Choice]:
    """All of one process: of its environment at the exec, and of its arguments."""
    runs = program(process)
    if runs is None:
        return
    for key, value in sorted(runs.environment.items()) if runs.environment_known else ():
        kind = _kind(profiles, key, value)
        if kind is not None:
            yield Choice(process, key, value, kind, "environment")
    for option, value in zip(runs.argv, [*runs.argv[1:], ""], strict=False):
        name, equals, rest = option.partition("=")
        value = rest if equals else value
        if _LAYERS.match(name) and value == "0":
            yield Choice(process, name, value, "layers", "argument")
        elif _DEVICE.match(name) and _CPU.match(value):
            yield Choice(process, name, value, "cpu", "argument")


def _kind(profiles: Profiles, key: str, value: str) -> Literal["cpu", "hidden"] | None:
    known = profiles.environment_key(key)
    if (known is not None and known.kind == "visible-devices") or key.endswith("VISIBLE_DEVICES"):
        if key.startswith("NVIDIA_"):
            return None  # read by the container runtime, when the container is made
        return "hidden" if hides_devices(value) else None
    if _PLATFORM.search(key) and _CPU.match(value.strip()):
        return "cpu"
    return None
