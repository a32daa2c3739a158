"""What the answer tells of as wrong: red belongs to that alone, in every list. Pure."""

from collections.abc import Mapping

from msgspec import Struct

from inspector.model.formatting import name_of
from inspector.model.verdict import Answer

from .row import Span, Tone


class Told(Struct, frozen=True):
    """Names, rows and processes that a finding blames or passes on the way to the cause."""

    wrong: bool = True
    """Something is wrong, or it is not known yet whether anything is."""
    rules: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    """Functions, variables and files, these without their folders."""
    rows: frozenset[tuple[str, str]] = frozenset()
    """Panes and keys of rows."""
    pids: frozenset[int] = frozenset()
    answers: Mapping[str, str] = {}
    """What a call of the chain was answered, by function: `100 (CUDA_ERROR_NO_DEVICE)`, `did not return`."""
    ends: frozenset[int] = frozenset()
    """Processes whose end is a link on the way to what is wrong."""

    def tone(self, concerned: bool, otherwise: Tone = "quiet") -> Tone:
        """Red for what is concerned."""
        return "no" if concerned else otherwise


def failed(words: str, told: bool) -> tuple[Span, Span]:
    """Something that failed: `✗` in red where the answer tells of it, else `!`: to be known, and blamed for nothing."""
    return (("✗ ", "no"), (words, "no")) if told else (("! ", "unknown"), (words, "unknown"))


def told_of(answer: Answer | None) -> Told:
    """Gathered from all findings that are more than information."""
    if answer is None:
        return Told()
    findings = [one for one in answer.findings if one.severity != "info"]
    links = [link for one in findings for link in one.chain]
    rows = frozenset((row.pane or "", row.key) for one in findings for row in one.evidence)
    blamed = {pid for pid in (*(one.pid for one in findings), *(link.pid for link in links)) if pid is not None}
    return Told(
        wrong=bool(findings),
        rules=frozenset(one.rule for one in findings),
        names=frozenset(name_of(link.subject) for link in links if link.subject),
        rows=rows,
        answers={link.subject: link.answer for link in links if link.kind == "call" and link.answer},
        pids=frozenset(blamed | {int(key) for pane, key in rows if pane == "processes" and key.isdecimal()}),
        ends=frozenset(link.pid for link in links if link.pid is not None and link.kind in ("end", "signal")),
    )
