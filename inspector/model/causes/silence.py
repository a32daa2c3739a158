"""Nothing was asked of a device, or nothing was seen of it: said by the program, by silence, or not known."""

from collections.abc import Iterable, Iterator, Sequence
from typing import get_args

from inspector.model import evidence
from inspector.model.coverage import born_here, capability, seen_from_birth
from inspector.model.crashes import killed
from inspector.model.decision import CONTRADICTING, Decision, Reason, computed, covered
from inspector.model.early_look_ups import asked_too_early
from inspector.model.evidence import short
from inspector.model.families import MANAGEMENT, family_of_api
from inspector.model.formatting import duration, listed, name_of, signal_name
from inspector.model.log_claims import concerns_gpu
from inspector.model.progress import Progress
from inspector.model.state import Process, State
from inspector.model.tree import ancestors
from inspector.model.worker import is_tool
from inspector.stream.session import COLLECTOR_ENDED

from .conclusion import Conclusion, hit_of, next_start, to_observe
from .context import Context
from .lacking import holds_libraries
from .on_devices import by
from .rule import Hit

_CHANNELS = ("process-births", "environment", "library-loads", "lookups", "count-calls", "results", "open-files")


class ToldByProgram(Conclusion):
    id = "told-by-program"
    place = "logged"
    meaning = "The program says that it runs on the CPU or found no device; what it asked before was not seen."
    proof = "The line in its log, of this start."
    cure = "Observe the next start from its first instruction: then the refusal itself is seen."
    reasons = ("told", "dropped")

    def conclude(self, context: Context, decision: Decision) -> Hit | None:
        refused = [one for one in decision.chain if one.kind == "words"]
        if not refused and decision.reason == "told":
            return None  # it says what, and not why
        said = refused[0].what if refused else decision.word.text if decision.word is not None else ""
        managed = any(one.family in MANAGEMENT and one.has_library for one in context.analysis.progress.values())
        none = "only figures of devices were asked for" if managed else "no process was seen asking for a GPU library"
        asked = "" if any(context.analysis.computing()) else f"; {none}"
        unseen = _unseen(context)
        return hit_of(
            decision, f"the program says: {said.strip()[:200]}{asked}", unseen or "Nothing seen explains it further.",
            to_observe(context) if unseen else
            "look at its settings and at what else it printed: what it asked for was seen",
            severity="warning",
            command=next_start(context, decision) if unseen else "",
            doubt="Its first calls would show the refusal itself." if unseen else "",
        )  # fmt: skip


def _unseen(context: Context) -> str:
    """Why what the program asked for may not have been seen; empty where all of it was."""
    state = context.state
    if any(not born_here(process) for process in state.processes):
        return "It started before we attached: what it asked for was not seen."
    closed = list(_closed(context, CONTRADICTING))
    return f"What it asked for was not seen: {'; '.join(closed)}." if closed else ""


class NobodyAsked(Conclusion):
    id = "nobody-asked"
    place = "called"
    meaning = "No process in the tree asked for a compute API: the program does not use a GPU."
    proof = (
        "Every process was seen from its first instruction, with every channel open, and none asked; likely where its "
        "look-ups were not all seen, and no library of the kind was mapped or searched for."
    )
    cure = "If it should use a GPU: install the build or the backend that does."
    reasons = ("nobody-asked", "told")

    def conclude(self, context: Context, decision: Decision) -> Hit | None:
        """The program's own word that it uses the CPU may stand beside it."""
        channels = (*CONTRADICTING, "environment")
        told = decision.reason == "told" and not covered(context.state, context.state.processes, channels)
        if any(context.analysis.asking()) or told or decision.confidence == "guess":
            return None
        read = (
            folder.path for process in context.state.processes if not is_tool(process) for folder in process.folders
        )
        searched = listed((path for path in read if holds_libraries(path)), 3)
        looked = f" Directories it searched: {searched}." if searched else ""
        said = f" The program says: {decision.word.text.strip()[:160]}" if decision.word is not None else ""
        cut_off = _cut_off(context.state)
        later, never = "What it would have asked for later is not known", "This is not a driver or library problem"
        return hit_of(
            decision, f"no process asked for a GPU: {seen_from_birth(context.state)}, and none loaded or "
            f"looked up a GPU library{cut_off}",
            f"{later if cut_off else never}.{looked}{said}",
            "let it run until it comes to look for a device" if cut_off else
            "if it should use a GPU: check whether this build or its backend directory has GPU code", subject="nobody",
        )  # fmt: skip


