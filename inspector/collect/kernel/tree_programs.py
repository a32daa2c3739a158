"""Kernel programs on births, execs, ends and signals: members grow and shrink in the kernel, so no child is missed.

Arguments of the tracepoints: include/trace/events/sched.h and signal.h. Record layouts: the structs below, each after
`membership.HEADER`.
"""

import struct
from collections.abc import Iterable
from errno import ENOENT

from .assembler import Helper, Reg
from .bpf import Map
from .btf import kernel_offsets
from .frames import tell_frames
from .membership import CONTROL_CROWDED, CONTROL_WAIT, HEADER, ONE_EXEC, MemberAssembler, Membership
from .registers import HERE
from .stack_requests import SIGNALLED as ENDED_BY_SIGNAL
from .stack_requests import StackMaps, ask_stack

FORKED, EXECUTED, EXITED, SIGNALLED, OPENED, REFUSED_CALL, LISTED, SENT, ENDED_INSIDE = range(1, 10)

EXECUTED_BODY = struct.Struct("<QQ256s")
"""Bytes of arguments, bytes of arguments and environment together, file name; the memory follows."""
EXIT_BODY = struct.Struct("<QQ")
"""Slot that the process had, ns of CPU time of all its threads."""
FORK_BODY = struct.Struct("<Q")
"""Slot of the child."""
SIGNAL_BODY = struct.Struct("<iiQ")
"""si_code, whether a handler is installed, instruction pointer."""
SENT_BODY = struct.Struct("<II16s")
"""pid of the receiver, unused, name of the sender's thread."""
MEMORY_SIZES = (4 << 10, 16 << 10, 128 << 10)
"""Room for arguments and environment; the smallest that fits is taken, the rest of longer ones is cut off."""

_FIELDS = (
    "task_struct.pid", "task_struct.tgid", "task_struct.mm", "task_struct.signal", "task_struct.group_leader",
    "task_struct.exit_code", "task_struct.comm", "task_struct.se", "sched_entity.sum_exec_runtime",
    "signal_struct.live", "signal_struct.flags", "signal_struct.group_exit_code", "signal_struct.sum_sched_runtime",
    "mm_struct.arg_start", "mm_struct.arg_end", "mm_struct.env_end", "linux_binprm.filename",
)  # fmt: skip
_SIGNAL_GROUP_EXIT = 0x4  # include/linux/sched/signal.h
_SIGKILL = 9
_LAST_STANDARD_SIGNAL = 31
_BY_KERNEL = 1
"""SEND_SIG_PRIV instead of a siginfo: the kernel itself, out of memory for instance."""
_FAULTS = (3, 4, 5, 6, 7, 8, 11, 31)  # QUIT ILL TRAP ABRT BUS FPE SEGV SYS
_HARMLESS = (17, 18, 19, 20, 21, 22, 23, 28)  # CHLD CONT STOP TSTP TTIN TTOU URG WINCH: their default ends nobody


def tree_programs(members: Membership, calls: Map, thread_maps: Iterable[Map], stacks: StackMaps) -> dict[str, bytes]:
    """Code by name of its raw tracepoint.

    A thread that ends is taken out of `thread_maps`, which are keyed by tid; what it ended in, by `calls`, is told."""
    fields = kernel_offsets(_FIELDS)
    return {
        "sched_process_fork": _on_fork(members, fields),
        "sched_process_exec": _on_exec(members, fields),
        "sched_process_exit": _on_exit(members, fields, calls, thread_maps),
        "signal_deliver": _on_signal(members, fields, stacks),
        "signal_generate": _on_sending(members, fields),
    }


