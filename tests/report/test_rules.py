"""`inspector explain`: every rule is documented, from the code."""

from pathlib import Path

from inspector.model.causes.registry import find, ids
from inspector.report import rules


def test_the_published_page_of_all_rules_is_that_of_the_code() -> None:
    published = (Path(__file__).parents[2] / "docs/rules.md").read_text(encoding="utf-8")
    again = "publish it anew: inspector explain --format markdown > docs/rules.md"
    assert published == rules.as_markdown(), again
    assert all(f"### `{rule}`" in published for rule in ids())


def test_a_rule_says_what_it_means_how_it_is_proven_and_what_to_do() -> None:
    rule = find("dependency-missing")
    assert rule is not None
    text = rules.as_text(rule, width=80, colour=False)
    assert all(part.split()[0] in text for part in (rule.meaning, rule.proof, rule.cure))
    assert all(len(line) <= 80 for line in text.splitlines())


def test_the_list_names_every_rule_once() -> None:
    text = rules.list_as_text(width=100, colour=False)
    lines = [line.split()[0] for line in text.splitlines() if line.startswith("  ") and not line.startswith("   ")]
    assert sorted(lines) == sorted(ids())
