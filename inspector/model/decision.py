"""What the program computes on, and for which reason: work decides, not discovery, and an effect is no cause."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from . import evidence
from .analysis import Analysis
from .attempts.row import Attempt
from .attempts.system import is_device, refused_node
from .attempts.wording import row_of, setting_row, word_row
from .chain import Stop
from .coverage import born_here, capability, has_begun, loads_told_by_files, of_use
from .crashes import crashed
from .drivers import software_drivers
from .evidence import short
from .families import MANAGEMENT, family_of_api, family_of_file
from .formatting import name_of
from .gpu_work import device_touched, of_tree, stub_signs, words
from .log_claims import Word, own_error
from .profiles import Profiles
from .progress import Progress
from .refusals import is_table
from .settings import Setting
from .stages import LEVEL
from .state import Process, State
from .tree import libraries, program
from .usage import uses
from .verdict import Confidence, Evidence, Mode, ModeName
from .worker import Worker, is_tool

Reason = Literal[
    "works", "stopped", "died", "hangs", "given-nothing", "dropped", "ready", "found-not-used", "own-error", "told",
    "chosen", "node", "software", "nothing-called", "nobody-asked", "management-only", "foretold", "unknown",
]  # fmt: skip
"""Why the mode is what it is; `unknown` says that what is missing to know is listed."""

_VERDICTS: dict[str, ModeName] = {"cuda": "cuda", "rocm": "rocm", "vulkan": "vulkan"}
_BY_PROBES = ("lookups", "count-calls", "results")
_BY_FILES = ("library-loads", "open-files")
CONTRADICTING = ("process-births", "lookups", "count-calls", "results", "library-loads")
"""Channels by which a "no" could be contradicted; a closed one makes it unproven."""
UNUSED_FOR = 2_000_000_000
"""ns of CPU time after the last step from which on a device that was found counts as not used."""


@dataclass(slots=True)
class Decision:
    """The mode with its reason; `chain` leads from the stop to the root."""

    verdict: ModeName
    confidence: Confidence
    reason: Reason
    process: Process | None = None
    progress: Progress | None = None
    stop: Stop | None = None
    chain: list[Attempt] = field(default_factory=list)
    word: Word | None = None
    """What the program itself says, where it says it."""
    settings: list[Setting] = field(default_factory=list)
    """By which `process` is told to use no GPU."""
    evidence: list[Evidence] = field(default_factory=list)
    contradictions: list[Evidence] = field(default_factory=list)

    @property
    def mode(self) -> Mode:
        """As reports show it."""
        return Mode(
            verdict=self.verdict, confidence=self.confidence, evidence=self.evidence, contradictions=self.contradictions
        )


def decide(analysis: Analysis) -> Decision:
    """The first step that applies: what was seen to compute, what stopped, what was found, what was said."""
    steps = (
        _works, _hangs, _given_nothing, _died, _stopped, _own_error, _dropped, _found, _software, _node,
        _chosen, _foretold, _told, _nothing_called, _monitored_only, _nobody_asked,
    )  # fmt: skip
    ways = _Ways(analysis)
    return next((found for step in steps if (found := step(ways)) is not None), _unknown(ways))


class _Ways:
    """The analysis with what the steps of the decision all ask for."""

    def __init__(self, analysis: Analysis) -> None:
        self.analysis, self.state = analysis, analysis.state
        self.word = analysis.last_word
        self.worker: Worker | None = analysis.worker
        asked = [one for one in analysis.computing() if not is_tool(one.process)]
        self.software = [one for one in asked if self._software_behind(one)]
        """What was done through drivers that compute on the CPU: no use of a GPU."""
        self.compute = [one for one in asked if one not in self.software]

    def _software_behind(self, one: Progress) -> bool:
        return bool(software_drivers(self.state, one.process, one.family, self.analysis.profiles))

    @property
    def says_cpu(self) -> bool:
        """The program's last word is that it runs on the CPU, or that it gave the device nothing."""
        return self.word is not None and self.word.saying in ("cpu", "dropped", "given-nothing")

    @property
    def role(self) -> Process | None:
        """The process that was started for a model."""
        return self.worker.process if self.worker is not None and self.worker.by_role else None

    def complete(self) -> bool:
        """Every process was seen from its first instruction, and every channel that could contradict was open."""
        return covered(self.state, self.state.processes, CONTRADICTING)

    def word_rows(self) -> list[Evidence]:
        """The program's last word as evidence."""
        return [word_row(self.state, self.word)] if self.word is not None else []


