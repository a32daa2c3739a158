"""Room for file descriptors: each probed file takes some."""

import contextlib
import fcntl
import os
import resource

_EXPECTED = 8192


def raise_limit() -> None:
    """Up to the hard limit: the usual soft limit is for select(2). What was forked before has its own limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def enlarge_table() -> None:
    """Have the kernel make its table for thousands of descriptors now. To be called while this process has one thread:
    later each doubling, from the 257th descriptor on, holds up all threads that open something for a grace period of
    RCU, 10 to 60 ms (expand_fdtable, fs/file.c)."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    null = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    with contextlib.suppress(OSError):
        os.close(fcntl.fcntl(null, fcntl.F_DUPFD_CLOEXEC, min(soft, _EXPECTED) - 1))
    os.close(null)
