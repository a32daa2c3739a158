"""When and where to look for logs: at each exec, open of a file and change of a folder, and once a second."""

import os
import re
from collections.abc import Callable

from inspector.stream.base import Request
from inspector.stream.logs import WritesSeen
from inspector.stream.requests import AddLog, FindLine, ReadLog, StopSearch
from inspector.stream.session import RequestFailed

from ...kernel.records import Opened, Written
from ...kernel.rootfs import Root, own_root
from ...logs.line_rate_limit import LineLimiter
from ...logs.watched_lines import Marks
from ..contract import Session, Tracked, TreeObserver
from ..path_watch import PathWatch
from ..poll_rate import PROCESSES_AT_ONCE, Rounds
from ..tolerant_reads import attempt
from . import open_files
from .captured_output import first_lines
from .descriptors import SPECIAL, is_journal, is_log
from .log_catalog import LogCatalog
from .log_paths import OUTPUT_NAMES, LogPath, PlannedFiles, given, written
from .peers import journal_at_other_end

_LOG_NAME = re.compile(rb"log|trace|debug|diag|\.(?:txt|out|err)$", re.IGNORECASE)
"""Names of files that are worth following when they were open for a moment only."""
_MOST_OPENS = 10_000
CHECK_SECONDS = 1.0
_LATE_SECONDS = 0.5
"""After the end of a process, for what it wrote last."""


