"""Who is at the other end of a Unix socket, asked of the kernel (sock_diag(7), linux/unix_diag.h)."""

import socket
import struct

import msgspec

from inspector.stream.text import decode

_SOCK_DIAG = 4
"""NETLINK_SOCK_DIAG."""
_BY_FAMILY = 20
"""SOCK_DIAG_BY_FAMILY."""
_REQUEST = 1
"""NLM_F_REQUEST."""
_SHOW_NAME, _SHOW_PEER = 1, 4
_NAME, _PEER = 0, 2
"""Attributes UNIX_DIAG_NAME and UNIX_DIAG_PEER."""
_NO_COOKIE = 0xFFFFFFFF
_HEADER = struct.Struct("<IHHII")
"""struct nlmsghdr: length, type, flags, sequence, port."""
_QUESTION = struct.Struct("<BBHIIIII")
"""struct unix_diag_req: family, protocol, pad, states, inode, show, cookie."""
_ANSWER_SIZE = 16
"""struct unix_diag_msg."""


class UnixSocket(msgspec.Struct, frozen=True):
    """One Unix socket of our network namespace."""

    inode: int
    name: bytes = b""
    """Path it is bound to; abstract names begin with a NUL; empty when it has none."""
    peer: int = 0
    """Inode of the other end, 0 unknown."""


def look_up(inode: int) -> UnixSocket | None:
    """What the kernel tells of one socket; None for another family, another network namespace, or when it refuses."""
    question = _QUESTION.pack(
        socket.AF_UNIX, 0, 0, _NO_COOKIE, inode & _NO_COOKIE, _SHOW_NAME | _SHOW_PEER, _NO_COOKIE, _NO_COOKIE
    )
    header = _HEADER.pack(_HEADER.size + len(question), _BY_FAMILY, _REQUEST, 1, 0)
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _SOCK_DIAG) as kernel:
            kernel.settimeout(0.2)
            kernel.send(header + question)
            return parse_answer(kernel.recv(8192))
    except OSError:
        return None


def other_end(inode: int) -> UnixSocket | None:
    """The socket that this one is connected to, with the path that it was accepted at."""
    asked = look_up(inode)
    if asked is None or not asked.peer:
        return None
    return look_up(asked.peer) or UnixSocket(asked.peer)


def parse_answer(raw: bytes) -> UnixSocket | None:
    """One answer; None when it is an error or damaged."""
    if len(raw) < _HEADER.size + _ANSWER_SIZE:
        return None
    length, kind, _, _, _ = _HEADER.unpack_from(raw)
    if kind != _BY_FAMILY:
        return None
    family, inode = raw[_HEADER.size], struct.unpack_from("<I", raw, _HEADER.size + 4)[0]
    attributes = _attributes(raw[_HEADER.size + _ANSWER_SIZE : length])
    name, peer = attributes.get(_NAME, b""), attributes.get(_PEER, b"")
    return (
        UnixSocket(
            inode=inode,
            name=name[:1] + name[1:].rstrip(b"\0"),
            peer=struct.unpack("<I", peer)[0] if len(peer) == 4 else 0,
        )
        if family == socket.AF_UNIX
        else None
    )


def _attributes(raw: bytes) -> dict[int, bytes]:
    """Netlink attributes: length, type, payload, padded to four bytes (netlink(7))."""
    found: dict[int, bytes] = {}
    at = 0
    while at + 4 <= len(raw):
        length, kind = struct.unpack_from("<HH", raw, at)
        if length < 4:
            break
        found[kind] = raw[at + 4 : at + length]
        at += (length + 3) & ~3
    return found


def spelled(name: bytes) -> str:
    """A socket's name as people write it, harmless: abstract ones with an `@`."""
    return decode(b"@" + name[1:] if name.startswith(b"\0") else name)