def _on_fork(members: Membership, fields: dict[str, int]) -> bytes:
    """(parent, child): a new process of a member becomes a member, before it runs."""
    a = MemberAssembler(members)
    a.move(Reg.R6, Reg.R1)
    a.find_member("out")
    a.load(Reg.R7, Reg.R6, 8)
    a.read_kernel(-8, 4, Reg.R7, fields["task_struct.pid"])
    a.read_kernel(-12, 4, Reg.R7, fields["task_struct.tgid"])
    a.load(Reg.R1, Reg.R10, -8, 4)
    a.load(Reg.R7, Reg.R10, -12, 4)
    a.jump_if(Reg.R1, "!=", Reg.R7, "out")
    a.take_slot(-24)
    _join(a, key=-12, member=-24)
    a.reserve(members.ring, HEADER.size + FORK_BODY.size, "out")
    a.head(FORKED)
    a.load(Reg.R1, Reg.R9, 4, 4)
    a.store(Reg.R9, 12, Reg.R1, 4)
    a.store(Reg.R9, 4, Reg.R7, 4)
    a.load(Reg.R1, Reg.R10, -24, 4)
    a.store(Reg.R9, HEADER.size, Reg.R1)
    a.submit()
    a.label("out")
    a.leave()
    return a.build()


def _join(a: MemberAssembler, key: int, member: int) -> None:
    """Put a process into the tree; where that is refused nothing of it can be counted, which is told."""
    joined = a.fresh("joined")
    a.update(a.members.tree, key, member)
    a.jump_if(Reg.R0, "==", 0, joined)
    a.count(CONTROL_CROWDED)
    a.label(joined)


def _on_exec(members: Membership, fields: dict[str, int]) -> bytes:
    """(task, old pid, binprm): what a member is now; also the birth of members while we wait for one."""
    a = MemberAssembler(members)
    a.move(Reg.R6, Reg.R1)
    a.find_member("stranger")
    a.load(Reg.R1, Reg.R8, 4, 4)
    a.add(Reg.R1, ONE_EXEC)
    a.store(Reg.R8, 4, Reg.R1, 4)
    a.jump("report")
    a.label("stranger")
    a.map_value(Reg.R1, members.control.fd, CONTROL_WAIT)
    a.load(Reg.R1, Reg.R1, 0)
    a.jump_if(Reg.R1, "==", 0, "out")
    a.jump_if(Reg.R1, "==", 2, "joins")
    a.own_name(-32)
    a.look_up(members.waited, -32)
    a.jump_if(Reg.R0, "==", 0, "out")
    a.label("joins")
    a.take_slot(-16)
    a.store(Reg.R10, -12, ONE_EXEC, 4)
    _join(a, key=-4, member=-16)
    a.label("report")
    _find_memory(a, fields)
    for number, size in enumerate(MEMORY_SIZES):
        last = number == len(MEMORY_SIZES) - 1
        if not last:
            a.jump_if(Reg.R7, ">", size, f"more than {size}")
        _report_exec(a, fields, size)
        if not last:
            a.label(f"more than {size}")
    a.label("bare")
    _report_exec(a, fields, 0)
    a.label("out")
    a.leave()
    return a.build()


def _find_memory(a: MemberAssembler, fields: dict[str, int]) -> None:
    """Stack: -32 arg_start, -40 arg_end, -48 env_end; R7 = bytes in between."""
    a.load(Reg.R7, Reg.R6, 0)
    a.read_kernel(-24, 8, Reg.R7, fields["task_struct.mm"])
    a.load(Reg.R7, Reg.R10, -24)
    a.read_kernel(-32, 8, Reg.R7, fields["mm_struct.arg_start"])
    a.read_kernel(-40, 8, Reg.R7, fields["mm_struct.arg_end"])
    a.read_kernel(-48, 8, Reg.R7, fields["mm_struct.env_end"])
    a.load(Reg.R7, Reg.R10, -48)
    a.load(Reg.R1, Reg.R10, -32)
    a.compute("sub", Reg.R7, Reg.R1)


