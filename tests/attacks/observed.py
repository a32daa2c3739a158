"""A target under `inspector record`, and what the recording tells."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from inspector.stream.events import AnyEvent
from inspector.stream.recording import Recording
from inspector.stream.transport import MAIN

E = TypeVar("E")


class Observed:
    """A finished recording."""

    def __init__(self, path: Path, said: str) -> None:
        self.said = said
        self._recording = Recording(str(path))
        self.events: list[AnyEvent] = list(self._recording)

    def of(self, kind: type[E]) -> list[E]:
        """All events of one kind, in order."""
        return [event for event in self.events if isinstance(event, kind)]


def record(folder: Path, *words: str, program: Sequence[str] = (), seconds: int = 60) -> Observed:
    """What `inspector record` writes of a target, or of a program that it starts."""
    path = folder / "seen.jsonl"
    command = [sys.executable, str(MAIN), "record", *words, "-o", str(path), *(["--", *program] if program else [])]
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return Observed(path, done.stderr)
