"""What counting costs and how soon it is there, for the benchmark; beside bpftrace where it is installed.

Needs root and a kernel with uprobes; EngineError says why when there is none.
"""

import contextlib
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from inspector.collect.elf.exits import find_exits
from inspector.collect.elf.sites import find_sites
from inspector.collect.kernel import bpf
from inspector.collect.kernel.assembler import Assembler
from inspector.collect.kernel.attach import close_all
from inspector.collect.kernel.counting import Counting
from inspector.collect.kernel.engine import Engine
from inspector.collect.kernel.file_watch import FileWatch, Function
from inspector.collect.kernel.records import Executed, Exited, Forked, Mapped, Returned
from inspector.stream.calls import CallReturned, CountingStopped, FunctionsWatched
from inspector.stream.requests import ApiPlan, FunctionPlan, Plan
from inspector.stream.session import SessionEnded
from tests.bench.figures import Figure
from tests.collect.collector import Collector

_SOURCES = Path(__file__).parent / "targets"
_CALLS = 100_000
_RUNS = 3
_CHILDREN = 40
_PROBES = 1_000
_REST_SECONDS = 0.2
"""After which the kernel has forgotten that it waited for its readers."""


def figures() -> list[Figure]:
    """All of them."""
    with tempfile.TemporaryDirectory(prefix="bench-calls-") as name:
        folder = Path(name)
        build(folder)
        return [*cost_of_a_call(folder), *attach_a_thousand(folder), children_caught(folder),
                latency(folder), slow_down(folder)]  # fmt: skip


def build(folder: Path) -> None:
    """The library under counting, its programs, and a library of a thousand functions."""
    compiler = ["gcc", "-O1", "-fno-omit-frame-pointer", "-fcf-protection=none"]
    link = ["-L", str(folder), "-lwatched", f"-Wl,-rpath,{folder}"]
    many = "".join(f"int f{n}(int x) {{ return g(x) + {n}; }}\n" for n in range(_PROBES))
    (folder / "many.c").write_text("int g(int x) { return x; }\n" + many)
    shared = [*compiler, "-shared", "-fPIC", "-o"]
    subprocess.run([*shared, str(folder / "libwatched.so"), str(_SOURCES / "watched.c")], check=True)
    subprocess.run([*shared, str(folder / "libmany.so"), str(folder / "many.c")], check=True)
    for program in ("timed", "launches", "program"):
        source = str(_SOURCES / f"{program}.c")
        subprocess.run([*compiler, "-o", str(folder / program), source, *link, "-pthread"], check=True)


def cost_of_a_call(folder: Path) -> list[Figure]:
    """ns that one call takes more: counted, with its caller, with its result read at `ret`, and with empty traps."""
    library = folder / "libwatched.so"
    with _timed(folder) as timed, _counting(100.0) as (engine, counting):
        base = timed.ask("refuse")
        with _empty_traps(library, "refuse"):
            empty = timed.ask("refuse") - base
        engine.follow(timed.pid)
        with _watched(counting, library, "refuse"):
            count = timed.ask("refuse") - base
        with _watched(counting, library, "refuse", at_entry=True):
            caller = timed.ask("refuse") - base
        with _watched(counting, library, "refuse", at_entry=True, results=True):
            result = timed.ask("refuse") - base
        engine.forget(timed.pid)
        peer_count = _under_bpftrace(timed, f"uprobe:{library}:refuse {{ @ = count(); }}", "refuse", base)
        probe = f"uretprobe:{library}:refuse {{ @[ustack(3), retval] = count(); }}"
        peer_result = _under_bpftrace(timed, probe, "refuse", base)
    return [
        Figure(
            what="counting a call", ours=count, unit="ns", peer="bpftrace", peer_value=peer_count, ratio_budget=1.05
        ),
        Figure(
            what="caller of a call, at its entry", ours=caller, unit="ns", peer="bpftrace's count",
            peer_value=peer_count, ratio_budget=1.1,
        ),
        Figure(
            what="result of a call, at a proven exit", ours=result, unit="ns", peer="bpftrace's return probe",
            peer_value=peer_result,
            note=f"of it {empty:,.0f} ns are the kernel's single step; read only until enough is known",
        ),
    ]  # fmt: skip


