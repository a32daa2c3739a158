"""The numbered log sources of a session: each file, pipe and journal once, whatever number of ways lead to it."""

import os
import stat
import time

import msgspec
from msgspec import structs

from inspector.collect.access import mounts
from inspector.collect.access.opening import open_log
from inspector.stream.logs import LogFound
from inspector.stream.session import LimitNoted
from inspector.stream.text import decode

from ...kernel import procfs
from ...logs.file_checks import SAMPLE, Identity, born, identity, looks_binary, refusal
from ...logs.journal import Journal, JournalRefusedError
from ...logs.line_rate_limit import LineLimiter
from ...logs.reader import Reader
from ...logs.tail import FileTail
from ..contract import Session, Tracked
from ..path_watch import POLL_SECONDS, PathWatch
from ..poll_rate import Ticker
from .captured_output import CapturedOutputFeed
from .followed_log import Feed, FileFeed, JournalFeed
from .log_paths import OUTPUT_NAMES, LogPath
from .open_files import OpenFile
from .output_kinds import BEGINNING, NOWHERE, UNREAD, output_kind, own_files, written_by_parent

MOST_FILES = 64
"""Files followed at once; half of them is kept free for those that a person, a profile or an output names."""
_MOST_UNREAD = 200
"""Pipes and terminals that are listed."""
_MOST_PIDS = 32
_SLACK = 20_000_000
"""ns by which file times lie behind the clock: they are as coarse as a timer tick."""
_OWN_FRESH = 1_000_000_000
"""ns for which a file of our own is believed to be one."""
_BINARY = "binary data, not followed (--log follows it anyway)"


class _Log(msgspec.Struct):
    """One source as it was last told."""

    found: LogFound
    place: LogPath | None = None
    feed: Feed | None = None
    tail: FileTail | None = None
    joined: list[int] = msgspec.field(default_factory=list)
    """Processes that are not told yet."""


