"""The command of a finding whose rule names none: what shows its proof, else what observes the next start."""

import re

from inspector.model.causes.context import Context
from inspector.model.causes.rule import Hit
from inspector.model.start_again import observed_again
from inspector.model.state import State

_PROCESS = re.compile(r"(?:/proc/|-g |pid=)(\d+)")
"""How commands name a process."""
_WAITS = ("bpftrace ", "LD_DEBUG=")
"""Commands that show what is still to come, or that need a program to be put in."""


def command_of(context: Context, hit: Hit) -> str:
    """One command that runs as it is; only what blames nothing may have none."""
    if hit.command or hit.severity == "info":
        return hit.command
    shown = (row.by_hand for row in hit.evidence if _runs(context.state, row.by_hand))
    found = next(shown, "")
    if found:
        return found
    process = hit.process or next(iter(context.state.processes), None)
    return observed_again(process) if process is not None else "inspector doctor"


def _runs(state: State, command: str) -> bool:
    """It can be run now: it ends by itself, and each process that it names still lives."""
    alive = {str(one.pid) for one in state.current.values() if not one.ended}
    return bool(command) and not command.startswith(_WAITS) and alive.issuperset(_PROCESS.findall(command))
