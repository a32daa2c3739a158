"""What is said when the target has ended: how, how long ago, and which process of the same program runs now. Pure."""

from collections.abc import Sequence

from inspector.model.formatting import signal_name
from inspector.model.state import Process, State
from inspector.model.tree import program
from inspector.stream.processes import ProcessListed

from .ages import age
from .pane_context import name_and_word, short_name

_INTERPRETERS = ("python", "node", "java", "ruby", "perl", "php", "julia", "sh", "bash", "dash", "zsh")
"""Programs whose first word is the program that is meant."""


def root_of(state: State) -> Process | None:
    """The process whose tree is watched, once the whole tree has ended."""
    if not state.processes or any(not one.ended for one in state.current.values()):
        return None
    return state.processes[0]


def successor(state: State, listed: Sequence[ProcessListed]) -> ProcessListed | None:
    """The oldest process of the same program that is not of the tree; one that runs in the same way comes first."""
    root = root_of(state)
    runs = program(root) if root is not None else None
    if root is None or runs is None or not runs.argv:
        return None
    known = {one.pid for one in state.processes if one.ended == 0}
    name, word = name_and_word(runs.argv)
    named = [
        one
        for one in listed
        if one.argv and one.pid not in known and name_and_word(one.argv)[0] == name and one.observable != "no"
    ]
    alike = [one for one in named if name_and_word(one.argv)[1] == word]
    alike = alike or (named if not name.startswith(_INTERPRETERS) else [])
    pids = {one.pid for one in alike}
    topmost = [one for one in alike if one.ppid not in pids]
    return max(topmost, key=lambda one: one.age, default=None)


def ended_words(state: State, now: int, found: ProcessListed | None, *, focused: bool) -> str:
    """`ollama serve ended 0:12 ago (SIGTERM). A new one runs: 32422. Enter switches.`"""
    root = root_of(state)
    if root is None:
        return ""
    words = f"{short_name(root)} ended {age(now - root.ended)} ago{_how(root)}."
    if found is None:
        return words
    return f"{words} A new one runs: {found.pid}. {'Enter switches.' if focused else 'Tab and Enter switch.'}"


def _how(process: Process) -> str:
    end = process.end
    if end is None or (end.signal is None and end.code is None):
        return ""
    return f" ({signal_name(end.signal) if end.signal is not None else f'exit {end.code}'})"
