"""Tables about the answer itself: the evidence of a finding, the rungs of all ladders, the limits, the rights."""

from collections.abc import Iterator, Mapping

from inspector.model.formatting import plural
from inspector.model.verdict import Evidence, Finding, Ladder, Rung, Severity, Truth
from inspector.stream.own_command import runnable
from inspector.stream.session import Capability, LimitNoted
from inspector.view.clock import since_start, wall_of
from inspector.view.pane_context import PaneContext

from .logline import read_line
from .row import EMPTY, Cell, Column, Details, Item, ListTable, Note, Row, Tone, cell

GLYPHS: Mapping[Truth, tuple[str, Tone]] = {"yes": ("✓", "yes"), "no": ("✗", "no"), "unknown": ("?", "unknown")}
NOT_REACHED: tuple[str, Tone] = ("·", "quiet")
SEVERITIES: Mapping[Severity, tuple[str, Tone]] = {
    "error": ("✗", "no"),
    "warning": ("!", "unknown"),
    "info": ("✓", "yes"),
}

_EVIDENCE = (Column("TIME", 12, right=True), Column("PANE", 9), Column("PID", 8, right=True), Column("EVIDENCE"))
_RUNGS = (Column("API", 14), Column("PID", 8, right=True), Column("RUNG", 15), Column("WHY"))
_RIGHTS = (Column("CAPABILITY", 22), Column("HERE", 9), Column("HOW", 34), Column("WHAT IS MISSING, HOW TO ALLOW IT"))
_LIMITS = (Column("PID", 8, right=True), Column("NOT SEEN", 44), Column("WHY, HOW TO ALLOW IT"))


def evidence_of(context: PaneContext, finding: Finding) -> tuple[ListTable, list[Evidence]]:
    """The rows that prove a finding, and what each leads to."""
    items: list[Item] = []
    leads: list[Evidence] = []
    for number, one in enumerate(finding.evidence):
        items += [_evidence(context, number, one), *_frames(number, one)]
        leads += [one] * (1 + len(one.stack))
    return ListTable(_EVIDENCE, items, f"{finding.rule} ({finding.confidence})"), leads


def _frames(number: int, one: Evidence) -> list[Item]:
    """The call stack of a row, a frame a line, below it."""
    return [
        Item(
            Row(f"{number}:{place}", (EMPTY, EMPTY, EMPTY, (("  ", "plain"), (line, "quiet")))),
            Details("evidence", [Note("called by", line)]),
            one.at,
        )
        for place, line in enumerate(one.stack)
    ]


def _evidence(context: PaneContext, number: int, one: Evidence) -> Item:
    row = Row(
        str(number),
        (
            cell(since_start(context.state, one.at) if one.at else "", "quiet"),
            cell(one.pane or "", "name" if one.pane else "quiet"),
            cell(str(one.pid) if one.pid is not None else "", "quiet"),
            cell(read_line(one.text).words),
        ),
    )
    notes = [Note("what", one.text), Note("pane", one.pane or "no row shows it")]
    if one.at:
        notes.append(Note("time", wall_of(context.state, one.at)))
    return Item(row, Details("evidence", notes, [one.by_hand] if one.by_hand else ()), one.at, pid=one.pid or 0)


def ladders(context: PaneContext) -> tuple[ListTable, list[Evidence | None]]:
    """Every rung of every ladder with its reason and evidence below it, and what each row leads to."""
    items: list[Item] = []
    leads: list[Evidence | None] = []
    answer = context.answer
    for number, ladder in enumerate(answer.ladders if answer is not None else ()):
        for rung in ladder.rungs:
            items.append(_rung(number, ladder, rung))
            leads.append(rung.evidence[0] if rung.evidence else None)
            for place, one in enumerate(rung.evidence):
                items.append(_proof(number, rung, place, one))
                leads.append(one)
    heading = answer.coverage if answer is not None else "no answer yet"
    return ListTable(_RUNGS, items, heading), leads


def glyph_of(rung: Rung) -> tuple[str, Tone]:
    """How far a rung holds, as a sign; what follows from the break is dimmed."""
    return GLYPHS[rung.state] if rung.reached else NOT_REACHED


