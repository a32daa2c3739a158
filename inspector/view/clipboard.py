"""The clipboard of a terminal: OSC 52 is never answered, so we say what is known about where a copy went."""

import os
import subprocess
from collections.abc import Mapping

PATIENCE = 1.0
"""Seconds that tmux may take."""


def tmux_took(text: str, environment: Mapping[str, str] = os.environ) -> bool:
    """Give a copy to the tmux around us, which hands it on to its own terminal where it may; False without one.

    tmux passes OSC 52 of a program on only with `set-clipboard on`; its own buffer takes it always.
    """
    if not environment.get("TMUX"):
        return False
    return any(_loaded(["tmux", "load-buffer", *words, "-"], text) for words in (["-w"], []))


def _loaded(command: list[str], text: str) -> bool:
    try:
        done = subprocess.run(
            command, input=text.encode("utf-8", "replace"), capture_output=True, timeout=PATIENCE, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
