"""What this machine and user allow, found out by trying, each with what is lost without it and what grants it.

Nothing is attached: a program is loaded and its attachment asked for at a place that does not exist, so that the
kernel's answer tells "no such place" (allowed) from "not permitted". It takes some 5 ms.
"""

import errno
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from inspector.stream.session import Capability

from . import bpf, perf, uprobes
from .assembler import Assembler
from .bpf import BpfError, ProgramKind
from .identities import foreign_pid_namespace

_VMLINUX = Path("/sys/kernel/btf/vmlinux")
_NOWHERE = "inspector-asks-whether-it-may"
_ROOT = "sudo inspector ..."
_CONTAINER = "run the container with --privileged --pid=host"
_MULTI_SINCE = (6, 6)
_CAP_DAC_OVERRIDE, _CAP_SYS_ADMIN = 1, 21  # linux/capability.h
_USEFUL = {"CAP_BPF": 39, "CAP_PERFMON": 38, "CAP_SYS_PTRACE": 19, "CAP_DAC_READ_SEARCH": 2}
_FOR_OTHERS = ("CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH")
"""environ, auxv, mem and pagemap of /proc belong to the process's user: the right to trace does not open them alone."""
_UPROBE_TYPE = Path("/sys/bus/event_source/devices/uprobe/type")


@dataclass(frozen=True, slots=True)
class Rights:
    """The answers of the kernel; each is empty when it said yes, else why not, in words."""

    programs: str
    """Loading and attaching programs to tracepoints."""
    uprobes: str
    """uprobe_multi links."""
    everyone: str
    """perf records of all processes."""
    own: str
    """perf records of one's own processes."""
    others: str
    """Memory and environment of other users' processes."""
    deleted: str
    """Opening mapped files that are deleted or in another mount name space."""


def rights() -> Rights:
    """Ask the kernel."""
    place = foreign_pid_namespace()
    return Rights(
        programs=place or _refusal(_try_raw_tracepoint),
        uprobes=why_no_uprobes(),
        everyone=_refusal(lambda: _try_perf(-1)),
        own=_refusal(lambda: _try_perf(os.getpid())),
        others=_refusal(_try_others),
        deleted=_refusal(_try_map_files),
    )


def capabilities() -> list[Capability]:
    """One row for each thing that can be known about a process, in the order of the ladder."""
    told = rights()
    return [
        _births(told),
        _exit_status(told),
        _environment(told),
        _library_loads(told),
        _passive(told),
        _lookups(told),
        _count_calls(told),
        _results(told),
        _open_files(told),
    ]


def why_no_uprobes() -> str:
    """Why uprobe_multi links are refused; empty when they are not."""
    return foreign_pid_namespace() or _refusal(_try_uprobes)


def may_use_uprobe_events() -> bool:
    """Whether the uprobe PMU may be used (CAP_SYS_ADMIN), which counts also in other users' processes."""
    event = perf.Event(kind=perf.SOFTWARE, config=perf.DUMMY)
    has_admin = bool(_effective_capabilities() >> _CAP_SYS_ADMIN & 1)
    return has_admin and _UPROBE_TYPE.exists() and not _refusal(lambda: os.close(perf.open_event(event, -1, 0)))


def grant() -> str:
    """The command that gives the rights that are lacking."""
    if os.geteuid() != 0:
        return _ROOT
    return (
        _CONTAINER
        if _in_container()
        else "boot a kernel with CONFIG_BPF_SYSCALL, CONFIG_UPROBES, CONFIG_DEBUG_INFO_BTF"
    )


def _births(told: Rights) -> Capability:
    name = "process-births"
    if not told.programs:
        return Capability(name=name, state="yes", how="kernel programs at fork, exec and exit (bpf)")
    lost = "children that end at once: their arguments, environment and libraries"
    how = "a look at /proc every 50 ms" if told.own else "perf records, and a look at /proc"
    return Capability(name=name, state="partly", how=how, why=told.programs, lost=lost, grant=grant())


def _exit_status(told: Rights) -> Capability:
    name = "exit-status"
    if not told.programs:
        return Capability(name=name, state="yes", how="a kernel program at exit (bpf)")
    how = "pidfd, where the kernel tells it (6.15), and the state of zombies"
    lost = "how processes ended: exit codes and signals"
    return Capability(name=name, state="partly", how=how, why=told.programs, lost=lost, grant=grant())


def _environment(told: Rights) -> Capability:
    name, how = "environment", "/proc/PID/environ, and a kernel program at exec"
    if not told.others:
        return Capability(name=name, state="yes", how=how)
    lost = "environment, libraries and memory of processes of other users"
    return Capability(
        name=name, state="partly", how="/proc, own processes only", why=told.others, lost=lost, grant=_ROOT
    )


def _library_loads(told: Rights) -> Capability:
    name = "library-loads"
    if not told.everyone:
        return Capability(name=name, state="yes", how="perf mapping records of all CPUs")
    if not told.own:
        lost = "libraries that processes of other users load and unload between two looks"
        how = "perf mapping records of own processes"
        return Capability(name=name, state="partly", how=how, why=told.everyone, lost=lost, grant=_perf_grant())
    lost = "libraries that are loaded and unloaded between two looks"
    return Capability(
        name=name, state="partly", how="a look at /proc/PID/maps", why=told.own, lost=lost, grant=_perf_grant()
    )


def _passive(told: Rights) -> Capability:
    name, how = "passive-pages", "page tables, GOT slots and link maps (/proc/PID/pagemap, mem)"
    if not told.others:
        return Capability(name=name, state="yes", how=how)
    lost = "proof that functions were never executed, in processes of other users"
    return Capability(
        name=name, state="partly", how=f"{how}, own processes only", why=told.others, lost=lost, grant=_ROOT
    )


