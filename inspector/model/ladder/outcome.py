"""Rungs logged and used: where do messages of the process go, and what was computed on in the end?"""

from inspector.model import commands_by_hand, evidence
from inspector.model.evidence import short
from inspector.model.formatting import listed, plural
from inspector.model.gpu_work import of_process, stub_signs, words
from inspector.model.state import Process
from inspector.model.verdict import Rung
from inspector.stream.processes import Descriptor

from .view import View


def logged(view: View) -> Rung:
    """Where do this process's messages go, and can they be read?"""
    process = view.process
    sources = [source for source in view.state.logs.values() if process.pid in source.found.pids]
    readable = [source for source in sources if source.found.readable]
    if readable:
        lines = plural(sum(source.lines_total for source in readable), "line")
        names = listed((source.found.name for source in readable), 2)
        return Rung(rung="logged", state="yes", detail=f"{names}, {lines}")
    error = process.descriptors.get(2)
    if error is not None and error.kind in ("null", "closed"):
        return _discarded(process, error)
    if sources:
        return Rung(rung="logged", state="no", detail=f"{sources[0].found.name}: {sources[0].found.problem}")
    if error is not None:
        return Rung(rung="logged", state="unknown", detail=f"stderr goes to {error.target} and is not followed")
    return Rung(rung="logged", state="unknown", detail="its descriptors were not seen")


def _discarded(process: Process, error: Descriptor) -> Rung:
    written = process.writes.get(2)
    lost = f"; {plural(written.writes, 'write')} went there" if written is not None and written.writes else ""
    target = "closed" if error.kind == "closed" else error.target
    text = f"fd 2 of {short(process)} is {target}{lost}"
    row = evidence.of_process(process, text, by_hand=commands_by_hand.descriptors(process.pid))
    return Rung(rung="logged", state="no", detail=f"stderr is {target}{lost}", evidence=[row])


def used(view: View) -> Rung:
    """What was computed on, of this start."""
    own = [work for work in of_process(view.state, view.process, view.profiles) if work.api == view.use.api]
    launched = [work for work in own if work.launches]
    mode = view.mode
    if launched:
        row = evidence.of_calls(view.process, launched[0].launched[0], words(launched[0]))
        detail = f"{plural(launched[0].launches, 'launch')} returned 0"
        signs = stub_signs(view.state, launched[0], view.profiles)
        if not mode.device_seen:
            rows = signs.rows if signs is not None else []
            detail += ", no device seen behind it" if signs is None or not signs.together else ", no sign of work"
            return Rung(rung="used", state="unknown", detail=detail, evidence=[row, *rows])
        if signs is not None and signs.together:
            return Rung(rung="used", state="unknown", detail=f"{detail}, no sign of work", evidence=[row, *signs.rows])
        return Rung(rung="used", state="yes", detail=detail, evidence=[row])
    if mode.verdict == "cpu":
        detail = f"the program runs on the CPU ({mode.confidence})"
        return Rung(rung="used", state="no", detail=detail, evidence=mode.evidence)
    if mode.verdict == "undecided":
        detail = "no work after discovery was seen, and no log mentions any"
        return Rung(rung="used", state="unknown", detail=detail, evidence=mode.evidence)
    if own:
        done = own[0].allocations + own[0].others
        detail = f"memory was prepared (success: {done:,}), no launch was seen"
        return Rung(rung="used", state="unknown", detail=detail)
    alone = len(view.state.processes) == 1
    detail = "not yet: no launch was seen" if alone else f"the tree uses {mode.verdict}, this process was not seen to"
    return Rung(rung="used", state="unknown", detail=detail)
