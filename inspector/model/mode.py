"""What the program computes on, of this start: its own last word, what was called, and what contradicts it."""

from dataclasses import dataclass, field

from . import evidence
from .evidence import short
from .loads import failed_loads, is_load
from .profiles import Profiles
from .profiles.schema import ModeWord
from .starts import Start, this_start
from .state import Process, Reading, State
from .usage import FunctionCalls, faults, uses
from .verdict import Confidence, Evidence, Mode, ModeName
from .work import Work, device_touched, of_tree, stub_signs, words


@dataclass(slots=True)
class _Signs:
    """Everything that speaks for one mode or another."""

    work: list[Work]
    log: ModeName | None = None
    log_rows: list[Evidence] = field(default_factory=list)
    log_final: bool = False
    """The log speaks about the model itself (layers, buffers), not only about what was found."""
    log_doubtful: bool = False
    refusals: list[Evidence] = field(default_factory=list)
    """Discovery was told that there is no device."""
    counted: list[Evidence] = field(default_factory=list)
    """Discovery was told that there is one."""
    all_over: bool = False
    """Every consumer process has ended."""
    failed_backends: list[Evidence] = field(default_factory=list)


def mode(state: State, profiles: Profiles, start: Start | None = None) -> Mode:
    """The GPU mode of this start with its evidence, what contradicts it, and how sure it is."""
    start = start or this_start(state)
    signs = _Signs(of_tree(state, profiles))
    _read_log(state, start, signs)
    _read_discovery(state, profiles, signs)
    signs.failed_backends = [row for process in state.processes for row in failed_loads(state, process, profiles)]
    proven = [work for work in signs.work if work.proven]
    if proven:
        return _by_work(state, profiles, proven, signs)
    if signs.log is not None:
        return _by_log(signs)
    return _without_word(state, profiles, signs)


def _read_log(state: State, start: Start, signs: _Signs) -> None:
    last = start.last("offload")
    if last is not None:
        signs.log_final = True
        used = last.groups.get("layers", "0") != "0"
        buffer = start.last("buffer")
        signs.log = (_gpu_word(start, buffer) if used else "cpu") or "cuda"
        signs.log_rows = [evidence.of_reading(state, last)]
        signs.log_rows += [evidence.of_reading(state, buffer)] if buffer is not None and used else []
    decisive = _last_words(start)
    if decisive and signs.log is None:
        modes = [_word(reading) for reading in decisive]
        signs.log = next((word for word in modes if word not in (None, "cpu")), "cpu")
    signs.log_rows += [evidence.of_reading(state, reading) for reading in decisive]
    if signs.log is None:
        none = start.last("no-device")
        if none is not None:
            signs.log, signs.log_rows = "cpu", [evidence.of_reading(state, none)]
    signs.log_doubtful = bool(decisive or last) and all(start.doubts(r) for r in [*decisive, *([last] if last else [])])


def _last_words(start: Start) -> list[Reading]:
    """The mode lines of the newest discovery."""
    readings = [reading for reading in start.of("mode") if _word(reading) is not None]
    begun = start.last("discovery")
    newer = [r for r in readings if begun is None or r.source != begun.source or r.number > begun.number]
    return newer or readings


def _word(reading: Reading) -> ModeWord | None:
    return reading.rule.mode or reading.rule.modes.get(reading.groups.get("library", "").lower())


def _gpu_word(start: Start, buffer: Reading | None) -> ModeWord | None:
    named = buffer.groups.get("library", "").lower() if buffer is not None else ""
    by_name: dict[str, ModeWord] = {"cuda": "cuda", "rocm": "rocm", "vulkan": "vulkan"}
    if named in by_name:
        return by_name[named]
    return next((word for word in map(_word, start.of("mode")) if word not in (None, "cpu")), None)


def _read_discovery(state: State, profiles: Profiles, signs: _Signs) -> None:
    consumers = []
    for process in state.processes:
        for api, use in uses(state, process, profiles).items():
            if profiles.apis[api].mode is None or not use.consumer_calls:
                continue
            consumers.append(process)
            bad = {id(calls) for calls, _, _ in faults(use, profiles)}
            for calls in use.with_role("init", "count", "version"):
                _read_answer(process, profiles, api, calls, id(calls) in bad, signs)
    signs.all_over = bool(consumers) and all(process.ended for process in consumers)


