"""TCP ports that the processes serve, and which services of this machine they talk to."""

from inspector.stream.processes import Peer, SocketsRead

from ..kernel import procfs
from . import open_files
from .contract import Session, Tracked, TreeObserver
from .net_tables import ESTABLISHED, LISTEN, TcpSocket, local_sockets
from .program import attempt
from .secrets import shown_arguments
from .socket_owners import SocketOwners

CHECK_SECONDS = 2.0
_MOST_PEERS = 32

_Table = list[TcpSocket]


class SocketSource(TreeObserver):
    """Reads sockets at attach, at each exec and every two seconds; sends them only when they differ."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._owners = SocketOwners()
        self._sent: dict[int, SocketsRead] = {}
        self._read_of: dict[int, tuple[int, _Table]] = {}
        """What the last answer was made from: number of descriptors, table of the namespace."""

    def start(self) -> None:
        """Read what is there and begin to follow."""
        self._session.tree.watch(self)
        self._check()
        self._session.loop.every(CHECK_SECONDS, self._check)

    def executed(self, process: Tracked) -> None:
        """A program may inherit listening sockets."""
        self._read(process, self._table(process))

    def ended(self, process: Tracked) -> None:
        """What was sent stays true of its life."""
        self._sent.pop(process.pid, None)
        self._read_of.pop(process.pid, None)

    def _check(self) -> None:
        tables: dict[int, _Table] = {}
        for process in self._session.tree.processes():
            namespace = attempt(lambda process=process: procfs.namespace(process.pid, "net"), 0)  # type: ignore[misc]
            if namespace not in tables:
                tables[namespace] = self._table(process)
            basis = (attempt(lambda process=process: open_files.count(process.pid), 0), tables[namespace])  # type: ignore[misc]
            if basis != self._read_of.get(process.pid):
                self._read_of[process.pid] = basis
                self._read(process, tables[namespace])

    def _table(self, process: Tracked) -> _Table:
        return attempt(lambda: local_sockets(process.pid), [])

    def _read(self, process: Tracked, table: _Table) -> None:
        inodes = self._owners.learn(process.pid)
        listening = {str(row.local) for row in table if row.state == LISTEN and row.inode in inodes}
        event = SocketsRead(
            at=self._session.loop.now(),
            pid=process.pid,
            listening=sorted(listening),
            connected=self._services(table, inodes),
        )
        before = self._sent.get(process.pid)
        known = (before.listening, before.connected) if before is not None else ([], [])
        if (event.listening, event.connected) != known:
            self._sent[process.pid] = event
            self._session.outlet.send(event)

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


def command_line(pid: int | None) -> str:
    """The arguments of a process as one harmless text, secrets hidden."""
    return " ".join(shown_arguments(attempt(lambda: procfs.argv(pid), []))) if pid is not None else ""
