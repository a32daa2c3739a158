"""Another user of the machine, who prepares what we are to open."""

import ctypes
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

STRANGER = 64_123
"""A uid that nothing on the machine belongs to."""
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody else")
LIBC = ctypes.CDLL(None, use_errno=True)


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder of the stranger's, which everybody may pass through."""
    above = Path(tempfile.mkdtemp(prefix="inspector-access-"))
    above.chmod(0o755)
    folder = above / "home"
    folder.mkdir()
    os.chown(folder, STRANGER, STRANGER)
    yield folder
    shutil.rmtree(above, ignore_errors=True)


@pytest.fixture
def secret(home: Path) -> Path:
    """A file that only root may read."""
    path = home.parent / "secret"
    path.write_text("what only root may read\n")
    path.chmod(0o600)
    return path


_BECOME = (
    "import ctypes, os, sys, threading, time;"
    "os.setgroups({groups}); os.setgid({uid}); os.setuid({uid}); ctypes.CDLL(None).prctl(4, 1);"
)
"""The interpreter may lie where another user cannot read it: it changes its user itself.

PR_SET_DUMPABLE (4) makes it an ordinary process of that user."""


class Stranger:
    """A process of another user that waits."""

    def __init__(self, *groups: int, program: str = "", keep: Sequence[int] = ()) -> None:
        """`program` runs as that user first; it keeps the descriptors `keep`."""
        words = _BECOME.format(uid=STRANGER, groups=list(groups)) + program + "print('up', flush=True); input()"
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-c", words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=keep
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline()

    @property
    def pid(self) -> int:
        return self.process.pid

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def stranger() -> Iterator[Stranger]:
    who = Stranger()
    yield who
    who.end()
