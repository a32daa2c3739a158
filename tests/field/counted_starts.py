"""One start of a real program under observation: the calls that its stand-ins noted, and those that were counted."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from inspector.model.coverage import lower_bound
from inspector.model.diagnosis import diagnose
from inspector.model.fold import apply
from inspector.model.profiles import builtin_profiles
from inspector.model.state import State
from inspector.stream.calls import CallsCounted, FunctionsWatched
from inspector.stream.processes import ProcessExec
from inspector.stream.requests import Quit
from inspector.stream.session import EventsLost, LimitNoted
from tests.collect.collector import Collector
from tests.slower import SLOWER

from .ollama import Ollama

PROFILES = builtin_profiles()
PLAN = PROFILES.plan()
_DISCOVERED = b"inference compute"
"""What each generation logs at the end of its discovery."""
_PATIENCE = 60.0 * SLOWER
_SETTLED = 0.4
"""Seconds after discovery and after the end, for what comes late."""

Calls = Counter[tuple[int, str]]
"""By pid and function."""


@dataclass
class Start:
    """What one start came to."""

    made: Calls
    counted: Calls
    processes: dict[int, str] = field(default_factory=dict)
    """Command lines by pid."""
    limits: list[str] = field(default_factory=list)
    answer: str = ""
    """Mode and first finding."""
    said: dict[int, str] = field(default_factory=dict)
    """By pid of who made calls that were not counted: why its counts are lower bounds; empty where that is not said."""

    @property
    def complete(self) -> bool:
        """Every call was counted, and none that was not made."""
        return self.made == self.counted

    @property
    def differences(self) -> dict[str, Calls]:
        """Calls that were made and not counted, and counted and not made, by command line."""
        found: dict[str, Calls] = {}
        for kind, calls in (("missed", self.made - self.counted), ("never made", self.counted - self.made)):
            for (pid, name), count in calls.items():
                found.setdefault(f"{kind}, {self.processes.get(pid, pid)}", Counter())[pid, name] += count
        return found


def waited(ollama: Ollama, folder: Path) -> Start:
    """`inspector --wait ollama`, then the server with the shim in LD_LIBRARY_PATH."""
    return _waited(ollama, folder, [str(ollama.program), "serve"], LD_LIBRARY_PATH=str(ollama.shim))


def wrapped(ollama: Ollama, folder: Path) -> Start:
    """The same behind a script that sets the folder."""
    return _waited(ollama, folder, [str(_script(ollama, folder))])


def preloaded(ollama: Ollama, folder: Path) -> Start:
    """The same with the shim in LD_PRELOAD."""
    return _waited(ollama, folder, [str(ollama.program), "serve"], LD_PRELOAD=str(ollama.shim / "libcuda.so.1"))


def reported(ollama: Ollama, folder: Path) -> Start:
    """`inspector report -- SCRIPT`."""
    notes = _notes(folder)
    environment = {**os.environ, **_environment(folder, notes)}
    with Collector("--run", "--", str(_script(ollama, folder)), plan=PLAN, environment=environment) as collector:
        _wait_for(lambda: _DISCOVERED in collector.talk.encode())
        time.sleep(_SETTLED)
        collector.send(Quit())
        return _outcome(collector, notes)


def late(ollama: Ollama, folder: Path) -> Start:
    """The server first, the inspector when its discovery is over: calls of before are not counted."""
    notes = _notes(folder)
    command = [str(ollama.program), "serve"]
    with (
        _server(command, folder, notes, LD_LIBRARY_PATH=str(ollama.shim)) as server,
        Collector(f"--target={server.pid}", plan=PLAN) as collector,
    ):
        time.sleep(2.0)
        collector.send(Quit())
        return _outcome(collector, notes)


WAYS = {"waited for": waited, "behind a script": wrapped, "preloaded": preloaded, "by report": reported, "late": late}


def head() -> None:
    """The line above the rows."""
    print(f"{'program':34}{'way':18}{'complete':>12}{'calls made':>12}{'counted':>10}{'seconds':>9}")


def row(name: str, way: str, seen: list[Start], seconds: float) -> bool:
    """One line for some starts, and what was missed; whether every one is complete."""
    complete = sum(start.complete for start in seen)
    made, counted = sum(start.made.total() for start in seen), sum(start.counted.total() for start in seen)
    print(f"{name:34}{way:18}{f'{complete} of {len(seen)}':>12}{made:12}{counted:10}{seconds:9.1f}", flush=True)
    for number, start in enumerate(seen, 1):
        if not start.complete and way != "late":
            said = f"{start.differences}; {start.limits}; {start.said}"
            print(f"   start {number}: {said}", file=sys.stderr, flush=True)
    return complete == len(seen)


def program_reported(script: Path, folder: Path) -> Start:
    """`inspector report -- SCRIPT` of a program that ends by itself; only the driver's functions are compared."""
    notes = _notes(folder)
    environment = {**os.environ, "FIELD_CALLS": str(notes)}
    with Collector("--run", "--", str(script), plan=PLAN, environment=environment) as collector:
        collector.finish()
        return _outcome(collector, notes, ("cuda-driver",))