def covered(state: State, processes: Iterable[Process], channels: Iterable[str], *, without_loss: bool = True) -> bool:
    """Whether these processes were all seen from their first instruction through all these channels.

    Records that were dropped leave a hole in that, unless `without_loss` is false.
    """
    if any(not born_here(process) for process in processes if not is_tool(process)):
        return False
    for name in channels:
        found = capability(state, name)
        if found is not None and found.state != "yes":
            return False
    return not state.lost or not without_loss


def _works(ways: _Ways) -> Decision | None:
    analysis, state = ways.analysis, ways.state
    working = [
        one for one in ways.compute if computed(analysis, one) or (one.got_to("work") and _in_order(analysis, one))
    ]
    role = ways.role
    if role is not None and working and not any(one.process is role for one in working):
        return None
    if not working:
        return _said_given(ways)
    best = max(working, key=lambda one: (one.launched is not None, one.last_at("work")))
    works = [one for one in of_tree(state, analysis.profiles) if one.proven]
    rows = [evidence.of_calls(one.process, one.launched[0], words(one)) for one in works]
    rows = rows or [row_of(state, best.last["work"])]
    against = ways.word_rows() if ways.says_cpu else []
    for one in works:
        stub = stub_signs(state, one, analysis.profiles)
        against += stub.rows if stub is not None else []
    if ways.word is not None and not ways.says_cpu:
        rows += ways.word_rows()
    stop = analysis.stops.get((best.process, best.family))
    real = any(device_touched(state, one.process) for one in working)
    answered = best.launched is not None and best.launched.ok
    sure: Confidence = "proven" if answered and real and not against else "likely"
    verdict = _verdict(best)
    return Decision(verdict, sure, "works", best.process, best, stop, analysis.chain(stop.attempt) if stop else [],
                    ways.word, evidence=rows, contradictions=against)  # fmt: skip


def computed(analysis: Analysis, progress: Progress) -> bool:
    """A launch succeeded and the process did not fall over it: it got its result, or went on or ended in order."""
    if progress.launched is None:
        return False
    waits = [one for one in analysis.attempts[progress.process] if one.calls is not None and one.calls.role == "sync"]
    fell = crashed(progress.process) or any(one.ok is False for one in waits) or _unread_and_failed(progress)
    return not fell or any(one.ok for one in waits)


def _verdict(progress: Progress) -> ModeName:
    return _VERDICTS.get(progress.family, "cuda")


def _in_order(analysis: Analysis, progress: Progress) -> bool:
    """Data was placed, and nothing was refused and nobody died over what comes next."""
    return (progress.process, progress.family) not in analysis.stops and not (
        crashed(progress.process) or _unread_and_failed(progress)
    )


def _unread_and_failed(progress: Progress) -> bool:
    """Whether its work succeeded was not read, and the process ended with a failure."""
    end, worked = progress.process.end, progress.last.get("work")
    return worked is not None and worked.ok is None and end is not None and bool(end.code)


def _said_given(ways: _Ways) -> Decision | None:
    """Its own word that the device was given work, where its calls were not seen."""
    if ways.word is None or ways.word.saying != "given":
        return None
    loaded = [one for one in ways.compute if one.got_to("loaded")]
    doers = [ways.role] if ways.role is not None else ways.state.processes
    if covered(ways.state, doers, ("lookups", "library-loads")) and not any(one.process in doers for one in loaded):
        return None  # whatever it says: who computes has no library to compute with
    if ways.role is not None and maps_nothing_to_compute_with(ways.state, ways.role, ways.analysis.profiles):
        return None
    family = next((one.family for one in ways.compute), "") or ways.word.family or "cuda"
    doubtful = ways.word.doubtful
    return Decision(_VERDICTS.get(family, "cuda"), "guess" if doubtful else "likely", "works", word=ways.word,
                    evidence=ways.word_rows())  # fmt: skip


