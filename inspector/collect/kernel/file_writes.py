"""Files that are written to while probes sit on them: told by the kernel at the first byte (inotify(7))."""

import ctypes
import os
import select
import struct
import threading
from collections.abc import Callable

_MODIFIED = 0x2
"""IN_MODIFY: cut or written to; a rename over the path leaves the file as it is."""
_EVENT = struct.Struct("iIII")
_ROOM = 1 << 14


class FileWrites:
    """Calls back in a thread of its own, so that nothing that the loop does comes first."""

    def __init__(self, written: Callable[[int], None]) -> None:
        """`written` is told the number that `follow` gave, each once. OSError when a limit of the user is reached."""
        self._written = written
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._fd = self._checked(self._libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK))
        self._end = os.eventfd(0, os.EFD_CLOEXEC)
        self._thread = threading.Thread(target=self._listen, daemon=True, name="writes")
        self._thread.start()

    def follow(self, path: bytes) -> int:
        """Tell of the first write to the file that this leads to now; OSError when the kernel refuses."""
        return self._checked(self._libc.inotify_add_watch(self._fd, path, _MODIFIED))

    def close(self) -> None:
        """Tell no more."""
        os.eventfd_write(self._end, 1)
        self._thread.join()
        os.close(self._fd)
        os.close(self._end)

    def _listen(self) -> None:
        poll = select.poll()
        poll.register(self._fd, select.POLLIN)
        poll.register(self._end, select.POLLIN)
        while self._end not in (ready := dict(poll.poll())):
            if self._fd in ready:
                for number in _numbers(os.read(self._fd, _ROOM)):
                    self._libc.inotify_rm_watch(self._fd, number)
                    self._written(number)

    @staticmethod
    def _checked(answer: int) -> int:
        if answer < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        return answer


def _numbers(raw: bytes) -> list[int]:
    """Whose files were written to, each once, in order."""
    found, at = [], 0
    while at + _EVENT.size <= len(raw):
        number, mask, _, name = _EVENT.unpack_from(raw, at)
        at += _EVENT.size + name
        if mask & _MODIFIED:
            found.append(number)
    return list(dict.fromkeys(found))
