"""Ports that processes serve, services that they talk to."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspector.collect.sources.machine.net_tables import ESTABLISHED, LISTEN, local_sockets, parse_table
from inspector.collect.sources.machine.sockets import SocketSource
from inspector.stream.processes import SocketsRead

from .fakes import Bench

HEADER = b"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
SERVER = """
import socket, sys
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
client, _ = server.accept()
sys.stdin.read()
"""


@pytest.fixture
def server() -> Iterator[tuple[int, int]]:
    """pid and port of a process that serves and accepts one client."""
    process = subprocess.Popen([sys.executable, "-c", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    yield process.pid, int(process.stdout.readline())
    process.kill()
    process.communicate()


def test_a_served_port_and_the_client_that_talks_to_it(server: tuple[int, int]) -> None:
    pid, port = server
    bench = Bench()
    source = SocketSource(bench.session)
    source.start()
    bench.tree.add(pid)
    bench.loop.settle()
    assert [event.listening for event in bench.sink.of(SocketsRead)] == [[f"127.0.0.1:{port}"]]
    with socket.create_connection(("127.0.0.1", port)):
        bench.tree.add(os.getpid())
        peer = None
        for _ in range(100):  # until the server has accepted: before, nobody owns its end
            bench.loop.turn()
            mine = [event for event in bench.sink.of(SocketsRead) if event.pid == os.getpid() and event.connected]
            peer = mine[-1].connected[0] if mine else None
            if peer is not None and peer.pid is not None:
                break
            time.sleep(0.05)
        assert peer is not None
        assert (peer.address, peer.pid) == (f"127.0.0.1:{port}", pid)
        assert peer.argv.startswith(sys.executable)


def test_a_table_of_many_pages_is_read_whole() -> None:
    servers = [socket.create_server(("127.0.0.1", 0)) for _ in range(80)]  # a page holds 27 rows
    ports = {server.getsockname()[1] for server in servers}
    assert ports <= {row.local.port for row in local_sockets(os.getpid()) if row.state == LISTEN}
    for server in servers:
        server.close()


def test_sockets_are_sent_again_only_when_they_differ(server: tuple[int, int]) -> None:
    bench = Bench()
    bench.tree.add(server[0])
    SocketSource(bench.session).start()
    for _ in range(3):
        bench.loop.turn()
    assert len(bench.sink.of(SocketsRead)) == 1


def test_a_port_that_is_opened_later_is_told() -> None:
    bench = Bench()
    bench.tree.add(os.getpid())
    source = SocketSource(bench.session)
    source.start()
    with socket.create_server(("127.0.0.1", 0)) as late:
        address = f"127.0.0.1:{late.getsockname()[1]}"
        bench.loop.turn()
        assert address in bench.sink.of(SocketsRead)[-1].listening
    bench.loop.turn()
    assert address not in bench.sink.of(SocketsRead)[-1].listening


def test_the_kernels_table_is_read_for_both_families() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as four,
        socket.create_server(("::1", 0), family=socket.AF_INET6) as six,
    ):
        rows = {row.inode: row for row in local_sockets(os.getpid())}
        assert str(rows[os.fstat(four.fileno()).st_ino].local) == f"127.0.0.1:{four.getsockname()[1]}"
        assert str(rows[os.fstat(six.fileno()).st_ino].local) == f"[::1]:{six.getsockname()[1]}"


def test_only_listening_and_loopback_rows_are_read() -> None:
    rows = parse_table(
        HEADER
        + b"   0: 0100007F:2CAA 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 77 1 0 100 0\n"
        + b"   1: 0100007F:2CAA 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 78 1 0 100 0\n"
        + b"   2: 0A00000A:2CAA 0B00000A:C350 01 00000000:00000000 00:00000000 00000000     0        0 79 1 0 100 0\n"
        + b"   3: 0100007F:2CAA 0100007F:C351 06 00000000:00000000 00:00000000 00000000     0        0 0 1 0 100 0\n"
        + b"   4: 0000000000000000FFFF00000100007F:2CAA 0000000000000000FFFF00000100007F:C352 01 0:0 0:0 0 0 0 80 1\n"
    )
    assert [(str(row.local), str(row.remote), row.state, row.inode) for row in rows] == [
        ("127.0.0.1:11434", "0.0.0.0:0", LISTEN, 77),
        ("127.0.0.1:11434", "127.0.0.1:50000", ESTABLISHED, 78),
        ("127.0.0.1:11434", "127.0.0.1:50002", ESTABLISHED, 80),
    ]


@given(raw=st.lists(st.binary(max_size=40) | st.sampled_from([b" 0A ", b"7F:", b"0100007F:2CAA", b" "]), max_size=12))
@settings(max_examples=100)
def test_any_table_is_read_without_an_error(raw: list[bytes]) -> None:
    rows = parse_table(HEADER + b" ".join(raw) + b"\n" + b"\n".join(raw))
    assert all(row.state in (LISTEN, ESTABLISHED) for row in rows)
