"""What this machine and user allow, found out by trying, each with what is lost without it and what grants it."""

import errno
import os
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Literal

import msgspec

from inspector.stream.session import Capability

from . import bpf, perf, registers, uprobes
from .btf import BtfError
from .counter_block import CounterBlock
from .early_programs import READ_TRACEPOINT
from .engine import Engine, EngineError
from .kernel_maps import KernelMaps
from .lookup_probes import LookupProbes
from .real_time import why_refused
from .refusals import Need, Refusal, closed_memory, explain, hidden_processes, lacking
from .uprobes import Means

_WHILE_STARTING = "only until 5 s after a start, load, look-up or call: this kernel has no kprobes"
_UPROBE_TYPE = Path("/sys/bus/event_source/devices/uprobe/type")


class Rights(msgspec.Struct, frozen=True):
    """What the kernel refuses; None where it said yes."""

    programs: Refusal | None
    """Our programs on births, execs, ends and signals."""
    probes: Refusal | Means
    """Our programs on functions: by which means they are set."""
    everyone: Refusal | None
    """perf records of all processes."""
    own: Refusal | None
    """perf records of one's own processes."""
    others: Refusal | None
    """Memory and environment of other users' processes."""
    memory: Refusal | None
    """Memory of processes that we may otherwise look into."""


def rights(programs: Refusal | None, probes: Refusal | Means) -> Rights:
    """What the first two leave open; nothing is attached.

    Who gets the records of all processes is not asked about its own: that event takes the kernel 20 ms to let go.
    """
    everyone = _refusal(lambda: _try_perf(-1), Need.EVERYONES_RECORDS)
    return Rights(
        programs=programs,
        probes=programs or probes,
        everyone=everyone,
        own=everyone and _refusal(lambda: _try_perf(os.getpid()), Need.OWN_RECORDS),
        others=_others(),
        memory=closed_memory(),
    )


def try_probes() -> Refusal | Means:
    """By which means probes on functions are set; nothing is attached."""
    try:
        return uprobes.find_means()
    except OSError as error:
        return explain(error, Need.UPROBE_EVENTS if isinstance(error, uprobes.UprobeEventsError) else Need.PROGRAMS)


def examine() -> list[Capability]:
    """Load and attach, for a moment, all programs that an observation uses, and tell what came of it."""
    probes = try_probes()
    with ExitStack() as made:
        try:
            maps = KernelMaps()
            made.callback(maps.close)
            engine = Engine(maps)
            made.callback(engine.close)
        except EngineError as error:
            return capabilities(error.refusal, probes)
        except (OSError, BtfError) as error:
            return capabilities(explain(error, Need.PROGRAMS), probes)
        if not isinstance(probes, Refusal):
            probes = _load_probes(engine, maps, made) or probes
    return capabilities(None, probes)


def _load_probes(engine: Engine, maps: KernelMaps, made: ExitStack) -> Refusal | None:
    try:
        made.callback(LookupProbes(engine).close)
        made.callback(CounterBlock(maps.members, maps.calls, 0, 1).close)
    except OSError as error:
        return explain(error, Need.PROGRAMS)
    return None


def capabilities(programs: Refusal | None, probes: Refusal | Means) -> list[Capability]:
    """One row for each thing that can be known about a process, in the order of the ladder."""
    told = rights(programs, probes)
    return [
        _births(told),
        _exit_status(told),
        _environment(told),
        _library_loads(told),
        _passive(told),
        _lookups(told),
        _count_calls(told),
        _first_calls(told),
        _results(told),
        _open_files(told),
        *_call_stacks(told),
    ]


def slower_means() -> Refusal:
    """Why probes are not set by the best means."""
    return Refusal(
        f"kernel {os.uname().release} has no uprobe_multi links", f"boot Linux {uprobes.MULTI_SINCE} or newer"
    )


def may_use_uprobe_events() -> bool:
    """Whether the uprobe PMU may be used (CAP_SYS_ADMIN), which counts also in other users' processes."""
    event = perf.Event(kind=perf.SOFTWARE, config=perf.DUMMY)
    if lacking(["CAP_SYS_ADMIN"]) or not _UPROBE_TYPE.exists():
        return False
    return _refusal(lambda: os.close(perf.open_event(event, -1, 0)), Need.UPROBE_EVENTS) is None


def _births(told: Rights) -> Capability:
    name = "process-births"
    if not told.programs:
        return _yes(name, "kernel programs at fork, exec and exit (bpf)")
    lost = "children that end at once: their arguments, environment and libraries"
    how = "polling /proc every 50 ms" if told.own else "perf records and polling /proc"
    return _not(name, "partly", how, told.programs, lost)


def _exit_status(told: Rights) -> Capability:
    name = "exit-status"
    if not told.programs:
        return _yes(name, "a kernel program at exit (bpf)")
    how = "pidfd (Linux 6.15 and newer) and the state of zombies"
    return _not(name, "partly", how, told.programs, "how processes ended: exit codes and signals")


def _environment(told: Rights) -> Capability:
    name = "environment"
    if not told.others:
        return _yes(
            name, "/proc/PID/environ, and a kernel program at exec" if not told.programs else "/proc/PID/environ"
        )
    lost = "environment, libraries and memory of processes of other users"
    return _not(name, "partly", "/proc, own processes only", told.others, lost)


