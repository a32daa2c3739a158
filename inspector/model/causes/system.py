"""Why a system call failed inside a load or a call of an API: limits, permissions, nodes and files not there."""

import re
from errno import EACCES, EAGAIN, ELOOP, EMFILE, ENFILE, ENODEV, ENOENT, ENOMEM, ENOTTY, ENXIO, EPERM
from shlex import quote

from msgspec.structs import replace

from inspector.model import commands_by_hand
from inspector.model.attempts.row import Attempt
from inspector.model.attempts.system import is_device
from inspector.model.attempts.wording import sentence, system_call
from inspector.model.evidence import short
from inspector.model.formatting import listed, name_of, size, upper_first
from inspector.model.state import Process
from inspector.model.tree import program

from .context import Case
from .found_elsewhere import found_elsewhere
from .rule import Cause, Hit

_LIBRARY = re.compile(r"\.so(\.[\w.]+)?$")
_MODULES = {
    "nvidia-uvm": "nvidia_uvm",
    "nvidia-uvm-tools": "nvidia_uvm",
    "nvidiactl": "nvidia",
    "nvidia-modeset": "nvidia_modeset",
    "kfd": "amdgpu",
}


def _consequence(case: Case) -> str:
    """What came of it: the call or load around it."""
    outer = [sentence(one) for one in case.chain[:-1]]
    return f" {outer[0]}." if outer else ""


_OF_MEMORY = (
    ("RLIMIT_AS", "-v", "the limit of address space of this process"),
    ("RLIMIT_DATA", "-d", "the limit of data of this process"),
)
_OF_LOCKED_MEMORY = (("RLIMIT_MEMLOCK", "-l", "the limit of locked memory of this process"),)
_LIMITS = {
    EMFILE: (("RLIMIT_NOFILE", "-n", "the limit of open files of this process"),),
    ENFILE: (("", "-n", "the machine's limit of open files"),),
    ENOMEM: _OF_MEMORY,
    EAGAIN: (("", "-u", "the limit of processes and threads, of its user or its cgroup,"),),
}
"""Which limits a refusal may come from, the first that is set; getrlimit(2), and what ulimit calls them."""
_SETTINGS = {ENFILE: "fs.file-max of the machine", EAGAIN: "pids.max of its cgroup, TasksMax= of its unit"}
"""Where a limit that is none of the process alone is set."""
_BIRTHS = frozenset(("clone", "clone3", "fork", "vfork"))
"""System calls that answer EAGAIN where there would be too many processes or threads (clone(2))."""
_LOCKS = frozenset(("mlock", "mlock2", "mlockall", "shmctl", "io_uring_setup", "io_uring_register", "ioctl", "bpf"))
"""System calls that answer ENOMEM where too much memory would be locked; drivers lock it in ioctl(2)."""


_AT_ONCE = 50_000_000
"""ns between a refusal and the fault of who did not look at it."""


class LimitReached(Cause):
    id = "limit-reached"
    place = "returned"
    meaning = "The kernel refused a system call because a limit of the process or the machine is reached."
    proof = "The system call's errno (EMFILE, ENFILE, ENOMEM), reported at the moment it failed, and the limit as read."
    cure = "Raise the limit where the program is started, or let it hold fewer descriptors or less memory."

    def explain(self, case: Case) -> Hit | None:
        leaf = case.leaf
        if leaf.kind != "system" or leaf.code not in _LIMITS or (leaf.code == EAGAIN and leaf.call not in _BIRTHS):
            return None
        locks = leaf.code == ENOMEM and leaf.call in _LOCKS
        possible = _OF_LOCKED_MEMORY if locks else _LIMITS[leaf.code]
        name, option, kind = next((one for one in possible if limit_of(leaf.process, one[0]) is not None), possible[-1])
        limit = limit_of(leaf.process, name)
        if limit is None and leaf.code == ENOMEM:
            return _without_limit(case)
        amount = f" is {limit}" if limit is not None else " is reached"
        setting = f"{name.replace('RLIMIT_', 'Limit')}= of its unit" if name else _SETTINGS[leaf.code]
        many = "much" if leaf.code == ENOMEM else "many"
        return Hit(
            title=f"{system_call(leaf)} = {leaf.answer} in {short(leaf.process)}: {kind}{amount}",
            cause=f"The kernel refuses to give more.{_consequence(case)}",
            next_step=f"raise the limit (ulimit {option}, {setting}) or find what holds so {many}",
            command=_raised(case, option) if name else _shown(leaf),
            process=leaf.process,
            confidence="likely" if locks else case.sure,
            evidence=case.rows(),
            doubt="A driver returns this for other reasons as well." if leaf.call == "ioctl" else "",
            at=leaf.at,
            subject=f"{leaf.answer}:{name}",
            root=f"{kind}{amount}",
        )


