"""What was seen to compute, or is given nothing to compute."""

from collections.abc import Collection

from inspector.model import evidence
from inspector.model.analysis import Analysis
from inspector.model.attempts.system import is_device
from inspector.model.attempts.wording import row_of, setting_row
from inspector.model.crashes import crashed
from inspector.model.drivers import drivers_behind
from inspector.model.evidence import short
from inspector.model.families import MANAGEMENT, family_of_api, family_of_file
from inspector.model.gpu_work import device_touched, nothing_behind, of_tree, stub_signs, words
from inspector.model.profiles import Profiles
from inspector.model.progress import Progress
from inspector.model.stages import LEVEL
from inspector.model.state import Process, State
from inspector.model.tree import libraries, program
from inspector.model.verdict import Confidence

from .reason import Decision
from .ways import VERDICTS, Ways, covered, verdict_of


def by_work(ways: Ways) -> Decision | None:
    """A device was given work, and it was seen or said to succeed."""
    analysis, state = ways.analysis, ways.state
    working = [one for one in ways.compute if _worked(ways, one)]
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
    silences = [
        nothing_behind(state, one.process, analysis.profiles) if one.process.descriptors else None for one in working
    ]
    silence = silences[0] if all(silences) else None  # where descriptors were not read, a socket may have been there
    answered = best.launched is not None and best.launched.ok
    sure: Confidence = "proven" if answered and real and not against else "likely"
    verdict = verdict_of(best)
    return Decision(verdict, sure, "works", best.process, best, stop, analysis.chain(stop.attempt) if stop else [],
                    ways.word, evidence=rows, contradictions=against, silence=silence)  # fmt: skip


def _worked(ways: Ways, progress: Progress) -> bool:
    """What nobody read to have succeeded does not stand against the program's own word that it runs on the CPU."""
    if computed(ways.analysis, progress):
        done = progress.launched
    else:
        done = progress.last.get("work") if progress.got_to("work") and _in_order(ways.analysis, progress) else None
    return done is not None and not (done.ok is None and ways.says_cpu)


def computed(analysis: Analysis, progress: Progress) -> bool:
    """A launch succeeded and the process did not fall over it: it got its result, or went on or ended in order."""
    if progress.launched is None:
        return False
    waits = [one for one in analysis.attempts[progress.process] if one.calls is not None and one.calls.role == "sync"]
    fell = crashed(progress.process) or any(one.ok is False for one in waits) or _unread_and_failed(progress)
    return not fell or any(one.ok for one in waits)


def _in_order(analysis: Analysis, progress: Progress) -> bool:
    """Data was placed, and nothing was refused and nobody died or failed over what comes next."""
    end = progress.process.end
    failed = crashed(progress.process) or (end is not None and bool(end.code))
    return (progress.process, progress.family) not in analysis.stops and not failed


def _unread_and_failed(progress: Progress) -> bool:
    """Whether its work succeeded was not read, and the process ended with a failure."""
    end, worked = progress.process.end, progress.last.get("work")
    return worked is not None and worked.ok is None and end is not None and bool(end.code)


def _said_given(ways: Ways) -> Decision | None:
    """Its own word that the device was given work, where its calls were not seen."""
    if ways.word is None or ways.word.saying != "given":
        return None
    if ways.nothing_to_compute_with():
        return None
    if ways.role is not None and maps_nothing_to_compute_with(ways.state, ways.role, ways.analysis.profiles):
        return None
    family = next((one.family for one in ways.compute), "") or ways.word.family or "cuda"
    doubtful = ways.word.doubtful
    return Decision(VERDICTS.get(family, "cuda"), "guess" if doubtful else "likely", "works", word=ways.word,
                    evidence=ways.word_rows())  # fmt: skip


def maps_nothing_to_compute_with(state: State, process: Process, profiles: Profiles) -> bool:
    """It lives, and no file that it maps now is a library of an API for devices, by name or by what it offers or uses;
    nor does it hold a device. Whoever computes on one maps its driver meanwhile, whenever we attached.
    """
    mapped = [one for one in libraries(process).values() if one.state != "unmapped"]
    if process.ended or not mapped:
        return False
    if any(one.kind == "device" and is_device(one.target) for one in process.descriptors.values()):
        return False
    main = program(process)
    for library in mapped:
        apis = state.apis.get(library.file)
        if apis is not None and _has_no_driver(process, apis.provides, profiles):
            continue
        named = family_of_file(profiles, library.path)
        offers = {family_of_api(profiles, api) for api in apis.provides} if apis is not None else set()
        backend = {family_of_api(profiles, api) for api in apis.consumes} if apis is not None else set()
        itself = main is not None and library.path == main.exe
        if (({named} | offers | (set() if itself else backend)) - {""}) - MANAGEMENT:
            return False
    return True


def _has_no_driver(process: Process, provided: Collection[str], profiles: Profiles) -> bool:
    """It is the loader of an API, and has brought in no driver that is known: so it computes nothing."""
    loaders = [api for api in provided if profiles.is_loader(api)]
    behind = [drivers_behind(process, api, profiles) for api in loaders]
    return bool(loaders) and len(loaders) == len(provided) and all(one.none and not one.nodes for one in behind)


def by_nothing_given(ways: Ways) -> Decision | None:
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
