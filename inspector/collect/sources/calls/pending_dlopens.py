"""dlopen calls that threads are in the middle of, with what happens meanwhile: files tried, words of the loader."""

import os
from collections.abc import Iterator

import msgspec

from inspector.stream.calls import TriedFile
from inspector.stream.text import decode

from ...kernel.records import Asked, Looked, Opened, Refused

_MOST_TRIED = 64
_MOST_THREADS = 4096


class Pending(msgspec.Struct):
    """One dlopen that has begun."""

    asked: Asked
    tried: list[TriedFile] = msgspec.field(default_factory=list)
    words: str = ""
    told: bool = False
    """It was told as unanswered, because it takes long."""


class PendingLoads:
    """dlopen calls under way, innermost last, by thread."""

    def __init__(self) -> None:
        self._threads: dict[int, list[Pending]] = {}

    def begin(self, record: Asked) -> None:
        """A dlopen begins."""
        if len(self._threads) > _MOST_THREADS:
            self._threads.pop(next(iter(self._threads)))
        self._threads.setdefault(record.tid, []).append(Pending(record))

    def opened(self, record: Opened) -> None:
        """A library file opened inside a dlopen was tried for it."""
        stack = self._threads.get(record.tid)
        if stack and b".so" in record.path and len(stack[-1].tried) < _MOST_TRIED:
            stack[-1].tried.append(TriedFile(path=decode(record.path), errno=record.errno))

    def refused(self, tid: int, words: str) -> bool:
        """Keep the loader's words for the dlopen that they are about; False when there is none."""
        stack = self._threads.get(tid)
        if stack:
            stack[-1].words = words
        return bool(stack)

    def is_inside(self, tid: int) -> bool:
        """Whether a thread is in a dlopen: then constructors may be running."""
        return bool(self._threads.get(tid))

    def end(self, record: Looked) -> Pending | None:
        """The dlopen that returns, if its beginning was told; those inside of it are over too."""
        stack = self._threads.get(record.tid, [])
        ended = None
        while stack and stack[-1].asked.at >= record.entered:
            ended = stack.pop()
        if not stack:
            self._threads.pop(record.tid, None)
        return ended

    def leave(self, pid: int) -> list[Pending]:
        """Those of a process that ends: nobody will see their answers."""
        tids = [tid for tid, stack in self._threads.items() if stack[0].asked.pid == pid]
        return [pending for tid in tids for pending in self._threads.pop(tid)]

    def forget(self, cookie: int) -> None:
        """Those of a file that is watched no more: nobody will see them return."""
        for tid, stack in list(self._threads.items()):
            stack[:] = [pending for pending in stack if pending.asked.cookie != cookie]
            if not stack:
                del self._threads[tid]

    def older_than(self, moment: int) -> Iterator[Pending]:
        """Those that began before a moment and were not told yet."""
        for stack in self._threads.values():
            yield from (pending for pending in stack if pending.asked.at < moment and not pending.told)


def loader_text(record: Refused) -> str:
    """What the loader says, with the meaning of its error number."""
    text = decode(record.text)
    return f"{text}: {os.strerror(record.errno)}" if record.errno else text


def loader_words(record: Refused) -> str:
    """What dlerror(3) would say, and ld.so at start-up after "error while loading shared libraries" (dlerror.c)."""
    where = decode(record.object)
    return f"{where}: {loader_text(record)}" if where else loader_text(record)
