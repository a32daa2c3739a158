"""What the answer about a real program must be, and what is wrong with one that is not."""

import json
from dataclasses import dataclass


@dataclass(frozen=True)
class Expected:
    """Of one case."""

    mode: str
    """Verdict; several, separated by `|`, where each is right."""
    says: tuple[str, ...] = ()
    """What the first finding says, in its title or cause."""
    blames_nothing: bool = False
    """No finding is an error: the program is healthy, or what it lacks is no fault."""
    never: tuple[str, ...] = ()
    """What no finding says."""
    unsure: bool = False
    """The mode must not be called proven."""


def faults(expected: Expected, answer: bytes) -> list[str]:
    """In words; none when the answer is right."""
    try:
        report = json.loads(answer)
        mode, findings = report["mode"], report["findings"]
    except (ValueError, KeyError):
        return [f"no report: {answer[:100]!r}"]
    found = []
    if mode["verdict"] not in expected.mode.split("|"):
        found.append(f"mode {mode['verdict']} ({mode['confidence']}), not {expected.mode}")
    if expected.unsure and mode["confidence"] == "proven":
        found.append("the mode is called proven")
    told = [f"{finding['title']} {finding['cause']}" for finding in findings]
    first = told[0] if told else "no finding"
    found += [f"{words!r} is not in: {first[:300]}" for words in expected.says if words not in first]
    found += [f"{words!r} is in: {each[:300]}" for words in expected.never for each in told if words in each]
    if expected.blames_nothing:
        found += [f"blames: {finding['title']}" for finding in findings if finding["severity"] == "error"]
    return found
