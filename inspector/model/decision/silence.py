"""Nothing was asked of a device: it was chosen so, said so, foretold, or nobody asked."""

import re
from collections.abc import Collection

from inspector.model import evidence
from inspector.model.attempts.row import Attempt
from inspector.model.attempts.system import is_device
from inspector.model.attempts.wording import row_of, setting_row
from inspector.model.beginnings import has_begun
from inspector.model.coverage import born_here, loads_told_by_files, opens_told_throughout, seen_from_birth
from inspector.model.drivers import drivers_behind
from inspector.model.families import MANAGEMENT, family_of_api
from inspector.model.log_claims import concerns_gpu
from inspector.model.log_parsing.vocabulary import CONCERNS_GPU
from inspector.model.losses import holes
from inspector.model.settings import Setting
from inspector.model.stages import LEVEL
from inspector.model.state import Process
from inspector.model.tree import program
from inspector.model.usage import uses
from inspector.model.verdict import Confidence
from inspector.model.worker import is_tool

from .finds import calls_seen
from .gpu_work import maps_nothing_to_compute_with
from .reason import UNUSED_FOR, Decision
from .ways import Ways, calls_counted, covered, deepest_of

_BY_PROBES = ("lookups", "count-calls", "results")


_BY_FILES = ("library-loads", "open-files")
_BEGINS = re.compile(r"\b(?:(?:re)?initiali[sz]\w*|init|start(?:ing|ed|up)?|enabl\w*|creat\w*)\b", re.IGNORECASE)
"""What an error says could not be done, without which nothing of a device is used."""
_LOADER = ("dlopen", "dlmopen", "dlsym", "dlvsym")


def by_choice(ways: Ways) -> Decision | None:
    """A setting keeps the program off the device, and it asked for none or was not seen to."""
    told = ways.analysis.settings
    if not told or (not ways.compute and not ways.says_cpu and all(_hides(ways, setting) for _, setting in told)):
        return None
    process = told[0][0]
    chosen = [setting for owner, setting in told if owner is process]
    rows = [setting_row(process, one) for one in chosen]
    return Decision("cpu", "likely", "chosen", process, deepest_of(ways, process), settings=chosen, word=ways.word,
                    evidence=[*rows, *(ways.word_rows() if ways.says_cpu else [])])  # fmt: skip


def _hides(ways: Ways, setting: Setting) -> bool:
    """It hides devices; that alone does not say that the program would have asked for one."""
    known = ways.analysis.profiles.environment_key(setting.key)
    return setting.key.endswith("VISIBLE_DEVICES") or (known is not None and known.kind == "visible-devices")


def by_word(ways: Ways) -> Decision | None:
    """The program says that it found none, or that it runs on the CPU."""
    kinds = ("no-device", "no-memory") if ways.says_cpu else ("no-device",)  # who lacks memory may ask for less
    words = ways.analysis.unexcused("words")
    refused = [one for one in words if one.answer in kinds] or _errors_before(ways, words)
    if not ways.says_cpu and not refused:
        return None
    doubtful = ways.word is not None and ways.word.doubtful
    sure: Confidence = (
        "guess" if doubtful else "proven" if ways.says_cpu and ways.word and ways.word.reading else "likely"
    )
    rows = [*(ways.word_rows() if ways.says_cpu else []), *[row_of(ways.state, one) for one in refused[:3]]]
    process = refused[0].process if refused else None
    return Decision("cpu", sure, "told", process, None, None, refused[:1], ways.word, evidence=rows)


def by_error(ways: Ways) -> Decision | None:
    """It was there before us, tells an error about a GPU, and nothing of its tree has a library to compute with."""
    if ways.word is not None or not _bare_since_before(ways) or _reads_figures(ways):
        return None
    told = [
        one for one in ways.analysis.unexcused("words")
        if one.word is not None and (
            (one.answer == "error" and concerns_gpu(one.word))
            or (one.answer == "own-error" and is_tool(one.process) and concerns_gpu(one.word, perhaps=True)))
    ]  # fmt: skip
    if not told:
        return None
    rows = [row_of(ways.state, one) for one in reversed(told[-3:])]
    return Decision("cpu", "likely", "told", told[-1].process, None, None, told[-1:], None, evidence=rows)


def _reads_figures(ways: Ways) -> bool:
    """A living process is seen to be answered by the management API: errors in its words concern some figure."""
    managing = (one for one in ways.analysis.progress.values() if one.family in MANAGEMENT and not one.process.ended)
    return any(one.last[one.stage].kind == "call" and one.last[one.stage].ok for one in managing)