def maps_nothing_to_compute_with(state: State, process: Process, profiles: Profiles) -> bool:
    """It lives, and no file that it maps now is a library of an API for devices, by name or by what it offers or uses;
    nor does it hold a device. Whoever computes on one maps its driver meanwhile, whenever we came.
    """
    mapped = [one for one in libraries(process).values() if one.state != "unmapped"]
    if process.ended or not mapped:
        return False
    if any(one.kind == "device" and is_device(one.target) for one in process.descriptors.values()):
        return False
    main = program(process)
    for library in mapped:
        apis = state.apis.get(library.file)
        named = family_of_file(profiles, library.path)
        offers = {family_of_api(profiles, api) for api in apis.provides} if apis is not None else set()
        backend = {family_of_api(profiles, api) for api in apis.consumes} if apis is not None else set()
        itself = main is not None and library.path == main.exe
        if (({named} | offers | (set() if itself else backend)) - {""}) - MANAGEMENT:
            return False
    return True


def _hangs(ways: _Ways) -> Decision | None:
    open_now = [
        stop for (process, _), stop in ways.analysis.stops.items()
        if not stop.attempt.came_back and not process.ended and stop.attempt.kind == "call"
    ]  # fmt: skip
    if not open_now:
        return None
    stop = min(open_now, key=lambda one: one.rank)
    chain = ways.analysis.chain(stop.attempt)
    return Decision("undecided", "guess", "hangs", stop.progress.process, stop.progress, stop, chain, ways.word,
                    evidence=[row_of(ways.state, one) for one in chain])  # fmt: skip


def _given_nothing(ways: _Ways) -> Decision | None:
    """The process that was started for a model, without a stop of its own and without work."""
    role, analysis = ways.role, ways.analysis
    if role is None or any(process is role for process, _ in analysis.stops) or crashed(role):
        return None
    own = [one for one in analysis.of_process(role) if one.family not in MANAGEMENT]
    chosen = [setting for process, setting in analysis.settings if process is role]
    told = ways.word is not None and ways.word.saying == "given-nothing"
    found = [one for one in ways.compute if one.got_to("counted") and one.process is not role]
    if (analysis.stops and not found) or (
        ways.word is not None and ways.word.saying in ("cpu", "dropped") and not chosen
    ):
        return None
    seen = covered(ways.state, [role], ("lookups", "count-calls", "library-loads"))
    bare = maps_nothing_to_compute_with(ways.state, role, analysis.profiles)
    if bare and not own and ways.word is not None and ways.word.saying in ("found", "given"):
        row = evidence.of_process(
            role, f"{short(role)} maps no library of a GPU, nor a backend", by_hand=f"cat /proc/{role.pid}/maps"
        )
        return Decision("cpu", "likely", "given-nothing", role, word=ways.word, settings=chosen, evidence=[row],
                        contradictions=ways.word_rows())  # fmt: skip
    if own and not told and not chosen and (not seen or any(one.got_to("memory") for one in own)):
        return None
    if not own and not told and not chosen and (not seen or not found):
        return None
    sure: Confidence = "proven" if (told or chosen) and seen else "likely"
    rows = [row_of(ways.state, one.furthest) for one in own][:2] + (ways.word_rows() if told else [])
    rows += [setting_row(role, one) for one in chosen]
    rows = rows or [evidence.of_process(role, f"{short(role)} neither loaded nor asked for a GPU library")]
    against = [row_of(ways.state, one.furthest) for one in found][:2]
    return Decision("cpu", sure, "given-nothing", role, max(own, key=lambda one: LEVEL[one.stage], default=None),
                    word=ways.word, settings=chosen, evidence=rows, contradictions=against)  # fmt: skip


