"""Calls that answered an error: what a fork left behind, and what the result itself means."""

import re

from inspector.model import evidence
from inspector.model.attempts.row import Attempt
from inspector.model.drivers import drivers_behind, machine_lacks_device
from inspector.model.evidence import short
from inspector.model.formatting import listed, name_of, plural
from inspector.model.own_logs import Trouble, trouble_told
from inspector.model.start_again import waited_for
from inspector.model.state import Process
from inspector.model.tree import ancestors
from inspector.model.usage import faults
from inspector.model.verdict import Evidence
from inspector.stream.calls import FileOpened

from .context import Case
from .driver_versions import driver_there
from .found_elsewhere import found_elsewhere
from .on_devices import LOOK_FOR_DEVICE
from .opened_inside import opened_in_call
from .result_steps import NO_MEMORY, step_of, step_of_unknown
from .rule import Cause, Hit

_GATE_WINDOW = 50_000_000
"""ns before a call in which a look at its own name, by the same thread, may have decided what it answers."""


_NAMED_AS_DRIVER = re.compile(r"(?:^|/)lib(?:cuda|nvidia-ml)\.so")
_VENDOR_FILE = re.compile(r"\.so\.(?:\d{3}\.\d|1\.1$)")
"""Files of NVIDIA's driver carry its release: `libcuda.so.580.95.05` (under WSL and on Jetson: 1.1); they look at names
for their own ends.
"""


class InitialisedBeforeFork(Cause):
    id = "initialised-before-fork"
    place = "returned"
    meaning = "A process that was forked after its parent had initialised the API calls it: that does not work."
    proof = "The parent's initialisation succeeded before the fork, the child executed nothing, its call was refused."
    cure = "Start workers by spawn or forkserver, or let the children initialise before the parent does."

    def explain(self, case: Case) -> Hit | None:
        leaf, process = case.leaf, case.process
        if leaf.kind != "call" or process.execs or process.parent is None:
            return None
        for ancestor in ancestors(process):
            before = next(
                (one for one in case.context.analysis.attempts.get(ancestor, ())
                 if one.kind == "call" and one.ok and one.family == leaf.family and 0 < one.at < process.started), None,
            )  # fmt: skip
            if before is not None:
                return self._hit(case, leaf, before)
        return None

    def _hit(self, case: Case, leaf: Attempt, before: Attempt) -> Hit:
        parent = before.process
        title = f"{leaf.what} = {leaf.answer} in {short(leaf.process)}, forked after {short(parent)} had initialised"
        return Hit(
            title=title,
            cause=f"{before.what} succeeded in PID {parent.pid} before the fork; a child has the memory of its parent, "
            "but not its connection to the device.",
            next_step="start workers by spawn in place of fork (Python: multiprocessing.set_start_method('spawn'))",
            command=case.again(),
            process=leaf.process,
            confidence=case.sure,
            evidence=case.rows(),
            at=leaf.at,
            subject=f"fork of {parent.pid}",
            root=f"forked after {before.what} succeeded in PID {parent.pid}",
        )


