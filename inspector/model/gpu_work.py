"""What was done past discovery, and whether anything real stands behind the success that was answered."""

import msgspec

from . import evidence
from .coverage import opens_told_throughout
from .crashes import crashed
from .drivers import drivers_behind
from .evidence import short
from .formatting import plural
from .memo import once
from .profiles import Profiles
from .profiles.schema import WORK, ModeWord
from .state import Process, State
from .usage import FunctionCalls, Use, uses
from .verdict import Evidence

_STANDARD = 2
"""Descriptors up to this one are input, output and errors."""
_SHARED = ("/memfd:", "/dev/shm/", "/SYSV")
"""Memory that another process may compute on, as maps and descriptors name it (proc(5))."""
_TOY_POINTER = 1 << 20
"""Device addresses of drivers lie far above this; counters and handles lie below."""
_QUICK = 20_000
"""ns: a launch that really goes somewhere takes a few microseconds, and a return probe adds about one."""


class GpuWork(msgspec.Struct):
    """What one process did through one API past discovery, for its consumers."""

    process: Process
    api: str
    mode: ModeWord
    launches: int = 0
    launched: list[FunctionCalls] = msgspec.field(default_factory=list)
    allocations: int = 0
    others: int = 0
    """Successful module loads and copies."""
    finished: bool = False
    """A synchronisation after it succeeded, or the process went on or ended in order."""

    @property
    def proven(self) -> bool:
        """Kernels were launched with success and the process did not fall over them."""
        return self.launches > 0 and self.finished


def of_tree(state: State, profiles: Profiles) -> list[GpuWork]:
    """Work of all processes, one entry a process and API."""
    return [work for process in state.processes for work in of_process(state, process, profiles)]


def of_process(state: State, process: Process, profiles: Profiles) -> list[GpuWork]:
    """Work of one process, one entry an API."""
    return once("work", state, process, profiles, lambda: _compute(state, process, profiles))


def _compute(state: State, process: Process, profiles: Profiles) -> list[GpuWork]:
    found = []
    for api, use in uses(state, process, profiles).items():
        mode = profiles.apis[api].mode
        if mode is not None and not drivers_behind(process, api, profiles).only_software:
            work = _of_use(process, api, mode, use)
            if work.launches or work.allocations or work.others:
                found.append(work)
    return found


def _of_use(process: Process, api: str, mode: ModeWord, use: Use) -> GpuWork:
    work = GpuWork(process, api, mode)
    for calls in _asked_by_program(use):
        good = calls.succeeded
        if calls.role == "launch" and good:
            work.launches += good
            work.launched.append(calls)
        elif calls.role == "alloc":
            work.allocations += good
        else:
            work.others += good
    synchronised = any(calls.results.get(0) for calls in use.with_role("sync"))
    work.finished = synchronised or not crashed(process)
    return work


def _asked_by_program(use: Use) -> list[FunctionCalls]:
    """Functions that give work, each step of it once: what a shim hands on to the library behind it is one launch."""
    read = [calls for calls in use.with_role(*WORK) if calls.function.returns]
    direct = [calls for calls in read if not use.handed_on(calls)]
    told = {calls.name for calls in direct if calls.succeeded}
    return direct + [calls for calls in read if use.handed_on(calls) and calls.name not in told]


def words(work: GpuWork) -> str:
    """`PID 850 (runner): 312 launches and 2 allocations of cuda-driver answered 0`."""
    parts = []
    if work.launches:
        parts.append(plural(work.launches, "launch"))
    if work.allocations:
        parts.append(plural(work.allocations, "allocation"))
    if not parts:
        parts.append(plural(work.others, "module load or copy"))
    return f"{short(work.process)}: {' and '.join(parts)} through {work.api} returned 0"


