"""The collector on another machine and in a container: a real sshd on loopback, and words that carry a command."""

import getpass
import io
import json
import os
import platform
import shlex
import shutil
import socket
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from inspector.commands import bootstrap as bootstrapping
from inspector.commands import carried
from inspector.commands.bootstrap import bootstrap, chosen
from inspector.commands.carried import FarPython, packed
from inspector.commands.errors import UserError
from inspector.stream.transport import Transport

from .run import COMMAND, inspector, said

SSHD = shutil.which("sshd", path=os.environ.get("PATH", "") + ":/usr/sbin")
REMOTE = f"--remote-command={shlex.join(COMMAND)}"
needs_sshd = pytest.mark.skipif(
    SSHD is None or os.geteuid() != 0, reason="no sshd here (apt-get install openssh-server), or not root"
)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """Options that lead to a real sshd of our own: its port, keys and configuration in a folder of the test."""
    assert SSHD
    folder, port = tmp_path_factory.mktemp("ssh"), free_port()
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
    (folder / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nAuthorizedKeysFile {folder}/user.pub\n"
        f"SetEnv XDG_CACHE_HOME={folder}/cache\n"
        f"PidFile {folder}/pid\nStrictModes no\nPermitRootLogin yes\nPasswordAuthentication no\nUsePAM no\n"
    )
    (folder / "config").write_text(
        f"Host far\n  HostName 127.0.0.1\n  Port {port}\n  User {getpass.getuser()}\n  IdentityFile {folder}/user\n"
        f"  StrictHostKeyChecking no\n  UserKnownHostsFile {folder}/known\n  LogLevel ERROR\n"
    )
    Path("/run/sshd").mkdir(exist_ok=True)  # sshd's own chroot folder; Debian makes it when the service starts
    server = subprocess.Popen([SSHD, "-D", "-e", "-f", folder / "sshd_config"], stderr=subprocess.PIPE)
    try:
        wait_for(port)
        yield ["--host", "far", "--ssh-option=-F", f"--ssh-option={folder / 'config'}", REMOTE]
    finally:
        server.terminate()
        server.wait(20)


def wait_for(port: int) -> None:
    for _ in range(200):
        with socket.socket() as one:
            if one.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError("sshd does not listen")


@needs_sshd
def test_a_program_over_there_is_traced_from_here(far: list[str]) -> None:
    done = inspector("trace", "--format", "json", *far, "--", "sh", "-c", "sleep 0.2; exit 3")
    texts = [json.loads(line)["text"] for line in done.stdout.splitlines()]
    assert any("sleep 0.2" in text for text in texts), said(done)
    assert any("ended with code 3" in text for text in texts)


@pytest.mark.longer
@needs_sshd
def test_a_recording_made_over_there_is_read_here(far: list[str], tmp_path: Path) -> None:
    path = tmp_path / "far.zst"
    done = inspector("record", *far, "-o", str(path), "--", "sleep", "0.2")
    assert done.returncode == 0, said(done)
    assert b"sleep 0.2" in inspector("trace", str(path)).stdout


@pytest.mark.longer
@needs_sshd
def test_the_machine_over_there_is_listed_and_examined(far: list[str]) -> None:
    listed = inspector("list", "--all", "--format", "json", *far)
    assert listed.returncode == 0, said(listed)
    rows = json.loads(listed.stdout)
    assert any("sshd" in row["argv"][0] for row in rows)
    assert json.loads(inspector("doctor", "--format", "json", *far).stdout)["kernel"] == os.uname().release


@needs_sshd
def test_a_far_side_without_inspector_is_said_with_the_remedy(far: list[str]) -> None:
    done = inspector("doctor", *far[:-1], "--remote-command=no-inspector-here")
    assert done.returncode == 2 and "not installed there" in said(done) and "pip install shim-inspector" in said(done)


@needs_sshd
@pytest.mark.parametrize("command", ["report", "trace", "list"])
def test_a_command_that_reaches_nobody_fails_and_gives_the_link_to_try(far: list[str], command: str) -> None:
    done = inspector(
        command, *far[:2], "--ssh-option=-oUser=nobody-of-that-name", *far[2:], *["1"][command == "list" :]
    )
    assert done.returncode == 2 and done.stdout == b""
    assert "no connection" in said(done) and "-- far true" in said(done)


