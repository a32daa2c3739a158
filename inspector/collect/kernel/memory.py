"""Reading the memory of a process without touching it: /proc/PID/mem, never a ptrace stop, never a write."""

import os
import struct
from types import TracebackType

from .procfs import path_of


class Memory:
    """A process's memory, bound to the program that it runs now: after an exec or its end every read fails.

    Needs the right to trace the process (PTRACE_MODE_ATTACH of ptrace(2)) but does not stop it. A read of a file page
    that was never loaded loads it: take the picture of pages never executed first.
    """

    def __init__(self, pid: int) -> None:
        """Raises PermissionError or FileNotFoundError/ProcessLookupError."""
        self.pid = pid
        self._fd = os.open(path_of(pid, "mem"), os.O_RDONLY | os.O_CLOEXEC)

    def read(self, address: int, size: int) -> bytes:
        """Exactly `size` bytes; OSError when any of them is not mapped or the program is gone."""
        try:
            found = os.pread(self._fd, size, address)
        except (OverflowError, ValueError):
            raise OSError(f"no address: {address:#x}") from None
        if len(found) != size:
            raise OSError(f"cannot read {size} bytes at {address:#x} of PID {self.pid}")
        return found

    def word(self, address: int) -> int:
        """One 64-bit little-endian word."""
        (value,) = struct.unpack("<Q", self.read(address, 8))
        return int(value)

    def text(self, address: int, limit: int = 4096) -> bytes:
        """A NUL-terminated string, cut at `limit`; it stops at the page where memory ends."""
        found = b""
        while len(found) < limit:
            here = address + len(found)
            size = min(limit - len(found), 256 - here % 256)
            piece, end, _ = self.read(here, size).partition(b"\0")
            found += piece
            if end:
                break
        return found

    def close(self) -> None:
        """Give the descriptor back; closing twice is harmless."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> "Memory":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
