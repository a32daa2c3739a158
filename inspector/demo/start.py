"""Start the process tree of a case, hold it until somebody looks, and end it again."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import msgspec

from .case import Case, Launch
from .case_directory import Stage
from .parts import GATE

_GATE = "gate"
_HOLD = "go"
_PATIENCE = 20.0
"""Seconds to wait for a sign in a log before the case counts as broken."""


class CaseError(Exception):
    """A case did not come to the point that it is meant to show; the message says what is missing."""


class _Tree(msgspec.Struct):
    """One process group that we started."""

    process: subprocess.Popen[bytes]
    gate: int
    log: Path


class StartedCase(msgspec.Struct):
    """A case whose processes exist; `release` lets them begin, `stop` ends them and removes the directory."""

    case: Case
    seed: int
    directory: Path
    launch: Launch
    sentence: str
    """What the first finding must say, with the names of this seed."""
    _trees: list[_Tree] = msgspec.field(default_factory=list)

    @property
    def pid(self) -> int:
        """The process to look at."""
        return self._trees[-1].process.pid

    @property
    def log(self) -> str:
        """What the tree has written so far."""
        return self._trees[-1].log.read_text(errors="replace")

    @property
    def told(self) -> bool:
        """Whether the tree has come to its point."""
        return (self.directory / _HOLD).exists() and self.launch.ready in self.log

    def release(self) -> None:
        """Let the program begin, now that it is under observation; it stops before it comes to the GPU."""
        os.write(self._trees[-1].gate, b"g")

    def go(self) -> None:
        """Let it go on to use the GPU; does nothing once it was stopped."""
        if self._trees:
            (self.directory / _HOLD).touch()

    def finish(self) -> None:
        """Wait until the story is told, then do what the case does to the running program; raises CaseError."""
        if self.launch.ready:
            self._await(self._trees[-1], self.launch.ready)
        if self.launch.then is not None:
            self.launch.then()

    def stop(self) -> None:
        """End every process that we started and remove the directory; may be called twice."""
        while self._trees:
            tree = self._trees.pop()
            _end(tree)
        shutil.rmtree(self.directory, ignore_errors=True)

    def begin(self, launch: Launch) -> None:
        """Create the processes, each waiting at its gate; those beside the target begin at once."""
        if launch.beside is not None:
            self.begin(launch.beside)
            self.release()
            self.go()
            if launch.beside.ready:
                self._await(self._trees[-1], launch.beside.ready)
        self._trees.append(_spawn(launch, self.directory))

    def _await(self, tree: _Tree, text: str) -> None:
        end = time.monotonic() + _PATIENCE
        while text not in tree.log.read_text(errors="replace"):
            if time.monotonic() > end:
                raise CaseError(f"{self.case.name}: {text!r} did not appear in {tree.log}:\n{tree.log.read_text()}")
            time.sleep(0.01)


def start(case: Case, seed: int) -> StartedCase:
    """Lay out a case in a directory of its own and start its processes, the target still waiting at its gate.

    A late case has begun when this returns. Raises CompilerError, or CaseError when it does not come to its point.
    """
    directory = Path(tempfile.mkdtemp(prefix="demo-"))
    stage = Stage(directory, f"{case.name}:{seed}")
    try:
        launch = case.stage(stage)
        stage.put(GATE, _GATE)
        started = StartedCase(case, seed, directory, launch, case.sentence.format_map(stage.names))
    except BaseException:
        shutil.rmtree(directory, ignore_errors=True)
        raise
    try:
        started.begin(launch)
        if launch.late:
            started.release()
            started.go()
            started.finish()
    except BaseException:
        started.stop()
        raise
    return started


def _spawn(launch: Launch, directory: Path) -> _Tree:
    environment = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": str(directory),
        "LANG": "C.UTF-8",
        "DEMO_HOLD": str(directory / _HOLD),
    } | launch.environment
    log = directory / launch.log
    reader, writer = os.pipe()
    command = [
        str(directory / _GATE),
        str(reader),
        *(f"{key}={value}" for key, value in environment.items()),
        "--",
        *launch.argv,
    ]
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, cwd=directory, stdin=subprocess.DEVNULL, stdout=output, stderr=output, pass_fds=(reader,),
            start_new_session=True, env={},
        )  # fmt: skip
    os.close(reader)
    return _Tree(process, writer, log)


def _end(tree: _Tree) -> None:
    try:
        os.killpg(tree.process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    tree.process.wait()
    os.close(tree.gate)
