"""What the answer to a case must look like, for the living case and for its recording alike."""

from inspector.demo.case import Case
from inspector.model.verdict import Answer, Finding


def faults(case: Case, sentence: str, answer: Answer) -> list[str]:
    """What is wrong with an answer, in words; nothing when it is right."""
    found = [*_first(case, sentence, answer.findings), *_others(case, answer.findings)]
    if answer.mode.verdict != case.mode:
        found.append(f"mode is {answer.mode.verdict}, not {case.mode}")
    return found


def _first(case: Case, sentence: str, findings: list[Finding]) -> list[str]:
    if not case.rule:
        return []
    if not findings:
        return [f"no finding, {case.rule} was to be the first"]
    first = findings[0]
    if first.rule != case.rule:
        return [f"the first finding is {first.rule} ({first.title}), not {case.rule}"]
    told = f"{first.title} {first.cause}"
    return [] if sentence in told else [f"{sentence!r} does not stand in: {told}"]


def _others(case: Case, findings: list[Finding]) -> list[str]:
    rules = {finding.rule for finding in findings}
    missing = [f"{rule} is not among the findings" for rule in case.also if rule not in rules]
    if case.family != "healthy":
        return missing
    return missing + [
        f"{one.rule} blames a healthy program: {one.title}" for one in findings if one.severity == "error"
    ]
