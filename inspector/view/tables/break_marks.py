"""Where in the timeline the answer happened: the moment of its cause, that of its effect, and links between. Pure."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence

from inspector.model.formatting import name_of
from inspector.model.state import ENTERS, Moment
from inspector.model.verdict import Answer, Evidence, Finding, Link

_NEAR = 400
"""Moments behind that of a link among which its own is looked for: a call is told when it has returned."""
_TELLING = 80
"""Characters of a line by which it is known again."""
CAUSE, EFFECT, LINK = "cause", "effect", "link"


def break_marks(answer: Answer | None, timeline: Sequence[Moment]) -> dict[int, str]:
    """Index of a moment -> `cause`, `effect` or `link`, for the first finding; nothing where nothing is wrong."""
    first = answer.findings[0] if answer is not None and answer.findings else None
    if first is None or first.severity == "info":
        return {}
    told = list(_told(first, timeline))
    marks = {place: LINK for _, place in told}
    said = [place for link, place in told if link.kind == "words"]
    if said:
        marks[said[0]] = EFFECT
    cause = _cause(first, [(link, place) for link, place in told if marks[place] != EFFECT], timeline)
    if cause is not None and marks.get(cause) != EFFECT:
        marks[cause] = CAUSE
    return marks


def _cause(finding: Finding, told: list[tuple[Link, int]], timeline: Sequence[Moment]) -> int | None:
    """The moment of the root: what proves it where that lies below the chain, else the last refusal that was told."""
    proof = finding.evidence[0] if finding.evidence else None
    below = _place_of_proof(proof, timeline, in_chain=bool(told)) if proof is not None else None
    if below is not None:
        return below
    asked = [place for link, place in told if link.kind != "end"] or [place for _, place in told]
    if asked:
        return asked[-1]
    ends = (_of_moment(row, timeline, "process") for row in finding.evidence if row.pane == "processes")
    return next((place for place in ends if place is not None and timeline[place].bad), None)


def _place_of_proof(proof: Evidence, timeline: Sequence[Moment], *, in_chain: bool) -> int | None:
    """The moment that the first row of evidence is about: itself, the call that it names, the load of its library."""
    if proof.pane == "timeline":
        return _of_moment(proof, timeline)
    if proof.pane != "libraries" or not in_chain:
        return None
    function = proof.text.split(" ", 1)[0]
    calls = (place for place, one in enumerate(timeline) if one.kind == "call" and one.pid == proof.pid)
    called = next((place for place in calls if timeline[place].text.startswith(f"{function} -> ")), None)
    if called is not None or not proof.key:
        return called
    return next((place for place, one in enumerate(timeline) if one.kind == "load" and one.key == proof.key), None)


def _of_moment(row: Evidence, timeline: Sequence[Moment], kind: str = "") -> int | None:
    """The moment of a process at the time of a row of evidence."""
    begin = bisect_left(timeline, row.at, key=lambda moment: moment.at) if row.at else len(timeline)
    for place in range(begin, len(timeline)):
        if timeline[place].at != row.at:
            return None
        if timeline[place].pid == row.pid and kind in ("", timeline[place].kind):
            return place
    return None


def _told(finding: Finding, timeline: Sequence[Moment]) -> Iterator[tuple[Link, int]]:
    """The links of the chain, from the effect to the root, that stand in the timeline."""
    for link in finding.chain:
        place = _place(link, timeline) if link.at else None
        if place is not None:
            yield link, place


def _place(link: Link, timeline: Sequence[Moment]) -> int | None:
    """The moment that tells of a link: of its process, with its name, at its time or soon after."""
    begin = bisect_left(timeline, link.at, key=lambda moment: moment.at)
    name = "" if link.kind in ("words", "end") else name_of(link.subject)
    same: int | None = None
    entered: int | None = None
    for place in range(begin, min(begin + _NEAR, len(timeline))):
        moment = timeline[place]
        if link.kind == "words":
            if moment.kind == "log" and moment.at == link.at and moment.text.strip()[:_TELLING] in link.text:
                return place
            continue
        if moment.pid != link.pid or moment.kind == "log":
            continue
        if name and name in moment.text and (moment.bad or link.kind != "load"):
            if not moment.text.startswith(ENTERS):
                return place
            entered = place if entered is None else entered
        if moment.at == link.at and same is None:
            same = place
    return same if entered is None else entered
