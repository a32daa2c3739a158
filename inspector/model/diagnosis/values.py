"""Calls that succeed with values that no program can use: no device, no memory, a device that cannot be."""

from collections.abc import Iterable, Iterator

from inspector.model import evidence
from inspector.model.evidence import short
from inspector.model.state import Process
from inspector.model.usage import FunctionCalls
from inspector.model.wording import name_of, size
from inspector.stream.calls import CallReturned

from .rule import Hit, Rule, Scene

_LEAST_MEMORY = 16 << 20
_MOST_MEMORY = 1 << 50
_MOST_DEVICES = 1024
_MAJORS = range(1, 30)
_MAJOR_ATTRIBUTE = 75
"""CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR (cuda.h), the same number in the runtime."""


class NoDeviceCounted(Rule):
    id = "no-device-counted"
    place = "returned"
    meaning = "Everything succeeds, and the number of devices is 0."

    def find(self, scene: Scene) -> Iterable[Hit]:
        yield from self._from_logs(scene)
        for process in scene.state.processes:
            for use in scene.computing(process):
                for calls in use.with_role("count"):
                    sample = next((s for s in calls.samples if s.result == 0 and s.values.get("count") == 0), None)
                    last = calls.samples[-1] if calls.samples else None
                    if sample is None or last is None or last.values.get("count"):
                        continue
                    yield Hit(
                        title=f"{calls.name} answered success and 0 devices in {short(process)}",
                        cause=f"{name_of(calls.function.library)} works and says that there is nothing.",
                        next_step=f"find out what {name_of(calls.function.library)} counts: device files, its own "
                        "settings",
                        process=process,
                        confidence="proven",
                        evidence=[
                            evidence.of_sample(scene.state, process, calls, sample, f"{calls.name} = 0, count=0")
                        ],
                        at=sample.at,
                        subject=f"{calls.function.library}:{calls.name}",
                        answer="NODEVICE",
                    )

    def _from_logs(self, scene: Scene) -> Iterator[Hit]:
        """A count of 0 that only the shim's own log tells."""
        counted = {calls.name for _, use in scene.all_uses() for calls in use.calls.values()}
        for reading in scene.start.of("call"):
            function = reading.groups.get("function", "")
            api = scene.profiles.api_of_function(function)
            if api is None or function in counted or reading.groups.get("count") != "0":
                continue
            process = scene.state.current.get(reading.pid)
            yield Hit(
                title=f"{function} answered success and 0 devices, says the log of "
                f"{reading.groups.get('library') or 'the shim'}",
                cause="The shim works and says that there is nothing.",
                next_step="find out what the shim counts: device files, its own settings",
                process=process,
                confidence="likely",
                evidence=[evidence.of_reading(scene.state, reading)],
                doubt="The call itself was not counted.",
                at=process.started if process is not None else reading.at,
                subject=function,
            )


class ZeroMemory(Rule):
    id = "zero-memory"
    place = "returned"
    meaning = "A device is there, but reports no memory; programs drop such a device."

    def find(self, scene: Scene) -> Iterable[Hit]:
        for process in scene.state.processes:
            for use in scene.computing(process):
                for calls in use.with_role("memory"):
                    sample = next((s for s in calls.samples if s.result == 0 and s.values.get("total") == 0), None)
                    if sample is not None:
                        yield Hit(
                            title=f"{calls.name} answered success and 0 bytes in {short(process)}",
                            cause="Programs drop a device without memory, most of them without a line in the log.",
                            next_step=f"let {name_of(calls.function.library)} report the memory of its device",
                            process=process,
                            confidence="proven",
                            evidence=[
                                evidence.of_sample(scene.state, process, calls, sample, f"{calls.name} = 0, total=0")
                            ],
                            at=sample.at,
                            subject=f"{calls.function.library}:{calls.name}",
                        )


class ImplausibleDevice(Rule):
    id = "implausible-device"
    place = "returned"
    meaning = (
        "A call succeeds with values that no device has: compute capability 0.0, mad memory, a mad version. Often a "
        "structure laid out as another release lays it out."
    )

    def find(self, scene: Scene) -> Iterable[Hit]:
        for process in scene.state.processes:
            for use in scene.computing(process):
                for calls in use.with_role("properties", "attribute", "memory", "count", "version"):
                    for sample in calls.samples:
                        what = _implausible(calls, sample)
                        if what:
                            yield self._hit(scene, process, calls, sample, what)
                            break

    def _hit(self, scene: Scene, process: Process, calls: FunctionCalls, sample: CallReturned, what: str) -> Hit:
        layout = (
            " Name and offsets belong to one release of the structure: a library that fills the layout of another "
            "one gives such values."
            if calls.role == "properties"
            else ""
        )
        return Hit(
            title=f"{calls.name} answered success in {short(process)}, but {what}",
            cause=f"No device has such a value; programs drop it or choose code that does not run.{layout}",
            next_step=f"compare what {name_of(calls.function.library)} writes with the header of the release that "
            "the consumer uses",
            process=process,
            confidence="likely",
            evidence=[evidence.of_sample(scene.state, process, calls, sample, f"{calls.name} = 0, {_shown(sample)}")],
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


RULES: tuple[Rule, ...] = (NoDeviceCounted(), ZeroMemory(), ImplausibleDevice())
