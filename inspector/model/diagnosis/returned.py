"""What did the calls answer: results by name, the first bad one first."""

import re
import shlex
from collections.abc import Iterable, Iterator

from inspector.model import evidence
from inspector.model.coverage import capability
from inspector.model.evidence import short
from inspector.model.state import Process, Reading
from inspector.model.usage import FunctionCalls, Use, faults
from inspector.model.verdict import Evidence
from inspector.model.wording import name_of, plural
from inspector.stream.calls import CallReturned, FileOpened

from .rule import Hit, Rule, Scene

_GATE_WINDOW = 50_000_000
"""ns before a call in which a look at its own name, by the same thread, may have decided what it answers."""
_SILENCE = 1_000_000_000
"""ns without a call after which a refusal was the last word."""
_VENDOR_FILE = re.compile(r"\.so\.\d{3}\.\d")
"""Files of NVIDIA's driver carry its release: `libcuda.so.580.95.05`; they look at names for their own ends."""


def dotted(version: int) -> str:
    """`12.9` for 12090, as CUDA numbers its versions."""
    return f"{version // 1000}.{version % 1000 // 10}"


class DriverTooOld(Rule):
    id = "driver-too-old"
    place = "returned"
    meaning = "The driver library reports a version below what the runtime or the program wants."

    def find(self, scene: Scene) -> Iterable[Hit]:
        for process in scene.state.processes:
            for use in scene.computing(process):
                for calls in use.with_role("version"):
                    for sample in calls.samples:
                        version = sample.values.get("version")
                        if sample.result == 0 and isinstance(version, int):
                            yield from self._of_version(scene, process, calls, sample, version)
        for reading in scene.start.of("driver-too-old"):
            yield self._of_line(reading, evidence.of_reading(scene.state, reading))

    def _of_version(
        self, scene: Scene, process: Process, calls: FunctionCalls, sample: CallReturned, version: int
    ) -> Iterator[Hit]:
        wanted, by = _runtime(scene, process)
        if not wanted or version >= wanted:
            return
        if version == 0 and name_of(calls.function.library).startswith(by):
            return  # what a runtime says when it found no driver at all, see cudaDriverGetVersion
        text = f"{calls.name} answered {version} ({dotted(version)})"
        yield Hit(
            title=f"the driver library says {dotted(version)}, {by} wants {dotted(wanted)} or newer",
            cause=f"{by} refuses an older driver with 35, before it asks for any device.",
            next_step=f"let {name_of(calls.function.library)} report at least {wanted}, or use an older runtime",
            process=process,
            confidence="proven",
            evidence=[evidence.of_sample(scene.state, process, calls, sample, text)],
            at=sample.at,
            subject=f"{version}:{wanted}",
            explains=("INSUFFICIENTDRIVER", "SYSTEMDRIVERMISMATCH"),
        )

    def _of_line(self, reading: Reading, row: Evidence) -> Hit:
        driver, required = reading.groups.get("driver", "?"), reading.groups.get("required", "")
        return Hit(
            title=f"driver {driver} is too old" + (f", required: {required}" if required else ""),
            cause="The program itself says so.",
            next_step="nvidia-smi   # install a newer driver, or use the variant for older ones",
            confidence="proven",
            evidence=[row],
            at=reading.at,
            subject=f"{driver}:{required}",
        )


def _runtime(scene: Scene, process: Process) -> tuple[int, str]:
    """The least driver version that the runtime in this process accepts: its own release's first."""
    for use in scene.computing(process):
        for calls in use.with_role("version"):
            for sample in calls.samples:
                value = sample.values.get("runtime")
                if isinstance(value, int) and value:
                    return value // 1000 * 1000, name_of(calls.function.library)
    for use in scene.computing(process):
        for provider in use.providers:
            soname = (provider.image.soname if provider.image else None) or ""
            release = soname.rpartition(".so.")[2].split(".")[0]
            if soname.startswith("libcudart.so.") and release.isdigit():
                return int(release) * 1000, soname
    return 0, ""


