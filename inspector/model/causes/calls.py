"""Why a call answered an error: what hides the devices, which copy answered, and what the result means."""

import re
from collections.abc import Iterator
from shlex import quote

from inspector.model import commands_by_hand, evidence
from inspector.model.attempts.row import Attempt
from inspector.model.evidence import short
from inspector.model.formatting import name_of, plural
from inspector.model.state import Process
from inspector.model.tree import ancestors, program
from inspector.model.usage import Provider, faults, hides_devices
from inspector.model.verdict import Confidence, Evidence
from inspector.stream.calls import FileOpened

from .context import Case, Context
from .rule import Cause, Hit, Pattern

_GATE_WINDOW = 50_000_000
"""ns before a call in which a look at its own name, by the same thread, may have decided what it answers."""
_VENDOR_FILE = re.compile(r"\.so\.\d{3}\.\d")
"""Files of NVIDIA's driver carry its release: `libcuda.so.580.95.05`; they look at names for their own ends."""
_NO_DEVICE = ("NODEVICE", "INVALIDDEVICE", "DEVICENOTFOUND")


def dotted(version: int) -> str:
    """`12.9` for 12090, as CUDA numbers its versions."""
    return f"{version // 1000}.{version % 1000 // 10}"


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
            next_step=f"take {key} out where the program "
            f"{'sets it' if inside else 'is started (children inherit it)'}, then restart",
            command=case.rerun("-u", key),
            process=process,
            confidence=sure,
            evidence=[evidence.of_environment(process, key, f"{short(process)}: {key}={value}"), *case.rows()],
            doubt="" if hides_all else "A shim need not honour the variable; the result could have another cause.",
            at=case.leaf.at,
            subject=f"{key}={value}",
            root=f"{key}={shown}{where}",
        )


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


class DriverTooOld(Cause):
    id = "driver-too-old"
    place = "returned"
    meaning = "The driver library reports a version below what the runtime or the program wants."
    proof = "The version that the driver wrote, against the release of the runtime that is mapped."
    cure = "Install a newer driver, or use an older runtime."

    def explain(self, case: Case) -> Hit | None:
        if case.leaf.kind not in ("call", "words", "end"):
            return None
        for use in case.family_uses or case.context.computing(case.process):
            for calls in use.with_role("version"):
                for sample in calls.samples:
                    version = sample.values.get("version")
                    if sample.result == 0 and isinstance(version, int):
                        hit = self._of_version(case, calls.function.library, calls.name, version)
                        if hit is not None:
                            return hit
        return None

    def _of_version(self, case: Case, library: str, function: str, version: int) -> Hit | None:
        wanted, by = _runtime(case.context, case.process)
        if not wanted or version >= wanted or (version == 0 and name_of(library).startswith(by)):
            return None  # 0 is what a runtime says when it found no driver at all, see cudaDriverGetVersion
        if case.leaf.kind == "call" and case.leaf.ok is False and case.leaf.came_back and not self._fits(case):
            return None
        title = f"the driver library says {dotted(version)}, {by} wants {dotted(wanted)} or newer"
        return Hit(
            title=title,
            cause=f"{by} refuses an older driver with 35, before it asks for any device.{_follows(case)}",
            next_step=f"make {name_of(library)} report at least {wanted}, or use an older runtime",
            command=case.again(),
            process=case.process,
            confidence=case.sure,
            evidence=[evidence.of_file(case.process, library, f"{function} answered {version} ({dotted(version)})"),
                      *case.rows()],
            at=case.leaf.at,
            subject=f"{version}:{wanted}",
            root=title,
        )  # fmt: skip

    def _fits(self, case: Case) -> bool:
        leaf = case.leaf
        return case.context.profiles.is_called(leaf.api, leaf.code, "INSUFFICIENTDRIVER", "SYSTEMDRIVERMISMATCH")


