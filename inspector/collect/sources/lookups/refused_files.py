"""The ELF facts of files whose load was refused: they were mapped too briefly for anybody to look at them."""

import os
import stat

from inspector.stream.libraries import ImageRead
from inspector.stream.text import decode

from ...elf.image import read_image
from ...kernel import procfs
from ...kernel.records import Looked
from ...kernel.rootfs import Root, own_root
from ..contract import Session
from ..processes.feed import Feed
from ..tolerant_reads import attempt


class RefusedFiles:
    """Reads each file once that a dlopen named by its path and did not get."""

    def __init__(self, session: Session, feed: Feed) -> None:
        self._session = session
        self._known: set[str] = set()
        feed.listen(Looked, self._looked)

    def _looked(self, record: Looked) -> None:
        if record.via not in ("dlopen", "dlmopen") or record.answer or not record.name.startswith(b"/"):
            return
        root = self._root(record.pid)
        if root is None:
            return
        path = attempt(lambda: root.outside(root.resolve(record.name).real), b"")
        status = attempt(lambda: os.stat(path), None) if path else None
        if status is None or not stat.S_ISREG(status.st_mode) or procfs.stat_key(status) in self._known:
            return
        file = procfs.stat_key(status)
        self._known.add(file)
        self._session.loop.in_background(lambda: self._read(path, decode(record.name), file), self._session.sink.send)

    def _root(self, pid: int) -> Root | None:
        """The file tree of the process; of one that is gone ours, if it saw the same."""
        process = self._session.tree.find(pid)
        same = process is not None and process.program is not None and not process.program.own_root
        return attempt(lambda: Root(pid), own_root() if same else None)

    def _read(self, path: bytes, name: str, file: str) -> ImageRead:
        return read_image(path, name, file, self._session.loop.now(), self._session.plan, self._session.images)
