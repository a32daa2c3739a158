"""Requests on the collector's stdin: one JSON line each, the first one says what to look for."""

import os
import select
import time
from collections.abc import Callable

import msgspec

from inspector.stream.requests import AnyRequest, Configure, Plan, decode_request

from .loop import CollectorLoop

_BLOCK = 1 << 16
_LONGEST = 16 << 20
"""Bytes of one request; more than that without a line end is no request."""


class RequestReader:
    """Reads requests from a descriptor; its end means that nobody is there any more."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._pending = b""
        self._ended = False

    def configuration(self, seconds: float) -> Configure:
        """The first request, waited for; an empty plan when a person at a terminal, or nobody, sends one."""
        until = time.monotonic() + (0.0 if os.isatty(self._fd) else seconds)
        while b"\n" not in self._pending and not self._ended:
            ready, _, _ = select.select([self._fd], [], [], max(0.0, until - time.monotonic()))
            if not ready:
                break
            self._read()
        line, end, rest = self._pending.partition(b"\n")
        if end:
            try:
                request = decode_request(line)
            except (ValueError, msgspec.MsgspecError):
                return Configure(plan=Plan())
            if isinstance(request, Configure):
                self._pending = rest
                return request
        return Configure(plan=Plan())

    def open(
        self,
        loop: CollectorLoop,
        take: Callable[[AnyRequest], None],
        refuse: Callable[[str], None],
        ended: Callable[[], None],
    ) -> None:
        """Hand out requests from now on; `refuse` gets words about a line that is none, `ended` comes once."""

        def readable() -> None:
            self._read()
            self._hand_out(take, refuse)
            if self._ended:
                loop.forget(self._fd)
                ended()

        try:
            loop.on_readable(self._fd, readable)
        except (PermissionError, OSError):  # a plain file or /dev/null: always readable, never waited for
            while not self._ended:
                self._read()
            loop.soon(readable)
        else:
            loop.soon(lambda: self._hand_out(take, refuse))

    def _read(self) -> None:
        try:
            block = os.read(self._fd, _BLOCK)
        except BlockingIOError:
            return
        except OSError:
            block = b""
        self._ended = not block
        self._pending += block

    def _hand_out(self, take: Callable[[AnyRequest], None], refuse: Callable[[str], None]) -> None:
        *lines, self._pending = self._pending.split(b"\n")
        if len(self._pending) > _LONGEST:
            self._pending = b""
            refuse(f"a request of more than {_LONGEST >> 20} MiB without an end")
        for line in filter(bytes.strip, lines):
            try:
                request = decode_request(line)
            except (ValueError, msgspec.MsgspecError) as error:
                refuse(f"not a request of this version ({error})")
            else:
                take(request)