def _cut_off(state: State) -> str:
    """That somebody ended the program from outside: nobody knows what it would have asked for later."""
    own = [(one.end.cpu or 0, one, one.end) for one in state.processes if not is_tool(one) and one.end is not None]
    _, worker, end = max(own, key=lambda one: one[0], default=(0, None, None))
    if worker is None or end is None or not killed(worker):
        return ""
    if any(not one.ended and one not in ancestors(worker) for one in state.processes):
        return ""
    lived = duration(worker.ended - worker.started)
    return f", until {short(worker)} was ended by {signal_name(end.signal or 0)} after {lived}"


class ManagementOnly(Conclusion):
    id = "management-only"
    place = "called"
    meaning = "Only figures of devices were read (NVML); no process asked for a compute API."
    proof = "Every process was seen from its first instruction; only the management API was asked for."
    cure = "Nothing to do for a monitor; a program that should compute lacks its backend."
    reasons = ("management-only",)

    def conclude(self, context: Context, decision: Decision) -> Hit | None:
        how = by(decision.progress) if decision.progress is not None else ""
        asked = context.analysis.attempts.get(decision.process, []) if decision.process is not None else []
        lacking = [one.what for one in asked if one.kind == "lookup" and one.ok is False and one.family in MANAGEMENT]
        lacks = f" It asked for {listed(dict.fromkeys(lacking), 3)}, and did not get that." if lacking else ""
        seen = decision.progress is None or decision.progress.stage != "loaded"
        told = "devices were only monitored" if seen else "devices are only monitored, if at all"
        return hit_of(decision, f"{told} ({how}); no process asked for a compute API",
                    f"A monitor does just that.{lacks}", subject="management")  # fmt: skip


class NothingCalled(Conclusion):
    id = "not-called"
    place = "called"
    meaning = "A consumer is there, everything is found, and no function was called, counted from the first moment on."
    proof = "All its functions were counted from the first moment on, and none was entered."
    cure = "Check the program's settings, and its log up to where it would look for devices."
    reasons = ("nothing-called",)

    def conclude(self, context: Context, decision: Decision) -> Hit | None:
        progress = decision.progress
        if progress is None:
            return None
        names = _offering(context, progress) or [name_of(progress.furthest.provider or progress.furthest.what)]
        them = "it" if len(names) == 1 else "them"
        return hit_of(
            decision, f"{short(progress.process)} loaded {listed(names, 3)} and never called {them}",
            f"Nothing failed: no look-up and no call of {them} was seen.", "check the program's settings",
            severity="warning", command=next_start(context, decision),
        )  # fmt: skip


def _offering(context: Context, progress: Progress) -> list[str]:
    """Names of the libraries in its process that offer what it got to."""
    uses = (
        use
        for use in context.uses(progress.process).values()
        if family_of_api(context.profiles, use.api) == progress.family
    )
    return list(dict.fromkeys(name_of(provider.path) for use in uses for provider in use.providers))