def by_absent_driver(ways: Ways) -> Decision | None:
    """It was there before us, tells an error about a GPU, and none of what lives has a driver to reach one with; or it
    has one, and its last words about a GPU are that it could not begin with it.
    """
    if ways.word is not None or not ways.compute or any(one.got_to("initialised") for one in ways.compute):
        return None
    living = [one for one in ways.state.processes if not one.ended and not is_tool(one)]
    late = [one for one in living if not born_here(one)]
    families = {one.family for one in ways.compute}
    if not late or any(not one.descriptors or _holds_device(one) for one in living):
        return None
    reached = any(not _reaches_none(ways, one, families) for one in living)
    told = [
        one for one in ways.analysis.unexcused("words")
        if one.word is not None and one.answer in ("error", "own-error") and one.process in late
        and concerns_gpu(one.word) and one.word.family in ("", *families)
    ]  # fmt: skip
    if not told or (reached and not _could_not_begin(ways, told[-1])):
        return None
    last = next((one for one in reversed(told) if one.answer == "own-error"), told[-1])
    rows = [row_of(ways.state, one) for one in reversed(told[-3:])]
    return Decision("cpu", "likely", "told", last.process, deepest_of(ways, last.process), None, [last], None,
                    evidence=rows)  # fmt: skip


def _holds_device(process: Process) -> bool:
    return any(one.kind == "device" and is_device(one.target) for one in process.descriptors.values())


def _could_not_begin(ways: Ways, told: Attempt) -> bool:
    """It says that it could not begin with a GPU, and no line behind it in its log speaks of one."""
    word = told.word
    if word is None or _BEGINS.search(word.text) is None:
        return False
    source = ways.state.logs.get(word.source)
    later = (line.text for line in source.lines if line.number > word.number) if source is not None else ()
    return not any(CONCERNS_GPU.find(text, text.lower()) for text in later)


def _reaches_none(ways: Ways, process: Process, families: Collection[str]) -> bool:
    """No driver of these families is mapped: what could only ask for a device does not reach it."""
    profiles = ways.analysis.profiles
    for use in uses(ways.state, process, profiles).values():
        known = profiles.apis[use.api]
        if family_of_api(profiles, use.api) not in families or known.drives or all(one.gone for one in use.providers):
            continue
        if not profiles.is_loader(use.api) or not drivers_behind(process, use.api, profiles).none:
            return False
    return True


def by_work_without(ways: Ways) -> Decision | None:
    """It was there before us, has computed much since, and nothing of its tree has a library to compute with."""
    if not _bare_since_before(ways):
        return None
    session = ways.state.session
    since = session.at if session is not None else 0
    busy = max(ways.state.processes, key=lambda one: one.cpu_after(since, ways.state.now))
    used = busy.cpu_after(since, ways.state.now)
    if used <= UNUSED_FOR:
        return None
    text = f"{used / 1e9:.1f} s of CPU time were used, and no library of an API for devices is mapped"
    return Decision("cpu", "likely", "computes-without", busy, evidence=[evidence.of_process(busy, text)])


def _bare_since_before(ways: Ways) -> bool:
    """Some process was there before us, and none of those that live has a library to compute with, or a device: of a
    shell all that it waits for may have ended before.
    """
    alive = [one for one in ways.state.processes if not one.ended]
    living = [one for one in alive if not is_tool(one)] or alive
    late = any(not born_here(one) for one in living)
    return late and all(
        one.descriptors and maps_nothing_to_compute_with(ways.state, one, ways.analysis.profiles) for one in living
    )


def _errors_before(ways: Ways, words: list[Attempt]) -> list[Attempt]:
    """The newest error about a GPU that the same log tells before it says that the program runs on the CPU."""
    last = ways.word
    if last is None or not ways.says_cpu:
        return []
    told = [
        (one.word.number, one) for one in words
        if one.answer == "error" and one.word is not None and one.word.source == last.source
        and one.word.number <= last.number and concerns_gpu(one.word)
    ]  # fmt: skip
    return [one for _, one in sorted(told, key=lambda each: each[0])[-1:]]


def by_no_call(ways: Ways) -> Decision | None:
    """A library of an API is there; it was asked no more than to begin until the end, or while much was computed."""
    loaded = [one for one in ways.compute if one.got_to("loaded")]
    if not loaded:
        return None
    best = max(loaded, key=lambda one: LEVEL[one.stage])
    begun = best.stage == "initialised" and not _handed_out(best.process)
    if (best.got_to("initialised") and not begun) or not calls_counted(ways, best):
        return None
    if not best.process.ended and best.process.cpu_after(best.newest, ways.state.now) <= UNUSED_FOR:
        return None
    return Decision("cpu", "likely", "found-not-used" if begun else "nothing-called", best.process, best,
                    word=ways.word, evidence=[row_of(ways.state, best.furthest)])  # fmt: skip


def _handed_out(process: Process) -> bool:
    """The library itself gave functions away (cuGetProcAddress, tables): these may be others than those it exports."""
    return any(one.found and one.via not in _LOADER for one in process.lookups)


