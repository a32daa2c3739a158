"""Where in the timeline the answer happened: the moment of its cause, that of its effect, and links between. Pure."""

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile

from inspector.model.formatting import name_of
from inspector.model.state import ENTERS, EXECUTES, WAS_THERE, Moment, State
from inspector.model.verdict import Answer, Evidence, Finding, Link

_NEAR = 400
"""Moments behind that of a link among which its own is looked for: a call is told when it has returned."""
_TELLING = 80
"""Characters of a line by which it is known again."""
_NO_REFUSALS = ("mode", "words", "root")
CAUSE, EFFECT, LINK = "cause", "effect", "link"


def break_marks(answer: Answer | None, timeline: Sequence[Moment]) -> dict[int, str]:
    """Index of a moment -> `cause`, `effect` or `link`, for the first finding; nothing where nothing is wrong."""
    first = answer.findings[0] if answer is not None and answer.findings else None
    if first is None or first.severity == "info":
        return {}
    told = list(_told(first, timeline))
    marks = {place: LINK for _, place in told}
    said = next((place for link, place in told if link.kind == "words"), None)
    cause = _cause(first, [(link, place) for link, place in told if place != said], timeline, said)
    if cause is None:
        cause = _said(first, timeline)  # the program's own line is all that tells of it
    effect = said if said is not None and said != cause else _effect(answer, timeline)
    if effect is not None:
        marks[effect] = EFFECT
    if cause is not None:
        marks[cause] = CAUSE
    return marks


def why_unmarked(answer: Answer | None, marks: Mapping[int, str], state: State) -> str:
    """Why no moment is marked as the cause of what is wrong; empty where one is, or where nothing is wrong."""
    first = answer.findings[0] if answer is not None and answer.findings else None
    if first is None or first.severity == "info" or not state.timeline or CAUSE in marks.values():
        return ""
    if any(row.pane == "logs" and not row.at for row in first.evidence):
        return "the cause is a log line without a time: see Logs"
    owner = next((one for one in reversed(state.processes) if one.pid == first.pid), None)
    if owner is None or owner.origin == "attach":
        return "the cause lies before we attached"
    return "the cause itself was not seen as an event"


def _cause(
    finding: Finding, told: list[tuple[Link, int]], timeline: Sequence[Moment], effect: int | None
) -> int | None:
    """The moment of the root: what proves it where that lies below the chain, else the last refusal that was told."""
    proof = finding.evidence[0] if finding.evidence else None
    below = _place_of_proof(proof, timeline, in_chain=bool(told)) if proof is not None else None
    if below is not None:
        return below
    named = _named(finding, timeline)
    if named is not None:
        return named
    asked = [place for link, place in told if link.kind != "end"] or [place for _, place in told]
    if asked:
        return asked[-1]
    ends = (_of_moment(row, timeline, "process") for row in finding.evidence if row.pane == "processes")
    ended = next((place for place in ends if place is not None and timeline[place].bad), None)
    if ended is not None:
        return ended
    refused = _refused(finding, timeline)
    if refused is not None:
        return refused
    near = _nearest_proof(finding.evidence, timeline, effect)
    return near if near is not None else _met(finding, timeline)


def _named(finding: Finding, timeline: Sequence[Moment]) -> int | None:
    """A load in this process that is marked as wrong, of a file that the root names: what was asked for it came later.

    An entry that the loader ignored, a file that was replaced or deleted on disk.
    """
    names = _files(_root(finding))
    for place, one in enumerate(timeline):
        if one.bad and one.kind == "load" and one.pid == finding.pid and names & _files(one.text):
            return place
    return None


def _refused(finding: Finding, timeline: Sequence[Moment]) -> int | None:
    """A refusal in this process of a file that the words of the finding name, where its chain holds none."""
    names = _files(finding.cause) if all(link.kind in _NO_REFUSALS for link in finding.chain) else set()
    for place, one in enumerate(timeline):
        if one.bad and one.kind != "log" and one.pid == finding.pid and names & _files(one.text):
            return place
    return None


