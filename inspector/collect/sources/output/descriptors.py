"""Where the output of each process goes and which devices it holds: its descriptors of interest."""

import os
import re
from fnmatch import translate
from typing import Literal

from inspector.stream.processes import Descriptor, DescriptorsRead
from inspector.stream.session import OPENS_UNTOLD, LimitNoted
from inspector.stream.text import decode

from ...kernel.records import Opened
from ..contract import Session, Tracked, TreeObserver
from ..poll_rate import Rounds
from . import open_files
from .open_files import OpenFile
from .peers import Peers

CHECK_SECONDS = 1.0
_READ_AGAIN_SECONDS = 4.0
"""After which a process is read again although the number of its descriptors is the same; later in large trees."""
_LEAST_GAP = 100_000_000
"""ns between two readings because of opens."""
_STANDARD = (0, 1, 2)
_MOST_LOGS = 64
_MOST_SOCKETS = 32
Kind = Literal["null", "file", "pipe", "socket", "tty", "device", "journal", "other", "closed"]

SPECIAL = (b"/dev/", b"/proc/", b"/sys/")
"""Where device files are, and files that stand for them."""


_RING = b"anon_inode:[io_uring]"
_MOST_RINGS = 16


class DescriptorSource(TreeObserver):
    """Reads descriptors at each exec and when their number changes; sends them only when they differ."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._peers = Peers(session.tree)
        self._devices = re.compile("|".join(map(translate, session.plan.devices)) or "(?!)")
        self._sent: dict[int, list[Descriptor]] = {}
        self._counts: dict[int, int] = {}
        self._read_at: dict[int, int] = {}
        self._counted = Rounds(session.tree.processes)
        self._read_again = Rounds(session.tree.processes)
        self._rings: set[int] = set()
        """Processes of which that was said."""
        self._too_short = False
        self._refused = False

    def start(self) -> None:
        """Read what is there and begin to follow the tree."""
        self._session.tree.watch(self)
        for process in self._session.tree.processes():
            self._read(process)
        self._session.loop.every(CHECK_SECONDS, self._check)
        self._session.loop.every(_READ_AGAIN_SECONDS, self._read_some)

    def executed(self, process: Tracked) -> None:
        """A new program: its descriptors are what its parent prepared and did not mark close-on-exec.

        Of one that is gone already nothing is claimed: between fork and exec the parent may have redirected them.
        """
        if not self._read(process) and not self._too_short and not self._refused:
            self._too_short = True
            why = f"PID {process.pid} ended before /proc/{process.pid}/fd could be read"
            self._note("the descriptors of processes that end at once", why, process.pid)

    def ended(self, process: Tracked) -> None:
        """What was sent of it stays true of its life."""
        self._sent.pop(process.pid, None)
        self._counts.pop(process.pid, None)
        self._read_at.pop(process.pid, None)

    def opened(self, record: Opened) -> None:
        """A process opened a device: look at once, but not more often than a device is opened in earnest."""
        if record.errno or not self._planned(record.path):
            return
        process = self._session.tree.find(record.pid)
        last = self._read_at.get(record.pid, 0)
        if process is not None and process.alive and record.at - last > _LEAST_GAP:
            self._read(process)

    def _check(self) -> None:
        """Once a second: only the number of descriptors."""
        for process in self._counted.next():
            try:
                now = open_files.count(process.pid)
            except OSError:
                continue
            if now != self._counts.get(process.pid):
                self._read(process)

    def _read_some(self) -> None:
        for process in self._read_again.next():
            self._read(process)

    def _read(self, process: Tracked) -> bool:
        """Read all and send what differs; False when it cannot be read (any more)."""
        pid = process.pid
        if not process.readable:
            return False
        try:
            self._read_at[pid] = self._session.loop.now()
            self._counts[pid] = open_files.count(pid)
            files = open_files.open_files(pid)
        except OSError as error:
            if isinstance(error, PermissionError) and not self._refused:
                self._refused = True
                self._note("where output goes, and which logs and devices are open", "permission denied", pid)
            return False
        self._look_for_rings(pid, files)
        found = self._of_interest(process, files)
        if found != self._sent.get(pid):
            self._sent[pid] = found
            self._session.sink.send(DescriptorsRead(at=self._session.loop.now(), pid=pid, descriptors=found))
        return True

    def _look_for_rings(self, pid: int, files: list[OpenFile]) -> None:
        """What a process puts into a ring the kernel does without a system call (io_uring(7))."""
        if len(self._rings) > _MOST_RINGS or pid in self._rings or not any(file.target == _RING for file in files):
            return
        self._rings.add(pid)
        if len(self._rings) <= _MOST_RINGS:
            self._note(OPENS_UNTOLD, "it has an io_uring: what the kernel does for it through there is not seen", pid)
        else:
            self._note(OPENS_UNTOLD, f"more than {_MOST_RINGS} processes have an io_uring", None)

    def _of_interest(self, process: Tracked, files: list[OpenFile]) -> list[Descriptor]:
        by_number = {file.fd: file for file in files}
        found = [
            self._describe(process, by_number[fd]) if fd in by_number else Descriptor(fd=fd, target="", kind="closed")
            for fd in _STANDARD
        ]
        others = [file for file in files if file.fd not in _STANDARD]
        devices = [file for file in others if self._planned(file.path)]
        logs = [file for file in others if is_log(file) and file not in devices]
        sockets = [file for file in others if file.socket]
        found += [self._describe(process, file) for file in (*devices, *logs[:_MOST_LOGS], *sockets[:_MOST_SOCKETS])]
        return found

    def _planned(self, path: bytes) -> bool:
        return path.startswith(SPECIAL) and self._devices.match(os.fsdecode(path)) is not None

    def _describe(self, process: Tracked, file: OpenFile) -> Descriptor:
        peer = self._peers.of(process.pid, file, self._session.loop.now())
        journal = peer == "journald" or is_journal(process, file)
        return Descriptor(
            fd=file.fd,
            target=decode(file.target),
            kind="journal" if journal else _kind(file),
            writable=file.writable,
            file=file.key,
            peer="journald" if journal else peer,
        )

    def _note(self, what: str, why: str, pid: int | None) -> None:
        grant = "" if os.geteuid() == 0 else "sudo inspector"
        self._session.sink.send(LimitNoted(at=self._session.loop.now(), what=what, why=why, grant=grant, pid=pid))


def is_log(file: OpenFile) -> bool:
    """A regular file that the process may write to."""
    return file.regular and file.writable and not file.target.startswith((*SPECIAL, b"/memfd:"))


def is_journal(process: Tracked, file: OpenFile) -> bool:
    """$JOURNAL_STREAM names the device and inode of the socket that systemd made for the output (systemd.exec(5))."""
    _, _, inode = process.raw_environment.get(b"JOURNAL_STREAM", b"").partition(b":")
    return file.socket and inode == b"%d" % file.inode


def _kind(file: OpenFile) -> Kind:
    if file.null:
        return "null"
    if file.terminal:
        return "tty"
    if file.pipe:
        return "pipe"
    if file.socket:
        return "socket"
    if file.regular:
        return "file"
    return "device" if file.device_file else "other"
