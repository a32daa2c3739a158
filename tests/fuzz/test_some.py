"""A small part of `make fuzz`, the same at each run: no reader raises, none is slow."""

import random
import time
from pathlib import Path

import pytest

from .kinds import kinds
from .mutation import mutant

_MUTANTS = {"recordings": 60, "packed recordings": 60, "profiles": 40, "ELF files": 60, "link maps": 400}


@pytest.mark.parametrize("kind", sorted(_MUTANTS))
def test_no_mutant_raises_or_takes_a_second(kind: str, tmp_path: Path) -> None:
    reader = kinds(tmp_path)[kind]
    for number in range(_MUTANTS[kind]):
        chance = random.Random(f"{kind} {number}")
        raw = mutant(chance.choice(reader.seeds), chance)
        begun = time.process_time()
        reader.read(raw)
        assert time.process_time() - begun < 1.0, f"{kind} {number}"


@pytest.mark.parametrize("number", [1321, 8337, 29251, 90205])
def test_recordings_that_once_broke_the_report_are_read(number: int, tmp_path: Path) -> None:
    reader = kinds(tmp_path)["recordings"]
    chance = random.Random(f"recordings {number}")
    reader.read(mutant(chance.choice(reader.seeds), chance))