def _met(finding: Finding, timeline: Sequence[Moment]) -> int | None:
    """Where this process met what the root names: the load of a file, the first look into a folder."""
    root = _root(finding)
    names, folders = _files(root), {word.rstrip(",:;") for word in root.split() if word.startswith("/")}
    for place, one in enumerate(timeline):
        met = names & _files(one.text) if one.kind == "load" else folders & set(one.text.split())
        if one.pid == finding.pid and one.kind in ("load", "open") and met and WAS_THERE not in one.text:
            return place
    return None


def _said(finding: Finding, timeline: Sequence[Moment]) -> int | None:
    """The line of a log that is the first proof."""
    return _line(finding.evidence[0], timeline) if finding.evidence else None


def _root(finding: Finding) -> str:
    return next((link.text for link in finding.chain if link.kind == "root"), finding.title)


def _files(text: str) -> set[str]:
    return {name_of(word.strip(",:;()")) for word in text.split() if ".so" in word}


def _nearest_proof(evidence: Sequence[Evidence], timeline: Sequence[Moment], effect: int | None) -> int | None:
    """Where nothing was refused: the first row that the timeline tells of, the start of a process last.

    The line that is the effect is no cause of itself.
    """
    places: dict[str, int] = {}
    for row in evidence:
        place = None
        if row.pane in ("libraries", "symbols"):
            place = _load(row, timeline)
        elif row.pane == "logs":
            place = _line(row, timeline)
        elif row.pane == "processes":
            place = _start(row, timeline)
        elif row.at:
            place = _of_moment(row, timeline)
        if place is not None:
            places.setdefault(row.pane or "", place)
    order = ("timeline", "libraries", "symbols", "logs", "processes")
    return next((places[pane] for pane in order if places.get(pane, effect) != effect), None)


def _load(row: Evidence, timeline: Sequence[Moment]) -> int | None:
    """The load of the library that a row is about: by its key, or by the name that its words begin with."""
    name = row.text.split(" ", 1)[0]
    for place, one in enumerate(timeline):
        if one.kind != "load" or one.pid != row.pid or one.bad:
            continue
        if (
            one.key == row.key
            if row.pane == "libraries"
            else one.text.startswith((f"{name} mapped", f"{name} was mapped"))
        ):
            return place
    return None


def _start(row: Evidence, timeline: Sequence[Moment]) -> int | None:
    """The moment at which a process became the program that it is: its variables and its file are of then."""
    for place in range(len(timeline) - 1, -1, -1):
        moment = timeline[place]
        if moment.pid == row.pid and moment.kind == "process" and moment.text.startswith(EXECUTES):
            return place
    return None


def _effect(answer: Answer | None, timeline: Sequence[Moment]) -> int | None:
    """The line of a log in which the program itself says its mode."""
    said = answer.mode.evidence[:1] if answer is not None and answer.mode.verdict == "cpu" else []
    return next((place for row in said if (place := _line(row, timeline)) is not None), None)


def _line(row: Evidence, timeline: Sequence[Moment]) -> int | None:
    """The moment of a line of a log."""
    if row.pane != "logs" or not row.at:
        return None
    begin = bisect_left(timeline, row.at, key=lambda moment: moment.at)
    at_once = takewhile(lambda place: timeline[place].at == row.at, range(begin, len(timeline)))
    return next((place for place in at_once if timeline[place].key == row.key), None)


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
        place = _moment_of(link, timeline) if link.at else None
        if place is not None:
            yield link, place


def _moment_of(link: Link, timeline: Sequence[Moment]) -> int | None:
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
    found = same if entered is None else entered
    return found if found is not None or link.kind != "call" else _told_before(link, timeline, begin)


def _told_before(link: Link, timeline: Sequence[Moment], begin: int) -> int | None:
    """The last time that this call was told with this answer: equal answers that follow are only counted."""
    words = f"{name_of(link.subject)} -> {link.answer}"
    found = (place for place in range(begin - 1, -1, -1) if timeline[place].pid == link.pid)
    return next((place for place in found if timeline[place].text.startswith(words)), None)
