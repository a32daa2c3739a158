"""All rules explained: what each means, how it is proven, what to do; made from the code, for `inspector explain`.

`inspector explain --format markdown > docs/rules.md` publishes the page.
"""

import msgspec

from inspector.model.causes.registry import rules
from inspector.model.causes.rule import Rule

from .layout import AnsiStyle, padded, wrapped


class RuleReport(msgspec.Struct, frozen=True, kw_only=True):
    """One rule as data."""

    rule: str
    place: str
    """Where on the ladder it stands."""
    meaning: str
    proof: str
    cure: str


def rule_reports() -> list[RuleReport]:
    """All of them, in the order of the ladder."""
    return [
        RuleReport(rule=rule.id, place=rule.place, meaning=rule.meaning, proof=rule.proof, cure=rule.cure)
        for rule in rules()
    ]


def as_text(rule: Rule, *, width: int, colour: bool) -> str:
    """One rule in full."""
    ansi_style = AnsiStyle(colour)
    lines = [f"{ansi_style(rule.id, 'bold')}  ({rule.place})", ""]
    for label, text in (("means", rule.meaning), ("proven", rule.proof), ("to do", rule.cure)):
        lines += wrapped(text, width, f"  {label:<7} ", " " * 10)
    return "\n".join(lines) + "\n"


def list_as_text(*, width: int, colour: bool) -> str:
    """One line and a half a rule, below the rung where it stands."""
    ansi_style = AnsiStyle(colour)
    lines: list[str] = []
    place = ""
    widest = max(len(rule.id) for rule in rules())
    for rule in rules():
        if rule.place != place:
            lines += ["", ansi_style(rule.place, "bold")]
            place = rule.place
        first, *rest = wrapped(rule.meaning, width - widest - 4)
        lines.append(f"  {padded(rule.id, widest)}  {first}")
        lines += [" " * (widest + 4) + line for line in rest]
    return "\n".join([*lines[1:], "", "inspector explain RULE   says how it is proven and what to do"]) + "\n"


def as_json(rule: str = "") -> bytes:
    """One rule, or all, as JSON."""
    found = [one for one in rule_reports() if rule in ("", one.rule)]
    return msgspec.json.format(msgspec.json.encode(found[0] if rule else found), indent=2) + b"\n"


def as_markdown() -> str:
    """The page of all rules."""
    lines = [
        "# All rules",
        "",
        "What a finding's `rule` means, how it is proven and what to do; by the rung of the ladder where it stands.",
        "Made from the code by `inspector explain --format markdown`. One of them: `inspector explain RULE`.",
    ]
    place = ""
    for rule in rules():
        if rule.place != place:
            lines += ["", f"## {rule.place[0].upper()}{rule.place[1:]}"]
            place = rule.place
        lines += [
            "",
            f"### `{rule.id}`",
            "",
            rule.meaning,
            "",
            f"- **Proven by**: {rule.proof}",
            f"- **To do**: {rule.cure}",
        ]
    return "\n".join(lines) + "\n"
