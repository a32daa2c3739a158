"""Count which letter follows which in names: `count_followers.py NAMES...` prints the table of `known.toml`.

Each file holds one name a line: files of a system, functions of its libraries (`nm -D`), packages, words of manuals.
"""

import math
import re
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from string import ascii_letters, digits

_LETTERS = ascii_letters + digits
_RUN = re.compile(r"[A-Za-z0-9]+")
_DIGEST = re.compile(r"(?=.*\d.*[a-fA-F])(?=.*[a-fA-F].*\d)(?:[0-9a-f]{7,}|[0-9A-F]{7,})")
_LONGEST = 60
_SHARE_OF_UNSEEN = 0.0006
"""Of what follows a letter, for each letter that was never seen there: nothing is impossible."""
_STEP = 0.15
_WEIGHT_OF_LOUD = 4
"""Names in capitals are as usual as others, but rare where these are taken from."""


def counted(names: Iterable[str]) -> Counter[tuple[str, str]]:
    """How often each character follows each in different runs of letters and digits; digests tell nothing of names."""
    runs = {run[:_LONGEST] for name in names for run in _RUN.findall(name) if not _DIGEST.fullmatch(run)}
    pairs = Counter(pair for run in runs for pair in zip(" " + run, run, strict=False))
    loud = {run.upper() for run in runs if run.islower() and run.isalpha()} - runs
    for first, second in (pair for run in loud for pair in zip(" " + run, run, strict=False)):
        pairs[first, second] += _WEIGHT_OF_LOUD
    return pairs


def rows(pairs: Counter[tuple[str, str]]) -> Iterable[tuple[str, str]]:
    """For each character, and for the start of a run, how unlikely each is to follow it."""
    for first in " " + _LETTERS:
        all_of_it = sum(pairs[first, second] for second in _LETTERS)
        more = all_of_it * _SHARE_OF_UNSEEN + 1
        shares = ((pairs[first, second] + more) / (all_of_it + more * len(_LETTERS)) for second in _LETTERS)
        row = "".join(_LETTERS[min(len(_LETTERS) - 1, round(-math.log(share) / _STEP))] for share in shares)
        yield "start" if first == " " else first, row


if __name__ == "__main__":
    lines = (line for path in sys.argv[1:] for line in Path(path).read_text(errors="replace").split())
    for first, row in rows(counted(lines)):
        print(f'"{first}" = "{row}"')
