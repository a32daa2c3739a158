"""Probes on many places of one file, also when the kernel refuses some of them."""

import contextlib
import errno
import mmap
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from . import uprobes
from .uprobes import Place, UprobeProgram

__all__ = ["Attached", "Place", "attach_all", "checked_by_kernel", "close_all"]

_ENOTSUPP = 524
"""Not in errno(3): the kernel's own number for an instruction that cannot be probed."""
_ABOUT_A_PLACE = (_ENOTSUPP, errno.EINVAL, errno.EOPNOTSUPP, errno.EIO, errno.EFAULT, errno.ENOSPC)


@dataclass(slots=True)
class Attached:
    """Links that are on now, and the numbers of the places that the kernel refused, with its word."""

    links: list[int] = field(default_factory=list)
    refused: dict[int, str] = field(default_factory=dict)


def attach_all(program: UprobeProgram, path: bytes, places: Sequence[Place]) -> Attached:
    """Probe all places that can be probed, in as few links as possible; other refusals are raised as OSError.

    A link is all or nothing, so a refused one is halved; what is on stays on, because taking it off costs most.
    """
    attached = Attached()
    for portion in program.means.portions(places):
        _attach(program, path, [(number, places[number]) for number in portion], attached)
    return attached


def _attach(program: UprobeProgram, path: bytes, numbered: list[tuple[int, Place]], attached: Attached) -> None:
    if not numbered:
        return
    try:
        attached.links.append(program.means.attach(program, path, [place for _, place in numbered]))
    except OSError as error:
        if error.errno not in _ABOUT_A_PLACE:
            raise
        if len(numbered) == 1:
            attached.refused[numbered[0][0]] = _words(error)
            return
        half = len(numbered) // 2
        _attach(program, path, numbered[:half], attached)
        _attach(program, path, numbered[half:], attached)


def close_all(fds: Iterable[int]) -> None:
    """Take links away, all at once: each waits for the kernel's readers to be done, and they wait together."""
    threads = [threading.Thread(target=uprobes.close, args=(fd,), name="close") for fd in fds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@contextlib.contextmanager
def checked_by_kernel(fd: int) -> Iterator[None]:
    """Have the kernel look at each instruction now, not when some process maps the file and nobody hears the refusal.

    It looks when it writes the breakpoint into a mapping, so this process maps the file meanwhile; nothing runs there.
    """
    try:
        mapped = mmap.mmap(fd, 0, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_EXEC)
    except (OSError, ValueError):
        yield
        return
    with mapped:
        yield


def _words(error: OSError) -> str:
    if error.errno == errno.ENOSPC:
        return str(error.strerror)
    if error.errno == _ENOTSUPP:
        return "the kernel cannot run this instruction out of line"
    return f"the kernel refuses a probe there ({errno.errorcode.get(error.errno or 0, error.errno)})"
