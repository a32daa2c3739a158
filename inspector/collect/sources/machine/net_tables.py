"""The kernel's table of TCP sockets: /proc/PID/net/tcp and tcp6 (proc_pid_net(5), proc-net-tcp of the kernel)."""

import ipaddress
import struct
from functools import lru_cache

import msgspec

from ...kernel import procfs

LISTEN, ESTABLISHED = 0x0A, 0x01
"""States of net/tcp_states.h."""


_LISTENS = b" 0A "
_LOOPBACKS = (b"7F:", b"01000000:")
"""How addresses of 127.0.0.0/8 (also mapped into IPv6) and ::1 end, written as little-endian words."""


class Endpoint(msgspec.Struct, frozen=True):
    """An address and a port."""

    address: str
    port: int

    @property
    def loopback(self) -> bool:
        """It never leaves the machine."""
        return ipaddress.ip_address(self.address).is_loopback

    def __str__(self) -> str:
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


class TcpSocket(msgspec.Struct, frozen=True):
    """One row of the table."""

    local: Endpoint
    remote: Endpoint
    state: int
    inode: int


def local_sockets(pid: int) -> list[TcpSocket]:
    """Listening sockets and loopback connections of the network namespace of a process."""
    found = parse_table(procfs.read(pid, "net/tcp"))
    try:
        return found + parse_table(procfs.read(pid, "net/tcp6"))
    except OSError:
        return found  # a kernel without IPv6


def parse_table(raw: bytes) -> list[TcpSocket]:
    """Rows that listen or are connected to this machine itself; the thousands of others are passed over unread."""
    lines = (line for line in raw.splitlines()[1:] if _LISTENS in line or any(one in line for one in _LOOPBACKS))
    return [row for line in lines if (row := _parse_row(line)) is not None]


def _parse_row(line: bytes) -> TcpSocket | None:
    fields = line.split()
    try:
        state = int(fields[3], 16)
        if state not in (LISTEN, ESTABLISHED):
            return None
        return TcpSocket(_endpoint(fields[1]), _endpoint(fields[2]), state, int(fields[9]))
    except (IndexError, ValueError, struct.error):
        return None


@lru_cache(maxsize=4096)
def _endpoint(raw: bytes) -> Endpoint:
    """`0100007F:2CAA`: words of the address in the byte order of the machine, the port as a number."""
    address, _, port = raw.partition(b":")
    words = struct.unpack(f">{len(address) // 8}I", bytes.fromhex(address.decode("ascii")))
    packed = struct.pack(f"={len(words)}I", *words)
    if len(packed) not in (4, 16):
        raise ValueError(raw)
    found = ipaddress.ip_address(packed)
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return Endpoint(str(mapped or found), int(port, 16))
