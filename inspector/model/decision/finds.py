"""A device was found and dropped, not used or refused, or only software answered."""

from inspector.model import evidence
from inspector.model.attempts.system import refused_node
from inspector.model.attempts.wording import row_of, word_row
from inspector.model.coverage import born_here, opens_told_throughout
from inspector.model.drivers import software_drivers
from inspector.model.stages import LEVEL
from inspector.model.state import Process
from inspector.model.tree import libraries
from inspector.model.verdict import Confidence
from inspector.model.worker import is_tool

from .reason import UNUSED_FOR, Decision
from .ways import VERDICTS, Ways, covered, deepest_of, verdict_of


def by_drop(ways: Ways) -> Decision | None:
    """A device was found, and the program says that it does not take it."""
    found = [one for one in ways.compute if one.got_to("counted")]
    dropped = next((one for one in reversed(ways.analysis.words) if one.saying == "dropped"), None)
    if dropped is None or not ways.says_cpu or (not found and ways.software):
        return None  # what it speaks of then may be the software that it used
    progress = max(found, key=lambda one: one.last_at("counted"), default=None)
    rows = [word_row(ways.state, dropped), *ways.word_rows()]
    against = [row_of(ways.state, progress.furthest)] if progress is not None else []
    return Decision("cpu", "likely", "dropped", progress.process if progress else None, progress, word=dropped,
                    evidence=rows, contradictions=against)  # fmt: skip


def by_find(ways: Ways) -> Decision | None:
    """A device was found: nothing has computed on it yet, or much was computed without it."""
    found = [one for one in ways.compute if one.found_a_device]
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
    if (over or busy.cpu_after(newest, ways.state.now) > UNUSED_FOR) and calls_seen(ways, busy):
        return Decision("cpu", "likely", "found-not-used", busy, best, word=ways.word, evidence=rows)
    if over:  # what it did with the device was not seen, and it does no more
        return Decision("undecided", "guess", "unknown", best.process, best, word=ways.word, evidence=rows)
    return Decision(verdict_of(best), "likely", "ready", best.process, best, word=ways.word,
                    evidence=[*rows, *ways.word_rows()])  # fmt: skip


def calls_seen(ways: Ways, process: Process) -> bool:
    """Whether a call of the process would have been seen."""
    return covered(ways.state, [process], ("count-calls", "lookups"))


def _found_by_word(ways: Ways) -> Decision | None:
    """Found in the program's own words; its calls were not seen."""
    if ways.word is None or ways.word.saying != "found" or not ways.word.family:
        return None
    doubtful = ways.word.doubtful
    verdict = VERDICTS.get(ways.word.family)
    if verdict is None or ways.nothing_to_compute_with():
        return None
    return Decision(verdict, "guess" if doubtful else "likely", "ready", word=ways.word, evidence=ways.word_rows())


def by_software(ways: Ways) -> Decision | None:
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
    seen = ways.complete() and opens_told_throughout(ways.state, process)
    sure: Confidence = "proven" if seen and process.ended else "likely"
    return Decision("cpu", sure, "software", process, best, None, refused, ways.word, evidence=rows)


def by_drawing(ways: Ways) -> Decision | None:
    """A driver of a device draws, and nothing was asked of an API that computes: no mode tells that."""
    found = ways.analysis.drawn_with()
    if found is None or ways.says_cpu:
        return None
    progress, drivers = found
    mapped = [library for library in libraries(progress.process).values() if library.path in drivers]
    rows = [row_of(ways.state, progress.furthest)]
    rows += [evidence.of_library(progress.process, one, f"{one.path} drives a device") for one in mapped[:3]]
    return Decision("undecided", "likely", "draws", progress.process, progress, word=ways.word, evidence=rows)


def by_node(ways: Ways) -> Decision | None:
    """A device node was refused, and the call around it was not seen; who was there before us and ended in order may
    have been refused something else before.
    """
    node = refused_node(ways.analysis.unexcused("system"))
    if node is None:
        return None
    rows = [*(ways.word_rows() if ways.says_cpu else []), row_of(ways.state, node)]
    end, process = node.process.end, node.process
    did_without = end is not None and end.code == 0 and not born_here(process) and not ways.says_cpu
    return Decision("cpu", "guess" if did_without else "likely", "node", process, deepest_of(ways, process), None,
                    [node], ways.word, evidence=rows)  # fmt: skip