def _died(ways: _Ways) -> Decision | None:
    """A fault that was not in a call that is known: the call is told by the chain otherwise."""
    analysis = ways.analysis
    deaths = [
        one
        for rows in analysis.attempts.values()
        for one in rows
        if one.kind == "signal"
        and one not in analysis.excused
        and (not is_tool(one.process) or any(library.route == "preload" for library in one.process.libraries.values()))
        and _concerned(ways, one.process)
        and not _was_used(ways, one.process)
        and not any(
            not stop.attempt.came_back for (process, _), stop in analysis.stops.items() if process is one.process
        )
    ]
    deaths.sort(key=lambda one: one.at)
    if not deaths or (_counted_later(ways, deaths[-1]) and not ways.says_cpu):
        return None
    death = deaths[-1]
    # What it had launched may have been computed before it fell.
    launched = any(one.launched is not None for one in ways.compute if one.process is death.process)
    sure: Confidence = "proven" if ways.complete() and not launched else "likely"
    return Decision("cpu", sure, "died", death.process, _deepest(ways, death.process), None, [death], ways.word,
                    evidence=[*ways.word_rows(), row_of(ways.state, death)])  # fmt: skip


def _concerned(ways: _Ways, process: Process) -> bool:
    """It asked for an API, or nobody of the tree did and it is all there is."""
    return any(one.process is process for one in ways.compute) or not ways.compute


def _was_used(ways: _Ways, process: Process) -> bool:
    return any(one.process is process and computed(ways.analysis, one) for one in ways.compute)


def _counted_later(ways: _Ways, death: Attempt) -> bool:
    return any(one.last_at("counted") > death.at for one in ways.compute)


def _deepest(ways: _Ways, process: Process) -> Progress | None:
    own = [one for one in ways.compute if one.process is process]
    return max(own, key=lambda one: LEVEL[one.stage], default=None)


def _stopped(ways: _Ways) -> Decision | None:
    analysis, state = ways.analysis, ways.state
    stops = dict(analysis.stops)
    if any(one.got_to("loaded") for one in ways.compute):
        stops = {key: stop for key, stop in stops.items() if key[1] not in MANAGEMENT}
    stops = {key: stop for key, stop in stops.items() if not _beside_the_point(ways, stop)}
    role = ways.role
    if role is not None:
        own = {key: stop for key, stop in stops.items() if key[0] is role}
        stops = own or stops
    found = [one for one in ways.compute if one.got_to("counted")]
    said = ways.word.at if ways.word is not None and ways.word.saying in ("found", "given") else None
    if (found or said is not None) and not ways.says_cpu:  # only a later answer of the API takes a device back
        newest = max([one.last_at("counted") for one in found] + ([said] if said is not None else []))
        stops = {
            key: one for key, one in stops.items()
            if (_answered(one.attempt) and one.attempt.at > newest) or _gave_up(ways, one, found)
        }  # fmt: skip
    if not stops:
        return None
    stop = min(stops.values(), key=lambda one: one.rank)
    chain = analysis.chain_of_stop(stop)
    process = stop.progress.process
    death = next((one for one in analysis.unexcused("signal", "end") if one.process is process), None)
    seen = all(one.source in ("kernel", "loader") for one in chain)
    went_on = bool(found) and stop.attempt.at <= stop.progress.newest and not _named_by_error(ways, stop)
    over = bool(process.ended) or ways.says_cpu or (death is not None and death.kind == "signal")
    sure: Confidence = "proven" if seen and over and not went_on and ways.complete() else "likely"
    rows = [row_of(state, one) for one in chain]
    against = [row_of(state, one.furthest) for one in found if one.process is not process][:2]
    return Decision("cpu", sure, "stopped", process, stop.progress, stop, chain, ways.word,
                    evidence=[*(ways.word_rows() if ways.says_cpu else []), *rows], contradictions=against)  # fmt: skip


def _answered(attempt: Attempt) -> bool:
    """The API itself answered, not the loader."""
    return attempt.kind == "call" or is_table(attempt)