@needs_sshd
@pytest.mark.longer
def test_the_collector_is_carried_to_a_machine_that_has_only_python(far: list[str]) -> None:
    words = [*far[:-1], "--bootstrap", "--", "sleep", "0.1"]
    first, again = (inspector("trace", *words) for _ in range(2))
    assert "executes sleep 0.1" in first.stdout.decode(), said(first)
    assert "executes sleep 0.1" in again.stdout.decode(), said(again)
    assert "carrying" not in said(again)


def other_pythons() -> list[Path]:
    """Interpreters of other versions than ours."""
    folder = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    ours = f"{sys.version_info.major}.{sys.version_info.minor}."
    found = {each.parts[-3].rpartition(".")[0]: each for each in sorted(folder.glob("3.*/bin/python3"))}
    return [found[each] for each in ("3.9", "3.10", "3.12", "3.13", "3.14") if each in found and each + "." != ours]


@needs_sshd
@pytest.mark.longer
@pytest.mark.parametrize("python", other_pythons(), ids=lambda path: path.parts[-3])
def test_it_is_carried_to_any_python_whatever_runs_here(far: list[str], python: Path, tmp_path: Path) -> None:
    (tmp_path / "python3").symlink_to(python)
    for name in ("sh", "tar", "gzip", "mkdir", "mv", "sleep"):
        (tmp_path / name).symlink_to(shutil.which(name) or name)
    done = inspector("trace", *far[:-1], f"--via=env PATH={tmp_path}", "--bootstrap", "--", "sleep", "0.1")
    if "could not be fetched" in said(done):
        pytest.skip("no network for pip here")
    if python.parts[-3].startswith("3.9."):
        assert done.returncode == 2 and "has Python 3.9 only; the collector needs one from 3.10 to 3.14" in said(done)
    else:
        assert "executes sleep 0.1" in done.stdout.decode(), said(done)


def a_python(minor: int, machine: str = "x86_64", libc: str = "glibc") -> FarPython:
    return FarPython(f"/usr/bin/python3.{minor}", (3, minor), machine, libc)


def test_the_python_that_is_like_ours_is_taken_before_the_newest() -> None:
    own = FarPython("/own", sys.version_info[:2], platform.machine(), "glibc")
    others = [a_python(minor, machine="riscv64") for minor in (9, 14)]
    if own.is_like_ours:
        assert chosen([*others, a_python(14, libc="musl"), own], Transport(host="far")) is own
    assert chosen([*others, a_python(10, libc="musl"), a_python(12, libc="musl")], Transport(host="far")).version == (
        3,
        12,
    )


@pytest.mark.parametrize(
    ("pythons", "words"),
    [
        ([], "far has no Python; the collector needs one from 3.10 to 3.14"),
        ([a_python(6), a_python(9)], "far has Python 3.6, 3.9 only; the collector needs one from 3.10 to 3.14"),
        ([a_python(9), a_python(12, "riscv64")], "far has the processor riscv64; the collector runs on"),
    ],
)
def test_a_machine_that_cannot_be_served_is_told_why(pythons: list[FarPython], words: str) -> None:
    with pytest.raises(UserError) as trouble:
        chosen(pythons, Transport(host="far"))
    assert words in str(trouble.value)


def test_a_link_that_stands_still_is_given_up_with_the_command_that_tries_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrapping, "_ANSWER_SECONDS", 0.3)
    with pytest.raises(UserError) as trouble:
        bootstrap(Transport(via="sh -c 'sleep 600; true' x"))
    assert "no answer in 0 s" in str(trouble.value)
    assert trouble.value.command == "sh -c 'sleep 600; true' x true"


def test_a_pip_that_stands_still_is_given_up_with_what_works_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(carried, "_FETCH_SECONDS", 0.01)
    with pytest.raises(UserError, match="over there needs could not be fetched here: not done") as trouble:
        packed(a_python(12 if sys.version_info.minor != 12 else 13))
    assert "inspector.pyz" in trouble.value.command