def _shown(leaf: Attempt) -> str:
    """Shows a limit that is none of the process alone."""
    if leaf.code == EAGAIN:
        return _shown_of(leaf.process, "cgroup", "cat {}", "cat /proc/sys/kernel/threads-max; ulimit -u")
    return "cat /proc/sys/fs/file-nr"


def _shown_of(process: Process, file: str, command: str, also: str) -> str:
    """Commands of which the first reads a file of the process in /proc, where that is still there."""
    of_it = command.format(f"/proc/{process.pid}/{file}")
    return also if process.ended else f"{of_it}; {also}"


def _raised(case: Case, option: str) -> str:
    """The program once more with a higher limit; where it cannot be started here, the limits as they are."""
    amount, again = "65536" if option == "-n" else "unlimited", case.rerun()
    if again:
        return f"bash -c {quote(f'ulimit {option} {amount}; exec {again}')}"
    return "" if case.process.ended else f"cat /proc/{case.process.pid}/limits"


class FellWithoutMemory(LimitReached):
    """A process that fell just after memory was refused to the same thread: many programs do not look at the answer."""

    def explain(self, case: Case) -> Hit | None:
        death = case.leaf
        if death.kind != "signal":
            return None
        refused = [
            one for one in case.context.analysis.attempts[case.process]
            if one.kind == "system" and one.code == ENOMEM and one.tid == death.tid
            and 0 <= death.at - one.at < _AT_ONCE
        ]  # fmt: skip
        limited = any(limit_of(case.process, name) is not None for name, _, _ in _OF_MEMORY)
        if not refused or not limited:
            return None
        hit = super().explain(replace(case, chain=[*case.chain, refused[-1]]))
        return replace(hit, confidence="likely") if hit is not None else None


def _without_limit(case: Case) -> Hit:
    """No limit of the process is set: what was asked for, and what the machine gives."""
    leaf = case.leaf
    length = leaf.refused_call.arguments.get("length", 0) if leaf.refused_call is not None else 0
    asked = f" {size(length)} were asked for." if length else ""
    return Hit(
        title=f"{system_call(leaf)} = {leaf.answer} in {short(leaf.process)}: the kernel does not give so much memory",
        cause=f"No limit of the process is set for it.{asked}{_consequence(case)}",
        next_step="compare what was asked for with what the machine and the cgroup of the process give",
        command="grep -E 'MemAvailable|Commit' /proc/meminfo; sysctl vm.overcommit_memory vm.max_map_count",
        process=leaf.process,
        confidence=case.sure,
        evidence=case.rows(),
        at=leaf.at,
        subject=f"{leaf.answer}:{leaf.call}",
        root="the kernel does not give so much memory",
    )


def limit_of(process: Process, name: str) -> int | None:
    """The soft limit of this name; None: none is set, or it was not read."""
    rows = process.constraints.limits if process.constraints is not None else []
    return next((row.soft for row in rows if row.name == name), None)