def _beside_the_point(ways: _Ways, stop: Stop) -> bool:
    """A library or a name that was refused to who got the one of another vendor, or holds a device all the same."""
    if _answered(stop.attempt):
        return False
    process = stop.progress.process
    if any(one.kind == "device" and is_device(one.target) for one in process.descriptors.values()):
        return True
    others = [one for one in ways.compute if one.process is process and one.family != stop.progress.family]
    return any(_has_library(one) and (process, one.family) not in ways.analysis.stops for one in others)


def _has_library(progress: Progress) -> bool:
    """The library of the API itself came, not only one that could ask it."""
    loaded = progress.reached.get("loaded")
    return progress.got_to("resolved") or (loaded is not None and bool(loaded.api))


def _gave_up(ways: _Ways, stop: Stop, found: list[Progress]) -> bool:
    """The very process that had found a device was refused something after it, and ended with a failure: nothing of
    that step or a later one succeeded after it, or its own error names it.
    """
    process, asked = stop.progress.process, stop.attempt
    if process.end is None or not (process.end.code or process.end.signal):
        return False
    last = _named_by_error(ways, stop) or asked.at > stop.progress.last_at(asked.stage or "asked")
    return last and any(one.process is process for one in found)


def _named_by_error(ways: _Ways, stop: Stop) -> bool:
    """The program's own error names what was refused."""
    said = own_error(ways.state, ways.analysis.words)
    return said is not None and name_of(stop.attempt.what) in said.text


def _own_error(ways: _Ways) -> Decision | None:
    """The program ended by its own error, and nothing of an API was refused."""
    said = own_error(ways.state, ways.analysis.words)
    roots = [process for process in ways.state.processes if process.parent is None and process.execs]
    failed = [
        one for process in roots for one in ways.analysis.attempts.get(process, [])
        if one.kind == "end" and one.code > 0
    ]  # fmt: skip
    if not failed:
        return None
    got = [one for one in ways.compute if one.got_to("loaded")]
    if said is None and (any(one.process is not failed[-1].process for one in got) or (not got and not _spoke(ways))):
        return None
    sure: Confidence = "proven" if ways.complete() else "likely"
    rows = [row_of(ways.state, failed[-1])]
    rows += [word_row(ways.state, said)] if said is not None else []
    return Decision("cpu", sure, "own-error", failed[-1].process, _deepest(ways, failed[-1].process), None,
                    [failed[-1]], said, evidence=rows)  # fmt: skip


def _spoke(ways: _Ways) -> bool:
    return any(source.lines for source in ways.state.logs.values())


def _dropped(ways: _Ways) -> Decision | None:
    """A device was found, and the program says that it does not take it."""
    found = [one for one in ways.compute if one.got_to("counted")]
    dropped = next((one for one in reversed(ways.analysis.words) if one.saying == "dropped"), None)
    if dropped is None or not ways.says_cpu:
        return None
    progress = max(found, key=lambda one: one.last_at("counted"), default=None)
    rows = [word_row(ways.state, dropped), *ways.word_rows()]
    against = [row_of(ways.state, progress.furthest)] if progress is not None else []
    return Decision("cpu", "likely", "dropped", progress.process if progress else None, progress, word=dropped,
                    evidence=rows, contradictions=against)  # fmt: skip


def _found(ways: _Ways) -> Decision | None:
    """A device was found: nothing has computed on it yet, or much was computed without it."""
    found = [one for one in ways.compute if one.got_to("counted")]
    if not found:
        return _found_by_word(ways)
    best = max(found, key=lambda one: (LEVEL[one.stage], one.last_at("counted")))
    newest = max(one.newest for one in found)
    rows = [row_of(ways.state, best.furthest)]
    if ways.says_cpu:
        return Decision("cpu", "likely", "found-not-used", best.process, best, word=ways.word,
                        evidence=[*ways.word_rows(), *rows])  # fmt: skip
    busy = max(
        (process for process in ways.state.processes if not is_tool(process)),
        key=lambda one: one.cpu_after(newest, ways.state.now),
    )
    over = all(process.ended for process in ways.state.processes)
    if (over or busy.cpu_after(newest, ways.state.now) > UNUSED_FOR) and _calls_seen(ways, busy):
        return Decision("cpu", "likely", "found-not-used", busy, best, word=ways.word, evidence=rows)
    return Decision(_verdict(best), "likely", "ready", best.process, best, word=ways.word,
                    evidence=[*rows, *ways.word_rows()])  # fmt: skip


