"""The limit on locked memory (RLIMIT_MEMLOCK): before Linux 5.11 the kernel charges BPF maps and programs to it."""

import resource

_before: list[tuple[int, int]] = []
"""The limits that this process was started with, once they were raised."""


def raise_limit() -> bool:
    """Lift the limit of this process as far as it may be; False when nothing changed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    for wanted in (resource.RLIM_INFINITY, hard):
        if soft == wanted:
            break
        try:
            resource.setrlimit(resource.RLIMIT_MEMLOCK, (wanted, wanted))
        except (ValueError, OSError):
            continue
        _before.append((soft, hard))
        return True
    return False


def restore_limit() -> None:
    """In a child before it executes a program: what is observed must not differ from what is not."""
    if _before:
        resource.setrlimit(resource.RLIMIT_MEMLOCK, _before[0])