class ApiError(Cause):
    id = "api-error"
    place = "returned"
    meaning = "A call of a consumer returned an error, and nothing says more about it; what follows are consequences."
    proof = "The result was read when the function returned, or the program reports it."
    cure = "Look at what the library opened and returned before that."

    def explain(self, case: Case) -> Hit | None:
        leaf = case.leaf
        if leaf.kind != "call" or not leaf.came_back:
            return None
        profiles = case.context.profiles
        advice = profiles.advice(leaf.api, leaf.code)
        follow = self._consequences(case)
        gate = _gate(leaf)
        library = leaf.reading.groups.get("library", "") if leaf.reading is not None else ""
        said = f", says the log of {library}" if library else ", says its own log" if leaf.source == "program" else ""
        rows = case.rows()
        rows += _gate_rows(case, gate)
        claims = {(word.source, word.number) for word in case.context.analysis.words}
        during = (leaf.begin, leaf.at) if leaf.source != "program" and leaf.begin else None
        told = trouble_told(case.state, leaf.process, leaf.provider, during, claims)
        meaning = (
            f"{told.where[0].upper()}{told.where[1:]} says: {told.words}."
            if told is not None
            else _meaning(leaf, advice)
        )
        rows += [told.row(leaf.process)] if told is not None else []
        if told is None and (behind := _behind(case)):
            meaning = behind
        known = profiles.apis.get(leaf.api)
        there, lacks = _driver_and_device(case)
        step, command = _step(case, gate, told, lacks)
        return Hit(
            title=f"{leaf.what} = {leaf.answer} in {short(leaf.process)}{said}",
            cause=f"{meaning}{there}{_settings(case)}{_gate_words(leaf.process, gate)}{follow}{self._by(leaf)}",
            next_step=step,
            command=command,
            process=leaf.process,
            severity="error" if known is None or known.mode is not None else "warning",
            confidence=case.sure,
            evidence=[*rows, *self._others(case)],
            doubt="The call itself was not counted." if leaf.source == "program" else "",
            at=leaf.begin or leaf.at,
            subject=f"{leaf.what}:{leaf.code}",
            root=told.words if told is not None and not _lacks_memory(case) else "",
            despite_use=leaf.stage == "work",
        )

    def _by(self, leaf: Attempt) -> str:
        if not leaf.provider:
            return ""
        asker = "code that was made at run time" if leaf.asker in ("[anon]", "//anon") else name_of(leaf.asker)
        return f" Returned by {leaf.provider}{f', called by {asker}' if leaf.asker else ''}."

    def _later(self, case: Case) -> list[Attempt]:
        rows = case.context.analysis.attempts[case.process]
        return [
            one for one in rows
            if one.kind == "call" and one.ok is False and one.at >= case.leaf.at and one not in case.chain
            and one not in case.context.analysis.excused and one.family == case.leaf.family
        ]  # fmt: skip

    def _consequences(self, case: Case) -> str:
        known = sum(count for use in case.family_uses for _, _, count in faults(use, case.context.profiles))
        count = max(known - len([one for one in case.chain if one.kind == "call"]), len(self._later(case)))
        if count < 1:
            return ""
        return f" {plural(count, 'error')} after it {'is a consequence' if count == 1 else 'are consequences'}."

    def _others(self, case: Case) -> list[Evidence]:
        return [
            evidence.of_calls(case.process, one.calls, f"{one.what} = {one.answer}", at=one.at)
            for one in self._later(case)[:8] if one.calls is not None
        ]  # fmt: skip


def _driver_and_device(case: Case) -> tuple[str, str]:
    """Whether a driver is there, and a device, in words; and the library of a driver that is missing here."""
    there, lacks = driver_there(case)
    if case.leaf.stage in ("initialised", "counted") and machine_lacks_device(case.state):
        there += " This machine shows no GPU."
    return there, lacks


def _settings(case: Case) -> str:
    """Variables that tell the drivers behind a loader what to offer: one that finds no device may do as told."""
    leaf, profiles = case.leaf, case.context.profiles
    if leaf.stage not in ("initialised", "counted") or not profiles.is_loader(leaf.api):
        return ""
    own = next((one for one in profiles.profiles if one.api is not None and one.api.name == leaf.api), None)
    known = {one.key: one for one in own.environment if one.kind in ("setting", "search")} if own is not None else {}
    found = [
        f"{key}={value} is set: {known[key].effect}"
        for key, value in (case.context.environment(case.process) or {}).items() if key in known
    ]  # fmt: skip
    return f" {'. '.join(found[:2])}." if found else ""