def _follows(case: Case) -> str:
    leaf = case.leaf
    return f" Consequence: {leaf.what} = {leaf.answer}." if leaf.kind == "call" else ""


def _runtime(context: Context, process: Process) -> tuple[int, str]:
    """The least driver version that the runtime in this process accepts: its own release's first."""
    for use in context.computing(process):
        for calls in use.with_role("version"):
            for sample in calls.samples:
                value = sample.values.get("runtime")
                if isinstance(value, int) and value:
                    return value // 1000 * 1000, name_of(calls.function.library)
    for use in context.computing(process):
        for provider in use.providers:
            soname = (provider.image.soname if provider.image else None) or ""
            release = soname.rpartition(".so.")[2].split(".")[0]
            if soname.startswith("libcudart.so.") and release.isdigit():
                return int(release) * 1000, soname
    return 0, ""


class BoundElsewhere(Cause):
    id = "bound-elsewhere"
    place = "resolved"
    meaning = "Two libraries offer the API in one process; the consumer's calls go to the one that was not meant."
    proof = "The file that answered the refused call, and another provider of the same API that nobody called."
    cure = "Take the first one from the process, or make it forward the calls."

    def explain(self, case: Case) -> Hit | None:
        leaf = case.leaf
        use = case.context.uses(case.process).get(leaf.api)
        if leaf.kind != "call" or use is None:
            return None
        called = {calls.function.file for calls in use.calls.values()}
        winner = next((p for p in use.providers if p.path == leaf.provider), None)
        for loser in use.providers:
            if winner is None or loser is winner or loser.library.file in called or loser.gone or loser.apis is None:
                continue
            if _named(case.context, loser, use.api):
                return self._hit(case, winner, loser)
        return None

    def _hit(self, case: Case, winner: Provider, loser: Provider) -> Hit:
        title = f"in {short(case.process)} {case.leaf.what} etc. are bound to {winner.path}, not to {loser.path}"
        return Hit(
            title=title,
            cause="The first library in look-up order that defines a name wins; preloads come first.",
            next_step=f"remove {name_of(winner.path)} from the process, or make it forward the calls",
            command=commands_by_hand.exported(case.process, winner.path, case.leaf.what),
            process=case.process,
            confidence="likely",
            evidence=[
                *[
                    evidence.of_library(case.process, p.library, f"{p.path} ({p.library.route})")
                    for p in (winner, loser)
                ],
                *case.rows(),
            ],
            doubt="If the first one is the intended shim, check what it returns.",
            at=case.leaf.at,
            subject=f"{winner.path}:{loser.path}",
            root=title,
        )


def _named(context: Context, provider: Provider, api: str) -> bool:
    """It has the SONAME that consumers ask for (one without is the case of name-mismatch)."""
    soname = provider.image.soname if provider.image is not None else None
    return soname is not None and context.profiles.api_of_soname(soname) == api


class ApiError(Cause):
    id = "api-error"
    place = "returned"
    meaning = "A call of a consumer answered an error, and nothing tells more of it; what follows are consequences."
    proof = "The result was read when the function returned, or the program tells it."
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
        rows += [
            evidence.of_open(case.state, leaf.process, one, f"before it the process read {one.path}") for one in gate
        ]
        known = profiles.apis.get(leaf.api)
        step, command = _next(case)
        return Hit(
            title=f"{leaf.what} = {leaf.answer} in {short(leaf.process)}{said}",
            cause=f"{_meaning(advice)}{_gate_words(leaf.process, gate)}{follow}{self._by(leaf)}",
            next_step=step,
            command=command,
            process=leaf.process,
            severity="error" if known is None or known.mode is not None else "warning",
            confidence=case.sure,
            evidence=[*rows, *self._others(case)],
            doubt="The call itself was not counted." if leaf.source == "program" else "",
            at=leaf.begin or leaf.at,
            subject=f"{leaf.what}:{leaf.code}",
            despite_use=leaf.stage == "work",
        )

    def _by(self, leaf: Attempt) -> str:
        return (
            f" Returned by {leaf.provider}{f', called by {name_of(leaf.asker)}' if leaf.asker else ''}."
            if leaf.provider
            else ""
        )

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


