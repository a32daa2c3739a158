"""Another user of the machine has prepared everything that root's environment points to, and waits for our files."""

import os
import pwd
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from inspector.stream.transport import MAIN
from tests.access.conftest import STRANGER, needs_root

pytestmark = pytest.mark.longer

_CACHES = ("images", "no-interest", "nothing-of-interest", "remembered")
_PREY = f"""
import os, sys, time
place, end = sys.argv[1], time.monotonic() + float(sys.argv[2])
os.setgroups([]); os.setgid({STRANGER}); os.setuid({STRANGER})
print("up", flush=True)
got = []
while time.monotonic() < end:
    for name in os.listdir(place):
        if not name.startswith("inspector"):
            continue
        whole = os.path.join(place, name)
        try:
            got += [f"listed {{inner}}" for inner in os.listdir(whole)]
        except OSError:
            pass
        for act in (lambda: open(whole).read(1), lambda: os.rename(whole, whole + "-mine"), lambda: os.rmdir(whole)):
            try:
                act()
                got.append(f"reached {{name}}")
            except OSError:
                pass
print(got)
"""


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder like /tmp: everybody may write, nobody removes what is another's."""
    with tempfile.TemporaryDirectory(prefix="shared-") as name:
        Path(name).chmod(0o1777)
        yield Path(name)


def _given_away(folder: Path) -> None:
    for above, folders, files in os.walk(folder):
        for name in (*folders, *files):
            os.chown(Path(above) / name, STRANGER, STRANGER, follow_symlinks=False)
    os.chown(folder, STRANGER, STRANGER)


@needs_root
def test_what_a_stranger_prepared_as_cache_configuration_and_runtime_folder_is_neither_read_nor_written(
    shared: Path,
) -> None:
    prepared = shared / "theirs"
    for kind in ("cache", "config", "state", "runtime", "data"):
        folder = prepared / kind / "shim-inspector"
        (folder / "profiles").mkdir(parents=True)
        (folder / "profiles/x.toml").write_text('name = "planted"\n')
        for name in _CACHES:
            os.mkfifo(folder / name)  # who opens it waits for ever
    _given_away(prepared)
    environment = {**os.environ, "TMPDIR": str(shared)}
    environment |= {f"XDG_{kind.upper()}_HOME": f"{prepared}/{kind}" for kind in ("cache", "config", "state", "data")}
    environment |= {"XDG_RUNTIME_DIR": f"{prepared}/runtime"}
    environment.pop("SUDO_UID", None)
    words = [sys.executable, str(MAIN), "report", "--for", "20s", "--", "true"]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=120)
    assert f"belongs to uid {STRANGER}" in done.stderr, done.stderr
    for profile in prepared.rglob("x.toml"):
        profile.unlink()
    before = sorted(prepared.rglob("*"))
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=120)
    assert "Traceback" not in done.stderr
    assert done.returncode in (10, 11, 12), done.stderr
    assert sorted(prepared.rglob("*")) == before
    assert {path.lstat().st_uid for path in before} == {STRANGER}


@needs_root
def test_a_stranger_who_waits_in_tmp_for_our_files_gets_none(shared: Path) -> None:
    prey = subprocess.Popen([sys.executable, "-I", "-c", _PREY, str(shared), "8"], stdout=subprocess.PIPE, text=True)
    assert prey.stdout is not None
    assert prey.stdout.readline()
    environment = {**os.environ, "TMPDIR": str(shared)}
    words = [sys.executable, str(MAIN), "report", "--for", "5s", "--", "sh", "-c", "echo told; sleep 1"]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=120)
    told, _ = prey.communicate(timeout=60)
    assert "Traceback" not in done.stderr
    assert told.strip() == "[]"


@needs_root
def test_no_control_socket_that_a_stranger_laid_for_ssh_is_asked(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """ssh(1) asks a socket only where the user's own configuration names one; we never name any."""
    laid = []
    for name in (
        "cm-root@127.0.0.1:1",
        "ssh_mux_127.0.0.1_1_root",
        "ssh-inspector",
        "inspector-ssh",
        "master-root@127.0.0.1:1",
    ):
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(str(shared / name))
        listening.listen()
        listening.setblocking(False)
        laid.append(listening)
    _given_away(shared)
    home = shared / "home"
    home.mkdir()
    environment = {**os.environ, "TMPDIR": str(shared), "HOME": str(home)}
    words = [sys.executable, str(MAIN), "report", "1", "--host", "root@127.0.0.1", "--for", "1s"]
    subprocess.run(words, env=environment, capture_output=True, timeout=120)
    for listening in laid:
        with pytest.raises(BlockingIOError):
            listening.accept()
        listening.close()


@needs_root
def test_a_program_that_is_started_under_sudo_is_no_root_and_its_output_is_its_users(shared: Path) -> None:
    """Only what looks has rights: a stand-in for sudo(8) says who called it."""
    told, sudo = shared / "told", shared / "bin/sudo"
    sudo.parent.mkdir()
    nobody = pwd.getpwnam("nobody")
    sudo.write_text(f'#!/bin/sh\nshift 2\nexec env SUDO_UID={nobody.pw_uid} SUDO_GID={nobody.pw_gid} "$@"\n')
    sudo.chmod(0o755)
    told.touch()
    told.chmod(0o666)
    script = f'id -u >>{told}; id -G >>{told}; stat -L -c %u /proc/self/fd/2 >>{told}; echo "$USER" >>{told}'
    environment = {**os.environ, "PATH": f"{sudo.parent}:{os.environ['PATH']}", "TMPDIR": str(shared)}
    words = [sys.executable, str(MAIN), "report", "--sudo", "--for", "30s", "--", "sh", "-c", script]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=120)
    assert "Traceback" not in done.stderr
    uid, groups, owner, user = told.read_text().splitlines()
    assert (int(uid), int(owner), user) == (nobody.pw_uid, nobody.pw_uid, "nobody"), done.stderr
    assert "0" not in groups.split()