def program_waited(script: Path, folder: Path) -> Start:
    """`inspector --wait SCRIPT`, then the script."""
    notes = _notes(folder)
    environment = {**os.environ, "FIELD_CALLS": str(notes)}
    with Collector("--wait", f"--target={script}", plan=PLAN) as collector:
        collector.hears("waiting for")
        subprocess.run([script], env=environment, capture_output=True, timeout=_PATIENCE * 2)
        time.sleep(_SETTLED)
        collector.send(Quit())
        return _outcome(collector, notes, ("cuda-driver",))


def _waited(ollama: Ollama, folder: Path, command: list[str], **settings: str) -> Start:
    notes = _notes(folder)
    with Collector("--wait", f"--target={ollama.program.name}", plan=PLAN) as collector:
        collector.hears(f"waiting for {ollama.program.name}")
        with _server(command, folder, notes, **settings):
            pass
        time.sleep(_SETTLED)
        collector.send(Quit())
        return _outcome(collector, notes)


@contextmanager
def _server(command: list[str], folder: Path, notes: Path, **settings: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Started, and seen to the end of its discovery; ended with the context."""
    log = folder / "server.log"
    environment = {**os.environ, **_environment(folder, notes), **settings}
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=output)
    try:
        _wait_for(lambda: _DISCOVERED in log.read_bytes() or process.poll() is not None)
        time.sleep(_SETTLED)
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def _notes(folder: Path) -> Path:
    notes = folder / "calls"
    notes.unlink(missing_ok=True)
    return notes


def _environment(folder: Path, notes: Path) -> dict[str, str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    home = folder / "home"
    home.mkdir(exist_ok=True)
    return {
        "HOME": str(home), "OLLAMA_HOST": f"127.0.0.1:{port}", "OLLAMA_NO_CLOUD": "1", "FIELD_CALLS": str(notes),
    }  # fmt: skip


def _script(ollama: Ollama, folder: Path) -> Path:
    script = folder / "serve.sh"
    script.write_text(f"#!/bin/sh\nexport LD_LIBRARY_PATH={ollama.shim}\nexec {ollama.program} serve\n")
    script.chmod(0o755)
    return script


def _wait_for(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + _PATIENCE
    while not condition():
        if time.monotonic() > until:
            raise TimeoutError("the server did not come to the end of its discovery")
        time.sleep(0.05)


def _outcome(collector: Collector, notes: Path, apis: Sequence[str] = ("cuda-driver", "cuda-runtime")) -> Start:
    late = ""
    try:
        collector.finish()
    except subprocess.TimeoutExpired:
        late = "the collector did not end in time"
    known = {function.name for api in PLAN.apis for function in api.functions}
    lines = notes.read_text().splitlines() if notes.exists() else []
    made: Calls = Counter((int(pid), name) for pid, name in map(str.split, lines) if name in known)
    processes = {event.pid: " ".join(event.argv)[:100] for event in collector.all(ProcessExec)}
    limits = [f"{limit.what}: {limit.why}" for limit in collector.all(LimitNoted)]
    limits += [f"{lost.count} {lost.source} lost" for lost in collector.all(EventsLost)]
    limits += filter(None, [late])
    seen, state = counted(collector, apis), _state(collector)
    said = {pid: _lower_bound(state, pid) for pid, _ in made - seen}
    return Start(made, seen, processes, limits, _answer(state), said)


def _state(collector: Collector) -> State:
    state = State(profiles=PROFILES)
    for event in collector.events:
        apply(state, event)
    return state


def _answer(state: State) -> str:
    found = diagnose(state)
    first = f": {found.findings[0].title}" if found.findings else ""
    return f"{found.mode.verdict} ({found.mode.confidence}){first}"


def _lower_bound(state: State, pid: int) -> str:
    """What the model says of the functions of a process that are counted."""
    words = (
        lower_bound(state, process, function)
        for process in state.processes
        if process.pid == pid
        for function in state.functions.values()
    )
    return next(filter(None, words), "")


def counted(collector: Collector, apis: Sequence[str]) -> Calls:
    """What a collector that has ended counted of some APIs."""
    names = {
        function.id: function.name
        for watched in collector.all(FunctionsWatched)
        for function in watched.functions
        if function.api in apis
    }
    latest = {(each.pid, each.function): each.count for event in collector.all(CallsCounted) for each in event.counts}
    found: Calls = Counter()
    for (pid, function), count in latest.items():
        if function in names:
            found[pid, names[function]] += count
    return found