def _rung(number: int, ladder: Ladder, rung: Rung) -> Item:
    glyph, tone = glyph_of(rung)
    first = rung is ladder.rungs[0]
    broken = rung.rung == ladder.first_broken
    row = Row(
        f"{number}:{rung.rung}",
        (
            cell(ladder.api if first else "", "name"),
            cell(str(ladder.pid) if first else "", "name"),
            ((f"{glyph} ", tone), (rung.rung, "strong" if broken else "plain")),
            cell(rung.detail, "strong" if broken else "plain"),
        ),
    )
    notes = [Note("API", ladder.api), Note("pid", str(ladder.pid)), Note("provider", ladder.provider or "none")]
    notes += [Note(rung.rung, rung.state if rung.reached else "not reached", tone), Note("why", rung.detail)]
    return Item(row, Details(rung.rung, notes, [one.by_hand for one in rung.evidence if one.by_hand]))


def _proof(number: int, rung: Rung, place: int, one: Evidence) -> Item:
    row = Row(
        f"{number}:{rung.rung}:{place}", (EMPTY, EMPTY, EMPTY, (("  ", "plain"), (read_line(one.text).words, "quiet")))
    )
    return Item(row, Details(rung.rung, [Note("what", one.text)], [one.by_hand] if one.by_hand else ()), one.at)


def findings(context: PaneContext) -> ListTable:
    """All findings, the answer first."""
    listed = context.answer.findings if context.answer is not None else ()
    columns = (Column("", 1), Column("RULE", 26), Column("SURE", 7), Column("FINDING"))
    return ListTable(columns, [_finding(number, one) for number, one in enumerate(listed)], f"{len(listed)} findings")


def _finding(number: int, one: Finding) -> Item:
    glyph, tone = SEVERITIES[one.severity]
    row = Row(str(number), (cell(glyph, tone), cell(one.rule, "name"), cell(one.confidence, "quiet"), cell(one.title)))
    notes = [Note("cause", one.cause), Note("next", one.next_step)]
    if one.doubt:
        notes.append(Note("doubt", one.doubt))
    return Item(row, Details(one.title, notes))


def rights(capabilities: list[Capability]) -> ListTable:
    """What this machine and user allow: the doctor."""
    items = [_right(one) for one in capabilities]
    missing = sum(1 for one in capabilities if one.state != "yes")
    available = f"{len(capabilities) - missing} of {len(capabilities)}" if missing else f"all {len(capabilities)}"
    return ListTable(_RIGHTS, items, f"{available} capabilities available")


def _right(one: Capability) -> Item:
    states: Mapping[str, tuple[str, Tone]] = {
        "yes": ("✓ yes", "yes"),
        "partly": ("? partly", "unknown"),
        "no": ("✗ no", "no"),
    }
    words, tone = states[one.state]
    grant = runnable(one.grant)
    lost = ". ".join(part for part in (one.why, one.lost, grant) if part)
    row = Row(one.name, (cell(one.name, "strong"), cell(words, tone), cell(one.how), cell(lost, "quiet")))
    notes = [Note("how", one.how), Note("why", one.why), Note("lost", one.lost), Note("grant", grant)]
    return Item(row, Details(one.name, [note for note in notes if note.text], [grant] if grant else ()))


def limits(listed: list[LimitNoted], lost: Mapping[str, int]) -> ListTable:
    """What cannot be known here, why, and what would grant it; records that were dropped as well."""
    items = [_limit(number, one) for number, one in enumerate(listed)]
    items += list(_dropped(lost))
    return ListTable(_LIMITS, items, plural(len(items), "limit") if items else "full access: nothing is hidden")


def _limit(number: int, one: LimitNoted) -> Item:
    grant = runnable(one.grant)
    text: Cell = ((one.why, "plain"), (f"  grant: {grant}" if grant else "", "name"))
    row = Row(str(number), (cell(str(one.pid) if one.pid else "", "quiet"), cell(one.what), text))
    notes = [Note("what", one.what), Note("why", one.why)] + ([Note("grant", grant)] if grant else [])
    return Item(row, Details(one.what, notes, [grant] if grant else ()))


def _dropped(lost: Mapping[str, int]) -> Iterator[Item]:
    for source, count in lost.items():
        what = f"{count:,} records of {source} were dropped"
        why = "counts stay exact, the timeline has a gap"
        row = Row(f"lost:{source}", (EMPTY, cell(what), cell(why, "quiet")))
        yield Item(row, Details(what, [Note("why", why)]))