class ExportTableRefused(Rule):
    id = "export-table-refused"
    place = "returned"
    meaning = "The runtime asks the driver for a private table by its id; without it it gives up, whatever else works."

    def find(self, scene: Scene) -> Iterable[Hit]:
        for process in scene.state.processes:
            for use in scene.computing(process):
                hits = [*self._of_calls(scene, process, use), *self._of_lookups(scene, process, use)]
                yield from hits or self._of_last_word(scene, process, use)

    def _of_calls(self, scene: Scene, process: Process, use: Use) -> Iterator[Hit]:
        for calls in use.with_role("table"):
            for sample in calls.samples:
                table = str(sample.arguments.get("table", ""))
                empty = sample.values.get("pointer") in (0, "0x0", "0")
                if sample.result == 0 and not empty:
                    continue
                if scene.profiles.table_needed(use.api, table):
                    answer = scene.profiles.result(use.api, sample.result) if sample.result else "0 with a NULL table"
                    row = evidence.of_sample(scene.state, process, calls, sample, f"{calls.name}({table}) = {answer}")
                    yield self._hit(scene, process, use, table, answer, row, sample.at)

    def _of_lookups(self, scene: Scene, process: Process, use: Use) -> Iterator[Hit]:
        for lookup in use.lookups:
            needed = scene.profiles.table_needed(use.api, lookup.name)
            if lookup.via == "cuGetExportTable" and lookup.found is False and needed:
                answer = scene.profiles.result(use.api, lookup.result)
                row = evidence.of_lookup(scene.state, process, lookup, f"{lookup.via}({lookup.name}) = {answer}")
                yield self._hit(scene, process, use, lookup.name, answer, row, lookup.at)

    def _of_last_word(self, scene: Scene, process: Process, use: Use) -> Iterator[Hit]:
        """A table of any id, after whose refusal the consumer asked for nothing more: that ended its start."""
        lookup = max(use.lookups, key=lambda one: one.at, default=None)
        if lookup is None or lookup.via != "cuGetExportTable" or lookup.found is not False:
            return
        silent = bool(process.ended) or scene.state.now - lookup.at > _SILENCE
        if (
            not silent
            or use.went_on_after(lookup.at)
            or not any(one.path == lookup.requester and one.observed for one in use.consumers)
        ):
            return
        answer = scene.profiles.result(use.api, lookup.result)
        row = evidence.of_lookup(scene.state, process, lookup, f"{lookup.via}({lookup.name}) = {answer}")
        hit = self._hit(scene, process, use, lookup.name, answer, row, lookup.at)
        hit.confidence, hit.doubt = "likely", "The refusal was its last question; that it is the cause is concluded."
        yield hit

    def _hit(self, scene: Scene, process: Process, use: Use, table: str, answer: str, row: Evidence, at: int) -> Hit:
        name = scene.profiles.table_name(use.api, table)
        called = f" ({name})" if name else ""
        counted = any(calls.by_consumer for calls in use.with_role("count"))
        after = "" if counted else "; no device was counted after it"
        return Hit(
            title=f"the export table {table.upper()}{called} was refused with {answer} in {short(process)}{after}",
            cause="The runtime talks to the driver through this private table. It hands the same error on and asks "
            "for nothing else; this is no fault of loading or of a public function.",
            next_step="pass cuGetExportTable through to a real driver, implement the table, or replace the runtime "
            "instead",
            process=process,
            confidence="proven",
            evidence=[row],
            at=at,
            subject=table,
        )