class NotSeen(Conclusion):
    id = "cause-not-seen"
    meaning = (
        "The mode or its cause was not seen. What is missing to know it is listed, with the command that sees the next "
        "start from its first instruction."
    )
    proof = "None: this says what could not be observed."
    cure = "Start the program again under observation, or with more rights."
    reasons = get_args(Reason)

    def conclude(self, context: Context, decision: Decision) -> Hit | None:
        if not context.state.processes:
            return None
        missing = list(_missing(context))
        got = ""
        if decision.progress is not None:
            one = decision.progress
            got = f"; {short(one.process)} got as far as {one.stage} ({name_of(one.furthest.what)})"
        what = (
            "on the CPU, no cause found so far"
            if decision.verdict == "cpu"
            else "undecided so far whether it uses the CPU or the GPU"
        )
        told = decision.word.text if decision.word is not None else _newest_error(context)
        if told:
            got = f"{got}; the program says: {told.strip()[:160]}"
        step, command = _next(context, decision, missing)
        return hit_of(
            decision, f"{what}{got}" + (f": {missing[0]}" if missing else ""),
            f"Missing: {'; '.join(missing)}." if missing else "Nothing observed so far is wrong.",
            step, command=command, confidence="guess",
            doubt="More permissions or attaching earlier may show it.", subject="not seen",
            evidence=decision.evidence or [
                evidence.of_process(context.state.processes[0], missing[0] if missing else "nothing of an API was seen")
            ],
        )  # fmt: skip


def _next(context: Context, decision: Decision, missing: Sequence[str]) -> tuple[str, str]:
    """What to do to know more, and the command; a process that is stopped can show nothing before it goes on."""
    held = _held(context)
    if held is not None:
        step = f"continue it (kill -CONT {held.pid}), or the debugger that TracerPid names"
        return step, f"grep -E '^(State|TracerPid):' /proc/{held.pid}/status"
    if not missing and any(not one.ended for one in context.state.current.values()):
        return "wait until it looks for devices", ""
    return to_observe(context), next_start(context, decision)


def _held(context: Context) -> Process | None:
    return next((one for one in context.state.current.values() if one.stopped and not one.ended), None)


def _newest_error(context: Context) -> str:
    """The last line in which the program tells an error about a GPU, where nothing shows what became of it."""
    told = (one.word for one in context.analysis.unexcused("words") if one.answer == "error")
    about = [word for word in told if word is not None and concerns_gpu(word)]
    return about[-1].text if about else ""


def _missing(context: Context) -> Iterator[str]:
    """What was not observable here, in words."""
    yield from (
        f"{one.why}: nothing was seen from then on" for one in context.state.limits if one.what == COLLECTOR_ENDED
    )
    held = _held(context)
    if held is not None:
        yield f"{short(held)} is stopped, by a signal or a debugger, and does nothing until it is continued"
    late = [process for process in context.state.processes if not born_here(process) and not is_tool(process)]
    if late:
        yield f"{short(late[0])} started before we attached"
    yield from _closed(context, _CHANNELS)
    if context.state.lost:
        yield f"{sum(context.state.lost.values())} events were lost"
    for progress in context.analysis.computing():
        if not progress.got_to("initialised") and not computed(context.analysis, progress):
            why = _uncounted(context, progress)
            yield f"no call of {progress.family} in {short(progress.process)} was seen{f' ({why})' if why else ''}"
            break


def _closed(context: Context, channels: Iterable[str]) -> Iterator[str]:
    """What this machine or user does not allow, each reason once with the abilities that it takes away."""
    reasons: dict[str, list[str]] = {}
    for name in channels:
        found = capability(context.state, name)
        if found is not None and found.state != "yes":
            reasons.setdefault(found.why or found.lost or "closed here", []).append(name)
    yield from (f"{why} ({', '.join(names)})" for why, names in reasons.items())


def _uncounted(context: Context, progress: Progress) -> str:
    """Why calls may have gone unseen in a process that was seen from its first instruction."""
    if not born_here(progress.process):
        return ""
    own = context.uses(progress.process).values()
    mine = [use for use in own if family_of_api(context.profiles, use.api) == progress.family and use.lookups]
    return next(filter(None, (asked_too_early(context.state, use) for use in mine)), "")


CONCLUSIONS: tuple[Conclusion, ...] = (ToldByProgram(), NothingCalled(), ManagementOnly(), NobodyAsked(), NotSeen())
