"""SCHED_FIFO for threads that have to run before the program that they react to (sched(7))."""

import contextlib
import errno
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_FIRST: Final = -20
"""The lowest niceness."""
_GROUPS: Final = Path("/sys/fs/cgroup")
_LEAST: Final = 1


def real_time(priority: int) -> str:
    """Make the calling thread SCHED_FIFO; why it cannot be, where the user has not the right, else nothing.

    Where it is refused (containers, a control group without real-time share) it goes before others as far as it may.
    """
    if number := _set(priority):
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _FIRST)
        return os.strerror(number).lower()
    return ""


@contextlib.contextmanager
def ordinary(priority: int) -> Iterator[None]:
    """Let the calling thread be as any other for what takes long; afterwards it has its real-time priority again."""
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_OTHER | os.SCHED_RESET_ON_FORK, os.sched_param(0))
    try:
        yield
    finally:
        real_time(priority)


def enter_root_group() -> None:
    """Put this process where SCHED_FIFO is to be had: some kernels (CONFIG_RT_GROUP_SCHED) have real-time share for the
    root control group alone (cgroup-v2.rst, "CPU"). It stays where it is if it may be real-time there, or nowhere.
    """
    root, before = _group()
    if before and _refused() == errno.EPERM and _move(root) and _refused():
        _move(root / before)


def why_refused() -> str:
    """Why no thread of ours can be SCHED_FIFO, tried in a child; nothing when one can."""
    if not _refused():
        return ""
    child = os.fork()
    if child == 0:
        enter_root_group()
        os._exit(_refused())
    number = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return os.strerror(number).lower() if number else ""


def _refused() -> int:
    """The error with which the kernel refuses it to a thread that is made for this; 0 when it grants it."""
    found: list[int] = []
    thread = threading.Thread(target=lambda: found.append(_set(_LEAST)))
    thread.start()
    thread.join()
    return found[0]


def _set(priority: int) -> int:
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(priority))
    except OSError as error:
        return error.errno or errno.EPERM
    return 0


def _group() -> tuple[Path, str]:
    """The tree of control groups that divides processors (cgroups(7)), and the group of this process below its root:
    empty where it is the root.
    """
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if not controllers or "cpu" in controllers.split(","):  # version 2 comes last
                return _GROUPS / controllers, path.strip("/")
    return _GROUPS, ""


def _move(group: Path) -> bool:
    try:
        (group / "cgroup.procs").write_text("0")
    except OSError:
        return False
    return True