def _behind(case: Case) -> str:
    """Drivers that the loader brought in, where it says all the same that it cannot begin."""
    leaf = case.leaf
    if not leaf.begins or not leaf.code or not case.context.profiles.is_loader(leaf.api):
        return ""
    found = drivers_behind(case.process, leaf.api, case.context.profiles)
    names = [name_of(path) for path in (*found.hardware, *found.software)]
    return f"The loader found {listed(names, 4)}, and no driver would begin." if names else ""


def _lacks_memory(case: Case) -> bool:
    return case.context.profiles.is_called(case.leaf.api, case.leaf.code, *NO_MEMORY)


def _step(case: Case, gate: list[FileOpened], told: Trouble | None, lacks: str) -> tuple[str, str]:
    """What to do, and the command; `lacks`: the library of a driver that is missing here."""
    if lacks and told is None:
        where = found_elsewhere(case, lacks, "library")
        return where.step, where.command
    step, command = _next(case, gate)
    if told is not None and not _lacks_memory(case):  # what is printed then is a consequence
        step, command = f"fix what {name_of(told.where)} reports, then start again", told.by_hand
    return step, command


def _next(case: Case, gate: list[FileOpened]) -> tuple[str, str]:
    leaf = case.leaf
    known = step_of(case.context.profiles, leaf.api, leaf.code)
    if known is not None:
        return known
    library = name_of(leaf.provider) or "the library"
    if gate:
        step = f"check whether {library} admits a program named {leaf.process.comm}"
        return f"{step}: it read {gate[-1].path} just before", waited_for(leaf.process)
    if leaf.stage in ("initialised", "counted") and machine_lacks_device(case.state) and not _stands_in(leaf):
        return LOOK_FOR_DEVICE
    unknown = step_of_unknown(case.context.profiles, leaf.api, leaf.code)
    if unknown is not None and (_VENDOR_FILE.search(leaf.provider) or not leaf.provider):
        return unknown
    if leaf.stage == "work":
        return f"look at what this {leaf.what} was given, and at the work before it", waited_for(leaf.process)
    looked = opened_in_call(leaf)
    last = f"; the last file it opened was {looked[-1].path}" if looked else ""
    return f"watch the next start: what {library} opens and returns before that{last}", waited_for(leaf.process)


def _stands_in(leaf: Attempt) -> bool:
    """A shim answered in place of NVIDIA's driver: what it answers without a device is its own affair."""
    return _NAMED_AS_DRIVER.search(leaf.provider) is not None and not _VENDOR_FILE.search(leaf.provider)


def _meaning(leaf: Attempt, advice: str) -> str:
    """What a result usually means: a shim may mean something else by it."""
    if leaf.source == "file" and not leaf.code:
        return "Whether the library refused the call, or never came back from it, was not seen."
    return f"That usually means: {advice}." if advice else "The library refused the call."


def _gate(leaf: Attempt) -> list[FileOpened]:
    """Opens by which the library may have found out in which program it is, just before it answered."""
    if leaf.sample is None or _VENDOR_FILE.search(leaf.provider):
        return []
    process, sample = leaf.process, leaf.sample
    names = {f"/proc/{who}/{file}" for who in ("self", "thread-self", process.pid) for file in ("comm", "cmdline")}
    begin = sample.entered - _GATE_WINDOW
    looks = [o for o in process.opens if o.path in names and o.tid == sample.tid and not o.writable]
    return [o for o in looks if begin <= o.at <= sample.at][-2:]


def _gate_rows(case: Case, gate: list[FileOpened]) -> list[Evidence]:
    process = case.leaf.process
    return [evidence.of_open(case.state, process, one, f"before it the process read {one.path}") for one in gate]


def _gate_words(process: Process, gate: list[FileOpened]) -> str:
    if not gate:
        return ""
    return (
        f" Just before, the same thread read {gate[-1].path}: perhaps the library admits only programs of certain "
        f"names, and this one is called {process.comm}."
    )


FORK: tuple[Cause, ...] = (InitialisedBeforeFork(),)
CAUSES: tuple[Cause, ...] = (ApiError(),)
