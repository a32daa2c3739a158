"""All cases live, each under a collector of its own: the first finding, the mode and the sentence are right."""

import os
import random
from collections.abc import Iterator

import pytest
from _pytest.mark import ParameterSet

from inspector.demo.case import Case
from inspector.demo.cases import CASES
from inspector.demo.observe import observe
from inspector.model.diagnosis import diagnose
from inspector.model.profiles import builtin_profiles

from .answers import faults

SEED = int(os.environ.get("DEMO_SEED") or random.randrange(1 << 16))
"""Names, sizes and folders differ from run to run; DEMO_SEED=N repeats one."""

_FAMILIES = 6


def _cases() -> Iterator[ParameterSet]:
    """One case of each of the first families; the others, whose recordings give the same answers, take long."""
    families = set[str]()
    for case in CASES:
        longer = case.family in families or len(families) == _FAMILIES
        yield pytest.param(case, id=case.name, marks=[pytest.mark.longer] if longer else [])
        if not longer:
            families.add(case.family)


@pytest.mark.live
@pytest.mark.parametrize("case", list(_cases()))
def test_the_first_finding_of_a_living_case_is_its_fault(case: Case) -> None:
    if case.needs is not None and (why := case.needs()):
        pytest.skip(why)
    state, sentence = observe(case, SEED, builtin_profiles())
    assert faults(case, sentence, diagnose(state)) == [], f"seed {SEED}"
