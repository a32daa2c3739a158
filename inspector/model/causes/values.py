"""Calls that succeed with values that no program can use: no device, no memory, a device that cannot be."""

from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from inspector.model import commands_by_hand, evidence
from inspector.model.evidence import short
from inspector.model.formatting import listed, name_of, size
from inspector.model.start_again import observed_again
from inspector.model.state import Process
from inspector.model.usage import FunctionCalls
from inspector.stream.calls import CallReturned

from .context import Case, Context
from .opened_inside import opened_by_provider
from .rule import UNEXPLAINED, Cause, Hit, Pattern

_LEAST_MEMORY = 16 << 20
_MOST_MEMORY = 1 << 50
_MOST_DEVICES = 1024
_MAJORS = range(1, 30)
_MAJOR_ATTRIBUTE = 75
"""CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR (cuda.h), the same number in the runtime."""


class NoDeviceCounted(Cause):
    id = "no-device-counted"
    place = "returned"
    meaning = "Everything succeeds, and the number of devices is 0."
    proof = "The counting function returned success and wrote 0."
    cure = "Find out what the library counts: device files, its settings, what a variable hides."

    def explain(self, case: Case) -> Hit | None:
        leaf = case.leaf
        if leaf.kind != "call" or leaf.code or not leaf.came_back or "count=0" not in leaf.answer:
            return None
        library = name_of(leaf.provider)
        opened = list(dict.fromkeys(one.path for one in opened_by_provider(leaf, case.family_uses)))[-4:]
        counts = f"it opened {listed(opened)} before" if opened else "device files, its settings"
        return Hit(
            title=f"{leaf.what} succeeded but reported 0 devices in {short(leaf.process)}",
            cause=f"{library} works but reports no devices.",
            next_step=f"find out why {library} counts no device: {counts}",
            command=commands_by_hand.paths(leaf.process, opened)
            if opened
            else "ls -l /dev/nvidia* /dev/kfd /dev/dri /dev/dxg",
            process=leaf.process,
            confidence=case.sure,
            evidence=case.rows(),
            at=leaf.at,
            subject=f"{leaf.provider}:{leaf.what}",
        )


class NoDeviceToldByLog(Pattern):
    """A count of 0 that only the shim's own log tells."""

    id = "no-device-counted"
    place = "returned"
    meaning = NoDeviceCounted.meaning
    proof = NoDeviceCounted.proof
    cure = NoDeviceCounted.cure

    def find(self, context: Context) -> Iterable[Hit]:
        counted = {calls.name for _, use in context.all_uses() for calls in use.calls.values()}
        for reading in context.start.of("call"):
            function = reading.groups.get("function", "")
            api = context.profiles.api_of_function(function)
            if api is None or function in counted or reading.groups.get("count") != "0":
                continue
            process = context.state.current.get(reading.pid)
            yield Hit(
                title=f"{function} succeeded but reported 0 devices, says the log of "
                f"{reading.groups.get('library') or 'the shim'}",
                cause="The shim works but reports no devices.",
                next_step="find out why the shim counts no device: device files, its settings",
                process=process,
                confidence="likely",
                evidence=[evidence.of_reading(context.state, reading)],
                doubt="The call itself was not counted.",
                at=process.started if process is not None else reading.at,
                subject=function,
            )


class ZeroMemory(Cause):
    id = "zero-memory"
    place = "returned"
    meaning = "A device is there, but reports no memory; programs drop such a device."
    proof = "The function that reports the memory returned success and wrote 0."
    cure = "Let the library report the memory of its device."

    def explain(self, case: Case) -> Hit | None:
        leaf = case.leaf
        if leaf.kind != "call" or leaf.code or not leaf.came_back or "total=0" not in leaf.answer:
            return None
        return Hit(
            title=f"{leaf.what} succeeded but reported 0 bytes in {short(leaf.process)}",
            cause="Programs drop a device without memory, most of them without a line in the log.",
            next_step=f"make {name_of(leaf.provider)} report its device's memory, then observe the next start",
            command=observed_again(leaf.process),
            process=leaf.process,
            confidence=case.sure,
            evidence=case.rows(),
            at=leaf.at,
            subject=f"{leaf.provider}:{leaf.what}",
        )


