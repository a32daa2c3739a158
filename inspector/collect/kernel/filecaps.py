"""File capabilities: the xattr `security.capability` (capabilities(7), linux/capability.h)."""

import os
import struct

_ALL = (
    "chown dac_override dac_read_search fowner fsetid kill setgid setuid setpcap linux_immutable net_bind_service "
    "net_broadcast net_admin net_raw ipc_lock ipc_owner sys_module sys_rawio sys_chroot sys_ptrace sys_pacct sys_admin "
    "sys_boot sys_nice sys_resource sys_time sys_tty_config mknod lease audit_write audit_control setfcap mac_override "
    "mac_admin syslog wake_alarm block_suspend audit_read perfmon bpf checkpoint_restore"
)
NAMES = tuple(_ALL.split())
"""By bit number."""


def read(path: bytes | int) -> str:
    """Names of the permitted capabilities that a file gives, `cap_net_admin,cap_perfmon`; empty when it gives none."""
    try:
        return parse(os.getxattr(path, "security.capability"))
    except OSError:
        return ""


def parse(raw: bytes) -> str:
    """The names in a vfs_cap_data of any revision: magic, then pairs of permitted and inheritable words."""
    if len(raw) < 12:
        return ""
    permitted = struct.unpack_from("<I", raw, 4)[0]
    if len(raw) >= 20:
        permitted |= struct.unpack_from("<I", raw, 12)[0] << 32
    named = [NAMES[bit] if bit < len(NAMES) else str(bit) for bit in range(64) if permitted >> bit & 1]
    return ",".join(f"cap_{name}" for name in named)
