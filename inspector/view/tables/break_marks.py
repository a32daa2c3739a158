"""Where in the timeline the answer happened: the moment of its cause, that of its effect, and links between. Pure."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence

from inspector.model.formatting import name_of
from inspector.model.state import Moment
from inspector.model.verdict import Answer, Finding, Link

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
    found = list(dict.fromkeys(_places(first, timeline)))
    if not found:
        return {}
    marks = dict.fromkeys(found, LINK)
    said = [place for link, place in _told(first, timeline) if link.kind == "words"]
    if said:
        marks[said[0]] = EFFECT
    causes = [place for place in found if marks[place] != EFFECT]
    if causes:
        marks[causes[-1]] = CAUSE
    return marks


def _places(finding: Finding, timeline: Sequence[Moment]) -> Iterator[int]:
    """The moments of the chain from the effect to the root, or those of the evidence where there is no chain."""
    told = [place for _, place in _told(finding, timeline)]
    yield from told or (int(one.key) for one in finding.evidence[:1] if one.pane == "timeline" and one.key.isdecimal())


def _told(finding: Finding, timeline: Sequence[Moment]) -> Iterator[tuple[Link, int]]:
    for link in finding.chain:
        place = _place(link, timeline) if link.at else None
        if place is not None:
            yield link, place


def _place(link: Link, timeline: Sequence[Moment]) -> int | None:
    """The moment that tells of a link: of its process, with its name, at its time or soon after."""
    begin = bisect_left(timeline, link.at, key=lambda moment: moment.at)
    name = "" if link.kind in ("words", "end") else name_of(link.subject)
    same: int | None = None
    for place in range(begin, min(begin + _NEAR, len(timeline))):
        moment = timeline[place]
        if link.kind == "words":
            if moment.kind == "log" and moment.at == link.at and moment.text.strip()[:_TELLING] in link.text:
                return place
            continue
        if moment.pid != link.pid or moment.kind == "log":
            continue
        if name and name in moment.text and (moment.bad or link.kind != "load"):
            return place
        if moment.at == link.at and same is None:
            same = place
    return same
