"""Where a program stopped: a call that hangs, a refusal, its death, its own error."""

from collections.abc import Iterable
from errno import ENOMEM
from signal import SIGABRT

from inspector.model.attempts.row import Attempt
from inspector.model.attempts.system import is_device, refused_node
from inspector.model.attempts.wording import row_of, word_row
from inspector.model.chain import Stop, has_no_driver
from inspector.model.crashes import crashed, jumped_to_null
from inspector.model.drivers import drivers_behind
from inspector.model.families import DRAWING, MANAGEMENT, family_of_api
from inspector.model.first_lines import last_line
from inspector.model.formatting import name_of
from inspector.model.log_claims import Word, concerns_gpu, own_error, says_not_built, stands_last
from inspector.model.progress import Progress
from inspector.model.refusals import is_table
from inspector.model.stages import reaches
from inspector.model.state import Process
from inspector.model.verdict import Confidence
from inspector.model.worker import is_tool

from .gpu_work import computed
from .reason import CONTRADICTING, Decision
from .ways import Ways, calls_counted, covered, deepest_of

_AT_ONCE = 1_000_000_000
"""ns between a refused load and an abort(3) because of it; call stacks and messages are printed in between."""
_LAST_LINES = 12
"""Of a log: those in which a program tells why it ends."""


def by_hang(ways: Ways) -> Decision | None:
    open_now = [
        stop for (process, _), stop in ways.analysis.stops.items()
        if not stop.attempt.came_back and not process.ended
    ]  # fmt: skip
    if not open_now:
        return None
    stop = min(open_now, key=lambda one: one.rank)
    chain = ways.analysis.chain(stop.attempt)
    return Decision("undecided", "guess", "hangs", stop.progress.process, stop.progress, stop, chain, ways.word,
                    evidence=[row_of(ways.state, one) for one in chain])  # fmt: skip


def by_death(ways: Ways) -> Decision | None:
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
        and not _gave_up_over_a_refusal(ways, one)
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
    progress = deepest_of(ways, death.process) or next(  # of who only reads figures of devices, how far that got
        (one for one in analysis.progress.values() if one.process is death.process and one.family in MANAGEMENT), None
    )
    return Decision("cpu", sure, "died", death.process, progress, None, [death], ways.word,
                    evidence=[*ways.word_rows(), row_of(ways.state, death)])  # fmt: skip


def _gave_up_over_a_refusal(ways: Ways, death: Attempt) -> bool:
    """It aborted by itself after an API had refused to begin with it, by a code, or by a call that its own last words
    name; or it fell in the file that had asked, without what it was refused: that is how it ends, and not why.
    """
    stops = [stop for (process, _), stop in ways.analysis.stops.items() if process is death.process]
    return (
        any(_could_not_load(stop, death) and not _turned_to_another(ways, stop) for stop in stops)
        or any(
            _answered(stop.attempt)
            and (stop.attempt.code or _in_last_words(ways, stop.attempt))
            and (death.code == SIGABRT or _fell_without(stop.attempt, death))
            and stop.attempt.came_back
            and stop.attempt.at < death.at
            and not stop.after_work
            for stop in stops
        )
        or any(_called_what_is_not_there(stop.attempt, death) for stop in stops)
    )


def _called_what_is_not_there(refused: Attempt, death: Attempt) -> bool:
    """It jumped to address 0 after a function of the API was looked up in vain: so end programs that do not check."""
    lacked = refused.kind == "lookup" and refused.refused and not is_table(refused)
    return lacked and refused.at < death.at and jumped_to_null(death.signal)


def _could_not_load(stop: Stop, death: Attempt) -> bool:
    """It was refused a library of an API, and aborted by itself at once."""
    asked = stop.attempt
    at_once = 0 <= death.at - asked.at <= _AT_ONCE
    return asked.kind == "load" and asked.source != "file" and death.code == SIGABRT and at_once


def _turned_to_another(ways: Ways, stop: Stop) -> bool:
    """After it was refused a library it began with another API, perhaps of the CPU: what it fell over comes later."""
    asked = stop.attempt
    others = (one for one in ways.analysis.of_process(asked.process) if one.family != stop.progress.family)
    return any(one.got_to("initialised") and one.newest > asked.at for one in others)


