"""What the collector may do is what it needs to look: all other privileges of root are given up before it looks.

It keeps reading and searching everywhere, other users' processes and ids, BPF, perf and tracing; it gives up writing
to others' files, changing owners, devices, modules, network, time, and signals but to what it started itself.
"""

import ctypes
import struct

from .filecaps import NAMES

_KEPT = frozenset(
    ("dac_read_search", "setuid", "setgid", "sys_ptrace", "sys_admin", "perfmon", "bpf", "checkpoint_restore", "syslog",
     "sys_resource", "sys_nice", "ipc_lock")
)  # fmt: skip
"""Reading what a process names as that process takes setuid and setgid; kernels before 5.8 want sys_admin for BPF."""
_TO_END_CHILDREN = "kill"
_PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 24, 38
"""linux/prctl.h."""
_CAPABILITY_VERSION_3 = 0x20080522


def give_up(*, started_a_command: bool) -> None:
    """Give up for this thread and all that come from it; to be called before there are others.

    From then on nothing that we execute gains a privilege (no_new_privs). Without root's there is little to give up.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    kept = _KEPT | {_TO_END_CHILDREN} if started_a_command else _KEPT
    mask = sum(1 << bit for bit, name in enumerate(NAMES) if name in kept)
    for bit in range(_last_capability() + 1):
        if not mask >> bit & 1:
            libc.prctl(_PR_CAPBSET_DROP, bit, 0, 0, 0)
    header, record = struct.pack("<Ii", _CAPABILITY_VERSION_3, 0), ctypes.create_string_buffer(24)
    if libc.capget(header, record) != 0:
        return
    words = struct.unpack("<6I", record.raw)
    low, high = mask & 0xFFFFFFFF, mask >> 32
    held = [word & part for word, part in zip(words, (low, low, low, high, high, high), strict=True)]
    libc.capset(header, struct.pack("<6I", *held))


def _last_capability() -> int:
    try:
        with open("/proc/sys/kernel/cap_last_cap", "rb") as file:
            return int(file.read())
    except (OSError, ValueError):
        return len(NAMES) - 1
