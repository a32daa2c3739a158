"""Rung environment: did the loader's variables reach this process, and does its loader honour them?"""

from inspector.model import commands_by_hand, evidence
from inspector.model.formatting import listed, name_of, plural
from inspector.model.settings import without_gpu
from inspector.model.start_again import LOADER_KEYS
from inspector.model.tree import environment_change, inherits, is_preloaded, program
from inspector.model.usage import hides_devices, no_device
from inspector.model.verdict import Evidence, Rung
from inspector.stream.processes import ProcessExec

from .view import View


def environment(view: View) -> Rung:
    """Yes, no or unknown, with the variables that matter."""
    runs = program(view.process)
    if runs is None or not runs.environment_known:
        return Rung(rung="environment", state="unknown", detail="the environment of this process could not be read")
    carried = [key for key in LOADER_KEYS if runs.environment.get(key)]
    rows = [evidence.of_environment(view.process, key, f"{key}={runs.environment[key]}") for key in carried]
    refusal = _refusal(view, runs, carried)
    if refusal is not None:
        return Rung(rung="environment", state="no", detail=refusal.text, evidence=[refusal, *rows])
    hidden = _hidden(view, runs) or _switched_off(view)
    if hidden is not None:
        return Rung(rung="environment", state="no", detail=hidden.text, evidence=[hidden, *rows])
    if not carried:
        return _without_loader_keys(view)
    detail = "; ".join(filter(None, (_ignored_words(view), _carried_words(view, carried))))
    return Rung(rung="environment", state="yes", detail=detail, evidence=rows)


def _refusal(view: View, runs: ProcessExec, carried: list[str]) -> Evidence | None:
    """Why what it carries has no effect; None when it has."""
    process = view.process
    if carried and runs.static:
        text = f"{listed(carried)} {'has' if len(carried) == 1 else 'have'} no effect: the program is static"
        return evidence.of_process(process, text, by_hand=commands_by_hand.header(process, runs.exe))
    if carried and runs.secure:
        text = f"{listed(carried)} {'is' if len(carried) == 1 else 'are'} ignored: AT_SECURE is set"
        return evidence.of_process(process, text, by_hand=commands_by_hand.secure(process.pid))
    unusable = [entry for entry in process.preloads if entry.usable is False and entry.source != "LD_AUDIT"]
    if unusable and not view.use.providers:
        text = f"{unusable[0].source} entry {unusable[0].entry} is ignored: {unusable[0].problem or unusable[0].words}"
        return evidence.of_environment(process, "LD_PRELOAD", text)
    return None


def _switched_off(view: View) -> Evidence | None:
    """The variable that keeps the program off this API, of which nothing was brought in."""
    if view.use.providers or view.use.total_calls:
        return None
    known = view.profiles.apis.get(view.use.api)
    for setting in without_gpu(view.process, view.profiles):
        if setting.place == "environment" and setting.mode and known is not None and setting.mode == known.mode:
            return evidence.of_environment(view.process, setting.key, f"{setting.text} switches it off")
    return None


def _hidden(view: View, runs: ProcessExec) -> Evidence | None:
    """The variable that hides every device, where a consumer was indeed told that there is none."""
    for key, value in runs.environment.items():
        restricts = view.profiles.restricts(key, view.use.api) and hides_devices(value)
        if restricts and no_device(view.use, view.profiles) is not None:
            return evidence.of_environment(view.process, key, f"{key}={value or '(empty)'} hides all devices")
    return None


def _without_loader_keys(view: View) -> Rung:
    lost = [c for c in environment_change(view.process) or [] if c.key in LOADER_KEYS and c.change == "removed"]
    if lost and not view.use.providers:
        change = lost[0]
        row = evidence.of_environment(view.process, change.key, f"{change.key}={change.before} is not in this process")
        return Rung(
            rung="environment", state="no", detail=f"{change.key} of the parent did not reach it", evidence=[row]
        )
    return Rung(rung="environment", state="yes", detail="no loader variable is set, and none is needed")


def _ignored_words(view: View) -> str:
    """`1 of 3 entries of LD_PRELOAD is ignored: x.so: no such file`, where the others load."""
    entries = [one for one in view.process.preloads if one.source == "LD_PRELOAD"]
    ignored = [one for one in entries if one.usable is False and not is_preloaded(view.process, one)]
    if not ignored:
        return ""
    first = f"{name_of(ignored[0].entry)}: {ignored[0].problem or ignored[0].words}"
    verb = "is" if len(ignored) == 1 else "are"
    return f"{len(ignored)} of {plural(len(entries), 'entry')} of LD_PRELOAD {verb} ignored ({first})"


def _carried_words(view: View, carried: list[str]) -> str:
    if inherits(view.process):
        return f"{listed(carried)}: its parent's (it has not executed anything)"
    changes = environment_change(view.process)
    if changes is None:
        return listed(carried)
    changed = [change.key for change in changes if change.key in carried]
    same = [key for key in carried if key not in changed]
    words = [f"{listed(same)} same as parent"] if same else []
    words += [f"{listed(changed)} different from parent"] if changed else []
    return "; ".join(words)