def _fell_without(refused: Attempt, death: Attempt) -> bool:
    """The fault is in the file that was refused the beginning of an API."""
    signal, asker = death.signal, refused.asker
    return refused.begins and signal is not None and bool(signal.library) and signal.library == asker


def _in_last_words(ways: Ways, attempt: Attempt) -> bool:
    """An error by which its process says that it ends names the function."""
    words = ways.analysis.words
    said = (word for word in words if word.refusal == "own-error" and word.pid in (0, attempt.process.pid))
    return any(attempt.what in word.text for word in said)


def _concerned(ways: Ways, process: Process) -> bool:
    """It asked for an API, or nobody of the tree did and it is all there is."""
    return any(one.process is process for one in ways.compute) or not ways.compute


def _was_used(ways: Ways, process: Process) -> bool:
    return any(one.process is process and computed(ways.analysis, one) for one in ways.compute)


def _counted_later(ways: Ways, death: Attempt) -> bool:
    return any(one.last_at("counted") > death.at for one in ways.compute)


def by_stop(ways: Ways) -> Decision | None:
    analysis, state = ways.analysis, ways.state
    stops = dict(analysis.stops)
    if any(one.got_to("loaded") and not _linked_in(ways, one) for one in ways.compute):
        stops = {key: stop for key, stop in stops.items() if key[1] not in MANAGEMENT or _decides(ways, stop)}
    if not analysis.only_draws:
        stops = {key: stop for key, stop in stops.items() if key[1] not in DRAWING}
    stops = {key: stop for key, stop in stops.items() if not _beside_the_point(ways, stop)}
    stops = {key: stop for key, stop in stops.items() if not _better_told(ways, stop)}
    stops = {key: stop for key, stop in stops.items() if not _went_past(stop, stops.values())}
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
    went_on |= bool(found) and stop.attempt.kind == "lookup" and not stop.attempt.decisive  # it could do without it
    went_on |= stop.progress.family in MANAGEMENT and bool(ways.compute)  # what it computes with was not asked
    over = bool(process.ended) or ways.says_cpu or (death is not None and death.kind == "signal")
    unseen = not stop.attempt.came_back and stop.attempt.kind != "call" and not crashed(process)  # by another way out
    unseen |= stop.progress.got_to("work") and stop.progress.launched is None  # of work whose results were not read
    unseen |= death is not None and _called_what_is_not_there(stop.attempt, death)  # which of several is not told
    surely = seen and over and not went_on and not stop.before and not stop.unsaid and not unseen
    sure: Confidence = "proven" if surely and ways.complete() else "likely"
    if _may_have_worked(ways, stop):
        sure = "guess"
    rows = [row_of(state, one) for one in chain]
    against = [row_of(state, one.furthest) for one in found if one.process is not process][:2]
    return Decision("cpu", sure, "stopped", process, stop.progress, stop, chain, ways.word,
                    evidence=[*(ways.word_rows() if ways.says_cpu else []), *rows], contradictions=against)  # fmt: skip


def _may_have_worked(ways: Ways, stop: Stop) -> bool:
    """The program itself tells of an answer that a device gave, to a step past discovery or over memory, and its calls
    or their results were not seen: nobody knows what it had computed before.
    """
    asked = stop.attempt
    if asked.kind != "call" or asked.source != "program" or ways.says_cpu:
        return False
    deep = reaches(asked.stage, "context") or "memory" in asked.answer.lower()
    return deep and not covered(ways.state, [stop.progress.process], CONTRADICTING)


def _decides(ways: Ways, stop: Stop) -> bool:
    """The management API answered that there is no device, and nothing was asked of an API to compute with: programs
    ask the one to know whether to begin with the other.
    """
    own = [one for one in ways.compute if one.process is stop.progress.process and one.got_to("loaded")]
    return _answered(stop.attempt) and all(not one.got_to("initialised") and calls_counted(ways, one) for one in own)


def _answered(attempt: Attempt) -> bool:
    """The API itself answered, not the loader."""
    return attempt.kind == "call" or is_table(attempt)


