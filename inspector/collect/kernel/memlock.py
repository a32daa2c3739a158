"""The limit on locked memory (RLIMIT_MEMLOCK): before Linux 5.11 the kernel charges BPF maps and programs to it."""

import resource

_ENOUGH = 256 << 20
"""Bytes: more than all our maps take."""


def raise_limit() -> bool:
    """Lift the limit of this process as far as it may be; False when nothing changed.

    Nothing that is observed inherits it: the one program that we start was forked before.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    for wanted in ((resource.RLIM_INFINITY, resource.RLIM_INFINITY), (hard, hard)):
        try:
            resource.setrlimit(resource.RLIMIT_MEMLOCK, wanted)
        except (ValueError, OSError):
            continue
        return wanted != (soft, hard)
    return False


def is_tight() -> bool:
    """Whether what this process may lock is less than what our maps can take."""
    soft, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    return soft != resource.RLIM_INFINITY and soft < _ENOUGH
