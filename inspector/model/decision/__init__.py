"""What the program computes on, and for which reason: work decides, not discovery, and an effect is no cause."""

from inspector.model.analysis import Analysis

from .end_of_work import BEFORE, by_end_of_work
from .finds import by_drawing, by_drop, by_find, by_node, by_software
from .gpu_work import by_nothing_given, by_work, computed, maps_nothing_to_compute_with
from .reason import CONTRADICTING, UNUSED_FOR, Decision, Reason
from .silence import (
    by_absent_driver,
    by_choice,
    by_error,
    by_files,
    by_monitor,
    by_no_call,
    by_nobody,
    by_word,
    by_work_without,
    undecided,
)
from .stops import by_death, by_hang, by_own_error, by_stop
from .ways import Ways, covered

__all__ = [
    "BEFORE",
    "CONTRADICTING",
    "UNUSED_FOR",
    "Decision",
    "Reason",
    "computed",
    "covered",
    "decide",
    "maps_nothing_to_compute_with",
]


def decide(analysis: Analysis) -> Decision:
    """The first step that applies: what was seen to compute, what stopped, what was found, what was said."""
    steps = (
        by_end_of_work, by_work, by_hang, by_nothing_given, by_death, by_stop, by_own_error, by_drop, by_find,
        by_software, by_drawing, by_node, by_choice, by_files, by_word, by_error, by_absent_driver, by_monitor,
        by_no_call, by_nobody, by_work_without,
    )  # fmt: skip
    ways = Ways(analysis)
    return next((found for step in steps if (found := step(ways)) is not None), undecided(ways))