def _beside_the_point(ways: Ways, stop: Stop) -> bool:
    """A library or a name that was refused to who got the one of another vendor, or holds a device all the same."""
    if _answered(stop.attempt):
        return False
    process = stop.progress.process
    if any(one.kind == "device" and is_device(one.target) for one in process.descriptors.values()):
        return True
    if any(_names(word, stop) for word in ways.analysis.words):
        return False
    if stop.attempt.kind == "load" and _turned_to_software(ways, stop):
        return True
    others = [one for one in ways.compute if one.process is process and one.family != stop.progress.family]
    if _failed(process):  # what it turned to last counts, not what it had and began nothing with
        others = [one for one in others if one.got_to("initialised") or one.newest > stop.attempt.at]
    others = [one for one in others if one.got_to("initialised") or not _linked_in(ways, one)]
    return any(one.has_library and (process, one.family) not in ways.analysis.stops for one in others)


def _linked_in(ways: Ways, progress: Progress) -> bool:
    """A loader of drivers that came with a library, without one: nobody got a device's library by it."""
    asked = any(one.kind == "call" and one.family == progress.family
                for one in ways.analysis.attempts.get(progress.process, []))  # fmt: skip
    return not asked and has_no_driver(ways.state, progress)


def _turned_to_software(ways: Ways, stop: Stop) -> bool:
    """It went on with another API, was told of a device that is the CPU, and gave up for want of one."""
    said = own_error(ways.state, ways.analysis.words) if _failed(stop.progress.process) else None
    went_on = any(
        one.process is stop.progress.process and one.got_to("counted") and one.newest > stop.attempt.at
        for one in ways.software
    )  # fmt: skip
    return went_on and said is not None and _lacked_device(ways, said)


def _better_told(ways: Ways, stop: Stop) -> bool:
    """Of a call nobody read the result or a reason, and the program ended by an error of its own about the GPU, or the
    one driver behind it uses the CPU, whatever it answered.
    """
    unread = stop.attempt.kind == "call" and stop.attempt.source == "file" and not stop.attempt.within
    if unread and stop.progress in ways.software and not _failed(stop.progress.process):
        return True
    said = own_error(ways.state, ways.analysis.words) if unread and _failed(stop.progress.process) else None
    has_driver = not has_no_driver(ways.state, stop.progress)
    return said is not None and concerns_gpu(said, perhaps=True) and has_driver


def _names(word: Word, stop: Stop) -> bool:
    """The program itself says that it could not do without what was refused."""
    return bool(word.refusal) and name_of(stop.attempt.what) in word.text


def _went_past(stop: Stop, others: Iterable[Stop]) -> bool:
    """It lacked a library of no API that is known, went on to ask for an API, and was refused that.

    Who has the API that the library goes with, and turned to another vendor's, stopped at the library.
    """
    lacked, had_api = stop.attempt, stop.progress.has_library
    absent = (
        lacked.kind == "load" and not lacked.api and lacked.failure is not None and lacked.failure.cause == "absent"
    )
    return absent and any(
        other.attempt.api and other.attempt.at > lacked.at and other.attempt.asker == lacked.asker
        and (not had_api or other.progress.family == stop.progress.family)
        for other in others if other.progress.process is stop.progress.process
    )  # fmt: skip


def _gave_up(ways: Ways, stop: Stop, found: list[Progress]) -> bool:
    """The very process that had found a device was refused something after it, and ended with a failure: nothing of
    that step or a later one succeeded after it, or its own error names it.
    """
    process, asked = stop.progress.process, stop.attempt
    if not _failed(process):
        return False
    last = _named_by_error(ways, stop) or asked.at > stop.progress.last_at(asked.stage or "asked")
    return last and any(one.process is process for one in found)


def _failed(process: Process) -> bool:
    return process.end is not None and bool(process.end.code or process.end.signal)


def _named_by_error(ways: Ways, stop: Stop) -> bool:
    """The program's own error names what was refused."""
    said = own_error(ways.state, ways.analysis.words)
    return said is not None and name_of(stop.attempt.what) in said.text


