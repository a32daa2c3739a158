"""Who asked for what was refused: as a sentence beside the cause, and as a row of evidence with the whole stack."""

import msgspec

from inspector.model import evidence
from inspector.model.attempts.row import Attempt
from inspector.model.stacks import asked_from, callers, lines, stack_of
from inspector.model.state import State
from inspector.model.verdict import Evidence


def asked_by(chain: list[Attempt]) -> str:
    """One sentence, of the innermost link whose asker is Python code; empty where none is known."""
    for attempt in reversed(chain):
        stack = stack_of(attempt)
        if stack is not None and stack.source:
            return f" {_verb(attempt)} from {asked_from(stack)}."
    return ""


def rows(state: State, chain: list[Attempt]) -> list[Evidence]:
    """The stack of each link that has one, the innermost first."""
    return [row for attempt in reversed(chain) for row in _row(state, attempt)]


def _row(state: State, attempt: Attempt) -> list[Evidence]:
    stack = stack_of(attempt)
    named = callers(stack) if stack is not None else ""
    if stack is None or not named:
        return []
    text = f"{attempt.what}: {_verb(attempt).lower()} from {named}"
    row = evidence.of_moment(state, attempt.process, stack.at, text)
    return [msgspec.structs.replace(row, stack=lines(stack))]


def _verb(attempt: Attempt) -> str:
    return "Reached" if attempt.signal is not None else "Called" if attempt.kind == "call" else "Asked"