_DEVICE_RULES = (
    "Owner and mode of the file would answer EACCES: what refuses it are the device rules of its cgroup (container, "
    "unit), a security module, or the driver itself."
)
_NO_NEW_CODE = (
    "Memory that is written to and executed is refused by a seccomp filter (MemoryDenyWriteExecute= of a unit) or a "
    "security module; drivers that make code at run time need it."
)
_NOEXEC = "A file may not be mapped as code where its file system is mounted noexec (mmap(2))."


class NotPermitted(Cause):
    id = "not-permitted"
    place = "returned"
    meaning = "The kernel refused a file, a device or a system call for want of permission."
    proof = "The system call's errno (EACCES, EPERM), reported at the moment it failed inside the call or load."
    cure = "Give the user the group of the device, or let the cgroup, the container or the filter admit it."

    def explain(self, case: Case) -> Hit | None:
        leaf = case.leaf
        if leaf.kind != "system" or leaf.code not in (EACCES, EPERM):
            return None
        by_rules = leaf.code == EPERM and is_device(leaf.what)
        why, step, command = _way_in(leaf, by_rules=by_rules)
        who = "" if by_rules else _who(leaf.process)
        what = f"{'device rules' if by_rules else 'permissions'} keep the process from {leaf.what}"
        return Hit(
            title=f"{system_call(leaf)} = {leaf.answer} in {short(leaf.process)}{who}",
            cause=f"{why}{_consequence(case)}",
            next_step=step,
            command=command,
            process=leaf.process,
            confidence=case.sure,
            evidence=case.rows(),
            at=leaf.at,
            subject=f"{leaf.answer}:{leaf.what}",
            root=what if is_device(leaf.what) else f"the process may not use {leaf.what}",
        )


def _way_in(leaf: Attempt, *, by_rules: bool) -> tuple[str, str, str]:
    """Why the process may not, what to do, and the command that shows it."""
    process, of_file = leaf.process, leaf.what.startswith("/")
    seccomp = _shown_of(process, "status", "grep -i seccomp {}", "cat /sys/kernel/security/lsm")
    filtered = process.constraints is not None and process.constraints.seccomp == "filter"
    if leaf.call in ("mmap", "mprotect") and not of_file:
        step = "let the unit, the container or the security module admit code that is made at run time"
        return _NO_NEW_CODE, step, seccomp
    if leaf.call == "mmap" and leaf.code == EPERM:
        step = "lay the file on a file system that is not mounted noexec, or mount that one with exec"
        return _NOEXEC, step, f"findmnt -T {quote(leaf.what)}"
    if by_rules:
        step = "allow the device where the container or unit is set up: --gpus, --device, DeviceAllow="
        return _DEVICE_RULES, step, _shown_of(process, "cgroup", "cat {}", f"ls -l {quote(leaf.what)}")
    step = "give the user access to it: by its group, by the container's or unit's device rules"
    if name_of(leaf.what) in ("kfd",) or "renderD" in leaf.what:
        step = "add the user to the device's group (render or video) and restart"
    elif filtered and not of_file:
        step = "allow the call in the seccomp filter of the container or unit"
    return "The process may not use it.", step, f"namei -l {quote(leaf.what)}; id" if of_file else seccomp


def _who(process: Process) -> str:
    """` (uid 1000, groups video)`, as far as it is known."""
    constraints = process.constraints
    if constraints is not None:
        return f" (uid {constraints.uid}, groups {listed(constraints.group_names, 6)})" if constraints.uid >= 0 else ""
    runs = program(process)
    return f" (uid {runs.uid})" if runs is not None and runs.uid >= 0 else ""