def _library_loads(told: Rights) -> Capability:
    name = "library-loads"
    if not told.everyone:
        return _yes(name, "perf mapping records of all CPUs")
    if not told.own:
        lost = "libraries that processes of other users load and unload between two looks"
        return _not(name, "partly", "perf mapping records of own processes", told.everyone, lost)
    lost = "libraries that are loaded and unloaded between two looks"
    return _not(name, "partly", "polling /proc/PID/maps", told.own, lost)


def _passive(told: Rights) -> Capability:
    name, how = "passive-pages", "page tables, GOT slots and link maps (/proc/PID/pagemap, mem)"
    if told.memory:
        lost = "addresses held and link maps, in processes that are not our children"
        return _not(name, "partly", "page tables (/proc/PID/pagemap)", told.memory, lost)
    if told.others:
        lost = "proof that functions were never executed, in processes of other users"
        return _not(name, "partly", f"{how}, own processes only", told.others, lost)
    return _yes(name, how)


def _lookups(told: Rights) -> Capability:
    name, what = "lookups", "uprobes on dlopen, dlsym, cuGetProcAddress (bpf)"
    lost = "which libraries and functions were looked up, by whom, and the loader's error messages"
    if isinstance(told.probes, Refusal):
        return _not(name, "no", "not possible here", told.probes, lost)
    return _yes(name, what)


def _count_calls(told: Rights) -> Capability:
    name = "count-calls"
    if not isinstance(told.probes, Refusal):
        how, lost = f"{told.probes.name} (bpf)", told.probes.lost
        slower = slower_means() if lost else Refusal("", "")
        return Capability(name=name, state="yes", how=how, why=slower.why, lost=lost, grant=slower.grant)
    if may_use_uprobe_events():
        how = "perf uprobe events: twenty functions of a process"
        return _not(name, "partly", how, told.probes, "calls of all other functions, and who calls")
    if not told.own:
        how = "hardware breakpoints: four functions in own processes"
        lost = "calls of all other functions, and of processes of other users"
        return _not(name, "partly", how, told.probes, lost)
    return _not(name, "no", "not possible here", told.probes, "whether functions are called, how often, by whom")


def _first_calls(told: Rights) -> Capability:
    """Counting is yes or no; whether it comes in time depends on what tells of a library, and on who runs first."""
    name, how = "first-calls", "probes set at the first read of a library, before its program goes on (SCHED_FIFO)"
    lost = "the first calls of a library that was not predicted, right after its load"
    if isinstance(told.probes, Refusal):
        return _not(name, "no", "not possible here", told.probes, "the first calls of a library")
    if why := why_refused():
        granted = "sudo inspector, or ulimit -r 50" if lacking(["CAP_SYS_NICE"]) else ""
        fifo = Refusal(f"SCHED_FIFO is refused ({why})", granted)
        return _not(name, "partly", "probes set at the first read of a library", fifo, lost)
    if not bpf.has_raw_tracepoint(READ_TRACEPOINT):
        older = Refusal(f"kernel {os.uname().release} does not report first reads", "boot Linux 6.10 or newer")
        return _not(name, "partly", "probes set at the mapping of a library (SCHED_FIFO)", older, f"some of {lost}")
    return _yes(name, how)


def _results(told: Rights) -> Capability:
    name, lost = "results", "what calls returned, the values they gave out, and which library called"
    if isinstance(told.probes, Refusal):
        return _not(name, "no", "not possible here", told.probes, lost)
    return _yes(name, "read where functions return (bpf)")


def _open_files(told: Rights) -> Capability:
    name, lost = "open-files", "which files were opened, which were missing, and which system calls were refused"
    if told.programs:
        return _not(name, "no", "not possible here", told.programs, lost)
    how = "kernel programs at the end of system calls (bpf)"
    return _yes(name, how if perf.has_kernel_probes() else f"{how}; {_WHILE_STARTING}")


def _call_stacks(told: Rights) -> list[Capability]:
    """A row only where more is missing than the probes that stacks are taken at."""
    if registers.HERE is registers.X86_64 or isinstance(told.probes, Refusal):
        return []
    why = Refusal(registers.OTHER_PROCESSOR, "look at the program on x86-64")
    return [
        _not("call-stacks", "partly", "copied at calls, look-ups and signals (bpf)", why, "lines of Python that called")
    ]


def _yes(name: str, how: str) -> Capability:
    return Capability(name=name, state="yes", how=how)


def _not(name: str, state: Literal["partly", "no"], how: str, refusal: Refusal, lost: str) -> Capability:
    return Capability(name=name, state=state, how=how, why=refusal.why, lost=lost, grant=refusal.grant)


def _refusal(attempt: Callable[[], None], need: Need) -> Refusal | None:
    """None when it works, else why not."""
    try:
        attempt()
    except OSError as error:
        return explain(error, need)
    return None


def _others() -> Refusal | None:
    """The one question that is not tried but read off: there may be no process of another user to try it on."""
    if not lacking(Need.OTHERS_MEMORY.capabilities):
        return None
    return hidden_processes() or explain(PermissionError(errno.EPERM, ""), Need.OTHERS_MEMORY)


def _try_perf(pid: int) -> None:
    flags = perf.MMAP | perf.MMAP2 | perf.TASK | perf.COMM | perf.EXCLUDE_KERNEL | perf.EXCLUDE_HYPERVISOR
    os.close(perf.open_event(perf.side_band(flags), pid, 0 if pid < 0 else -1))
