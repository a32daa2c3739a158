"""Runs the real command line as a user does, in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

from inspector.stream.transport import MAIN

COMMAND = [sys.executable, str(MAIN)]


def inspector(
    *words: str, stdin: bytes = b"", folder: Path | None = None, environment: dict[str, str] | None = None
) -> "subprocess.CompletedProcess[bytes]":
    """The finished command with its output; without a terminal."""
    return subprocess.run(
        [*COMMAND, *words],
        input=stdin,
        capture_output=True,
        timeout=120,
        cwd=folder,
        env={**os.environ, **(environment or {})},
    )


def said(done: "subprocess.CompletedProcess[bytes]") -> str:
    """What it said to the person."""
    return done.stderr.decode()