def _lookups(told: Rights) -> Capability:
    name, lost = (
        "lookups",
        "which libraries and functions were looked up, by whom, and the loader's words for failures",
    )
    if not told.uprobes:
        return Capability(name=name, state="yes", how="uprobes on dlopen, dlsym, cuGetProcAddress (bpf)")
    return Capability(name=name, state="no", how="not possible here", why=told.uprobes, lost=lost, grant=grant())


def _count_calls(told: Rights) -> Capability:
    name = "count-calls"
    if not told.uprobes:
        return Capability(name=name, state="yes", how="uprobe_multi links (bpf)")
    if not told.own:
        how = "hardware breakpoints: four functions in own processes"
        lost = "calls of all other functions, and of processes of other users"
        return Capability(name=name, state="partly", how=how, why=told.uprobes, lost=lost, grant=grant())
    lost = "whether functions are called, how often, by whom"
    return Capability(name=name, state="no", how="not possible here", why=told.uprobes, lost=lost, grant=grant())


def _results(told: Rights) -> Capability:
    name, lost = "results", "what calls returned, the values they gave out, and which library called"
    if not told.uprobes:
        return Capability(name=name, state="yes", how="uprobe_multi return links (bpf)")
    return Capability(name=name, state="no", how="not possible here", why=told.uprobes, lost=lost, grant=grant())


def _open_files(told: Rights) -> Capability:
    name, lost = "open-files", "which files were opened, which were missing, and which system calls were refused"
    if told.programs:
        return Capability(name=name, state="no", how="not possible here", why=told.programs, lost=lost, grant=grant())
    return Capability(name=name, state="yes", how="kernel programs at the end of system calls (bpf)")


def _refusal(attempt: Callable[[], None]) -> str:
    """Empty when it works, else why not."""
    try:
        attempt()
    except OSError as error:
        return _words(error)
    return ""


def _words(error: OSError) -> str:
    if error.errno in (errno.EPERM, errno.EACCES):
        return " and ".join(_hindrances()) or "the kernel does not permit it"
    if error.errno in (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP) and _kernel_version() < _MULTI_SINCE:
        return f"kernel {os.uname().release} is too old: {'.'.join(map(str, _MULTI_SINCE))} is needed"
    return str(error.strerror or error)


def _hindrances() -> list[str]:
    """What on this machine stands in the way of a user without rights."""
    found = []
    lacking = _lacking(_USEFUL)
    if os.geteuid() != 0 and lacking:
        found.append(f"uid {os.geteuid()} is not root and lacks {lacking}")
    if os.geteuid() == 0 and _in_container():
        found.append("this container was given too few capabilities")
    lockdown = _read("/sys/kernel/security/lockdown")
    if "[confidentiality]" in lockdown:
        found.append("the kernel is locked down (confidentiality)")
    return found


def _perf_grant() -> str:
    return "sudo sysctl kernel.perf_event_paranoid=1" if os.geteuid() != 0 else grant()


def _try_raw_tracepoint() -> None:
    if not _VMLINUX.exists():
        raise OSError(errno.ENOENT, "the kernel has no type data (CONFIG_DEBUG_INFO_BTF)")
    _try_program(ProgramKind.RAW_TRACEPOINT, 0, lambda program: bpf.attach_raw_tracepoint(program, _NOWHERE))


def _try_uprobes() -> None:
    uprobes.find_means()


def _try_program(kind: ProgramKind, attach: int, use: Callable[[int], int]) -> None:
    """Allowed when only the place is unknown."""
    code = Assembler()
    code.leave()
    program = bpf.load_program(kind, code.build(), "inspector", attach=attach)
    try:
        os.close(use(program))
    except BpfError as error:
        if error.errno != errno.ENOENT:
            raise
    finally:
        os.close(program)


def _try_perf(pid: int) -> None:
    flags = perf.MMAP | perf.MMAP2 | perf.TASK | perf.COMM | perf.EXCLUDE_KERNEL | perf.EXCLUDE_HYPERVISOR
    os.close(perf.open_event(perf.side_band(flags), pid, 0 if pid < 0 else -1))


def _try_others() -> None:
    """The one question that is not tried but read off: there may be no process of another user to try it on."""
    if _lacking(_FOR_OTHERS):
        raise PermissionError(errno.EPERM, f"lacks {_lacking(_FOR_OTHERS)}")


def _lacking(names: Iterable[str]) -> str:
    """Those of these capabilities that this process does not have, in words; empty when it has all."""
    held = _effective_capabilities()
    held |= (held >> _CAP_DAC_OVERRIDE & 1) << _USEFUL["CAP_DAC_READ_SEARCH"]
    missing = [name for name in names if not held >> _USEFUL[name] & 1]
    return " and ".join([", ".join(missing[:-1]), missing[-1]] if len(missing) > 1 else missing)


def _effective_capabilities() -> int:
    lines = _read("/proc/self/status").splitlines()
    return int(next((line for line in lines if line.startswith("CapEff:")), "0").split()[-1], 16)


def _try_map_files() -> None:
    folder = Path("/proc/self/map_files")
    os.stat(next(folder.iterdir()))


def _kernel_version() -> tuple[int, ...]:
    numbers = os.uname().release.split("-")[0].split(".")
    return tuple(int(number) for number in numbers[:2] if number.isdigit())


def _in_container() -> bool:
    return Path("/.dockerenv").exists() or Path("/run/.containerenv").exists() or bool(foreign_pid_namespace())


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""
