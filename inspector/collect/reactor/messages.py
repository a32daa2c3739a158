"""What the collector and the two processes of its reactor say to each other: a message a packet, descriptors beside it.

See unix(7).
"""

import array
import os
import socket
from collections.abc import Sequence

import msgspec

from ..elf.exits import Exits
from ..elf.sites import Site

_LARGEST = 1 << 18
_MOST_DESCRIPTORS = 253
"""SCM_MAX_FD of the kernel."""
_ROOM = 8 << 20
"""Bytes that may wait to be read, where the kernel grants so many (net.core.wmem_max)."""


class Wait(msgspec.Struct, frozen=True, tag="wait"):
    """React to processes of these names wherever they begin a program; `*` is every program."""

    names: list[str]
    program: bytes = b""
    """How it may be called: what lies beside it is probed now."""


class Observe(msgspec.Struct, frozen=True, tag="observe"):
    """Processes of the tree are young, or look for a device: react to what they open for so long."""

    seconds: float


class Arm(msgspec.Struct, frozen=True, tag="arm"):
    """Set probes on the file behind the descriptor beside this, if it provides something of interest."""

    path: bytes
    """As its processes see it."""


class Sync(msgspec.Struct, frozen=True, tag="sync"):
    """Answer when all that was asked before is done."""

    number: int


class Synced(msgspec.Struct, frozen=True, tag="synced"):
    """All that was asked before this number is done."""

    number: int


class Foresee(msgspec.Struct, frozen=True, tag="foresee"):
    """Probe what this process will probably load: whoever reacts has no time for all of it."""

    pid: int


class Group(msgspec.Struct, frozen=True, array_like=True):
    """Functions of a file that share links; so many of the descriptors are its links."""

    number: int
    functions: list[int]
    links: int


class Armed(msgspec.Struct, frozen=True, tag="armed"):
    """A file is counted from now on. Descriptors: the file, the links of its groups, those of its exits."""

    at: int
    """ns of CLOCK_MONOTONIC, when all probes were on."""
    path: bytes
    """As whoever opened it, or the collector, sees it."""
    device: int
    inode: int
    first: int
    """Number of the first of its functions."""
    sites: list[Site]
    """The functions in order."""
    groups: list[Group]
    refused: dict[int, str]
    exits: dict[int, Exits]
    """Of the deciding functions; what follows the groups' links holds the probes there."""
    exits_at: int
    """When those were on."""


class Begun(msgspec.Struct, frozen=True, tag="begun"):
    """The reactor is at work."""

    first_reads: bool
    """It is told of each library before anything of it runs."""


class Unable(msgspec.Struct, frozen=True, tag="unable"):
    """What the reactor cannot do here, in words for a limit."""

    what: str
    why: str


NO_DESCRIPTOR = "the collector may open no more files; ulimit -n tells how many"

Order = Wait | Observe | Arm | Sync
Answer = Armed | Begun | Synced | Unable
Report = Foresee | Synced
"""What the process that reacts says to the one that has time."""

_encoder = msgspec.msgpack.Encoder()
_orders = msgspec.msgpack.Decoder(Order)
_answers = msgspec.msgpack.Decoder(Answer)
_reports = msgspec.msgpack.Decoder(Report)


def pair() -> tuple[socket.socket, socket.socket]:
    """Two ends of a connection that keeps packets apart."""
    ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for end in ends:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _ROOM)
    return ends


def send(
    end: socket.socket, message: Order | Answer | Report, descriptors: Sequence[int] = (), *, wait: bool = True
) -> None:
    """Send one message; OSError when the other side is gone, BlockingIOError when it is to wait for it and may not."""
    beside = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors[:_MOST_DESCRIPTORS]))]
    # not socket.send_fds: it ignores its flags
    end.sendmsg([_encoder.encode(message)], beside if descriptors else [], 0 if wait else socket.MSG_DONTWAIT)


def receive_order(end: socket.socket) -> tuple[Order, list[int]] | None:
    """The next order with its descriptors; None when the other side is gone."""
    raw, descriptors, _ = _receive(end)
    return (_orders.decode(raw), descriptors) if raw else None


def receive_report(end: socket.socket) -> Report | None:
    """The next report; None when the other side is gone."""
    raw, _, _ = _receive(end)
    return _reports.decode(raw) if raw else None


def receive_answer(end: socket.socket) -> tuple[Answer, list[int]] | None:
    """The next answer with its descriptors; None when the other side is gone, BlockingIOError when there is none."""
    raw, descriptors, cut = _receive(end)
    if not raw:
        return None
    answer = _answers.decode(raw)
    if cut and isinstance(answer, Armed):  # probes without a descriptor are gone
        for descriptor in descriptors:
            os.close(descriptor)
        return Unable(f"calls of {os.fsdecode(answer.path)}", NO_DESCRIPTOR), []
    return answer, descriptors


def _receive(end: socket.socket) -> tuple[bytes, list[int], bool]:
    """Raw bytes, descriptors, and whether some of these found no room (recvmsg(2), MSG_CTRUNC)."""
    raw, descriptors, flags, _ = socket.recv_fds(end, _LARGEST, _MOST_DESCRIPTORS, socket.MSG_CMSG_CLOEXEC)
    return raw, descriptors, bool(flags & socket.MSG_CTRUNC)
