"""Root opens of another user's what that user could open: not more, whatever stands in a file's place."""

import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.collect.access import opening
from inspector.collect.access.opening import (
    LeasedError,
    NotRegularError,
    OpenPath,
    open_log,
    open_regular,
    read_regular,
)
from inspector.collect.access.reader import Reader, own, parse_status, reader_of, reading_as

from .conftest import LIBC, STRANGER, Stranger, needs_root

_EXCHANGE = 2
"""RENAME_EXCHANGE of renameat2(2)."""
_ROUNDS = 3_000


def _path(path: Path, pid: int) -> OpenPath:
    return OpenPath(os.fsencode(path), reader_of(pid))


def _content(path: OpenPath) -> bytes:
    try:
        return read_regular(path, 100)
    except OSError:
        return b""


@needs_root
def test_a_link_to_a_file_of_root_in_place_of_a_log_is_refused(home: Path, secret: Path, stranger: Stranger) -> None:
    log = home / "x.log"
    log.symlink_to(secret)
    for _ in range(20):
        with pytest.raises(PermissionError):
            open_regular(_path(log, stranger.pid))


@needs_root
def test_its_own_file_and_what_its_group_may_read_is_read(home: Path) -> None:
    mine, ours = home / "mine", home / "ours"
    mine.write_text("mine")
    ours.write_text("ours")
    os.chown(mine, STRANGER, 0)
    mine.chmod(0o400)
    os.chown(ours, 0, 64_777)
    ours.chmod(0o040)
    member = Stranger(64_777)
    try:
        assert _content(_path(mine, member.pid)) == b"mine"
        assert _content(_path(ours, member.pid)) == b"ours"
    finally:
        member.end()


@needs_root
def test_a_closed_folder_above_a_file_closes_the_file(home: Path, stranger: Stranger) -> None:
    closed = home.parent / "closed"
    closed.mkdir(0o700)
    (closed / "open").write_text("x")
    (closed / "open").chmod(0o644)
    assert _content(_path(closed / "open", stranger.pid)) == b""


@needs_root
def test_exchanging_folders_under_our_eyes_wins_nothing(home: Path, secret: Path, stranger: Stranger) -> None:
    (home / "logs").mkdir()
    (home / "logs/secret").write_text("harmless")
    (home / "trap").symlink_to(secret.parent)
    log = _path(home / "logs/secret", stranger.pid)
    over = threading.Event()

    def exchange() -> None:
        one, other = os.fsencode(home / "logs"), os.fsencode(home / "trap")
        while not over.is_set():
            LIBC.renameat2(-100, one, -100, other, _EXCHANGE)

    racer = threading.Thread(target=exchange)
    racer.start()
    try:
        found = {_content(log) for _ in range(_ROUNDS)}
    finally:
        over.set()
        racer.join()
    assert b"harmless" in found
    assert found <= {b"", b"harmless"}


@needs_root
def test_a_file_that_a_process_was_given_open_but_may_not_read_is_refused(home: Path, secret: Path) -> None:
    """It may write to it: that does not let it read."""
    with secret.open("ab") as file:
        writer = Stranger(keep=[file.fileno()])
        held = OpenPath(f"/proc/{writer.pid}/fd/{file.fileno()}".encode(), reader_of(writer.pid), held=True)
        with pytest.raises(PermissionError):
            open_regular(held)
        writer.end()


@needs_root
@pytest.mark.parametrize("name", ["/proc/1/environ", "/proc/self/environ", "/proc/kmsg", "/proc/self/fd/0"])
def test_links_into_proc_are_refused(home: Path, stranger: Stranger, name: str) -> None:
    log = home / "x.log"
    log.symlink_to(name)
    with pytest.raises(OSError):
        open_regular(_path(log, stranger.pid))


@needs_root
def test_what_the_kernel_makes_up_for_its_reader_is_no_file(home: Path, stranger: Stranger) -> None:
    log = home / "x.log"
    log.symlink_to("/proc/self/status")
    with pytest.raises(NotRegularError, match="a file of proc"):
        open_regular(_path(log, stranger.pid))