class NodeMissing(Cause):
    id = "device-node-missing"
    place = "returned"
    meaning = "The file of a device is not there, or no driver is behind it."
    proof = "The open of the node failed (ENOENT, ENXIO, ENODEV) at the moment of the call or load."
    cure = "Load the kernel module, create the node, or give it to the container."

    def explain(self, case: Case) -> Hit | None:
        leaf = case.leaf
        if leaf.kind != "system" or not is_device(leaf.what) or leaf.code not in (ENOENT, ENXIO, ENODEV):
            return None
        name = name_of(leaf.what)
        module = _MODULES.get(name, "nvidia" if name.startswith("nvidia") else "")
        place = found_elsewhere(case, leaf.what, "device")
        there = f" {upper_first(place.words)}." if place.paths else ""
        return Hit(
            title=f"{leaf.what} is not there for {short(leaf.process)}: {leaf.call} = {leaf.answer}",
            cause=f"Without the node the library cannot reach the driver in the kernel.{_consequence(case)}{there}",
            next_step=place.step
            if place.paths
            else f"load the kernel module {module or 'of the device (amdgpu, i915, xe)'} or create the node; "
            "a container must be given it",
            command=place.command
            if place.paths
            else f"modprobe {module}"
            if module
            else commands_by_hand.listing(leaf.process, leaf.what),
            process=leaf.process,
            confidence=case.sure,
            evidence=case.rows(),
            at=leaf.at,
            subject=leaf.what,
            root=f"{leaf.what} is not there",
        )


class KernelRefused(Cause):
    id = "system-call-refused"
    place = "returned"
    meaning = "The kernel refused a system call inside a load or a call of the API that then failed."
    proof = "The system call's errno, reported at the moment it failed, on the same thread and inside that call."
    cure = "Bring what it asked for: the file, the socket, the memory."

    def explain(self, case: Case) -> Hit | None:
        leaf = case.leaf
        if leaf.kind != "system":
            return None
        missing = leaf.code == ENOENT
        library = missing and _LIBRARY.search(leaf.what) is not None
        why, step, command = self._library(case) if library else self._other(case, missing=missing)
        return Hit(
            title=f"{system_call(leaf)} = {leaf.answer} in {short(leaf.process)}",
            cause=f"{why}.{_consequence(case)}",
            next_step=step,
            command=command,
            process=leaf.process,
            confidence=case.sure,
            evidence=case.rows(),
            at=leaf.at,
            subject=f"{leaf.call}:{leaf.what}",
            root=why,
        )

    def _library(self, case: Case) -> tuple[str, str, str]:
        place = found_elsewhere(case, case.leaf.what)
        return place.words or f"{case.leaf.what} is not there", place.step, place.command

    def _other(self, case: Case, *, missing: bool) -> tuple[str, str, str]:
        leaf = case.leaf
        if leaf.call in ("connect", "bind"):
            address = leaf.what.removeprefix("unix:")
            command = commands_by_hand.listing(leaf.process, address) if address.startswith("/") else "ss -ltnx"
            return f"nothing listens at {leaf.what}", f"start the service that listens at {leaf.what}", command
        if missing:
            where = leaf.what if leaf.what.startswith("/") else ""
            step = f"create {leaf.what}, or tell the library where it is"
            return (
                f"{leaf.what} is not there",
                step,
                commands_by_hand.path(leaf.process, where) if where else case.again(),
            )
        if leaf.code == ELOOP:
            return "its symbolic links lead in a circle", "correct the link", f"namei -l {quote(leaf.what)}"
        if leaf.code == ENOTTY and is_device(leaf.what):
            return (
                f"what is behind {leaf.what} does not know the driver's requests: it has the number of another device",
                "create the node anew with the number that the driver has now (nvidia-modprobe -c 0 -u), or load the "
                "driver's module again",
                f"ls -l {quote(leaf.what)}; cat /proc/devices",
            )
        return f"the kernel refuses it: {leaf.answer}", "check why the kernel refuses it", case.again()


CAUSES: tuple[Cause, ...] = (LimitReached(), FellWithoutMemory(), NotPermitted(), NodeMissing(), KernelRefused())