def _report_exec(a: MemberAssembler, fields: dict[str, int], size: int) -> None:
    """Send a record with at most `size` bytes of memory; the record's own number tells how many were read."""
    memory = HEADER.size + EXECUTED_BODY.size
    a.reserve(a.members.ring, memory + size, "bare" if size else "out")
    a.head(EXECUTED)
    a.load(Reg.R1, Reg.R10, -40)
    a.load(Reg.R2, Reg.R10, -32)
    a.compute("sub", Reg.R1, Reg.R2)
    a.store(Reg.R9, HEADER.size, Reg.R1)
    a.store(Reg.R9, HEADER.size + 8, Reg.R7)
    a.load(Reg.R3, Reg.R6, 16)
    a.read_kernel(-56, 8, Reg.R3, fields["linux_binprm.filename"])
    a.move(Reg.R1, Reg.R9)
    a.add(Reg.R1, HEADER.size + 16)
    a.move(Reg.R2, 256)
    a.load(Reg.R3, Reg.R10, -56)
    a.call(Helper.PROBE_READ_KERNEL_STR)
    if size:
        _copy_memory(a, memory, size)
    a.submit()
    a.leave()


def _copy_memory(a: MemberAssembler, memory: int, size: int) -> None:
    fits, failed = a.fresh("fits"), a.fresh("failed")
    a.jump_if(Reg.R7, "<=", size, fits)
    a.move(Reg.R7, size)
    a.label(fits)
    a.move(Reg.R1, Reg.R9)
    a.add(Reg.R1, memory)
    a.move(Reg.R2, Reg.R7)
    a.load(Reg.R3, Reg.R10, -32)
    a.call(Helper.PROBE_READ_USER)
    a.jump_if(Reg.R0, "!=", 0, failed)
    a.store(Reg.R9, 12, Reg.R7, 4)
    a.label(failed)


def _on_exit(members: Membership, fields: dict[str, int], calls: Map, thread_maps: Iterable[Map]) -> bytes:
    """(task, ...): the last thread of a member leaves; what wait(2) would say is in its signal structure."""
    a = MemberAssembler(members)
    a.move(Reg.R6, Reg.R1)
    a.find_member("out")
    a.load(Reg.R8, Reg.R8, 0, 4)
    a.call(Helper.PID_TGID)
    a.store(Reg.R10, -8, Reg.R0, 4)
    tell_frames(a, calls, ENDED_INSIDE)
    _leave_thread_maps(a, thread_maps)
    a.load(Reg.R7, Reg.R6, 0)
    a.read_kernel(-16, 8, Reg.R7, fields["task_struct.signal"])
    a.load(Reg.R9, Reg.R10, -16)
    a.read_kernel(-20, 4, Reg.R9, fields["signal_struct.live"])
    a.load(Reg.R1, Reg.R10, -20, 4)
    a.jump_if(Reg.R1, "!=", 0, "out")
    a.map(Reg.R1, members.tree.fd)
    a.stack_address(Reg.R2, -4)
    a.call(Helper.MAP_DELETE)
    a.jump_if(Reg.R0, "==", 0, "the last")
    a.add(Reg.R0, ENOENT)
    a.jump_if(Reg.R0, "==", 0, "out")  # another thread that ends now tells it; any other refusal leaves it to us
    a.label("the last")
    _sum_cpu_time(a, fields)
    a.read_kernel(-24, 4, Reg.R9, fields["signal_struct.flags"])
    a.read_kernel(-28, 4, Reg.R9, fields["signal_struct.group_exit_code"])
    a.load(Reg.R1, Reg.R10, -24, 4)
    a.jump_if(Reg.R1, "&", _SIGNAL_GROUP_EXIT, "report")
    a.load(Reg.R7, Reg.R10, -16)
    a.read_kernel(-28, 4, Reg.R7, fields["task_struct.exit_code"])
    a.label("report")
    a.reserve(members.ring, HEADER.size + EXIT_BODY.size, "out")
    a.head(EXITED)
    a.load(Reg.R1, Reg.R10, -28, 4)
    a.store(Reg.R9, 12, Reg.R1, 4)
    a.store(Reg.R9, HEADER.size, Reg.R8)
    a.load(Reg.R1, Reg.R10, -40)
    a.store(Reg.R9, HEADER.size + 8, Reg.R1)
    a.submit()
    a.label("out")
    a.leave()
    return a.build()


