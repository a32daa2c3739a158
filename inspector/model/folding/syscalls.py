"""System calls that the kernel refused, and folders that were listed."""

from errno import ENOENT

from inspector.model.formatting import errno_name
from inspector.model.state import State
from inspector.stream.syscalls import FolderListed, SystemCallRefused, SystemCallsSummed, SystemCallsWatched

from .timeline import keep, process_at, tell, touch

_MOST_CALLS = 20_000
_MOST_FOLDERS = 2_000
_SEARCHING = ("access", "faccessat", "faccessat2", "stat", "lstat", "newfstatat", "statx")
"""That they do not find a path is an answer, not a failure."""


def refused(state: State, event: SystemCallRefused) -> None:
    process = process_at(state, event.pid, event.at)
    keep(process.refused_calls, event, _MOST_CALLS)
    touch(state, "gpu")
    text = f"{call_words(event)}: {errno_name(event.errno)}"
    tell(state, event.at, event.pid, "syscall", text, bad=not (event.errno == ENOENT and event.call in _SEARCHING))


def call_words(event: SystemCallRefused) -> str:
    """`ioctl(/dev/nvidiactl, request=0xc0104652)`, `connect(unix:/run/x.sock)`, `mmap(length=4096), 12 times`."""
    words = [event.subject] if event.subject else []
    words += [f"{name}={_number(name, value)}" for name, value in event.arguments.items() if name != "fd" or not words]
    times = f", {event.count} times" if event.count > 1 else ""
    return f"{event.call}({', '.join(words)}){times}"


def _number(name: str, value: int) -> str:
    """Bits as hexadecimal digits, modes as octal ones, all else as a plain number."""
    if name in ("request", "flags", "prot"):
        return f"{value:#x}"
    return f"{value:#o}" if name == "mode" else str(value)


def summed(state: State, event: SystemCallsSummed) -> None:
    process_at(state, event.pid, event.at).summed_calls = event.sums


def folder_listed(state: State, event: FolderListed) -> None:
    process = process_at(state, event.pid, event.at)
    keep(process.folders, event, _MOST_FOLDERS)
    tell(state, event.at, event.pid, "open", f"lists {event.path}")


def watched(state: State, event: SystemCallsWatched) -> None:
    state.syscalls_watched.append(event)
    words = "recorded from here on" if event.on else "not recorded until something starts or loads"
    tell(state, event.at, 0, "note", f"file opens and failed system calls {words} ({event.means})")