def by_monitor(ways: Ways) -> Decision | None:
    """Devices were counted by the management API, no compute API was begun with, and much was computed after it."""
    if ways.software or any(one.got_to("initialised") for one in ways.compute):
        return None
    for one in ways.analysis.progress.values():
        busy = one.process.cpu_after(one.newest, ways.state.now) > UNUSED_FOR
        if one.family in MANAGEMENT and one.got_to("counted") and busy and calls_seen(ways, one.process):
            return Decision("cpu", "likely", "found-not-used", one.process, one, word=ways.word,
                            evidence=[row_of(ways.state, one.furthest), *ways.word_rows()])  # fmt: skip
    return _monitors_since_before(ways)


def _monitors_since_before(ways: Ways) -> Decision | None:
    """It was there before us, maps the management API, and no process of the tree maps anything to compute with."""
    if ways.word is not None or ways.compute:
        return None
    living = [one for one in ways.state.processes if not one.ended and not is_tool(one)]
    managing = [one for one in ways.analysis.progress.values() if one.family in MANAGEMENT and one.got_to("loaded")]
    bare = all(maps_nothing_to_compute_with(ways.state, one, ways.analysis.profiles) for one in living)
    late = [one for one in managing if one.process in living and not born_here(one.process)]
    if not late or not bare:
        return None
    rows = [row_of(ways.state, late[0].furthest)]
    return Decision("cpu", "likely", "management-only", late[0].process, late[0], evidence=rows)


def by_nobody(ways: Ways) -> Decision | None:
    """Every process was seen from its first instruction, and none asked for an API that computes.

    Where look-ups were not all seen, files tell: what was loaded is mapped, what was refused was looked for.
    """
    if any(ways.analysis.asking()) or ways.analysis.drawn_by_device() or _unheard(ways) or not has_begun(ways.state):
        return None
    everyone = ways.state.processes
    if not covered(ways.state, everyone, ("process-births", "environment", *_BY_FILES), without_loss=False):
        return None
    by_probes = covered(ways.state, everyone, _BY_PROBES, without_loss=False)
    if not by_probes and not all(loads_told_by_files(ways.state, one) for one in everyone if not is_tool(one)):
        return None
    static = any((runs := program(process)) and runs.static for process in ways.state.processes if not is_tool(process))
    managed = next((one for one in ways.analysis.progress.values() if one.family in MANAGEMENT), None)
    first = ways.state.processes[0]
    seen = f"{seen_from_birth(ways.state)}, and none asked for a GPU"
    rows = [evidence.of_process(first, seen)]
    if managed is not None:
        rows = [row_of(ways.state, managed.furthest)]
        return Decision("cpu", "likely", "management-only", managed.process, managed, word=ways.word, evidence=rows)
    alive = any(not process.ended for process in ways.state.processes)
    told_all = all(
        opens_told_throughout(ways.state, one) for one in everyone if not is_tool(one)
    )  # who asks by stat(2)
    sure: Confidence = "proven" if by_probes and not static and not alive and told_all else "likely"
    if holes(ways.state):
        sure = "guess"
    told = ways.word is not None and not ways.says_cpu
    against = ways.word_rows() if told else []
    return Decision("cpu", "likely" if against and sure == "proven" else sure, "nobody-asked", first, word=ways.word,
                    evidence=rows, contradictions=against)  # fmt: skip


def _unheard(ways: Ways) -> bool:
    """There was more to tell: the collector was stuck to the end, or a driver is mapped and events were lost."""
    state, profiles = ways.state, ways.analysis.profiles
    if state.collector_waits or not holes(state):
        return bool(state.collector_waits)
    every = (use for process in state.processes for use in uses(state, process, profiles).values())
    return any(use.providers and family_of_api(profiles, use.api) not in MANAGEMENT for use in every)


def by_files(ways: Ways) -> Decision | None:
    """What files foretell is a cause only where nothing else speaks, and nobody could see what was asked before."""
    foretold = [one for one in ways.analysis.unexcused("prediction") if one.family not in MANAGEMENT]
    foretold = [one for one in foretold if not covered(ways.state, [one.process], ("lookups", "library-loads"))]
    if not foretold or not ways.says_cpu:
        return None
    row = foretold[0]
    return Decision("cpu", "likely", "foretold", row.process, deepest_of(ways, row.process), None,
                    ways.analysis.chain(row), ways.word,
                    evidence=[*ways.word_rows(), row_of(ways.state, row)])  # fmt: skip


def undecided(ways: Ways) -> Decision:
    best = max(ways.compute, key=lambda one: LEVEL[one.stage], default=None)
    rows = [row_of(ways.state, best.furthest)] if best is not None else []
    return Decision(
        "undecided", "guess", "unknown", best.process if best else None, best, word=ways.word, evidence=rows
    )