def _sum_cpu_time(a: MemberAssembler, fields: dict[str, int]) -> None:
    """Stack: -16 the group's leader, -40 the CPU time; R7 = the task, R9 = its signal structure.

    Threads that are gone have left theirs in the signal structure; the leader stays to the end (__exit_signal).
    """
    runtime = fields["task_struct.se"] + fields["sched_entity.sum_exec_runtime"]
    alone = a.fresh("alone")
    a.read_kernel(-16, 8, Reg.R7, fields["task_struct.group_leader"])
    a.read_kernel(-40, 8, Reg.R9, fields["signal_struct.sum_sched_runtime"])
    a.read_kernel(-48, 8, Reg.R7, runtime)
    _add_on_stack(a, -40, -48)
    a.load(Reg.R1, Reg.R10, -16)
    a.jump_if(Reg.R1, "==", Reg.R7, alone)
    a.read_kernel(-48, 8, Reg.R1, runtime)
    _add_on_stack(a, -40, -48)
    a.label(alone)


def _add_on_stack(a: MemberAssembler, total: int, more: int) -> None:
    a.load(Reg.R1, Reg.R10, total)
    a.load(Reg.R2, Reg.R10, more)
    a.add(Reg.R1, Reg.R2)
    a.store(Reg.R10, total, Reg.R1)


def _leave_thread_maps(a: MemberAssembler, thread_maps: Iterable[Map]) -> None:
    """A thread that ends is inside of no call any more."""
    for each in thread_maps:
        a.map(Reg.R1, each.fd)
        a.stack_address(Reg.R2, -8)
        a.call(Helper.MAP_DELETE)


def _on_signal(members: Membership, fields: dict[str, int], stacks: StackMaps) -> bytes:
    """(signal, siginfo, k_sigaction): signals that end a member, and faults that it catches.

    A death by SIGTERM and the like shows here only as SIGKILL without information (complete_signal in
    kernel/signal.c); the signal itself is then the group's exit code. exit_group(2) looks the same with a code above.
    """
    a = MemberAssembler(members)
    a.move(Reg.R6, Reg.R1)
    a.find_member("out")
    a.load(Reg.R7, Reg.R6, 0)
    a.load(Reg.R3, Reg.R6, 16)
    a.read_kernel(-16, 8, Reg.R3, 0)
    a.store(Reg.R10, -24, 0)
    a.load(Reg.R3, Reg.R6, 8)
    a.jump_if(Reg.R3, "<=", 1, "bare")
    a.read_kernel(-24, 4, Reg.R3, 8)
    _drop_unless_deadly(a)
    a.jump("report")
    a.label("bare")
    a.jump_if(Reg.R7, "!=", _SIGKILL, "report")
    _read_group_code(a, fields)
    a.label("report")
    a.reserve(members.ring, HEADER.size + SIGNAL_BODY.size, "out")
    a.head(SIGNALLED)
    a.store(Reg.R9, 12, Reg.R7, 4)
    a.load(Reg.R1, Reg.R10, -24, 4)
    a.store(Reg.R9, HEADER.size, Reg.R1, 4)
    a.move(Reg.R2, 0)
    a.load(Reg.R1, Reg.R10, -16)
    a.jump_if(Reg.R1, "<=", 1, "unhandled")
    a.move(Reg.R2, 1)
    a.label("unhandled")
    a.store(Reg.R9, HEADER.size + 4, Reg.R2, 4)
    a.user_registers(Reg.R1)
    a.load(Reg.R1, Reg.R1, HERE.ip)
    a.store(Reg.R9, HEADER.size + 8, Reg.R1)
    a.load(Reg.R1, Reg.R9, 16)
    a.store(Reg.R10, -128, Reg.R1)
    a.store(Reg.R10, -116, Reg.R7, 4)
    a.submit()
    ask_stack(a, stacks, ENDED_BY_SIGNAL, context=Reg.R6, tracepoint=True)
    a.label("out")
    a.leave()
    return a.build()