class LogSource(TreeObserver):
    """Finds logs by themselves, follows them and answers requests for their lines."""

    def __init__(
        self,
        session: Session,
        watch: PathWatch | None = None,
        journalctl: str = "journalctl",
        writes: Callable[[], list[Written]] = list,
    ) -> None:
        """`watch` may be shared with other sources; `writes` gives what the living wrote to stdout and stderr."""
        self._session = session
        self._watch = watch or PathWatch(session.loop, session.sink)
        self._marks = Marks(session.plan.log_marks)
        self._catalog = LogCatalog(session, self._watch, LineLimiter(self._marks), journalctl)
        self._planned: dict[tuple[int, bytes], PlannedFiles] = {}
        self._pids: set[int] = set()
        """Pids of the living and of who ended lately, as we number them and as they do."""
        self._counts: dict[int, int] = {}
        self._seen_opens: set[bytes] = set()
        self._rounds = Rounds(session.tree.processes)
        self._due = True
        self._writes = writes
        self._outputs_read: set[int] = set()
        """Processes whose descriptors were read: it is known where their output goes."""
        self._written: dict[tuple[int, int], int] = {}
        """How often each process had written to each descriptor when it was told last."""

    def start(self) -> None:
        """Find what there is and begin to follow it."""
        self._session.tree.watch(self)
        for pattern in self._marks.refused:
            self._catalog.note(
                f"log lines that match {pattern.partition(': ')[0]}", f"not a regular expression: {pattern}"
            )
        for path in self._session.configure.logs:
            self._add(path)
        for process in self._session.tree.processes():
            self.executed(process)
        self._look_for_planned()
        self._catalog.begin()
        self._session.loop.every(CHECK_SECONDS, self._look)

    def close(self) -> None:
        """Send the last lines, end what we started."""
        self._look_for_writes()
        self._catalog.close()
        self._watch.close()

    def handle(self, request: Request) -> bool:
        """Pages of lines and further logs."""
        if isinstance(request, AddLog):
            self._add(request.path)
            return True
        if isinstance(request, StopSearch):
            self._catalog.stop(request.search)
            return True
        if not isinstance(request, ReadLog | FindLine):
            return False
        feed = self._catalog.feed(request.source)
        if isinstance(feed, str):
            self._session.sink.send(RequestFailed(at=self._session.loop.now(), id=request.id, why=feed))
        else:
            feed.ask(request)
        return True

    # -- the tree --------------------------------------------------------------------------------------------------

    def born(self, process: Tracked) -> None:
        """Files may be named after its pid."""
        self._pids.add(process.pid)
        self._due = True

    def executed(self, process: Tracked) -> None:
        """A new program: where its output goes, which unit's journal has it, which file tree it sees."""
        program = process.program
        self._pids.add(process.pid)
        if program is not None:
            self._pids.add(program.pid_inside)
            if program.unit is not None:
                self._catalog.journal(program.unit, process.pid)
        root = process.root
        if root is not None and root.key not in self._planned:
            self._planned[root.key] = PlannedFiles(self._session.plan.log_files, root)
        self._due = True
        self._read(process)

    def ended(self, process: Tracked) -> None:
        """Files seen through its root need another process of the same file tree."""
        self._counts.pop(process.pid, None)
        self._session.loop.after(_LATE_SECONDS, lambda: self._forget(process.pid))
        heir = next((other for other in self._session.tree.processes() if _sees_the_same(other, process)), None)
        self._catalog.move(process, heir)
        for key, planned in list(self._planned.items()):
            if planned.root.pid == process.pid:
                del self._planned[key]
                root = attempt(lambda: Root(heir.pid), None) if heir is not None else None
                if root is not None:
                    self._planned[key] = PlannedFiles(self._session.plan.log_files, root)

    def forgotten(self, process: Tracked) -> None:
        """No file is named after it any more, but by who has its number next."""
        self._pids.discard(process.pid)
        if process.program is not None:
            self._pids.discard(process.program.pid_inside)

    def _forget(self, pid: int) -> None:
        """Its number may belong to another process from now on."""
        self._catalog.gone(pid)
        self._outputs_read.discard(pid)
        for fd in OUTPUT_NAMES:
            self._written.pop((pid, fd), None)

    def opened(self, record: Opened) -> None:
        """A process opened a file for writing: if it is named like a log, follow it however short the process lives."""
        if record.errno or record.flags & os.O_ACCMODE == os.O_RDONLY or record.path in self._seen_opens:
            return
        if not _LOG_NAME.search(os.path.basename(record.path)) or not record.path.startswith(b"/"):
            return
        if len(self._seen_opens) < _MOST_OPENS:
            self._seen_opens.add(record.path)
        root = self._root(record.pid)
        real = attempt(lambda: root.resolve(record.path).real, None) if root is not None else None
        if root is not None and real is not None and not real.startswith(SPECIAL):
            path = root.outside(real)
            pid = root.pid if root.foreign else 0
            why = f"opened for writing by PID {record.pid}"
            self._catalog.file(LogPath(record.path, path, path, why, pid, named=False), record.pid)

    def _root(self, pid: int) -> Root | None:
        """The file tree of a process; of one that is gone ours, if it saw the same."""
        process = self._session.tree.find(pid)
        same = process is not None and process.program is not None and not process.program.own_root
        return attempt(lambda: Root(pid), None) or (own_root() if same else None)

    def written(self, record: Written) -> None:
        """What a process wrote to its stdout or stderr so far: how much, and its first bytes."""
        if self._written.get((record.pid, record.fd)) == record.calls or self._session.tree.find(record.pid) is None:
            return  # while a program is waited for, each one that begins is listened to until it is known
        self._written[record.pid, record.fd] = record.calls
        told = self._catalog.wrote(record.pid, record.fd, record.sample, known=record.pid in self._outputs_read)
        self._session.sink.send(
            WritesSeen(
                at=self._session.loop.now(),
                pid=record.pid,
                fd=record.fd,
                writes=record.calls,
                bytes=record.size,
                failed=record.failed,
                sample=[] if told else first_lines(record.sample),
            )
        )

    # -- looking ---------------------------------------------------------------------------------------------------

    def _look(self) -> None:
        """Once a second: new bytes that nobody told of, changed folders, descriptors."""
        self._catalog.wake()
        self._look_for_writes()
        self._look_for_planned()
        self._catalog.refresh()
        for process in self._rounds.next():
            count = attempt(lambda process=process: open_files.count(process.pid), 0)  # type: ignore[misc]
            if count != self._counts.get(process.pid):
                self._read(process)

    def _look_for_writes(self) -> None:
        """Of a large tree the ends of its processes are enough, which tell by themselves."""
        if len(self._session.tree.processes()) <= PROCESSES_AT_ONCE:
            for record in self._writes():
                self.written(record)

    def _look_for_planned(self) -> None:
        due, self._due = self._due, False
        for planned in self._planned.values():
            for place in planned.find(self._pids) if due else planned.find_changed(self._pids):
                self._catalog.file(place)

    def _read(self, process: Tracked) -> None:
        """Files that it writes, and its standard output and error."""
        pid = process.pid
        if pid == os.getpid() or not process.readable:
            return
        self._counts[pid] = attempt(lambda: open_files.count(pid), 0)
        root = attempt(lambda: Root(pid), None)
        for file in attempt(lambda: open_files.open_files(pid), list[open_files.OpenFile]()):
            if is_log(file):
                self._catalog.file(written(process, file, root), pid)
                self._outputs_read.add(pid)
            elif file.fd in OUTPUT_NAMES:
                self._outputs_read.add(pid)
                journal = is_journal(process, file) or journal_at_other_end(file)
                self._catalog.output(process, file, journal)

    def _add(self, path: str) -> None:
        place: LogPath = given(path, [planned.root for planned in self._planned.values()])
        self._catalog.file(place)


def _sees_the_same(one: Tracked, other: Tracked) -> bool:
    if one.program is None or other.program is None or one.pid == other.pid:
        return False
    return (one.program.mount_namespace, one.program.root) == (other.program.mount_namespace, other.program.root)
