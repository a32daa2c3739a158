"""Truth as a test, on recordings of foreign programs: what was not seen makes no answer different and sure.

Sure is what is proven or likely. An effect of the same refusal, told because its cause was withheld, is weaker: the
call for what was refused inside it, the program's own words, the loader without a driver for the driver that it lacked.
"""

import pytest

from inspector.model.diagnosis import diagnose
from inspector.model.fold import apply_all
from inspector.model.verdict import Answer, Finding
from tests.model.analysis.attached_late import attached_late
from tests.model.analysis.test_truth import CHANNELS, never_different_and_sure, withheld
from tests.recordings import OF_PROGRAMS, answer_of, events_of, together

MOMENTS = (0.1, 0.3, 0.5, 0.7, 0.9, 0.97)
"""Parts of an observation after which it might have begun."""
OWN_WORDS = ("ended-by-own-error", "told-by-program")
EFFECTS = {"no-driver-loaded": ("lookup-failed", "dependency-missing")}
"""What is seen of a cause from outside: a loader that has no driver, for the driver that was refused to it."""
pytestmark = pytest.mark.longer


@pytest.mark.parametrize("name", together(OF_PROGRAMS))
def test_a_channel_that_is_withheld_makes_no_answer_different_and_sure(name: str) -> None:
    full, events = answer_of(name), events_of(name)
    wrong = {channel: _different(full, diagnose(apply_all(withheld(events, channel)))) for channel in CHANNELS}
    assert not {channel: words for channel, words in wrong.items() if words}


@pytest.mark.parametrize("name", together(OF_PROGRAMS))
def test_who_attaches_late_to_a_foreign_program_is_told_nothing_different_and_sure(name: str) -> None:
    full, events = answer_of(name), events_of(name)
    moments = sorted(event.at for event in events)
    told = {part: attached_late(events, moments[int(len(events) * part)]) for part in MOMENTS}
    wrong = {part: _different(full, diagnose(apply_all(late))) for part, late in told.items() if late}
    assert not {part: words for part, words in wrong.items() if words}


def test_who_is_met_late_and_draws_on_a_software_driver_until_its_end_is_on_the_cpu() -> None:
    events = events_of("ncnn-ok")
    moments = sorted(event.at for event in events)
    answer = diagnose(apply_all(attached_late(events, moments[int(len(events) * 0.3)])))
    assert (answer.mode.verdict, answer.findings[0].rule) == ("cpu", "software-driver")


def _different(full: Answer, part: Answer) -> str:
    """What the part says that the whole does not, and is sure of; empty for nothing."""
    never_different_and_sure(full, part)
    mode, first = part.mode, part.findings[0]
    decided = "undecided" not in (mode.verdict, full.mode.verdict)
    if decided and mode.verdict != full.mode.verdict and mode.confidence != "guess":
        return f"{mode.verdict} ({mode.confidence}), and not {full.mode.verdict}"
    if first.severity != "error" or first.confidence == "guess":
        return ""
    surer = first.confidence == "proven" and full.findings[0].confidence != "proven"
    if surer and first.title != full.findings[0].title:
        return f"proven: {first.title}"
    return "" if _follows(first, full) else f"{first.rule} ({first.confidence}): {first.title}"


def _follows(first: Finding, full: Answer) -> bool:
    """The whole tells the same, or this is an effect of it."""
    rules = {one.rule for one in full.findings}
    if first.rule in (*rules, *OWN_WORDS) or first.title.endswith("says its own log"):
        return True
    if full.findings[0].rule in EFFECTS.get(first.rule, ()):
        return True
    told = {link.subject for one in full.findings for link in one.chain}
    return {link.subject for link in first.chain if link.kind not in ("root", "mode", "words")} <= told