def attach_a_thousand(folder: Path) -> list[Figure]:
    """Setting and taking away counters on a thousand functions that a process maps, and on a single one.

    The first probe of a moment waits for the kernel's readers (RCU), however many come with it; those after it do not.
    """
    library = bytes(folder / "libmany.so")
    functions = [Function(site.offset, site.cost) for site in find_sites(library).found[:_PROBES]]
    holder = subprocess.Popen(["sleep", "60"], env={"LD_PRELOAD": str(folder / "libmany.so"), "PATH": "/usr/bin:/bin"})
    attaching: list[float] = []
    single: list[float] = []
    following: list[float] = []
    detaching: list[float] = []
    with _counting(100.0) as (_, counting):

        def attach(some: list[Function], spent: list[float]) -> FileWatch:
            begun = time.perf_counter()
            watch = counting.watch(library, some, mapped=True)
            spent.append((time.perf_counter() - begun) * 1000)
            return watch

        for _ in range(5):
            time.sleep(_REST_SECONDS)
            watch = attach(functions, attaching)
            begun = time.perf_counter()
            counting.remove(watch)
            detaching.append((time.perf_counter() - begun) * 1000)
            time.sleep(_REST_SECONDS)
            first, rest = attach(functions[:1], single), attach(functions[1:], following)
            counting.remove(first)
            counting.remove(rest)
    holder.kill()
    holder.wait()
    note = f"{len(functions)} functions; the first time on a file {attaching[0]:.0f} ms; bpftrace refuses above 512"
    return [
        Figure(what="attach 1,000 functions", ours=statistics.median(attaching[1:]), unit="ms", budget=10, note=note),
        Figure(what="attach 1 function", ours=statistics.median(single), unit="ms",
               note="nearly all of it the kernel's wait for its readers, which every first probe pays"),
        Figure(what="attach 1,000 functions, that wait over", ours=min(following), unit="ms", budget=10),
        Figure(what="detach 1,000 functions", ours=statistics.median(detaching), unit="ms", budget=60),
    ]  # fmt: skip


def children_caught(folder: Path) -> Figure:
    """Children that live 50 ms, seen with argv, environment, libraries, each call and exit code."""
    with _counting(100.0) as (engine, counting):
        site = find_sites(bytes(folder / "libwatched.so"), ["fill"]).found[0]
        watch = counting.watch(bytes(folder / "libwatched.so"), [Function(site.entry, at_entry=True, decides=True)])
        exits = find_exits(bytes(folder / "libwatched.so"), [site])
        watch.read_results({watch.first: exits[site.entry].offsets})
        command = f"for i in $(seq {_CHILDREN}); do MARK=$i {folder}/program slow:45000 fill:3; done"
        with engine.adopting():
            process = subprocess.Popen(["sh", "-c", command], stdout=subprocess.DEVNULL)
        seen: dict[int, set[str]] = {}
        while process.poll() is None:
            time.sleep(0.02)
            _note(engine, seen)
        _note(engine, seen)
    wanted = {"argv", "environment", "library", "call", "exit"}
    caught = sum(parts >= wanted for pid, parts in seen.items() if pid != process.pid)
    return Figure(
        what="children of 50 ms caught", ours=100 * caught / _CHILDREN, unit="%", budget=100, more_is_better=True,
        peer="polling each 200 ms", peer_value=5,
    )  # fmt: skip


def latency(folder: Path) -> Figure:
    """From a call in the target to its event at the reader of the stream."""
    library = folder / "libwatched.so"
    api = ApiPlan(api="bench", sonames=["libwatched.so"], prefixes=["x"], functions=[FunctionPlan(name="slow")])
    delays: list[float] = []
    actions = ["slow:30000"] * 40
    with Collector("--", str(folder / "program"), *actions, plan=Plan(apis=[api])) as collector:
        collector.wait(FunctionsWatched, lambda event: event.functions[0].library == str(library))
        seen = 0
        while len(delays) < len(actions) and not collector.all(SessionEnded):
            time.sleep(0.001)
            told = collector.all(CallReturned)
            delays += [(time.monotonic_ns() - event.at) / 1e6 for event in told[seen:]]
            seen = len(told)
    p95 = sorted(delays)[int(len(delays) * 0.95)]
    return Figure(
        what="call to event at the reader, p95", ours=p95, unit="ms", budget=60, note="the screen comes on top"
    )


def slow_down(folder: Path) -> Figure:
    """A launch-bound loop (nine calls a launch) under a default profile, from the second second on."""
    names = ("hot", "calm", "stride")
    functions = [FunctionPlan(name=name, hot=True) for name in names]
    api = ApiPlan(api="bench", sonames=["libwatched.so"], prefixes=["x"], functions=functions)
    process = subprocess.Popen([str(folder / "launches"), "0.5"], stdout=subprocess.PIPE, text=True)
    before = max(_turns(process, time.monotonic(), 4))
    with Collector(str(process.pid), plan=Plan(apis=[api])) as collector:
        collector.wait(CountingStopped)
        after = max(_turns(process, time.monotonic() + 1.0, 4))
    process.kill()
    process.wait()
    note = f"{before:,.0f} launches a second without, {after:,.0f} with; hot functions are detached within 0.2 s"
    return Figure(
        what="slow-down, default profile", ours=max(0.0, 100 * (1 - after / before)), unit="%", budget=1, note=note,
        peer="counting all", peer_value=45,
    )  # fmt: skip


