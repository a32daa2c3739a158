"""Why the kernel refuses something, by the name of what stands in the way, and the command that grants it."""

import errno
import os
import sys
from collections.abc import Iterable
from enum import Enum

import msgspec

from . import bpf, memlock, registers
from .assembler import Assembler, Helper, Reg
from .bpf import BpfError, MapKind, ProgramKind
from .btf import BtfError
from .identities import foreign_pid_namespace

_CAPABILITIES = {
    "CAP_DAC_OVERRIDE": 1, "CAP_DAC_READ_SEARCH": 2, "CAP_SYS_PTRACE": 19, "CAP_SYS_ADMIN": 21, "CAP_SYS_NICE": 23,
    "CAP_PERFMON": 38, "CAP_BPF": 39,
}  # fmt: skip
"""linux/capability.h."""
_SECCOMP_FILTER = "2"
"""SECCOMP_MODE_FILTER of linux/seccomp.h, as /proc/PID/status tells it."""
_GVISOR = "#1 SMP Sun Jan 10 15:06:54 PST 2016"
"""The version that gVisor tells uname(2) (LinuxVersion in pkg/sentry/syscalls/linux/linux64.go)."""
_FIRST_USERS = "0 0 4294967295"
"""/proc/self/uid_map of the first user name space."""


_CHARGES_MAPS_BEFORE = (5, 11)
"""Older kernels charge maps to the limit on locked memory."""


class Refusal(msgspec.Struct, frozen=True):
    """Something that is not possible here."""

    why: str
    grant: str
    """The command that grants it, or what else helps."""


class Need(Enum):
    """What was asked for: the capabilities that it takes, and whether perf_event_paranoid bears on it."""

    PROGRAMS = (("CAP_BPF", "CAP_PERFMON"), None)
    UPROBE_EVENTS = (("CAP_BPF", "CAP_PERFMON", "CAP_SYS_ADMIN"), None)
    EVERYONES_RECORDS = (("CAP_PERFMON",), 0)
    OWN_RECORDS = (("CAP_PERFMON",), 2)
    OTHERS_MEMORY = (("CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH"), None)
    """environ, auxv, mem and pagemap of /proc belong to the process's user: the right to trace does not open them."""

    def __init__(self, capabilities: tuple[str, ...], paranoid: int | None) -> None:
        self.capabilities = capabilities
        self.paranoid = paranoid
        """Up to this value of kernel.perf_event_paranoid nobody needs the capability."""


def explain(error: Exception, need: Need) -> Refusal:
    """Why something was refused. The verifier's log is shown to developers only (INSPECTOR_DEBUG=1)."""
    if isinstance(error, BpfError) and error.log and os.environ.get("INSPECTOR_DEBUG"):
        print(error.log, file=sys.stderr)
    number = error.errno if isinstance(error, OSError) else None
    if os.uname().version == _GVISOR:
        why = "this is a gVisor sandbox, whose kernel has neither BPF nor perf events"
        return Refusal(why, "docker run --runtime=runc ...")
    if isinstance(error, BpfError) and not registers.KNOWN:
        why = f"this machine is {os.uname().machine}: our kernel programs read the registers of x86-64 and arm64 only"
        return Refusal(why, "")
    if isinstance(error, BtfError):
        return Refusal(str(error), "boot a kernel with CONFIG_DEBUG_INFO_BTF=y")
    if number == errno.ENOSYS and _is_filtered():  # some filters answer that the call does not exist
        return _filtered()
    if number == errno.ENOSYS:
        return Refusal(
            "this kernel was built without it", "boot a kernel with CONFIG_BPF_SYSCALL=y, CONFIG_PERF_EVENTS=y"
        )
    if number in (errno.EPERM, errno.EACCES):
        return _forbidden(need)
    if isinstance(error, BpfError):
        return _unknown_to_kernel(error)
    return Refusal(str(getattr(error, "strerror", None) or error), "inspector doctor")


def foreign_namespace() -> Refusal | None:
    """Why what kernel programs tell would be useless: they tell process numbers of the whole machine."""
    why = foreign_pid_namespace()
    return Refusal(why, "docker run --pid=host --privileged ...") if why else None


def lacking(names: Iterable[str]) -> str:
    """Those of these capabilities that this process does not have, in words; empty when it has all."""
    held = int(_status("CapEff") or "0", 16)
    held |= (held >> _CAPABILITIES["CAP_DAC_OVERRIDE"] & 1) << _CAPABILITIES["CAP_DAC_READ_SEARCH"]
    if held >> _CAPABILITIES["CAP_SYS_ADMIN"] & 1:  # it has always implied these two (capabilities(7))
        held |= 1 << _CAPABILITIES["CAP_BPF"] | 1 << _CAPABILITIES["CAP_PERFMON"]
    missing = [name for name in names if not held >> _CAPABILITIES[name] & 1]
    return " and ".join([", ".join(missing[:-1]), missing[-1]] if len(missing) > 1 else missing)


def grant_of_rights() -> str:
    """The command that gives all rights to who has not got them."""
    if os.geteuid() != 0:
        return "sudo inspector"
    if _in_container():
        return "docker run --privileged --pid=host ..."
    if _has_own_users():
        return "run it as root outside this user namespace"
    return "run it from a root shell that has all capabilities: capsh --print"


def _by_root(command: str) -> str:
    """The command for whoever runs us; root of a container cannot give it inside."""
    if os.geteuid() != 0:
        return f"sudo {command}"
    return grant_of_rights() if _in_container() else command