def test_one_file_serves_each_python_with_its_own_modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own, other = sys.version_info.minor, 14 if sys.version_info.minor != 14 else 13
    names = ["any/msgspec/__init__.py", f"glibc/msgspec/_core.cpython-3{own}-x86_64-linux-gnu.so", "any/textual/app.py",
             f"glibc/msgspec/_core.cpython-3{other}-x86_64-linux-gnu.so",
             f"musl/msgspec/_core.cpython-3{other}-x86_64-linux-musl.so", "any/msgspec/tests/x.py"]  # fmt: skip
    with zipfile.ZipFile(tmp_path / "one.pyz", "w") as archive:
        for name in names:
            archive.writestr(name, name)
    monkeypatch.setattr(sys, "argv", [str(tmp_path / "one.pyz")])
    with tarfile.open(fileobj=io.BytesIO(packed(a_python(other, platform.machine())))) as carried:
        held = [name for name in carried.getnames() if name.startswith(("msgspec", "textual"))]
    assert held == ["msgspec/__init__.py", f"msgspec/_core.cpython-3{other}-x86_64-linux-gnu.so"]


@pytest.mark.longer
def test_what_is_carried_holds_all_that_a_collector_imports(tmp_path: Path) -> None:
    own = FarPython(sys.executable, sys.version_info[:2], platform.machine(), "glibc")
    with tarfile.open(fileobj=io.BytesIO(packed(own))) as archive:
        archive.extractall(tmp_path, filter="data")
    alone = [sys.executable, "-I", "-S", "-c"]
    start = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import capstone; from inspector.cli import main; main()"
    )
    done = subprocess.run([*alone, start, "collect", "--run-output=/dev/null", "--", "true"], capture_output=True)
    assert b'"session-ended"' in done.stdout and done.stderr == b"", done.stderr
    assert b"No module named" not in done.stdout


@pytest.mark.longer
@needs_sshd
def test_a_lost_link_ends_the_trace_with_words(far: list[str]) -> None:
    tracing = subprocess.Popen(
        [*COMMAND, "trace", *far, "--", "sleep", "60"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert tracing.stdout is not None
    line = b""
    while b"executes" not in line:
        line = tracing.stdout.readline()
    ssh = next(pid for pid in children_of(tracing.pid) if command_of(pid).startswith(b"ssh"))
    os.kill(ssh, 9)
    _, words = tracing.communicate(timeout=60)
    assert b"the collector was killed by SIGKILL" in words or b"connection was lost" in words
    assert b"Traceback" not in words


def children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def command_of(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def test_a_host_that_does_not_answer_is_said_with_what_to_check() -> None:
    if shutil.which("ssh") is None:
        pytest.skip("no ssh here: apt-get install openssh-client")
    done = inspector("doctor", "--host", "127.0.0.1", "--ssh-option=-p", f"--ssh-option={free_port()}")
    assert done.returncode == 2
    assert "no connection" in said(done) and "Connection refused" in said(done) and "BatchMode" in said(done)


@pytest.mark.longer
def test_words_that_carry_a_command_lead_into_a_container() -> None:
    """`env -i` stands in for `docker exec -i X`: it runs the words behind it and keeps the pipes."""
    done = inspector("trace", "--via", f"env -i PATH={os.environ['PATH']}", REMOTE, "--", "true")
    assert "executes true" in done.stdout.decode(), said(done)


def test_a_carrier_that_is_not_there_is_said() -> None:
    done = inspector("list", "--via", "no-such-docker exec -i x")
    assert done.returncode == 2 and "no-such-docker cannot be started" in said(done)


@pytest.mark.longer
@needs_sshd
def test_a_broken_link_is_mended_and_the_gap_is_said(far: list[str]) -> None:
    target = subprocess.Popen(["sleep", "600"])
    tracing = subprocess.Popen(
        [*COMMAND, "record", *far, "-o", "-", str(target.pid)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        assert tracing.stdout is not None
        read_until(tracing.stdout, b'"process-exec"')
        for child in children_of(tracing.pid):
            os.kill(child, 9)
        assert b"reconnecting" in read_until(tracing.stdout, b'"limit-noted"')
        assert b"was not seen" in read_until(tracing.stdout, b"reconnected")
        read_until(tracing.stdout, b'"process-exec"')
    finally:
        target.kill()
        target.wait()
    rest, _ = tracing.communicate(timeout=60)
    assert b'"process-ended"' in rest and b'"session-ended"' in rest


def read_until(stream: IO[bytes], text: bytes) -> bytes:
    for line in stream:
        if text in line:
            return line
    raise AssertionError(f"{text!r} never came")
