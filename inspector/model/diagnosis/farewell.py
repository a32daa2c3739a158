"""What a program said when it gave up over a refusal: a failed assertion, an exception, a panic, its last line."""

from inspector.model.attempts.row import Attempt
from inspector.model.causes.context import Context
from inspector.model.causes.crash_places import last_words, words_of
from inspector.model.first_lines import last_line_of
from inspector.model.log_claims import DEATHS_TOLD
from inspector.model.verdict import Link

_LONGEST = 200
_AT_ONCE = 2_000_000_000
"""ns between the refusal and the death in which the one is taken for the reason of the other."""


def farewell(context: Context, chain: list[Attempt]) -> Link | None:
    """The death that followed the first link of a chain, in the program's own words; None where the chain tells of it
    or it said nothing.
    """
    process = chain[0].process if chain else None
    if process is None or process is not context.decision.process:
        return None
    rows = context.analysis.attempts.get(process, [])
    death = next((one for one in reversed(rows) if one.kind == "signal"), None)
    if death is None or death in chain or death.at - chain[0].at > _AT_ONCE:
        return None
    said = last_words(context, death)
    text = words_of(said) if said is not None else last_line_of(context.state, process)[:_LONGEST]
    if not text or text.startswith(tuple(DEATHS_TOLD)) or any(text in one.what for one in chain):
        return None
    return Link(
        text=f"it gave up with {death.what}: {text}", at=death.at, pid=process.pid, kind="end", subject=death.what
    )
