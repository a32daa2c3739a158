"""Telling the collector what was done, without waiting for it."""

import errno
import queue
import socket
import threading
import time

from ..kernel import uprobes
from ..kernel.real_time import real_time
from .messages import Answer, Unable, send

_FULL = (errno.EAGAIN, errno.ETOOMANYREFS)
"""The collector has to read first."""
_FULL_SECONDS = 0.01


class Telling:
    """One process's way to the collector; several may share a connection."""

    def __init__(self, end: socket.socket, priority: int) -> None:
        """`priority`: of SCHED_FIFO, that of all threads of the process; 0 for none."""
        self._end, self._priority = end, priority
        self._answers: queue.SimpleQueue[tuple[socket.socket, Answer, list[int]]] = queue.SimpleQueue()
        self._said: set[type[Exception]] = set()

    def start(self) -> None:
        """Begin to tell what had to wait."""
        threading.Thread(target=self._tell, daemon=True, name="tell").start()

    def armed(self, answer: Answer, descriptors: list[int]) -> None:
        """Told by the thread that set the probes: another one would be in its way when the next library comes."""
        try:
            send(self._end, answer, descriptors, wait=False)
        except OSError as error:
            if error.errno in _FULL:
                self._answers.put((self._end, answer, descriptors))
        else:
            _give(descriptors)

    def say(self, answer: Answer, end: socket.socket | None = None) -> None:
        """Tell this, or tell it somebody else, after all that waits."""
        self._answers.put((end or self._end, answer, []))

    def failed(self, error: Exception) -> None:
        """A fault of ours, which costs one file only: said once for each kind."""
        if type(error) not in self._said:
            self._said.add(type(error))
            self.say(Unable("first calls of one file", f"{type(error).__name__}: {error}"))

    def _tell(self) -> None:
        """A thread of its own for what the collector is slow to read."""
        if self._priority:
            real_time(self._priority)
        while True:
            end, answer, descriptors = self._answers.get()
            while not _sent(end, answer, descriptors):
                time.sleep(_FULL_SECONDS)
            _give(descriptors)


def _sent(end: socket.socket, answer: Answer, descriptors: list[int]) -> bool:
    """Also when the other side is gone: then this process ends."""
    try:
        send(end, answer, descriptors)
    except OSError as error:
        return error.errno not in _FULL
    return True


def _give(descriptors: list[int]) -> None:
    for descriptor in descriptors:
        uprobes.give(descriptor)