@needs_root
def test_an_absolute_link_stays_inside_a_foreign_root(home: Path, secret: Path) -> None:
    jail = home / "jail"
    (jail / secret.parent.relative_to("/")).mkdir(parents=True)
    (jail / secret.relative_to("/")).write_text("of the jail")
    (jail / "x.log").symlink_to(secret)
    (jail / "y.log").symlink_to("../" * 20 + str(secret)[1:])
    program = f"import os; os.chroot({str(jail)!r}); print(1, flush=True); input()"
    prisoner = subprocess.Popen([sys.executable, "-I", "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert prisoner.stdout is not None and prisoner.stdout.readline()
    try:
        for name in ("x.log", "y.log"):
            path = OpenPath(f"/proc/{prisoner.pid}/root/{name}".encode(), Reader(0, 0, (), overrides=True))
            assert read_regular(path, 100) == b"of the jail"
    finally:
        prisoner.communicate(b"\n")


@needs_root
def test_root_of_a_user_namespace_is_nobody_outside(home: Path, secret: Path) -> None:
    program = (
        "ctypes.CDLL(None).unshare(0x10000000);"
        f"open('/proc/self/uid_map', 'w').write('0 {STRANGER} 1'); assert os.getuid() == 0;"
    )
    who = Stranger(program=program)
    try:
        reader = reader_of(who.pid)
        assert (reader.uid, reader.overrides) == (STRANGER, False)
        assert _content(OpenPath(os.fsencode(secret), reader)) == b""
    finally:
        who.end()


@pytest.mark.parametrize("kind", ["fifo", "device", "directory", "socket"])
def test_what_is_no_regular_file_is_not_opened(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x"
    holder = socket.socket(socket.AF_UNIX)
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/null")
    elif kind == "directory":
        path.mkdir()
    else:
        holder.bind(str(path))
    with pytest.raises(NotRegularError, match="a directory" if kind == "directory" else "not a regular file"):
        open_regular(os.fsencode(path))
    holder.close()


def test_reading_a_file_does_not_change_its_access_time(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("line\n")
    os.utime(path, ns=(10**18, 2 * 10**18))
    assert read_regular(os.fsencode(path), 100) == b"line\n"
    assert path.stat().st_atime_ns == 10**18


@needs_root
def test_only_the_thread_that_opens_takes_other_ids_on_and_lays_them_down(stranger: Stranger) -> None:
    def ids() -> list[bytes]:
        told = Path("/proc/thread-self/status").read_bytes().splitlines()
        return [line for line in told if line.startswith((b"Uid:", b"Gid:", b"Groups:", b"Cap"))]

    before = ids()
    with reading_as(reader_of(stranger.pid)) as taken:
        assert taken
        assert ids()[0].split()[4] == str(STRANGER).encode()
    assert ids() == before


@needs_root
def test_a_thread_of_another_user_leaves_all_others_as_they_were(stranger: Stranger) -> None:
    seen: list[bytes] = []
    taken_on, looked = threading.Event(), threading.Event()

    def act() -> None:
        with reading_as(reader_of(stranger.pid)):
            taken_on.set()
            looked.wait(10)

    thread = threading.Thread(target=act)
    thread.start()
    assert taken_on.wait(10)
    seen.append(Path("/proc/thread-self/status").read_bytes())
    looked.set()
    thread.join()
    assert parse_status(seen[0], same_user_namespace=True) == own()


@needs_root
def test_without_the_right_to_take_ids_on_only_what_all_may_read_is_read(home: Path, secret: Path) -> None:
    """A collector with capabilities only: it holds CAP_DAC_READ_SEARCH and may not change its user."""
    secret.chmod(0o640)
    everybody = home.parent / "everybody"
    everybody.write_text("all")
    everybody.chmod(0o644)
    program = (
        "import os, sys\n"
        "from inspector.collect.access.opening import OpenPath, read_regular\n"
        "from inspector.collect.access.reader import Reader\n"
        "from inspector.collect.access import reader\n"
        "reader._SETGROUPS = None\n"
        "for path in sys.argv[1:]:\n"
        "    try: print(read_regular(OpenPath(os.fsencode(path), Reader(64123, 64123)), 9))\n"
        "    except OSError as error: print(error.strerror)\n"
    )
    said = subprocess.run(
        [sys.executable, "-c", program, str(secret), str(everybody)], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert said == ["only uid 64123 may read it, and we cannot act as that user", "b'all'"]


@given(st.binary())
def test_any_path_opens_or_says_why_not(raw: bytes) -> None:
    try:
        os.close(open_regular(OpenPath(b"/nowhere/" + raw, Reader(STRANGER, STRANGER))))
    except (OSError, ValueError):
        pass


def test_ids_are_read_from_the_status_of_a_process() -> None:
    raw = b"Name:\tx\nUid:\t1\t2\t3\t4\nGid:\t5\t6\t7\t8\nGroups:\t30 20 \nCapEff:\t0000000000000004\n"
    assert parse_status(raw, True) == Reader(4, 8, (20, 30), overrides=True)
    assert not parse_status(raw, False).overrides


@needs_root
def test_a_path_that_leads_upwards_is_opened_while_others_rename(tmp_path: Path) -> None:
    """The kernel then answers EAGAIN now and then (openat2(2))."""
    (tmp_path / "x.log").write_text("here")
    (tmp_path / "a").mkdir()
    moves = f"import os\nos.chdir({str(tmp_path)!r})\nprint(1, flush=True)\n"
    moves += "while True: os.rename('a', 'b'); os.rename('b', 'a')"
    mover = subprocess.Popen([sys.executable, "-c", moves], stdout=subprocess.PIPE)
    assert mover.stdout is not None and mover.stdout.readline()
    root = os.open(tmp_path, os.O_PATH | os.O_DIRECTORY)
    try:
        for _ in range(20_000):
            os.close(opening._openat2(root, b"../" * 20 + b"x.log", os.O_RDONLY, opening._RESOLVE_IN_ROOT))
    finally:
        mover.kill()
        mover.wait()
        os.close(root)


_HOLDS_A_LEASE = """
import fcntl, os, sys
file = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)
print("held", flush=True)
sys.stdin.read()
print(fcntl.fcntl(file, fcntl.F_GETLEASE) == fcntl.F_WRLCK, flush=True)
"""


def test_a_log_under_lease_is_not_opened_since_that_would_signal_its_holder(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", _HOLDS_A_LEASE, log], stdin=pipe, stdout=pipe, text=True) as program:
        assert program.stdin is not None
        assert program.stdout is not None
        assert program.stdout.readline() == "held\n"
        with pytest.raises(LeasedError, match=f"process {program.pid} holds a lease on it"):
            open_log(os.fsencode(log))
        program.stdin.close()
        assert program.stdout.read() == "True\n", "SIGIO would have ended it by now"
    assert program.returncode == 0
