"""What the first link of a chain says: on the CPU, on the GPU, or dead before anything was computed."""

from inspector.model.attempts.wording import doing
from inspector.model.causes.context import Context
from inspector.model.crashes import fault
from inspector.model.decision import UNUSED_FOR, Decision
from inspector.model.formatting import ON_GPU, duration
from inspector.model.gpu_work import of_process
from inspector.model.log_claims import ON_CPU as SAYS_CPU
from inspector.model.state import Process
from inspector.model.tree import ancestors
from inspector.model.verdict import ELSEWHERE, ON_CPU

_UNTIL = 1_000_000_000
"""ns after a death in which the others of a tree end of it."""


_ELSEWHERE = ("other-service-answers", "client-only")
"""Rules by which what this program computes on is beside the point."""


def effect_words(context: Context, rule: str, *, failed: bool) -> str:
    """The decision in words; a program that crashed first is said to have crashed, and where."""
    decision = context.decision
    if rule in _ELSEWHERE:
        return ELSEWHERE
    if decision.verdict == "cpu":
        return _of_death(context) or ON_CPU
    if decision.verdict == "undecided":
        return _of_hang(decision) or "CPU or GPU: undecided"
    return f"{'failed ' if failed else ''}{ON_GPU.get(decision.verdict, 'on the GPU')}"


def _of_hang(decision: Decision) -> str:
    """Where it is stuck: what it would compute on is open until then."""
    stuck = decision.chain[-1] if decision.reason == "hangs" and decision.chain else None
    if stuck is None or stuck.came_back or not stuck.begin:
        return ""
    return f"stuck in {doing(stuck)} for over {duration(stuck.at - stuck.begin)}"


def _of_death(context: Context) -> str:
    """Empty where somebody may have gone on, on the CPU."""
    decision, process = context.decision, context.decision.process
    said = decision.word is not None and decision.word.saying in SAYS_CPU
    crashed = process is not None and fault(process) is not None
    over = crashed or _gave_up(decision, process) or _ended_inside(decision, process) if process is not None else False
    if process is None or said or not over or _goes_on(context, process):
        return ""
    work = [one for one in of_process(context.state, process, context.profiles) if one.launches or one.allocations]
    if work:
        return f"{'crashed' if crashed else 'failed'} {ON_GPU.get(work[0].mode, 'on the GPU')}"
    return f"{'crashed' if crashed else 'ended'} before it used a GPU"


def _gave_up(decision: Decision, process: Process) -> bool:
    """It ended with a failure, and did not compute for long after it was refused."""
    end, refused = process.end, decision.chain[0].at if decision.chain else 0
    failed = end is not None and bool(end.code)
    return failed and bool(refused) and process.cpu_after(refused, process.ended) < UNUSED_FOR


def _ended_inside(decision: Decision, process: Process) -> bool:
    """It ended in the middle of what it asked for."""
    return bool(process.ended) and bool(decision.chain) and not decision.chain[0].came_back


def _goes_on(context: Context, dead: Process) -> bool:
    """Somebody else of the tree lives on or ended later, and not because of this death."""
    for one in context.state.processes:
        above = one in ancestors(dead) and one.end is not None and bool(one.end.code or one.end.signal)
        late = one.ended - dead.ended > _UNTIL and not above
        if one is not dead and (not one.ended or late):
            return True
    return False