class LogCatalog:
    """Takes places in, opens what can be read, tells each source once and again when something about it changes."""

    def __init__(self, session: Session, watch: PathWatch, chooser: LineLimiter, journalctl: str) -> None:
        self._session = session
        self._watch = watch
        self._limiter = chooser
        self._journalctl = journalctl
        self._begun: int | None = None
        """Wall time from which on files are new; None while we look for those that are there already."""
        self._logs: dict[int, _Log] = {}
        self._by_file: dict[Identity, int] = {}
        self._by_name: dict[bytes, int] = {}
        """Files that cannot be looked at (yet), by the path that was asked for."""
        self._by_end: dict[tuple[str, int], int] = {}
        """Pipes, terminals and journal sockets by kind and inode."""
        self._by_descriptor: dict[tuple[int, int], int] = {}
        """Outputs that cannot be read, by pid and descriptor."""
        self._ticker = Ticker(session.loop, POLL_SECONDS, self._wake_restless)
        self._own: set[Identity] = set()
        self._own_read = -_OWN_FRESH
        self._units: set[str] = set()
        self._noted: set[str] = set()

    # -- taking in -------------------------------------------------------------------------------------------------

    def file(self, place: LogPath, pid: int = 0) -> None:
        """Take a file in; one that is known only gets the process added."""
        try:
            status = mounts.aside(place.opens, lambda: os.stat(place.opens))
        except OSError as error:
            if (by_name := _by_its_name(place, error)) is not None:
                self.file(by_name, pid)
            elif place.named:
                self._missing(place, refusal(place.opens, error))
            return
        if not stat.S_ISREG(status.st_mode):
            if place.named:
                self.note(f"the log {decode(place.name)}", "it is a directory or a device, not a file")
            return
        log = self._known(identity(status), place)
        if log is None and not self._is_own(identity(status)):
            log = self._enlist(place, status, pid)
        if log is None:
            return
        self._join(log, pid)
        if place.named and log.place is not None and not log.place.named:
            log.place = place  # found by its descriptor first, and now by a better reason
            log.found = structs.replace(log.found, why=f"{log.found.why}; {place.why}")
            self._send(log)
        if log.feed is None and (place.named or log.found.problem != _BINARY):
            self._begin(log, place)

    def output(self, process: Tracked, file: OpenFile, journal: bool) -> None:
        """Take stdout or stderr in that cannot be read by others: a pipe, a terminal, journald's socket, nothing."""
        kind = output_kind(file, journal)
        if kind is None:
            return
        number = self._by_end.get((kind, file.inode))
        if number is not None:
            self._by_descriptor[process.pid, file.fd] = number
            self._join(self._logs[number], process.pid)
            return
        if len(self._by_end) >= _MOST_UNREAD:
            return
        number = self._by_end[kind, file.inode] = self._by_descriptor[process.pid, file.fd] = len(self._logs) + 1
        found = LogFound(
            at=0,
            source=number,
            name=f"{OUTPUT_NAMES[file.fd]} of PID {process.pid}: {decode(file.target)}",
            kind=kind,
            why=f"fd {file.fd} of PID {process.pid}",
            pids=[process.pid],
            readable=False,
            problem=NOWHERE if file.null else UNREAD[kind],
        )
        self._logs[number] = _Log(found)
        self._tell(self._logs[number])

    def wrote(self, pid: int, fd: int, sample: bytes, *, known: bool) -> bool:
        """What a process wrote first to its stdout or stderr, as the kernel saw it; told where nobody else can.

        `known`: it was seen where its output goes. False when its lines are told otherwise, by the file they are in.
        """
        number = self._by_descriptor.get((pid, fd))
        if number is None and not known:
            sample = b"".join(line for line in sample.splitlines(keepends=True) if self._limiter.marks.holds(line))
            number = self._unseen() if sample else None
        log = self._logs.get(number) if number is not None else None
        if log is None or log.found.kind == "journal":
            return False
        if log.feed is None:
            log.feed = CapturedOutputFeed(self._session, log.found.source)
        if isinstance(log.feed, CapturedOutputFeed):
            log.feed.add(pid, fd, sample)
        return isinstance(log.feed, CapturedOutputFeed)

    def _unseen(self) -> int:
        """One source for all processes that ended before their descriptors could be read: a script's helpers mostly,
        so that only decisive lines of them are told.
        """
        if (number := self._by_end.get(("pipe", -1))) is not None:
            return number
        number = self._by_end["pipe", -1] = len(self._logs) + 1
        name = "output of processes that ended before their descriptors were read"
        found = LogFound(
            at=0, source=number, name=name, kind="pipe", why="seen in the kernel", readable=False, problem=BEGINNING
        )
        self._logs[number] = _Log(found)
        self._tell(self._logs[number])
        return number

    def gone(self, pid: int) -> None:
        """Its number may belong to another process from now on."""
        for fd in OUTPUT_NAMES:
            self._by_descriptor.pop((pid, fd), None)

    def journal(self, unit: str, pid: int) -> None:
        """Take the journal of a unit in."""
        if unit in self._units:
            return
        self._units.add(unit)
        try:
            journal = Journal(unit, self._journalctl, since=max(0, (self._first_start() or 0) - _SLACK))
        except (JournalRefusedError, OSError) as error:
            self.note(f"the journal of {unit}", str(error))
            return
        number = len(self._logs) + 1
        found = LogFound(
            at=0,
            source=number,
            name=f"journal of {unit}",
            kind="journal",
            why=f"PID {pid} belongs to {unit}",
            pids=[pid],
        )
        feed = JournalFeed(
            self._session, number, journal, self._limiter, lambda words: self._journal_ended(unit, words)
        )
        self._logs[number] = _Log(found, feed=feed)
        self._tell(self._logs[number])

    def begin(self) -> None:
        """All that was there at attach is taken in."""
        self._begun = time.time_ns() - _SLACK

    # -- while it runs ---------------------------------------------------------------------------------------------

    def feed(self, source: int) -> Feed | str:
        """What answers requests for a source, or why nothing does."""
        log = self._logs.get(source)
        if log is None:
            return f"there is no log {source}"
        return log.feed or f"{log.found.name} cannot be read: {log.found.problem}"

    def stop(self, request: int) -> None:
        """Nobody waits for the answer to this request any more."""
        for log in self._logs.values():
            if log.feed is not None:
                log.feed.stop(request)

    def wake(self) -> None:
        """See what is new in every file."""
        for log in self._logs.values():
            if isinstance(log.feed, FileFeed):
                log.feed.wake()
        if self._restless():
            self._ticker.wake()

    def _wake_restless(self) -> bool:
        for feed in self._restless():
            feed.wake()
        return bool(self._restless())

    def _restless(self) -> list[FileFeed]:
        """Files that just moved, and those of whose changes nobody tells."""
        return [
            log.feed
            for log in self._logs.values()
            if isinstance(log.feed, FileFeed) and (log.feed.moving or not self._is_followed(log))
        ]

    def _is_followed(self, log: _Log) -> bool:
        path = log.tail.path if log.tail is not None else None
        return path is not None and self._watch.follows(os.fsdecode(path))

    def refresh(self) -> None:
        """Tell who joined; try again what could not be opened: it may have appeared, or been given to us."""
        for log in list(self._logs.values()):
            if log.joined:
                joined, log.joined = log.joined, []
                self._tell(log, pids=[*log.found.pids, *joined])
            if log.feed is None and log.place is not None and log.found.problem != _BINARY:
                self._begin(log, log.place)

    def move(self, ended: Tracked, heir: Tracked | None) -> None:
        """A process ended through whose root files were found: go through another one of the same tree, if any."""
        before = os.fsencode(procfs.path_of(ended.pid, "root"))
        for log in self._logs.values():
            if log.tail is None or log.tail.path is None or not log.tail.path.startswith(before + b"/"):
                continue
            self._watch.forget(os.fsdecode(log.tail.path))
            after = os.fsencode(procfs.path_of(heir.pid, "root")) if heir is not None else None
            rest = log.tail.path[len(before) :]
            path = log.tail.path.beside(after + rest) if after is not None else None
            log.tail.move(path)
            self._listen(log)

    def close(self) -> None:
        """Send the last lines, end what we started."""
        self.refresh()
        for log in self._logs.values():
            if log.feed is not None:
                log.feed.close()

    def note(self, what: str, why: str, grant: str = "") -> None:
        """Say a limit, each once."""
        if what not in self._noted:
            self._noted.add(what)
            self._session.sink.send(LimitNoted(at=self._session.loop.now(), what=what, why=why, grant=grant))

    # -- inside ----------------------------------------------------------------------------------------------------

    def _known(self, who: Identity, place: LogPath) -> _Log | None:
        """The source that has this file, had it before a rotation, or will find it at its path."""
        number = self._by_file.get(who)
        if number is None:
            number = self._by_name.get(place.name)
            for candidate, log in self._logs.items():
                if log.tail is not None and (log.tail.has(who) or (place.path and log.tail.path == place.path)):
                    number = candidate
        if number is None:
            return None
        self._by_file[who] = number
        return self._logs[number]

    def _is_own(self, who: Identity) -> bool:
        """Whether we write it: output that we share with many processes is not looked up for each of them."""
        now = self._session.loop.now()
        if now - self._own_read > _OWN_FRESH or who not in self._own:
            self._own, self._own_read = own_files(), now
        return who in self._own

    def _enlist(self, place: LogPath, status: os.stat_result, pid: int) -> _Log | None:
        most = MOST_FILES if place.named else MOST_FILES // 2
        if sum(log.place is not None for log in self._logs.values()) >= most:
            self.note("further log files", f"{most} are followed already; name those that matter with --log")
            return None
        number = len(self._logs) + 1
        self._by_file[identity(status)] = number
        found = LogFound(
            at=0,
            source=number,
            name=self._session.captured.get(identity(status), decode(place.name)),
            kind="file",
            why=place.why,
            pids=[pid] if pid else [],
            size=status.st_size,
            file=procfs.stat_key(status),
            shared=written_by_parent(self._session.tree, pid, status),
        )
        self._logs[number] = _Log(found, place)
        return self._logs[number]

    def _missing(self, place: LogPath, why: str) -> None:
        """A file that was asked for by name and is not there, or closed to us."""
        if place.name in self._by_name:
            return
        number = self._by_name[place.name] = len(self._logs) + 1
        found = LogFound(
            at=0, source=number, name=decode(place.name), kind="file", why=place.why, readable=False, problem=why
        )
        self._logs[number] = _Log(found, place)
        self._tell(self._logs[number])

    def _begin(self, log: _Log, place: LogPath) -> None:
        """Open the file and follow it; tell why when that cannot be."""
        try:
            fd = open_log(place.opens)
        except OSError as error:
            if (by_name := _by_its_name(place, error)) is not None:
                self._begin(log, by_name)
                return
            self._tell(log, readable=False, problem=refusal(place.opens, error))
            return
        status = os.fstat(fd)
        if not place.named and looks_binary(os.pread(fd, SAMPLE, 0)):
            os.close(fd)
            self._tell(log, readable=False, problem=_BINARY)
            return
        birth = born(fd)
        is_new = self._begun is not None and birth is not None and birth >= self._begun
        backlog = 0 if is_new else status.st_size
        start = self._first_start()
        whole = birth is not None and start is not None and birth >= start - _SLACK
        self._by_file[identity(status)] = log.found.source
        log.place, log.tail = place, FileTail(fd, place.path, named=place.named)
        reader = Reader(log.tail, self._limiter, backlog, whole=whole)
        log.feed = FileFeed(self._session, log.found.source, log.found.name, reader)
        facts = {"size": status.st_size, "file": procfs.stat_key(status), "modified": status.st_mtime_ns}
        self._tell(log, readable=True, problem="", born=birth or 0, **facts)
        self._listen(log)
        log.feed.wake()

    def _first_start(self) -> int | None:
        """Wall time at which the oldest process under observation began; None where there is none."""
        started = min((process.started for process in self._session.tree.processes()), default=None)
        return time.time_ns() - (self._session.loop.now() - started) if started is not None else None

    def _listen(self, log: _Log) -> None:
        if log.tail is not None and log.tail.path is not None and log.feed is not None:
            self._watch.on_change(os.fsdecode(log.tail.path), lambda: self._changed(log))

    def _changed(self, log: _Log) -> None:
        if log.feed is not None:
            log.feed.wake()
            self._ticker.wake()

    def _join(self, log: _Log, pid: int) -> None:
        """One more process writes to it; told with others once a second."""
        known = [*log.found.pids, *log.joined]
        if pid and pid not in known and len(known) < _MOST_PIDS:
            log.joined.append(pid)

    def _tell(self, log: _Log, **changes: object) -> None:
        """Send a source if it is new or differs from what was sent."""
        found = structs.replace(log.found, **changes)
        if log.found.at and found == log.found:
            return
        log.found = found
        self._send(log)

    def _send(self, log: _Log) -> None:
        log.found = structs.replace(log.found, at=self._session.loop.now())
        self._session.sink.send(log.found)

    def _journal_ended(self, unit: str, words: str) -> None:
        self.note(
            f"the journal of {unit}", words, "" if os.geteuid() == 0 else "sudo usermod -aG systemd-journal $USER"
        )


def _by_its_name(place: LogPath, error: OSError) -> LogPath | None:
    """The same file by the name that it has, where whoever held it open is gone meanwhile."""
    gone = isinstance(error, FileNotFoundError | ProcessLookupError) and place.opens.held
    return structs.replace(place, opens=place.path) if gone and place.path is not None else None
