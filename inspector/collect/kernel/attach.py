"""Probes on many places of one file, also when the kernel refuses some of them."""

import contextlib
import errno
import mmap
import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec

from . import uprobes
from .real_time import real_time
from .uprobes import MultiLinks, ProbeSite, UprobeProgram

__all__ = ["AttachThreads", "Attached", "ProbeSite", "attach_all", "checked_by_kernel", "close_all"]

_ENOTSUPP = 524
"""Not in errno(3): the kernel's own number for an instruction that cannot be probed."""
_ABOUT_A_PLACE = (_ENOTSUPP, errno.EINVAL, errno.EOPNOTSUPP, errno.EIO, errno.EFAULT, errno.ENOSPC)


class Attached(msgspec.Struct):
    """Links that are on now, and the numbers of the places that the kernel refused, with its word."""

    links: list[int] = msgspec.field(default_factory=list)
    refused: dict[int, str] = msgspec.field(default_factory=dict)


class AttachThreads:
    """Threads that set probes side by side while forks of others are in the way.

    Each place takes `dup_mmap_sem` for itself, also within one link, and each time waits for forks that have begun
    meanwhile, which a busy machine may keep from going on for 10 to 100 ms. Side by side they wait once, together.
    """

    CONTENDED_NS = 1_000_000
    """So long one place takes at most when nobody is in the way."""
    _FIRST = (1, 6)
    """Places that are tried before the rest, to see how long they take."""

    def __init__(self, count: int, priority: int) -> None:
        """`priority`: of SCHED_FIFO; 0 for none."""
        self._count, self._jobs = count, queue.SimpleQueue[Callable[[], None]]()
        for _ in range(count):
            threading.Thread(target=self._run, args=(priority,), name="attach", daemon=True).start()

    def attach(self, attach: Callable[[list[int]], None], numbers: list[int]) -> None:
        """In a few links where nobody is in the way, else by all threads; OSError when one was refused."""
        done = 0
        for size in self._FIRST:
            begun = time.monotonic_ns()
            attach(numbers[done : done + size])
            done += size
            if time.monotonic_ns() - begun > self.CONTENDED_NS:
                self._side_by_side(attach, numbers[done:])
                return
        attach(numbers[done:])

    def _side_by_side(self, attach: Callable[[list[int]], None], numbers: list[int]) -> None:
        ended: queue.SimpleQueue[Exception | None] = queue.SimpleQueue()

        def job(some: list[int]) -> Callable[[], None]:
            return lambda: ended.put(_error_of(lambda: attach(some)))

        jobs = [job(some) for first in range(self._count) if (some := numbers[first :: self._count])]
        for each in jobs:
            self._jobs.put(each)
        for error in [ended.get() for _ in jobs]:
            if error is not None:
                raise error

    def _run(self, priority: int) -> None:
        if priority:
            real_time(priority)
        while True:
            self._jobs.get()()


def attach_all(
    program: UprobeProgram, path: bytes, places: Sequence[ProbeSite], threads: AttachThreads | None = None
) -> Attached:
    """Probe all places that can be probed, in as few links as possible; other refusals are raised as OSError.

    A link is all or nothing, so a refused one is halved; what is on stays on, because taking it off costs most.
    """
    attached = Attached()

    def attach(numbers: Sequence[int]) -> None:
        _attach(program, path, [(number, places[number]) for number in numbers], attached)

    try:
        if threads is not None and isinstance(program.means, MultiLinks):
            threads.attach(attach, list(range(len(places))))
        else:
            for portion in program.means.portions(places):
                attach(portion)
    except Exception:
        close_all(attached.links)
        raise
    return attached


def _attach(program: UprobeProgram, path: bytes, numbered: list[tuple[int, ProbeSite]], attached: Attached) -> None:
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


def _error_of(work: Callable[[], None]) -> Exception | None:
    """Whatever it is: who has handed out the work waits for a word of each."""
    try:
        work()
    except Exception as error:
        return error
    return None


def _words(error: OSError) -> str:
    if error.errno == errno.ENOSPC:
        return str(error.strerror)
    if error.errno == _ENOTSUPP:
        return "the kernel cannot run this instruction out of line"
    return f"the kernel refuses a probe there ({errno.errorcode.get(error.errno or 0, error.errno)})"