def by_own_error(ways: Ways) -> Decision | None:
    """The program ended by its own error, and nothing of an API was refused."""
    said = own_error(ways.state, ways.analysis.words)
    roots = [_failed_of(ways, process) for process in ways.state.processes if process.parent is None and process.execs]
    failed = [
        one for process in roots for one in ways.analysis.attempts.get(process, [])
        if one.kind == "end" and one.code > 0
    ]  # fmt: skip
    if not failed or (said is None and ways.says_cpu):
        return None  # it told of no error, and that it does without: a status by itself is no reason
    got = [one for one in ways.compute if one.got_to("loaded")]
    said = said or _not_built(ways)
    if ways.software and (said is None or _lacked_device(ways, said)) and not (said and says_not_built(said)):
        return None  # the driver that answered tells more than a status, or than that no device was found behind it
    elsewhere = bool(got) and all(one.process is not failed[-1].process for one in got)
    if said is None and (elsewhere or (not got and not _spoke(ways))):
        return None
    process = failed[-1].process
    node = refused_node(one for one in ways.analysis.unexcused("system") if one.process is process)
    node = node or _refused_driver(ways, process)
    about_gpu = said is not None and concerns_gpu(said, perhaps=True)
    if node is not None and not about_gpu and not _names_path(ways, node.what):
        node = None  # it failed over something else
    node = node or _refused_memory(ways, process, said)
    sure: Confidence = "proven" if ways.complete() and node is None else "likely"
    rows = [row_of(ways.state, failed[-1])]
    rows += [word_row(ways.state, said)] if said is not None else []
    rows += [row_of(ways.state, node)] if node is not None else []
    chain = [failed[-1], node] if node is not None else [failed[-1]]
    return Decision("cpu", sure, "own-error", process, deepest_of(ways, process), None, chain, said,
                    evidence=rows)  # fmt: skip


def _not_built(ways: Ways) -> Word | None:
    """Among its last lines the program says that it was built without code for a GPU, of which API or of any."""
    said = (one for one in reversed(ways.analysis.words) if one.refusal == "not-built")
    return next((one for one in said if stands_last(ways.state, one)), None)


def _names_path(ways: Ways, path: str) -> bool:
    """One of the last lines names a file: programs tell what they could not open in words of their own."""
    last = (line.text for source in ways.state.logs.values() for line in source.lines[-_LAST_LINES:])
    return path.startswith("/") and any(path in text for text in last)


def _failed_of(ways: Ways, process: Process) -> Process:
    """Of a shell that passes on with what status its program ended: that program."""
    code = process.end.code if process.end is not None else None
    while is_tool(process):
        mine = [one for one in ways.state.processes if one.parent is process and one.end is not None and one.execs]
        if not mine or mine[-1].end is None or mine[-1].end.code != code:
            break
        process = mine[-1]
    return process


def _lacked_device(ways: Ways, said: Word) -> bool:
    """It gives up over a device that it did not find, and all that it asked has only drivers that use the CPU."""
    found_none = said.family in ("", *(one.family for one in ways.software)) and concerns_gpu(said, perhaps=True)
    return found_none and not any(one.has_library for one in ways.compute)


def _refused_memory(ways: Ways, process: Process, said: Word | None) -> Attempt | None:
    """The newest refusal of memory by the kernel, where the program gives up over memory."""
    if said is None or "memory" not in said.text.lower():
        return None
    refused = [one for one in ways.analysis.unexcused("system") if one.process is process and one.code == ENOMEM]
    return refused[-1] if refused else None


def _refused_driver(ways: Ways, process: Process) -> Attempt | None:
    """What the loader of an API asked for in vain, where it has no driver at all."""
    profiles = ways.analysis.profiles
    loaders = {family_of_api(profiles, name) for name in profiles.apis if profiles.is_loader(name)
               and drivers_behind(process, name, profiles).none}  # fmt: skip
    refused = ways.analysis.unexcused("load")
    return next((one for one in refused if one.process is process and one.own_ends and one.family in loaders), None)


def _spoke(ways: Ways) -> bool:
    return bool(last_line(ways.state))