def bystander(folder: Path) -> Figure:
    """A stranger that calls all the time into a file that is observed for another program."""
    names = ("hot", "calm", "stride")
    functions = [FunctionPlan(name=name) for name in names]
    api = ApiPlan(api="bench", sonames=["libwatched.so"], prefixes=["x"], functions=functions)
    target = subprocess.Popen([str(folder / "program"), "wait"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    stranger = subprocess.Popen([str(folder / "launches"), "0.25"], stdout=subprocess.PIPE, text=True)
    alone = statistics.median(_turns(stranger, time.monotonic(), 20))
    with Collector(str(target.pid), plan=Plan(apis=[api])) as collector:
        collector.wait(FunctionsWatched)
        observed = statistics.mean(_turns(stranger, time.monotonic(), 20))
        detached = len(collector.all(CountingStopped))
    for process in (target, stranger):
        process.kill()
        process.wait()
    note = f"750,000 calls a second, 5 s from the first probe on: {alone:,.0f} turns without, {observed:,.0f} with"
    note += f"; {detached} functions detached"
    return Figure(
        what="slow-down of a bystander", ours=max(0.0, 100 * (1 - observed / alone)), unit="%", budget=1, note=note
    )


class _Timed:
    """The program that times its own calls."""

    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen(
            [str(folder / "timed")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.pid = self._process.pid

    def ask(self, function: str) -> float:
        """ns a call, the best of several runs: neighbours only make it worse."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(f"{function} {_CALLS}\n" * _RUNS)
        self._process.stdin.flush()
        return min(float(self._process.stdout.readline()) for _ in range(_RUNS))

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


@contextlib.contextmanager
def _timed(folder: Path) -> Iterator[_Timed]:
    with contextlib.closing(_Timed(folder)) as timed:
        yield timed


@contextlib.contextmanager
def _counting(percent: float) -> Iterator[tuple[Engine, Counting]]:
    with contextlib.closing(Engine()) as engine, contextlib.closing(Counting(engine, percent)) as counting:
        yield engine, counting


@contextlib.contextmanager
def _watched(
    counting: Counting, library: Path, name: str, *, at_entry: bool = False, results: bool = False
) -> Iterator[None]:
    site = find_sites(bytes(library), [name]).found[0]
    offset = site.entry if at_entry else site.offset
    watch = counting.watch(bytes(library), [Function(offset, at_entry=at_entry, decides=True)])
    if results:
        watch.read_results({watch.first: find_exits(bytes(library), [site])[site.entry].offsets})
    yield
    counting.remove(watch)


@contextlib.contextmanager
def _empty_traps(library: Path, name: str) -> Iterator[None]:
    """Probes at entry and exits whose programs do nothing."""
    assembler = Assembler()
    assembler.leave()
    program = bpf.load_program(bpf.ProgramKind.UPROBE, assembler.build(), "empty", attach=bpf.UPROBE_MULTI)
    site = find_sites(bytes(library), [name]).found[0]
    offsets = [site.entry, *find_exits(bytes(library), [site])[site.entry].offsets]
    link = bpf.attach_uprobes(program, bytes(library), offsets, [0] * len(offsets))
    yield
    close_all([link, program])


def _under_bpftrace(timed: _Timed, program: str, function: str, base: float) -> float | None:
    """ns that a call takes more under a bpftrace program; None where bpftrace is not installed."""
    if shutil.which("bpftrace") is None:
        return None
    peer = subprocess.Popen(["bpftrace", "-e", program], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert peer.stdout is not None
    peer.stdout.readline()
    time.sleep(1.0)
    value = timed.ask(function) - base
    peer.kill()
    peer.wait()
    return value


def _note(engine: Engine, seen: dict[int, set[str]]) -> None:
    for record in engine.drain():
        match record:
            case Forked():
                seen.setdefault(record.pid, set())
            case Executed():
                parts = seen.setdefault(record.pid, set())
                parts.update({"argv"} if b"fill:3" in record.argv else set())
                parts.update({"environment"} if b"MARK=" in record.environment else set())
            case Mapped():
                seen.setdefault(record.pid, set()).update({"library"} if b"libwatched" in record.path else set())
            case Returned():
                seen.setdefault(record.pid, set()).add("call")
            case Exited():
                seen.setdefault(record.pid, set()).update({"exit"} if record.status == 0 else set())


def _turns(process: subprocess.Popen[str], since: float, stretches: int) -> list[float]:
    """Launches a second in the stretches that began after a moment."""
    assert process.stdout is not None
    found: list[float] = []
    while len(found) < stretches:
        begun, turns = process.stdout.readline().split()
        found += [float(turns)] if float(begun) > since else []
    return found