def _calls_seen(ways: _Ways, process: Process) -> bool:
    return covered(ways.state, [process], ("count-calls", "lookups"))


def _found_by_word(ways: _Ways) -> Decision | None:
    """Found in the program's own words; its calls were not seen."""
    if ways.word is None or ways.word.saying != "found" or not ways.word.family:
        return None
    doubtful = ways.word.doubtful
    verdict = _VERDICTS.get(ways.word.family)
    if verdict is None:
        return None
    return Decision(verdict, "guess" if doubtful else "likely", "ready", word=ways.word, evidence=ways.word_rows())


def _software(ways: _Ways) -> Decision | None:
    """All that was asked of an API was answered by drivers that compute on the CPU; perhaps a device was refused."""
    if not ways.software:
        return None
    best = max(ways.software, key=lambda one: (LEVEL[one.stage], one.newest))
    process = best.process
    nodes = [one for one in ways.analysis.unexcused("system") if one.process is process]
    refused = [node] if (node := refused_node(nodes)) is not None else []
    paths = software_drivers(ways.state, process, best.family, ways.analysis.profiles)
    mapped = [library for library in libraries(process).values() if library.path in paths]
    rows = [row_of(ways.state, one) for one in refused]
    rows += [evidence.of_library(process, one, f"{one.path} runs on the CPU") for one in mapped[:3]]
    rows += [row_of(ways.state, best.furthest), *(ways.word_rows() if ways.says_cpu else [])]
    sure: Confidence = "proven" if ways.complete() and process.ended else "likely"
    return Decision("cpu", sure, "software", process, best, None, refused, ways.word, evidence=rows)


def _node(ways: _Ways) -> Decision | None:
    """A device node was refused, and the call around it was not seen."""
    node = refused_node(ways.analysis.unexcused("system"))
    if node is None:
        return None
    rows = [*(ways.word_rows() if ways.says_cpu else []), row_of(ways.state, node)]
    return Decision("cpu", "likely", "node", node.process, _deepest(ways, node.process), None, [node], ways.word,
                    evidence=rows)  # fmt: skip


def _chosen(ways: _Ways) -> Decision | None:
    """A setting keeps the program off the device, and it asked for none or was not seen to."""
    told = ways.analysis.settings
    if not told or (not ways.compute and not ways.says_cpu and all(_hides(setting) for _, setting in told)):
        return None
    process = told[0][0]
    chosen = [setting for owner, setting in told if owner is process]
    rows = [setting_row(process, one) for one in chosen]
    return Decision("cpu", "likely", "chosen", process, _deepest(ways, process), settings=chosen, word=ways.word,
                    evidence=[*rows, *(ways.word_rows() if ways.says_cpu else [])])  # fmt: skip


def _hides(setting: Setting) -> bool:
    """It hides devices; that alone does not say that the program would have asked for one."""
    return setting.key.endswith("VISIBLE_DEVICES")


def _told(ways: _Ways) -> Decision | None:
    """The program says that it found none, or that it runs on the CPU."""
    refused = [one for one in ways.analysis.unexcused("words") if one.answer == "no-device"]
    if not ways.says_cpu and not refused:
        return None
    doubtful = ways.word is not None and ways.word.doubtful
    sure: Confidence = (
        "guess" if doubtful else "proven" if ways.says_cpu and ways.word and ways.word.reading else "likely"
    )
    rows = [*(ways.word_rows() if ways.says_cpu else []), *[row_of(ways.state, one) for one in refused[:3]]]
    process = refused[0].process if refused else None
    return Decision("cpu", sure, "told", process, None, None, refused[:1], ways.word, evidence=rows)


