"""What systemd itself says of a unit: `systemctl show`, where systemd runs and answers in time."""

import os
import shutil
import subprocess
import time

import msgspec

from .syntax import assignment, split_words

_SECONDS = 1.0
_PROPERTIES = "Environment,MainPID,NeedDaemonReload,ActiveEnterTimestampMonotonic,LoadState"
_BOOTED = "/run/systemd/system"
"""Exists exactly where systemd runs as init (sd_booted(3))."""


class InForce(msgspec.Struct, frozen=True):
    """A unit as the running systemd has it."""

    environment: dict[str, str]
    main_pid: int = 0
    started: int = 0
    """Wall ns since when it is active, 0 unknown."""
    needs_reload: bool | None = None


def show_unit(unit: str, command: str = "systemctl", booted: str = _BOOTED) -> InForce | None:
    """None, quietly, where there is no systemd, it does not answer within a second, or it does not know the unit."""
    program = shutil.which(command)
    if program is None or not os.path.isdir(booted):
        return None
    try:
        answer = subprocess.run(
            [program, "show", "--no-pager", "-p", _PROPERTIES, "--", unit],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "LC_ALL": "C"},
            timeout=_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return parse_show(answer.stdout.decode("utf-8", "backslashreplace"))


def parse_show(text: str) -> InForce | None:
    """The properties as `systemctl show` prints them, one a line; None when the unit is not loaded."""
    found = dict(line.partition("=")[::2] for line in text.split("\n") if "=" in line)
    if found.get("LoadState") != "loaded":
        return None
    active = _number(found.get("ActiveEnterTimestampMonotonic", ""))
    anchor = time.time_ns() - time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    reload = found.get("NeedDaemonReload")
    return InForce(
        environment=dict(filter(None, map(assignment, split_words(found.get("Environment", "")).words))),
        main_pid=_number(found.get("MainPID", "")),
        started=anchor + active * 1000 if active else 0,
        needs_reload=None if reload is None else reload == "yes",
    )


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() else 0
