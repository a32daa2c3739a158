"""The real collector as a subprocess, steered and read by tests."""

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from inspector.stream.base import Event, Request
from inspector.stream.codec import decode
from inspector.stream.events import AnyEvent
from inspector.stream.libraries import LibraryMapped
from inspector.stream.processes import ProcessEnded, ProcessExec, ProcessStarted
from inspector.stream.requests import ApiPlan, Configure, FunctionPlan, Plan, Quit, encode_request
from inspector.stream.session import LimitNoted, SessionEnded, TargetMissing

E = TypeVar("E", bound=Event)
PATIENCE = 60.0
"""Seconds after which a test gives up: far more than anything here takes."""
NOBODY = 65534
PLAN = Plan(
    apis=[ApiPlan(api="shim", sonames=["libshim.so.1"], prefixes=["shim"], functions=[FunctionPlan(name="shim_one")])],
    environment=["INSPECTOR_TEST_*"],
)
_AS_NOBODY = (
    "import ctypes, os, sys, inspector.collect.main as m, inspector.collect.observation, inspector.collect.listing;"
    "import inspector.collect.composition, inspector.collect.sources.inotify;"
    "import elftools.elf.elffile;"
    "m.parse(['0']);"
    "os.setgroups([]); os.setgid({uid}); os.setuid({uid}); ctypes.CDLL(None).prctl(4, 1); sys.exit(m.run(sys.argv[1:]))"
)
"""The interpreter may lie where another user cannot read it: all is imported, and used, before the change of user.

PR_SET_DUMPABLE (4) makes it an ordinary process of that user again."""


class Collector:
    """Starts `inspector collect WORDS`, sends the plan, gathers the events."""

    def __init__(
        self,
        *words: str,
        plan: Plan = PLAN,
        uid: int = 0,
        environment: Mapping[str, str] = os.environ,
        budget: float = 1.0,
    ) -> None:
        """`budget`: per cent of a processor that counting may cost."""
        self._cache = tempfile.TemporaryDirectory(prefix="inspector-cache-")
        program = ["-c", _AS_NOBODY.format(uid=uid)] if uid else ["-m", "inspector.collect"]
        self._process = subprocess.Popen(
            [sys.executable, *program, *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**environment, "INSPECTOR_DEBUG": "1", "XDG_CACHE_HOME": self._cache.name},
        )
        self.events: list[AnyEvent] = []
        self.raw: list[bytes] = []
        self._talk: list[bytes] = []
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._reader.start()
        self._listener.start()
        self.send(Configure(plan=plan, budget=budget))

    def __enter__(self) -> "Collector":
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def talk(self) -> str:
        """What it wrote to stderr so far."""
        return b"".join(self._talk).decode()

    def hears(self, words: str) -> None:
        """Wait until it has said these words to people."""
        until = time.monotonic() + PATIENCE
        while words not in self.talk:
            assert time.monotonic() < until and self._listener.is_alive(), self.talk
            time.sleep(0.01)

    def send(self, request: Request) -> None:
        self.send_raw(encode_request(request))

    def send_raw(self, data: bytes) -> None:
        assert self._process.stdin
        self._process.stdin.write(data)
        self._process.stdin.flush()

    def close_stdin(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def all(self, kind: type[E], where: Callable[[E], bool] = lambda _: True) -> list[E]:
        with self._changed:
            return [event for event in self.events if isinstance(event, kind) and where(event)]

    def wait(self, kind: type[E], where: Callable[[E], bool] = lambda _: True) -> E:
        """The first event of this kind and nature, now or soon; fails with all that came instead."""
        until = time.monotonic() + PATIENCE
        with self._changed:
            while True:
                found = next((each for each in self.events if isinstance(each, kind) and where(each)), None)
                if found is not None:
                    return found
                ended = not self._reader.is_alive()
                if ended or not self._changed.wait(until - time.monotonic()):
                    tail = "\n".join(str(event)[:300] for event in self.events[-20:])
                    raise AssertionError(f"no such {kind.__name__}; it said {self.talk!r}; last events:\n{tail}")

    def library(self, pid: int, name: str, where: Callable[[LibraryMapped], bool] = lambda _: True) -> LibraryMapped:
        """The first word about a library whose path ends so."""
        return self.wait(LibraryMapped, lambda e: e.pid == pid and e.path.endswith(name) and where(e))

    def program(self, pid: int) -> ProcessExec:
        return self.wait(ProcessExec, lambda e: e.pid == pid)

    def end(self, pid: int) -> ProcessEnded:
        return self.wait(ProcessEnded, lambda e: e.pid == pid)

    def program_of_run(self) -> int:
        """The pid of the command that it started, once that runs."""
        return self.wait(ProcessExec, lambda e: e.pid in {each.pid for each in self.all(ProcessStarted)}).pid

    def descendants_of(self, pid: int) -> list[int]:
        """Pids of the tree below a process."""
        return [each.pid for each in self.all(ProcessStarted, lambda e: e.ppid == pid)]

    def finish(self) -> SessionEnded:
        """Wait for its end; its last line."""
        self._process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        self._listener.join(PATIENCE)
        last = self.events[-1]
        assert isinstance(last, SessionEnded), self.talk
        return last

    def quit(self) -> SessionEnded:
        """Ask it to end, and see that none of its parts failed meanwhile."""
        self.send(Quit())
        ended = self.finish()
        failures = self.all(LimitNoted, lambda e: e.what.endswith("would have told"))
        assert not failures, f"{failures}\n{self.talk}"
        return ended

    def code(self) -> int:
        return self._process.wait(PATIENCE)

    def stop_reading(self) -> None:
        """Close our end of its stdout, as a reader that dies does."""
        assert self._process.stdout
        os.close(os.dup(self._process.stdout.fileno()))
        self._process.stdout.close()

    def _read(self) -> None:
        assert self._process.stdout
        try:
            for line in self._process.stdout:
                event = decode(line)
                with self._changed:
                    self.raw.append(line)
                    if event is not None:
                        self.events.append(event)
                    self._changed.notify_all()
        except ValueError:
            pass  # the test closed it
        with self._changed:
            self._changed.notify_all()

    def _listen(self) -> None:
        assert self._process.stderr
        for line in self._process.stderr:
            self._talk.append(line)


def refusal(*words: str, uid: int = 0) -> TargetMissing:
    """What the collector answers for a target that cannot be observed; it must end by itself, without a traceback."""
    with Collector(*words, uid=uid) as collector:
        answer = collector.wait(TargetMissing)
        assert not collector.finish().ok
        assert "Traceback" not in collector.talk
        return answer


def observed(*command: str, options: Sequence[str] = ()) -> Collector:
    """A collector that has run a command to its end."""
    collector = Collector(*options, "--run-output", "null", "--", *command)
    with collector:
        collector.finish()
    failures = collector.all(LimitNoted, lambda e: e.what.endswith("would have told"))
    assert not failures, f"{failures}\n{collector.talk}"
    return collector