def _next(case: Case) -> tuple[str, str]:
    leaf, gpu = case.leaf, case.state.gpu
    if leaf.stage in ("initialised", "counted") and gpu is not None and not gpu.devices:
        return (
            "see whether the machine has a device at all",
            "ls -l /dev/nvidia* /proc/driver/nvidia/version; lspci -nn | grep -i -E '3d|vga|display'",
        )
    library = name_of(leaf.provider) or "the library"
    if leaf.process.ended or program(leaf.process) is None:
        first = [leaf.process, *ancestors(leaf.process)][-1]
        runs = program(first)
        wait = f"inspector --wait {quote(name_of(runs.exe))}" if runs is not None and runs.exe else ""
        return f"see in the next start what {library} opens and returns before that", wait
    return f"see what {library} opened and returned before that", f"inspector trace {leaf.process.pid}"


def _meaning(advice: str) -> str:
    """What a result usually means: a shim may mean something else by it."""
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


def _gate_words(process: Process, gate: list[FileOpened]) -> str:
    if not gate:
        return ""
    return (
        f" Just before, the same thread read {gate[-1].path}: perhaps the library admits only programs of certain "
        f"names, and this one is called {process.comm}."
    )


class DriverTooOldByLog(Pattern):
    """The program itself says that the driver is too old."""

    id = "driver-too-old"
    place = "returned"
    meaning = DriverTooOld.meaning
    proof = DriverTooOld.proof
    cure = DriverTooOld.cure

    def find(self, context: Context) -> Iterator[Hit]:
        for reading in context.start.of("driver-too-old"):
            driver, required = reading.groups.get("driver", "?"), reading.groups.get("required", "")
            yield Hit(
                title=f"driver {driver} is too old" + (f", required: {required}" if required else ""),
                cause="The program itself says so.",
                next_step="install a newer driver, or use the variant for older ones",
                command="nvidia-smi",
                confidence="proven",
                evidence=[evidence.of_reading(context.state, reading)],
                at=reading.at,
                subject=f"{driver}:{required}",
            )


class BoundSlots(Pattern):
    """Slots that hold another library's address, before anybody called."""

    id = "bound-elsewhere"
    place = "resolved"
    meaning = BoundElsewhere.meaning
    proof = BoundElsewhere.proof
    cure = BoundElsewhere.cure

    def find(self, context: Context) -> Iterator[Hit]:
        for process, use in context.all_uses():
            if len(use.providers) < 2 or use.total_calls:
                continue
            bound = {slot.bound_to for read in process.slots.values() for slot in read.slots if slot.bound_to}
            winner = next((one for one in use.providers if one.path in bound), None)
            loser = next((one for one in use.providers if one.path not in bound and not one.gone), None)
            if winner is not None and loser is not None and _named(context, loser, use.api):
                title = f"in {short(process)} {use.api} is bound to {winner.path}, not to {loser.path}"
                yield Hit(
                    title=title,
                    cause="The first library in look-up order that defines a name wins.",
                    next_step=f"remove {name_of(winner.path)} from the process, or make it forward the calls",
                    command=commands_by_hand.dynamic(process, winner.path),
                    process=process,
                    confidence="likely",
                    evidence=[evidence.of_library(process, one.library, one.path) for one in (winner, loser)],
                    doubt="If the first one is the intended shim, check what it returns.",
                    subject=f"{winner.path}:{loser.path}",
                )


CAUSES: tuple[Cause, ...] = (
    InitialisedBeforeFork(), VisibleDevicesHidden(), DriverTooOld(), BoundElsewhere(), ApiError(),
)  # fmt: skip
PATTERNS: tuple[Pattern, ...] = (BoundSlots(), DriverTooOldByLog())
