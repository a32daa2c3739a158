"""How a stream ended, in words for the user."""

import errno
import shlex
import signal
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from .session import SessionStarted


class Ending(Struct, frozen=True):
    """How a stream ended."""

    ok: bool
    """The collector sent SessionEnded: it ended in order."""
    words: str
    status: int | None = None
    """Exit status of the command, negative for a signal, None while unknown."""
    help: str = ""
    """What to do about it; may be empty."""


def without_farewell(command: Sequence[str], status: int, last: str, begun: bool) -> Ending:
    """How a collector ended that sent no SessionEnded, by its exit `status`; `last` is its last line of stderr."""
    said = f"; it said: {last}" if last else ""
    if status == 127 and "sudo" in last:
        return Ending(False, f"sudo is not installed there{said}", status, "log in there as root instead")
    if status == 127 or "No module named inspector" in last:
        return Ending(False, f"inspector is not installed there{said}", status, _INSTALL)
    if last.startswith("sudo: "):
        return Ending(False, f"sudo was refused there{said}", status, _SUDO)
    if Path(command[0]).name == "ssh" and status == 255:
        occasion = "the connection was lost" if begun else "no connection"
        by_hand = shlex.join([*command[:-1], "true"])
        return Ending(False, f"{occasion} (ssh ended with status 255{said})", status, by_hand)
    if f"[Errno {errno.EMFILE}]" in last:
        return Ending(False, "the collector may not open as many files as it needs: `ulimit -n` is too low", status,
                      f"ulimit -n {_FILES}")  # fmt: skip
    if status < 0:
        return Ending(False, f"the collector was killed by {_signal_name(-status)}{said}", status)
    return Ending(False, f"the collector ended with status {status} without saying why{said}", status)


def newer(event: SessionStarted, schema: int) -> str:
    """Why a stream of a newer schema cannot be read."""
    return (
        f"the collector (version {event.version}) speaks stream schema {event.schema}, this viewer reads up to "
        f"{schema}: update shim-inspector here"
    )


_FILES = 4096
"""Descriptors that are enough for a tree of some hundred processes."""
_INSTALL = "pip install shim-inspector on that machine, or name it with --remote-command, or carry it with --bootstrap"
_SUDO = "allow sudo without a password there (sudo -n), or log in as root"


def _signal_name(number: int) -> str:
    try:
        return f"{signal.Signals(number).name} ({number})"
    except ValueError:
        return f"signal {number}"