def _nothing_called(ways: _Ways) -> Decision | None:
    """A library of an API is there, somebody asked for it, and nothing was asked of it."""
    loaded = [one for one in ways.compute if one.got_to("loaded")]
    if not loaded:
        return None
    best = max(loaded, key=lambda one: LEVEL[one.stage])
    if not best.process.ended or best.got_to("resolved") or not _calls_proven(ways, best):
        return None
    return Decision("cpu", "likely", "nothing-called", best.process, best, word=ways.word,
                    evidence=[row_of(ways.state, best.furthest)])  # fmt: skip


def _calls_proven(ways: _Ways, progress: Progress) -> bool:
    """That no call was seen is a proof: counted from the first moment on, through every channel."""
    own = uses(ways.state, progress.process, ways.analysis.profiles).values()
    mine = [use for use in own if family_of_api(ways.analysis.profiles, use.api) == progress.family and use.providers]
    counted = all(of_use(ways.state, use).complete for use in mine)
    return counted and bool(mine) and covered(ways.state, [progress.process], (*CONTRADICTING, "environment"))


def _monitored_only(ways: _Ways) -> Decision | None:
    """Devices were counted by the management API, no compute API was begun with, and much was computed after it."""
    if ways.software or any(one.got_to("initialised") for one in ways.compute):
        return None
    for one in ways.analysis.progress.values():
        busy = one.process.cpu_after(one.newest, ways.state.now) > UNUSED_FOR
        if one.family in MANAGEMENT and one.got_to("counted") and busy and _calls_seen(ways, one.process):
            return Decision("cpu", "likely", "found-not-used", one.process, one, word=ways.word,
                            evidence=[row_of(ways.state, one.furthest), *ways.word_rows()])  # fmt: skip
    return _monitors_since_before(ways)


def _monitors_since_before(ways: _Ways) -> Decision | None:
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


def _nobody_asked(ways: _Ways) -> Decision | None:
    """Every process was seen from its first instruction, and none asked for an API that computes.

    Where look-ups were not all seen, files tell: what was loaded is mapped, what was refused was looked for.
    """
    if ways.compute or ways.software or _unheard(ways) or not has_begun(ways.state):
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
    rows = [evidence.of_process(first, "every process was seen from its first instruction, and none asked for a GPU")]
    if managed is not None:
        rows = [row_of(ways.state, managed.furthest)]
        return Decision("cpu", "likely", "management-only", managed.process, managed, word=ways.word, evidence=rows)
    alive = any(not process.ended for process in ways.state.processes)
    sure: Confidence = "proven" if by_probes and not static and not alive else "likely"
    if ways.state.lost:
        sure = "guess"
    return Decision("cpu", sure, "nobody-asked", first, word=ways.word, evidence=rows)


def _unheard(ways: _Ways) -> bool:
    """There was more to tell: the collector was stuck to the end, or a driver is mapped and events were lost."""
    state, profiles = ways.state, ways.analysis.profiles
    if state.collector_waits or not state.lost:
        return bool(state.collector_waits)
    every = (use for process in state.processes for use in uses(state, process, profiles).values())
    return any(use.providers and family_of_api(profiles, use.api) not in MANAGEMENT for use in every)


def _foretold(ways: _Ways) -> Decision | None:
    """What files foretell is a cause only where nothing else speaks, and nobody could see what was asked before."""
    foretold = list(ways.analysis.unexcused("prediction"))
    foretold = [one for one in foretold if not covered(ways.state, [one.process], ("lookups", "library-loads"))]
    if not foretold or not ways.says_cpu:
        return None
    row = foretold[0]
    return Decision("cpu", "likely", "foretold", row.process, _deepest(ways, row.process), None,
                    ways.analysis.chain(row), ways.word,
                    evidence=[*ways.word_rows(), row_of(ways.state, row)])  # fmt: skip


def _unknown(ways: _Ways) -> Decision:
    best = max(ways.compute, key=lambda one: LEVEL[one.stage], default=None)
    rows = [row_of(ways.state, best.furthest)] if best is not None else []
    return Decision(
        "undecided", "guess", "unknown", best.process if best else None, best, word=ways.word, evidence=rows
    )