def _asked_in_vain(state: State, profiles: Profiles) -> list[Evidence]:
    """Refused look-ups of compute APIs; none once anybody got an answer, called, is bound or holds a device."""
    rows: list[Evidence] = []
    for process in state.processes:
        for api, use in uses(state, process, profiles).items():
            if profiles.apis[api].mode is None:
                continue
            bound = any(consumer.how is not None and consumer.how.imports for consumer in use.consumers)
            names = [one for one in use.lookups if one.via not in ("dlopen", "dlmopen")]
            if bound or use.total_calls > use.own_calls or any(one.found for one in names):
                return []
            loads = [one for one in use.lookups if is_load(one)]
            refused = [one for one in names if profiles.role(api, one.name) in ("init", "count", "version")]
            if not any(one.found for one in loads):
                refused += [one for one in loads if one.found is False]
            for one in refused[:3]:
                text = f"{one.via}({one.name}) was refused in {short(process)}: {one.error or 'NULL'}"
                rows.append(evidence.of_lookup(state, process, one, text))
    if rows and any(device_touched(state, process) for process in state.processes):
        return []
    return rows


def _read_answer(
    process: Process, profiles: Profiles, api: str, calls: FunctionCalls, bad: bool, signs: _Signs
) -> None:
    counts = [sample.values.get("count") for sample in calls.samples if sample.result == 0]
    if bad:
        result = next(code for code in calls.results if code != 0)
        text = f"{calls.name} answered {profiles.result(api, result)} in {short(process)}"
        signs.refusals.append(evidence.of_calls(process, calls, text))
    elif calls.role == "count" and 0 in counts:
        signs.refusals.append(evidence.of_calls(process, calls, f"{calls.name} counted 0 devices in {short(process)}"))
    elif calls.role == "count" and any(isinstance(count, int) and count > 0 for count in counts):
        signs.counted.append(evidence.of_calls(process, calls, f"{calls.name} counted a device in {short(process)}"))


def _by_work(state: State, profiles: Profiles, proven: list[Work], signs: _Signs) -> Mode:
    first = max(proven, key=lambda work: work.launches)
    rows = [evidence.of_calls(work.process, work.launched[0], words(work)) for work in proven]
    contradictions: list[Evidence] = []
    if signs.log == "cpu":
        contradictions += signs.log_rows
    elif signs.log == first.mode:
        rows += signs.log_rows
    for work in proven:
        stub = stub_signs(state, work, profiles)
        contradictions += stub.rows if stub is not None else []
    confidence: Confidence = "likely" if contradictions else "proven"
    return Mode(verdict=first.mode, confidence=confidence, evidence=rows, contradictions=contradictions)


def _by_log(signs: _Signs) -> Mode:
    assert signs.log is not None
    if signs.log_doubtful:
        return Mode(verdict=signs.log, confidence="guess", evidence=signs.log_rows, contradictions=signs.counted)
    if signs.log == "cpu":
        return Mode(
            verdict="cpu",
            confidence="proven",
            evidence=[*signs.log_rows, *signs.refusals],
            contradictions=signs.counted,
        )
    sure: Confidence = "proven" if signs.log_final and any(work.allocations for work in signs.work) else "likely"
    evidence_rows = [*signs.log_rows, *signs.counted]
    return Mode(verdict=signs.log, confidence=sure, evidence=evidence_rows, contradictions=signs.refusals)


def _without_word(state: State, profiles: Profiles, signs: _Signs) -> Mode:
    if signs.work or signs.counted:
        rows = [evidence.of_process(work.process, words(work)) for work in signs.work] + signs.counted
        return Mode(verdict="undecided", confidence="guess", evidence=rows, contradictions=signs.refusals)
    if signs.refusals:
        sure: Confidence = "proven" if signs.all_over else "likely"
        return Mode(verdict="cpu", confidence=sure, evidence=signs.refusals)
    if signs.failed_backends:
        return Mode(verdict="cpu", confidence="likely", evidence=signs.failed_backends)
    if in_vain := _asked_in_vain(state, profiles):
        return Mode(verdict="cpu", confidence="likely", evidence=in_vain)
    return Mode(verdict="undecided", confidence="guess")
