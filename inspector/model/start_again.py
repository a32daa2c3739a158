"""Starting a program again so that it is the same question: by whom it is started, and with which loader variables."""

import os

from inspector.model import commands_by_hand
from inspector.model.commands_by_hand import shell
from inspector.model.shell_commands import programs_told
from inspector.model.state import Process
from inspector.model.tree import ancestors, program
from inspector.model.worker import is_tool
from inspector.stream.invocation import SHELLS, program_name, program_words
from inspector.stream.processes import ProcessExec

LOADER_KEYS = ("LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT")
_OPTION = "--library-path "
"""An option of the loader in place of a setting, as `Copy.brought_by` tells it."""


def starter(process: Process) -> Process:
    """Whom one starts by hand to get this process: the outermost program above it that is no shell and no tool.

    Arguments of a child are its parent's business (a port of today, a descriptor); started alone it does not work.
    """
    if is_tool(process):
        return process
    found = process
    for ancestor in ancestors(process):
        runs = program(ancestor)
        if runs is not None and runs.argv and not is_tool(ancestor):
            found = ancestor
    return found


def rerun(process: Process, *settings: str) -> str:
    """The program once more with these settings and its own loader variables; empty where that cannot be done here."""
    runs = program(starter(process))
    if runs is None or not runs.argv or runs.own_root:
        return ""
    argv, option = runs.argv, next((one for one in settings if one.startswith(_OPTION)), "")
    if option:
        if _OPTION.strip() not in argv:
            return ""
        at = argv.index(_OPTION.strip()) + 1
        argv, settings = [*argv[:at], option.removeprefix(_OPTION), *argv[at + 1 :]], ()
    return _command(runs, argv, settings)


def loader_trace(process: Process) -> str:
    """What the loader says of files and symbols (ld.so(8), LD_DEBUG) when the program starts once more."""
    return rerun(process, "LD_DEBUG=libs,symbols")


def observed_again(process: Process) -> str:
    """Observe the next start from its first instruction."""
    first = starter(process)
    runs = program(first)
    if runs is None or not runs.argv:
        return "inspector doctor"
    if first is not process or runs.own_root:
        return waited_for(process)
    return f"inspector report -- {by_hand(runs)}"


def by_hand(runs: ProcessExec) -> str:
    """The command that starts the program as it was started, with what its loader read."""
    return _command(runs, runs.argv)


def waited_for(process: Process) -> str:
    """Observe the next start, whoever starts it; empty where the program has no name, or is a shell that runs none.

    Where a shell alone is left, what it was told to run.
    """
    runs = program(starter(process))
    told = programs_told(runs.argv) if runs is not None else []
    if told:
        return commands_by_hand.wait_for_name(told[0])
    return "" if runs is not None and _runs_nothing(runs) else commands_by_hand.wait_for(runs)


def _runs_nothing(runs: ProcessExec) -> bool:
    """A shell at which somebody sits, or that was given no program: nobody waits for the next one."""
    return program_name(runs.argv, runs.exe) in SHELLS


def _command(runs: ProcessExec, argv: list[str], settings: tuple[str, ...] = ()) -> str:
    """The arguments behind `env`, which takes settings, loader variables and the folder that a relative path needs."""
    folder = ["-C", runs.cwd] if runs.cwd and _is_relative(argv) else []
    words = [*folder, *settings, *_carried(runs.environment, settings)]
    return shell(["env", *words, *argv]) if words else shell(argv)


def _is_relative(argv: list[str]) -> bool:
    """The program, or the script of an interpreter, is named by a path that holds in one folder only."""
    script = program_words([os.fsencode(word) for word in argv])
    if script:
        return not script[0].startswith(b"/")
    return "/" in argv[0] and not argv[0].startswith("/")


def _carried(environment: dict[str, str], settings: tuple[str, ...]) -> list[str]:
    """Loader variables that the process had and that no setting replaces or removes."""
    named = {word.partition("=")[0] for word in settings}
    return [f"{key}={environment[key]}" for key in LOADER_KEYS if environment.get(key) and key not in named]
