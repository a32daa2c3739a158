"""What is said on stderr while a command without a screen watches."""

import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from inspector.commands.errors import say
from inspector.commands.options import Options

if TYPE_CHECKING:
    from inspector.report.observe import Watch

_WAITS = "inspector: waiting for "
"""How the collector says that its target is not there yet."""


def progress(options: Options) -> "Callable[[Watch], None]":
    """A line on stderr while it watches, when somebody sits there."""
    waits = telling_of_waits()
    if not sys.stderr.isatty():
        return waits
    begun = time.monotonic()

    def tell(watch: "Watch") -> None:
        waits(watch)
        state, passed = watch.observed.state, time.monotonic() - (watch.since or begun)
        limit = f" of {options.seconds:g}" if options.seconds else ""
        what = f"{len(state.processes)} processes, {len(state.timeline)} events" if watch.since else "beginning"
        over = watch.stream.ending is not None
        sys.stderr.write("\r\x1b[K" + ("" if over else f"watching: {passed:.0f}{limit} s, {what}; Ctrl-C stops"))
        sys.stderr.flush()

    return tell


def telling_of_waits() -> "Callable[[Watch], None]":
    """Words on stderr when the collector waits for the target or is stuck, and when it goes on again."""
    told = ""
    said: set[str] = set()

    def tell(watch: "Watch") -> None:
        nonlocal told
        for line in watch.stream.talk:
            if line.startswith(_WAITS) and line not in said:
                said.add(line)
                say(line.removeprefix("inspector: "))
        doing = watch.observed.state.collector_waits
        if doing != told:
            say(f"the collector is stuck, waiting for {doing}" if doing else "the collector is running again")
            told = doing

    return tell


def while_recording(options: Options) -> "Callable[[Watch], None]":
    """As `progress`; a recording that cannot go on ends the watching in order."""
    tell = progress(options)

    def look(watch: "Watch") -> None:
        tell(watch)
        watch.interrupted |= bool(watch.stream.recording_trouble)

    return look