class StubEvidence(msgspec.Struct, frozen=True):
    """Signs that success was answered and nothing was done."""

    rows: list[Evidence]
    together: bool
    """All of them: small numbers for addresses, speed, silence. Each alone is normal: an address may be a handle that
    only the shim understands, a launch may be queued, a transport may be there from before.
    """


def stub_signs(state: State, work: GpuWork, profiles: Profiles) -> StubEvidence | None:
    """Signs against this work; None when there are too few to say anything."""
    use = uses(state, work.process, profiles).get(work.api)
    if use is None or not work.launches:
        return None
    rows = _small_addresses(state, use)
    quick = [calls for calls in work.launched if _all_quick(calls)]
    together = bool(rows and quick)
    silence = nothing_behind(state, work.process, profiles)
    if silence is None or not (rows or quick):
        return None
    rows += [
        evidence.of_calls(
            work.process, calls, f"{calls.name}: {calls.results.get(0, 0)} calls, each back in microseconds"
        )
        for calls in quick
    ]
    return StubEvidence([*rows, silence], together)


def _small_addresses(state: State, use: Use) -> list[Evidence]:
    rows = []
    for calls in use.with_role("alloc"):
        for sample in calls.samples:
            pointer = _number(sample.values.get("pointer"))
            if sample.result == 0 and pointer is not None and pointer < _TOY_POINTER:
                text = f"{calls.name} returned 0 with the address {pointer:#x}: a number of the library's own"
                rows.append(evidence.of_sample(state, use.process, calls, sample, text))
                break
    return rows


def _number(value: int | str | float | None) -> int | None:
    if isinstance(value, str):
        try:
            return int(value, 0)
        except ValueError:
            return None
    return int(value) if value is not None else None


def _all_quick(calls: FunctionCalls) -> bool:
    times = [sample.at - sample.entered for sample in calls.samples if sample.result == 0]
    return len(times) > 2 and sorted(times)[len(times) // 2] < _QUICK


def device_touched(state: State, process: Process) -> bool:
    """Whether the process holds or opened a device, or talks to another machine."""
    if any(descriptor.kind == "device" for descriptor in process.descriptors.values()):
        return True
    if process.sockets is not None and process.sockets.connected:
        return True
    return any(opened.errno == 0 and _is_device(opened.path, opened.writable) for opened in process.opens)


def _is_device(path: str, writable: bool) -> bool:
    if path.startswith("/dev/"):
        return path not in ("/dev/null", "/dev/zero", "/dev/urandom", "/dev/random", "/dev/tty", "/dev/full")
    return writable and path.rsplit("/", 1)[-1].startswith("resource")


def nothing_behind(state: State, process: Process, profiles: Profiles) -> Evidence | None:
    """The statement that no device was opened; None when the opens of this process before its first launch succeeded
    were not all seen, or another way out is there: a socket or pipe to whoever has the device, memory that is shared.
    """
    whole = opens_told_throughout(state, process)
    if device_touched(state, process) or not (whole or _told_until_work(state, process, profiles)):
        return None
    descriptors = [one for one in process.descriptors.values() if one.fd > _STANDARD]
    if any(one.kind in ("socket", "pipe") or one.target.startswith(_SHARED) for one in descriptors):
        return None
    if any(library.path.startswith(_SHARED) for library in process.libraries.values()):
        return None
    seen = len(process.opens) + process.opens_skipped
    when = "since it started" if whole else "before a launch had succeeded, and it holds none"
    text = f"no device was opened by {short(process)} {when} ({plural(seen, 'open')} seen)"
    return evidence.of_process(process, text)


def _told_until_work(state: State, process: Process, profiles: Profiles) -> bool:
    """Its descriptors are known, and its opens until a launch succeeded: a device must have been there by then."""
    launched = [calls for work in of_process(state, process, profiles) for calls in work.launched]
    succeeded = min((each.at for calls in launched for each in calls.samples if each.result == 0), default=0)
    return bool(process.descriptors and succeeded) and opens_told_throughout(state, process, succeeded)