class ImplausibleDevice(Cause):
    id = "implausible-device"
    place = "returned"
    meaning = (
        "A call succeeds with values that no device has: compute capability 0.0, an impossible memory size or "
        "version. Often a "
        "structure laid out as another release lays it out."
    )
    proof = "The out-values of the call, read when it returned."
    cure = "Compare what the library writes with the header of the release that the consumer uses."

    def explain(self, case: Case) -> Hit | None:
        """What a program did with such a device: it died of it, or dropped it."""
        if case.leaf.kind not in ("signal", "end", "words"):
            return None
        hit = next(implausible(case.context), None)
        return replace(hit, evidence=[*hit.evidence, *case.rows()], root=hit.title) if hit is not None else None


class ImplausibleValues(Pattern):
    """The same where nothing was refused after it: a warning while the device is kept."""

    notice = True
    answers = UNEXPLAINED | {"found-not-used"}
    id = "implausible-device"
    place = "returned"
    meaning = ImplausibleDevice.meaning
    proof = ImplausibleDevice.proof
    cure = ImplausibleDevice.cure

    def find(self, context: Context) -> Iterable[Hit]:
        return implausible(context)


def implausible(context: Context) -> Iterator[Hit]:
    """Values of discovery that no device has."""
    for process in context.state.processes:
        for use in context.computing(process):
            for calls in use.with_role("properties", "attribute", "memory", "count", "version"):
                for sample in calls.samples:
                    what = _implausible(calls, sample)
                    if what:
                        yield _hit(context, process, calls, sample, what)
                        break


def _hit(context: Context, process: Process, calls: FunctionCalls, sample: CallReturned, what: str) -> Hit:
    layout = (
        " Name and offsets belong to one release of the structure: a library that fills the layout of another "
        "one gives such values."
        if calls.role == "properties"
        else ""
    )
    return Hit(
        title=f"{calls.name} returned success in {short(process)}, but {what}",
        cause=f"No device has such a value; programs drop it or choose code that cannot run.{layout}",
        next_step=f"compare what {name_of(calls.function.library)} writes with the header of the release that "
        "the consumer uses, then observe the next start",
        command=observed_again(process),
        process=process,
        confidence="likely",
        evidence=[evidence.of_sample(context.state, process, calls, sample, f"{calls.name} = 0, {_shown(sample)}")],
        doubt="A consumer of another release reads other offsets than these.",
        at=sample.at,
        subject=f"{calls.function.library}:{calls.name}:{what}",
    )


def _shown(sample: CallReturned) -> str:
    return ", ".join(f"{name}={value}" for name, value in sample.values.items())


def _implausible(calls: FunctionCalls, sample: CallReturned) -> str:
    """What no device has, in words; empty when all is plausible."""
    if sample.result != 0:
        return ""
    values = sample.values
    major, minor = values.get("major"), values.get("minor")
    if calls.role == "attribute" and sample.arguments.get("attrib") == _MAJOR_ATTRIBUTE:
        major = values.get("value")
    if isinstance(major, int) and major not in _MAJORS:
        return f"the compute capability reads {major}.{minor if isinstance(minor, int) else 0}"
    total = values.get("total")
    if isinstance(total, int) and total and not _LEAST_MEMORY <= total <= _MOST_MEMORY:
        return f"the memory reads {size(total)}"
    count = values.get("count")
    if isinstance(count, int) and not 0 <= count <= _MOST_DEVICES:
        return f"the number of devices reads {count}"
    return ""


CAUSES: tuple[Cause, ...] = (NoDeviceCounted(), ZeroMemory(), ImplausibleDevice())
PATTERNS: tuple[Pattern, ...] = (ImplausibleValues(), NoDeviceToldByLog())
