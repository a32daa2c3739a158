"""What a first look reads and compiles is there before a program begins, whose start it would slow."""

from .sources.contract import Tracked
from .sources.libraries.libraries import Libraries
from .sources.processes.program import Keys, read_program


def rehearse(pid: int, keys: Keys, libraries: Libraries, now: int) -> None:
    """Look at a process of our own as at one whose program has just begun, and tell nobody of it.

    It has the C library and the environment that most programs have; the expressions that look for secrets take 5 ms to
    compile, on a processor that the program may share. `now`: CLOCK_MONOTONIC ns.
    """
    process = Tracked(pid, 0, now)
    process.program = read_program(process, now, keys).event
    libraries.rehearse(process)
