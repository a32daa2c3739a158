"""How to look at a crash by hand: in its core dump where one was written, else once more in a debugger."""

from inspector.stream.processes import ProcessExec

from .crashes import fault
from .start_again import by_hand
from .state import Process
from .tree import ancestors, program
from .worker import is_tool

PATTERN = "cat /proc/sys/kernel/core_pattern"
"""Where cores go (core(5)): a file, or a program that takes them."""


def look_at(process: Process) -> tuple[str, str]:
    """What to do, and the command; a core dump only where one was written."""
    end = process.end
    if end is not None and end.core:
        return (
            f"inspect its core dump, core_pattern says where it is (systemd-coredump: coredumpctl gdb {process.pid})",
            PATTERN,
        )
    why = "no core dump was written"
    if fault(process) is not None and end is not None and not end.signal:
        why = f"a handler turned it into exit status {end.code}, so there is no core dump"
    runs = program(process)
    of_another = any(not is_tool(one) for one in ancestors(process))  # a server's child does not run alone
    if of_another or runs is None or not runs.argv or runs.own_root:
        return f"{why}: attach a debugger at its next start, or enable core dumps (ulimit -c unlimited)", PATTERN
    return f"{why}: run it again in a debugger, which will stop there", in_debugger(runs)


def stop_at_exit(process: Process) -> tuple[str, str]:
    """What to do to see who ends a process by exit(3), and the command; empty where it does not run alone."""
    runs = program(process)
    of_another = any(not is_tool(one) for one in ancestors(process))
    if of_another or runs is None or not runs.argv or runs.own_root:
        return "a debugger that is attached at its next start and stops at exit shows who calls it", ""
    words = "-ex 'catch syscall exit_group' -ex run -ex backtrace"
    return "a debugger that stops at exit shows who called it", f"gdb {words} --args {by_hand(runs)}"


def in_debugger(runs: ProcessExec) -> str:
    """The same program in a debugger, with what its loader read."""
    return f"gdb -ex run --args {by_hand(runs)}"