def hidden_processes() -> Refusal | None:
    """Whether /proc keeps processes of other users from us (hidepid in proc(5)); None when it does not."""
    for line in _read("/proc/self/mountinfo").splitlines():
        mount, _, system = line.partition(" - ")
        options = system.split()[-1] if system.startswith("proc ") else ""
        hide = next((option for option in options.split(",") if option.startswith("hidepid=")), "hidepid=0")
        if mount.split()[4] == "/proc" and hide not in ("hidepid=0", "hidepid=off") and lacking(["CAP_SYS_PTRACE"]):
            return Refusal(f"/proc is mounted with {hide}: processes of other users are hidden", grant_of_rights())
    return None


def closed_memory() -> Refusal | None:
    """Whether memory of one's own processes is closed to others than their parents (Yama); None when it is not."""
    scope = _read("/proc/sys/kernel/yama/ptrace_scope").strip() or "0"
    if scope == "0" or not lacking(["CAP_SYS_PTRACE"]):
        return None
    return Refusal(f"kernel.yama.ptrace_scope is {scope}", _by_root("sysctl kernel.yama.ptrace_scope=0"))


def _forbidden(need: Need) -> Refusal:
    """All that may stand in the way, the nearest first; the grant is that of the first."""
    found: list[Refusal] = []
    lacks = lacking(need.capabilities)
    paranoid = int(_read("/proc/sys/kernel/perf_event_paranoid").strip() or 0)
    if lacks and need.paranoid is not None and paranoid > need.paranoid:
        why = f"kernel.perf_event_paranoid is {paranoid}"
        found.append(Refusal(why, _by_root(f"sysctl kernel.perf_event_paranoid={need.paranoid}")))
    elif lacks:
        who = "this container" if os.geteuid() == 0 and _in_container() else f"uid {os.geteuid()}"
        found.append(Refusal(f"{who} lacks {lacks}", grant_of_rights()))
    if not found and _has_own_users():
        why = "inspector runs in its own user namespace, whose root has no privileges on the machine"
        found.append(Refusal(why, grant_of_rights()))
    if _is_confidential():
        found.append(_locked_down())
    if _is_filtered():
        found.append(_filtered())
    if not found and _kernel() < _CHARGES_MAPS_BEFORE and memlock.is_tight():
        why = "the limit on locked memory is too low for this kernel (ulimit -l)"
        found.append(Refusal(why, _by_root("prlimit --memlock=unlimited inspector")))
    if not found:
        found.append(Refusal("the kernel or a security module does not permit it", grant_of_rights()))
    return Refusal("; ".join(each.why for each in found), found[0].grant)


def _unknown_to_kernel(error: BpfError) -> Refusal:
    """The kernel knows a part of our programs not: because it is locked down, or too old."""
    if _is_confidential() or not _may_read_kernel():
        return _locked_down()
    release = os.uname().release
    if not _has_ring_buffers():
        return Refusal(f"kernel {release} is too old: 5.8 is needed", "boot Linux 5.8 or newer")
    name = errno.errorcode.get(error.errno or 0, "")
    return Refusal(f"kernel {release} rejects our BPF programs ({name})", "INSPECTOR_DEBUG=1 inspector doctor")


def _kernel() -> tuple[int, ...]:
    numbers = os.uname().release.split("-")[0].split(".")
    return tuple(int(number) for number in numbers[:2] if number.isdigit())


def _is_confidential() -> bool:
    return "[confidentiality]" in _read("/sys/kernel/security/lockdown")


def _is_filtered() -> bool:
    return _status("Seccomp") == _SECCOMP_FILTER


def _filtered() -> Refusal:
    why = "a seccomp filter is in force, which may refuse bpf(2) and perf_event_open(2)"
    return Refusal(why, "docker run --security-opt seccomp=unconfined ...")


def _locked_down() -> Refusal:
    why = "the kernel is locked down (confidentiality): no program may read its memory"
    return Refusal(why, "boot without lockdown=confidentiality")


def _may_read_kernel() -> bool:
    asks = Assembler()
    asks.store(Reg.R10, -8, 0)
    asks.stack_address(Reg.R1, -8)
    asks.move(Reg.R2, 8)
    asks.stack_address(Reg.R3, -8)
    asks.call(Helper.PROBE_READ_KERNEL)
    asks.leave()
    try:
        return bpf.is_accepted(ProgramKind.RAW_TRACEPOINT, asks.build())
    except BpfError:
        return True


def _has_ring_buffers() -> bool:
    try:
        bpf.Map(MapKind.RINGBUF, 0, 0, 4096).close()
    except BpfError as error:
        return error.errno != errno.EINVAL
    return True


def _in_container() -> bool:
    """By the files that docker and podman put there, a pid name space of its own, or what systemd knows."""
    return (
        os.path.exists("/.dockerenv")
        or os.path.exists("/run/.containerenv")
        or bool(foreign_pid_namespace())
        or bool(_read("/run/systemd/container"))
        or "KUBERNETES_SERVICE_HOST" in os.environ
    )


def _has_own_users() -> bool:
    return _read("/proc/self/uid_map").split() != _FIRST_USERS.split()


def _status(key: str) -> str:
    lines = (line.partition(":") for line in _read("/proc/self/status").splitlines())
    return next((value.strip() for name, _, value in lines if name == key), "")


def _read(path: str) -> str:
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""