class ApiError(Rule):
    id = "api-error"
    place = "returned"
    notice = True
    meaning = "A call of a consumer answered an error; the first one counts, what follows are consequences."

    def find(self, scene: Scene) -> Iterable[Hit]:
        for process in scene.state.processes:
            uses = scene.computing(process) or list(scene.uses(process).values())
            bad = [(use, *fault) for use in uses for fault in faults(use, scene.profiles)]
            bad = [one for one in bad if not _recovered(one[1], one[2])]
            if bad:
                use, calls, result, _ = min(bad, key=lambda one: _moment(one[1], one[2]))
                yield self._hit(scene, process, use, calls, result, bad)
        yield from self._from_logs(scene)

    def _from_logs(self, scene: Scene) -> Iterator[Hit]:
        """Errors that a shim's own log tells, where the function was not counted."""
        counted = {calls.name for _, use in scene.all_uses() for calls in use.calls.values()}
        handed_on = self._moments(scene)
        for reading in scene.start.of("error"):
            function, code = reading.groups.get("function", ""), reading.groups.get("code", "")
            api = scene.profiles.api_of_function(function)
            if api is None or function in counted or not code.lstrip("-").isdigit():
                continue
            if scene.profiles.role(api, function) in ("error", "lookup", "table") or not _has_consumer(
                scene, reading, api
            ):
                continue
            number = int(code)
            if not number or scene.profiles.normal(api, function, number, at_exit=True) is not None:
                continue
            answer = scene.profiles.result(api, number)
            yield Hit(
                title=f"{function} = {answer}, says the log of {reading.groups.get('library') or 'the shim'}",
                cause=_meaning(scene.profiles.advice(api, number)),
                next_step=_count_step(scene),
                process=scene.state.current.get(reading.pid),
                severity="error" if scene.profiles.apis[api].mode is not None else "warning",
                confidence="likely",
                evidence=[evidence.of_reading(scene.state, reading)],
                doubt="The call itself was not counted; who made it is not known.",
                at=handed_on.get((reading.pid, number), reading.at + 1) - 1,
                subject=f"{function}:{number}",
            )

    def _moments(self, scene: Scene) -> dict[tuple[int, int], int]:
        """By pid and result: when a counted function answered it; a layer below told it just before."""
        return {
            (process.pid, result): _moment(calls, result)
            for process, use in scene.all_uses()
            for calls, result, _ in faults(use, scene.profiles)
        }

    def _hit(
        self, scene: Scene, process: Process, use: Use, calls: FunctionCalls, result: int,
        bad: list[tuple[Use, FunctionCalls, int, int]],
    ) -> Hit:  # fmt: skip
        answer = scene.profiles.result(use.api, result)
        advice = scene.profiles.advice(use.api, result)
        others = sum(count for _, other, code, count in bad if (other, code) != (calls, result))
        follow = (
            f" {plural(others, 'error')} after it {'is a consequence' if others == 1 else 'are consequences'}."
            if others
            else ""
        )
        gate = _gate(process, calls, result)
        rows = [evidence.of_calls(process, calls, f"{calls.name} = {answer}", at=_moment(calls, result))]
        rows += [
            evidence.of_open(scene.state, process, opened, f"before it the process read {opened.path}")
            for opened in gate
        ]
        rows += [evidence.of_calls(process, other, f"{other.name} = {scene.profiles.result(one.api, code)}, "
                                                   f"{plural(count, 'time')}")
                 for one, other, code, count in bad[:8] if other is not calls]  # fmt: skip
        return Hit(
            title=f"{calls.name} = {answer} in {short(process)}",
            cause=f"{_meaning(advice)}{_gate_words(process, gate)}{follow}",
            next_step=_step(scene, process, calls),
            process=process,
            severity="error" if scene.profiles.apis[use.api].mode is not None else "warning",
            confidence="proven",
            evidence=rows,
            at=_moment(calls, result),
            subject=f"{calls.name}:{result}",
            despite_use=calls.role == "launch",
            answer=scene.profiles.result_name(use.api, result),
        )


def _count_step(scene: Scene) -> str:
    """How to see the call itself: by an earlier look where counting is allowed, else by more rights."""
    allowed = capability(scene.state, "count-calls")
    if allowed is not None and allowed.state == "yes":
        return "observe its next start from the first instruction: inspector report -- CMD, or --wait"
    return "count the calls themselves: inspector doctor says what that needs"


def _has_consumer(scene: Scene, reading: Reading, api: str) -> bool:
    """Somebody in the writing process could have called; NVML and the like ask the driver for their own ends."""
    process = scene.state.current.get(reading.pid)
    if process is None:
        return any(use.api == api and use.consumers for _, use in scene.all_uses())
    use = scene.uses(process).get(api)
    return use is not None and bool(use.consumers)


def _recovered(calls: FunctionCalls, result: int) -> bool:
    """The same function succeeded later: the error was not the last word."""
    return calls.last_of.get(0, 0) > calls.last_of.get(result, 0)


def _moment(calls: FunctionCalls, result: int) -> int:
    return next((sample.at for sample in calls.samples if sample.result == result), calls.first)


def _meaning(advice: str) -> str:
    """What a result usually means: a shim may mean something else by it."""
    return f"That usually means: {advice}." if advice else "The library refused the call."


def _gate(process: Process, calls: FunctionCalls, result: int) -> list[FileOpened]:
    """Opens by which the library may have found out in which program it is, just before it answered."""
    sample = next((sample for sample in calls.samples if sample.result == result), None)
    if sample is None or _VENDOR_FILE.search(calls.function.library):
        return []
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


def _step(scene: Scene, process: Process, calls: FunctionCalls) -> str:
    if calls.role in ("init", "count") and scene.state.gpu is not None and not scene.state.gpu.devices:
        return "ls -l /dev/nvidia* /proc/driver/nvidia/version; lspci -nn | grep -i -E '3d|vga|display'"
    runs = scene.program(process)
    again = f"-- {shlex.join(runs.argv)}" if process.ended and runs is not None else str(process.pid)
    return f"inspector trace {again}   # what {name_of(calls.function.library)} opened and answered before it"


RULES: tuple[Rule, ...] = (
    DriverTooOld(), ExportTableRefused(), ApiError(),
)  # fmt: skip
