"""Variables that hide the devices from who asks for them."""

from collections.abc import Iterator

from inspector.model import commands_by_hand, evidence
from inspector.model.evidence import short
from inspector.model.start_again import rerun, starter
from inspector.model.state import Process
from inspector.model.tree import program
from inspector.model.usage import hides_devices
from inspector.model.verdict import Confidence

from .context import Case, Context
from .rule import Cause, Hit

_NO_DEVICE = ("NODEVICE", "INVALIDDEVICE", "DEVICENOTFOUND")


def _says_no_device(case: Case) -> bool:
    leaf = case.leaf
    if leaf.kind != "call" or not leaf.came_back:
        return False
    return "count=0" in leaf.answer or case.context.profiles.is_called(leaf.api, leaf.code, *_NO_DEVICE)


class VisibleDevicesHidden(Cause):
    id = "visible-devices-hidden"
    place = "environment"
    meaning = "A variable such as CUDA_VISIBLE_DEVICES hides the devices: empty, -1 or an id that this machine lacks."
    proof = "The variable stands in the environment, at the exec or later in memory, and discovery found no device."
    cure = "Take the variable out where the program is started; children inherit it."

    def explain(self, case: Case) -> Hit | None:
        if not _says_no_device(case):
            return None
        for key, value, inside in _variables(case.context, case.process):
            api = case.leaf.api
            restricts = case.context.profiles.restricts(key, api) if api else key.endswith("VISIBLE_DEVICES")
            if restricts and value.split(",")[0].strip() != "0":
                return self._hit(case, key, value, inside)
        return None

    def _hit(self, case: Case, key: str, value: str, inside: bool) -> Hit:
        process, hides_all = case.process, hides_devices(value)
        shown = value or "(empty)"
        known = case.context.profiles.environment_key(key)
        where = "; it was set inside the process after its start" if inside else ""
        sure: Confidence = case.sure if hides_all else "likely"
        return Hit(
            title=f"{key}={shown} hides the devices from {short(process)}: {case.leaf.what} = "
            f"{case.leaf.answer}{where}",
            cause=f"{known.effect if known is not None else 'The variable restricts which devices are seen'}.",
            next_step=f"unset {key} where the program "
            f"{'sets it' if inside else 'is started (children inherit it)'}, then restart",
            command="" if inside else _without(process, key),
            process=process,
            confidence=sure,
            evidence=[evidence.of_environment(process, key, f"{short(process)}: {key}={value}"), *case.rows()],
            doubt="" if hides_all else "A shim need not honour the variable; the result could have another cause.",
            at=case.leaf.at,
            subject=f"{key}={value}",
            root=f"{key}={shown}{where}",
        )


def _without(process: Process, key: str) -> str:
    """The program without the variable; of one that its starter does not have, taking it from there shows nothing."""
    first = starter(process)
    runs = program(first)
    if runs is not None and key in runs.environment:
        return rerun(process, "-u", key)
    parent = process.parent
    if parent is None or parent.ended or process.ended:
        return ""
    return commands_by_hand.difference(process.pid, parent.pid)


def _variables(context: Context, process: Process) -> Iterator[tuple[str, str, bool]]:
    """Variables that restrict devices: those in memory that were set later first."""
    start = context.environment(process) or {}
    now = process.environments[-1] if process.environments else None
    for key in now.changed if now is not None else ():
        if _restricting(context, key) and now is not None and key in now.environment:
            yield key, now.environment[key], True
    for key, value in start.items():
        if _restricting(context, key) and (now is None or key not in now.changed):
            yield key, value, False


def _restricting(context: Context, key: str) -> bool:
    known = context.profiles.environment_key(key)
    return known is not None and known.kind == "visible-devices"


CAUSES: tuple[Cause, ...] = (VisibleDevicesHidden(),)
