"""The command of a finding whose rule names none: what shows its proof, else what observes the next start."""

import re

from msgspec.structs import replace

from inspector.model.causes.context import Context
from inspector.model.causes.rule import Hit
from inspector.model.start_again import observed_again
from inspector.model.state import State
from inspector.model.verdict import Evidence

_PROCESS = re.compile(r"(?:/proc/|-g |pid=)(\d+)")
"""How commands name a process."""
_WAITS = ("bpftrace ", "env LD_DEBUG=")
"""Commands that show what is still to come."""


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


def shown_by_hand(context: Context, row: Evidence) -> Evidence:
    """The row without a command that asks for a process which has ended meanwhile: /proc has nothing of it any more."""
    return row if not row.by_hand or _all_live(context.state, row.by_hand) else replace(row, by_hand="")


def _runs(state: State, command: str) -> bool:
    """It can be run now: it ends by itself, and each process that it names still lives."""
    return bool(command) and not command.startswith(_WAITS) and _all_live(state, command)


def _all_live(state: State, command: str) -> bool:
    named = _PROCESS.findall(command)
    return not named or {str(one.pid) for one in state.current.values() if not one.ended}.issuperset(named)
