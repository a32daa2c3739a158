"""Healthy is quiet: red, and the cross, stand in every pane only for what the answer tells of."""

from collections.abc import Callable, Iterator

import pytest

from inspector.demo.cases import CASES
from inspector.demo.record import recording_of
from inspector.model.diagnosis import diagnose
from inspector.model.fold import apply_all
from inspector.stream.base import Request
from inspector.stream.recording import Recording
from inspector.view import ladder_lines
from inspector.view.chain_lines import answer_lines
from inspector.view.pane_context import PaneContext
from inspector.view.panes.all import all_panes
from inspector.view.tables.gpu import mode_words
from inspector.view.tables.row import Span

QUIET = ("healthy", "logged")
"""Families that hold cases in which nothing is wrong."""


class NoCollector:
    """Nobody answers: a recording."""

    def ask(self, make: Callable[[int], Request]) -> int:
        """Sends nothing."""
        return 0


def context_of(name: str) -> PaneContext:
    """All that is known of a case, and what it means."""
    case = next(case for case in CASES if case.name == name)
    state = apply_all(Recording(str(recording_of(case))))
    return PaneContext(state, diagnose(state), now=state.now)


def spans(context: PaneContext) -> Iterator[tuple[str, Span]]:
    """Everything that is shown, and where: the answer, the ladders, the rows of all panes and their details."""
    glyph, words, tone = mode_words(context)
    yield "mode", (f"{glyph} {words}", tone)
    for line in (*answer_lines(context, 0, 120, 12), *ladder_lines.table(context, None, 120, 12)):
        yield from (("answer", span) for span in line.left)
    for pane in all_panes(NoCollector()):
        pane.look(context)
        for index in range(len(pane.listing.table)):
            yield from ((pane.name, span) for one in pane.listing.table.row(index).cells for span in one)
            details = pane.listing.table.details(index)
            yield from ((f"{pane.name} details", (note.text, note.tone)) for note in details.notes)


def red(context: PaneContext) -> list[tuple[str, str]]:
    """What is red or has a cross."""
    return [(where, text) for where, (text, tone) in spans(context) if tone == "no" or text.startswith("✗")]


@pytest.mark.parametrize("name", [case.name for case in CASES if case.family in QUIET])
def test_where_the_answer_finds_nothing_wrong_nothing_is_red_in_any_pane(name: str) -> None:
    context = context_of(name)
    assert context.answer is not None
    wrong = [one.rule for one in context.answer.findings if one.severity != "info"]
    assert wrong or red(context) == []
    assert name not in [case.name for case in CASES if case.family == "healthy"] or not wrong


@pytest.mark.parametrize(
    ("name", "where", "text"),
    [
        ("the-question", "libraries", "libcublasLt.so.12"),
        ("child-crashed", "processes", "SIGSEGV in libtupo-cuda.so"),
        ("no-device", "gpu", "CUDA_ERROR_NO_DEVICE"),
        ("replaced-library", "libraries", "replaced"),
        ("lost-in-children", "processes", "LD_PRELOAD lost"),
        ("symbol-hidden", "symbols", "hidden: cannot be bound"),
        ("no-device", "symbols", "called, returned 100 (CUDA_ERROR_NO_DEVICE)"),
        ("child-crashed", "symbols", "called, did not return"),
    ],
)
def test_what_the_answer_tells_of_is_red_in_its_pane(name: str, where: str, text: str) -> None:
    assert (where, text) in red(context_of(name))


def test_what_failed_beside_it_is_told_and_not_red() -> None:
    shown = [span for where, span in spans(context_of("healthy-ends-in-order")) if where == "gpu"]
    assert ("! ", "unknown") in shown and ("CUDA_ERROR_INVALID_CONTEXT", "unknown") in shown
