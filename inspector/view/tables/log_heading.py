"""The line over the logs: which are shown, how much of them, and what is wrong with them. Pure."""

from inspector.model.formatting import plural
from inspector.model.state import State
from inspector.view.pane_context import PaneContext
from inspector.view.paths import short_paths


def heading_of(context: PaneContext, chosen: int | None, merging: bool, only: str, whole: bool) -> str:
    """Which sources are shown, how much of them (`whole`: they are searched), and what is wrong with them."""
    logs = context.state.logs
    if not logs:
        over = context.state.processes and all(one.ended for one in context.state.processes)
        return ("no log was found" if over else "no log found yet") + _lost(context.state)
    if chosen is not None and chosen in logs:
        log = logs[chosen]
        problem = f": {log.found.problem}" if log.found.problem else _lost(context.state)
        return f"{only}{log.found.name} ({plural(log.lines_total, 'line')}){problem}"
    held, total = sum(len(log.lines) for log in logs.values()), sum(log.lines_total for log in logs.values())
    part = (
        f"{held:,} of {total:,} lines kept; o shows one log in full"
        if held < total and not whole
        else plural(total, "line")
    )
    hindered = (log.found for log in logs.values() if log.found.problem)
    wrong = next((f"; {short_paths(one.name)}: {one.problem}" for one in hindered), "")
    wrong = _lost(context.state) or wrong
    return f"{only}{plural(len(logs), 'source')}, {part}{wrong}" + (", merging…" if merging else "")


def _lost(state: State) -> str:
    """What a process prints goes nowhere, and no log of its own can be read."""
    for process in state.current.values():
        error = process.descriptors.get(2)
        logs = any(log.found.readable and process.pid in log.found.pids for log in state.logs.values())
        if error is not None and error.kind == "null" and not process.ended and not logs:
            return f"; what {process.pid} prints is lost: its stderr is {error.target}"
    return ""
