"""The first and the last lines of every stream."""

import os
import time
from collections.abc import Mapping, Sequence

from inspector import __version__
from inspector.stream.base import Event
from inspector.stream.codec import encode
from inspector.stream.session import Capability, SessionEnded, SessionStarted, TargetMissing
from inspector.stream.text import decode

from .options import Options
from .sources.processes.secrets import shown_arguments
from .target import TargetError


def asked(options: Options) -> str:
    """What the user asked for, in their words; secrets of a command line are hidden."""
    return options.target or " ".join(shown_arguments([os.fsencode(word) for word in options.command]))


def started(target: str, capabilities: Sequence[Capability], names: Mapping[str, str] | None = None) -> SessionStarted:
    """Who looks at what, where, with which rights; anchors our clock to wall time."""
    system = os.uname()
    return SessionStarted(
        at=time.monotonic_ns(),
        wall=time.time_ns(),
        version=__version__,
        host=decode(os.fsencode(system.nodename)),
        kernel=system.release,
        machine=system.machine,
        uid=os.geteuid(),
        target=decode(os.fsencode(target)),
        collector=os.getpid(),
        capabilities=list(capabilities),
        names=dict(names or {}),
    )


def missing(error: TargetError) -> TargetMissing:
    """Why there is nothing to observe."""
    return TargetMissing(at=time.monotonic_ns(), why=error.why, kind=error.kind, help=error.help)


def ended(reason: str, ok: bool = True) -> SessionEnded:
    """Why the stream ends here."""
    return SessionEnded(at=time.monotonic_ns(), reason=reason, ok=ok)


def write_all(events: Sequence[Event]) -> None:
    """What is told at once, without a queue."""
    data = b"".join(map(encode, events))
    while data:
        data = data[os.write(1, data) :]
