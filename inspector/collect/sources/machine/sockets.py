"""TCP ports that the processes serve, and which services of this machine they talk to."""

from inspector.stream.processes import Peer, SocketsRead

from ...kernel import procfs
from ..contract import Session, Tracked, TreeObserver
from ..output import open_files
from ..poll_rate import Rounds
from ..processes.secrets import shown_arguments
from ..tolerant_reads import attempt
from .net_tables import ESTABLISHED, LISTEN, TcpSocket, local_sockets
from .socket_owners import SocketOwners

CHECK_SECONDS = 2.0
_MOST_PEERS = 32

_Table = list[TcpSocket]


class SocketSource(TreeObserver):
    """Reads sockets at attach, at each exec and when a process got or lost some; sends them only when they differ.

    The kernel's table is read in the worker thread: walking it takes milliseconds, however few sockets there are.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._owners = SocketOwners()
        self._sent: dict[int, SocketsRead] = {}
        self._counts: dict[int, int] = {}
        self._inodes: dict[int, set[int]] = {}
        self._due: set[int] = set()
        self._again: set[int] = set()
        """Read lately: once more, for a new socket listens or is connected a moment after it was made."""
        self._busy = False
        self._rounds = Rounds(session.tree.processes)

    def start(self) -> None:
        """Read what is there and begin to follow."""
        self._session.tree.watch(self)
        self._check()
        self._session.loop.every(CHECK_SECONDS, self._check)

    def executed(self, process: Tracked) -> None:
        """A program may inherit sockets; most have none."""
        if process.readable:
            self._notice(process.pid)
            self._read_due()

    def ended(self, process: Tracked) -> None:
        """What was sent stays true of its life."""
        for kept in (self._sent, self._counts, self._inodes):
            kept.pop(process.pid, None)

    def _check(self) -> None:
        self._due |= self._again
        self._again = set()
        for process in self._rounds.next():
            count = attempt(lambda process=process: open_files.count(process.pid), 0)  # type: ignore[misc]
            if count != self._counts.get(process.pid):
                self._counts[process.pid] = count
                self._notice(process.pid)
        self._read_due()

    def _notice(self, pid: int) -> None:
        inodes = self._owners.learn(pid)
        if inodes != self._inodes.get(pid, set()):
            self._inodes[pid] = inodes
            self._due.add(pid)
            self._again.add(pid)

    def _read_due(self) -> None:
        if self._busy or not self._due:
            return
        self._busy = True
        due, self._due = self._due, set()

        def read_tables() -> dict[int, _Table]:
            return _tables(due)

        def done(tables: dict[int, _Table]) -> None:
            self._busy = False
            for pid, table in tables.items():
                self._compare(pid, table)
            self._read_due()

        self._session.loop.in_background(read_tables, done)

    def _compare(self, pid: int, table: _Table) -> None:
        process = self._session.tree.find(pid)
        if process is None or not process.alive:
            return
        inodes = self._inodes.get(pid, set())
        listening = {str(row.local) for row in table if row.state == LISTEN and row.inode in inodes}
        event = SocketsRead(
            at=self._session.loop.now(),
            pid=pid,
            listening=sorted(listening),
            connected=self._services(table, inodes),
        )
        before = self._sent.get(pid)
        known = (before.listening, before.connected) if before is not None else ([], [])
        if (event.listening, event.connected) != known:
            self._sent[pid] = event
            self._session.sink.send(event)

    def _services(self, table: _Table, inodes: set[int]) -> list[Peer]:
        """Other ends that somebody serves: those of our own clients are left out."""
        served = {row.local.port: row for row in table if row.state == LISTEN}
        ends = {(row.local, row.remote): row for row in table if row.state == ESTABLISHED}
        found: dict[str, Peer] = {}
        for row in ends.values():
            service = served.get(row.remote.port)
            if row.inode not in inodes or service is None or not row.remote.loopback or len(found) >= _MOST_PEERS:
                continue
            accepted = ends.get((row.remote, row.local))
            now = self._session.loop.now()
            pid = self._owners.of(service.inode, now) or (self._owners.of(accepted.inode, now) if accepted else None)
            found[str(row.remote)] = Peer(address=str(row.remote), pid=pid, argv=command_line(pid))
        return [found[address] for address in sorted(found)]


def _tables(pids: set[int]) -> dict[int, _Table]:
    """The table that each process sees, each network namespace read once."""
    by_namespace: dict[int, _Table] = {}
    found: dict[int, _Table] = {}
    for pid in pids:
        namespace = attempt(lambda pid=pid: procfs.namespace(pid, "net"), 0)  # type: ignore[misc]
        if namespace not in by_namespace:
            by_namespace[namespace] = attempt(lambda pid=pid: local_sockets(pid), [])  # type: ignore[misc]
        found[pid] = by_namespace[namespace]
    return found


def command_line(pid: int | None) -> str:
    """The arguments of a process as one harmless text, secrets hidden."""
    return " ".join(shown_arguments(attempt(lambda: procfs.argv(pid), []))) if pid is not None else ""
