"""A user who may see no look-up and no call: what is said then, and what is proposed."""

from inspector.model.diagnosis import diagnose
from inspector.stream.session import Capability, SessionStarted

from .asking import answer, rung
from .build import WALL, Story

_CLOSED = ("process-births", "lookups", "count-calls", "results")


def _without_rights() -> Story:
    story = Story()
    rows = [Capability(name=name, state="no", how="", why="lacks CAP_BPF", grant="sudo inspector") for name in _CLOSED]
    story.tell(SessionStarted(at=story.now, version="1", wall=WALL, host="h", kernel="6", uid=1, target="x",
                              collector=1, capabilities=rows))  # fmt: skip
    story.process(812)
    story.driver(812, watch=False)
    story.consumer(812)
    return story


def _gave_up(*lines: str) -> Story:
    story = _without_rights()
    story.log(*lines)
    story.end(812, code=7)
    return story


def test_who_says_that_it_goes_on_on_the_cpu_and_later_ends_with_a_status_did_not_end_by_an_error_that_it_told() -> (
    None
):
    found = answer(_gave_up("discovering GPUs", "no GPU", "using CPU"))
    assert found.rule == "told-by-program" and found.title.endswith("no GPU")


def test_what_nobody_could_see_is_asked_for_with_the_rights_that_were_lacking() -> None:
    found = answer(_gave_up("no GPU", "using CPU"))
    assert found.command == "sudo inspector --wait server" and found.next_step.endswith("as root")
    assert found.cause.count("lacks CAP_BPF") == 1 and "was not seen" in found.cause
    assert answer(_without_rights()).command in ("", "sudo inspector --wait server")


def test_an_end_breaks_no_step_of_which_nobody_could_see_whether_it_was_taken() -> None:
    story = _gave_up("no GPU")
    assert answer(story).rule == "ended-by-own-error"
    assert [rung(story, name).state for name in ("resolved", "called", "returned")] == ["unknown"] * 3
    (ladder,) = diagnose(story.state).ladders
    assert ladder.first_broken == "used"