def _on_sending(members: Membership, fields: dict[str, int]) -> bytes:
    """(signal, siginfo, task, ...): who sends a member a signal; nobody does where the kernel itself makes it."""
    a = MemberAssembler(members)
    a.move(Reg.R6, Reg.R1)
    a.load(Reg.R7, Reg.R6, 0)
    a.jump_if(Reg.R7, ">", _LAST_STANDARD_SIGNAL, "out")
    a.move(Reg.R1, 1)
    a.compute("lsh", Reg.R1, Reg.R7)
    a.constant(Reg.R3, _mask(_HARMLESS))
    a.jump_if(Reg.R1, "&", Reg.R3, "out")
    a.load(Reg.R3, Reg.R6, 8)
    a.jump_if(Reg.R3, "==", _BY_KERNEL, "out")
    a.jump_if(Reg.R3, "==", 0, "by a process")
    a.read_kernel(-24, 4, Reg.R3, 8)
    a.load(Reg.R1, Reg.R10, -24, 4)
    a.jump_if(Reg.R1, "s>=", 1, "out", 32)
    a.label("by a process")
    a.load(Reg.R3, Reg.R6, 16)
    a.read_kernel(-4, 4, Reg.R3, fields["task_struct.tgid"])
    a.look_up(members.tree, -4)
    a.jump_if(Reg.R0, "==", 0, "out")
    a.reserve(members.ring, HEADER.size + SENT_BODY.size, "out")
    a.head(SENT)
    a.store(Reg.R9, 12, Reg.R7, 4)
    a.load(Reg.R1, Reg.R10, -4, 4)
    a.store(Reg.R9, HEADER.size, Reg.R1, 4)
    a.store(Reg.R9, HEADER.size + 4, 0, 4)
    a.call(Helper.CURRENT_TASK)
    a.move(Reg.R3, Reg.R0)
    a.add(Reg.R3, fields["task_struct.comm"])
    a.move(Reg.R1, Reg.R9)
    a.add(Reg.R1, HEADER.size + 8)
    a.move(Reg.R2, 16)
    a.call(Helper.PROBE_READ_KERNEL)
    a.submit()
    a.label("out")
    a.leave()
    return a.build()


def _drop_unless_deadly(a: MemberAssembler) -> None:
    """Stack -16 holds the handler: default is of interest when it ends the process, a real handler for faults."""
    a.move(Reg.R1, 1)
    a.compute("lsh", Reg.R1, Reg.R7)
    a.load(Reg.R2, Reg.R10, -16)
    a.jump_if(Reg.R2, "==", 1, "out")
    a.jump_if(Reg.R2, "==", 0, "default")
    a.constant(Reg.R3, _mask(_FAULTS))
    a.jump_if(Reg.R1, "&", Reg.R3, "deadly")
    a.jump("out")
    a.label("default")
    a.constant(Reg.R3, _mask(_HARMLESS))
    a.jump_if(Reg.R1, "&", Reg.R3, "out")
    a.label("deadly")


def _read_group_code(a: MemberAssembler, fields: dict[str, int]) -> None:
    """R7 = the signal that ends the whole group; out when it ends by exit_group(2)."""
    a.call(Helper.CURRENT_TASK)
    a.move(Reg.R8, Reg.R0)
    a.read_kernel(-32, 8, Reg.R8, fields["task_struct.signal"])
    a.load(Reg.R8, Reg.R10, -32)
    a.read_kernel(-32, 4, Reg.R8, fields["signal_struct.group_exit_code"])
    a.load(Reg.R7, Reg.R10, -32, 4)
    a.compute("and", Reg.R7, 0x7F)
    a.jump_if(Reg.R7, "==", 0, "out")


def _mask(signals: tuple[int, ...]) -> int:
    return sum(1 << signal for signal in signals)
