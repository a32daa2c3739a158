"""A mount name space of its own in which container runtimes keep their files: nothing of theirs stays here."""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

_SETUP = """
set -e
if [ "$(stat -fc %T /sys/fs/cgroup)" != cgroup2fs ]; then
    umount -R /sys/fs/cgroup 2>/dev/null || true
    mount -t cgroup2 none /sys/fs/cgroup
fi
mount -t tmpfs none /run
mount -t tmpfs none /var/lib
echo ready
exec sleep infinity
"""
"""Control groups of version 2 alone: runtimes refuse a machine that has both versions."""


class Apart:
    """Commands run in it see what the others in it started; FileNotFoundError or PermissionError where it cannot be."""

    def __init__(self) -> None:
        if shutil.which("unshare") is None or shutil.which("nsenter") is None:
            raise FileNotFoundError("no unshare and nsenter here: apt-get install util-linux")
        words = ["unshare", "--mount", "--propagation", "private", "sh", "-c", _SETUP]
        self._holder = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self._started: list[subprocess.Popen[bytes]] = []
        assert self._holder.stdout is not None and self._holder.stderr is not None
        if self._holder.stdout.readline() != b"ready\n":
            why = self._holder.stderr.read().decode().strip()
            self.close()
            raise PermissionError(f"no mounts of our own here: {why}")

    def words(self, command: Sequence[str | Path]) -> list[str]:
        """The command that runs another one in it."""
        return ["nsenter", f"--mount=/proc/{self._holder.pid}/ns/mnt", "--", *map(str, command)]

    def run(self, *command: str | Path) -> str:
        """What a command prints; RuntimeError with its words when it fails."""
        done = subprocess.run(self.words(command), capture_output=True, stdin=subprocess.DEVNULL, timeout=120)
        if done.returncode:
            raise RuntimeError(f"{' '.join(map(str, command))}: {done.stderr.decode().strip() or done.returncode}")
        return done.stdout.decode().strip()

    def start(self, *command: str | Path) -> None:
        """Start a server that is ended with the name space."""
        self._started.append(
            subprocess.Popen(self.words(command), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)
        )  # fmt: skip

    def close(self) -> None:
        """End what it holds."""
        for process in (*reversed(self._started), self._holder):
            process.terminate()
            process.wait(30)
        for pipe in (self._holder.stdout, self._holder.stderr):
            if pipe is not None:
                pipe.close()
