"""Where a collector runs: here, on another machine over ssh, in a container; and the command that starts it there."""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

MAIN = Path(__file__).resolve().parent.parent / "__main__.py"
"""What starts this package, wherever it lies."""
_SSH = (
    "ssh",
    "-T",
    "-o",
    "BatchMode=yes",
    "-o",
    "ServerAliveInterval=5",
    "-o",
    "ServerAliveCountMax=3",
)
"""No terminal (it would change bytes), no password prompt behind a screen, a dead link noticed in 15 s (ssh_config(5)).

Everything else, ControlMaster, jump hosts, keys, comes from the user's own ssh configuration."""


class Transport(NamedTuple):
    """Where the collector runs; the default is this machine with this user's rights."""

    host: str = ""
    """`USER@VM`, as ssh takes it."""
    ssh_options: tuple[str, ...] = ()
    """Words given to ssh as they are: `-F`, `FILE`, `-p`, `2222`."""
    via: str = ""
    """Words that carry a command into a container: `docker exec -i X`."""
    sudo: bool = False
    remote_command: str = "inspector"
    """What starts inspector on the far side."""

    @property
    def here(self) -> bool:
        """True when the collector runs in this very installation."""
        return not self.host and not self.via

    def __str__(self) -> str:
        parts = [self.via and f"`{self.via}`", self.host]
        return " on ".join(part for part in parts if part) or "this machine"


def target_words(target: str, *, wait: bool = False) -> list[str]:
    """The collector's words for one target; `--target=` keeps a name that begins with a dash apart from options."""
    return ["--wait", f"--target={target}"] if wait else [f"--target={target}"]


def program_words(command: Sequence[str]) -> list[str]:
    """The collector's words for a program that it starts itself."""
    return ["--", *command]


def collector_command(words: Sequence[str], place: Transport | None = None) -> list[str]:
    """The command that runs `inspector collect WORDS` at a place; raises ValueError when the place makes no sense."""
    place = place or Transport()
    return far_command([*_elevated(_program(place), place), "collect", *words], place)


def far_command(words: Sequence[str], place: Transport) -> list[str]:
    """The command that runs words at a place; raises ValueError when the place makes no sense."""
    if place.host.startswith("-"):
        raise ValueError(f"--host {place.host}: a host name does not begin with a dash")
    inside = [*shlex.split(place.via), *words]
    if not place.host:
        return inside
    return [*_SSH, *place.ssh_options, "--", place.host, shlex.join(inside)]


def _program(place: Transport) -> list[str]:
    if place.here:
        return [sys.executable, str(MAIN)]
    return shlex.split(place.remote_command)


def _elevated(program: list[str], place: Transport) -> list[str]:
    return ["sudo", "-n", "--", *program] if place.sudo else program
