"""Maintenance: record every case anew (`python -m inspector.demo.record [CASE...]`), small enough to be packaged."""

import sys
from pathlib import Path

import msgspec

from inspector.model.profiles import builtin_profiles
from inspector.stream.redact import Redactor

from .case import Case
from .cases import CASES, find
from .observe import observe

RECORDINGS = Path(__file__).parent / "recordings"
"""What each case looked like, for machines without a compiler."""
_SENTENCES = RECORDINGS / "sentences.json"
_SEED = 5


def recording_of(case: Case) -> Path:
    """Where the recording of a case is packaged."""
    return RECORDINGS / f"{case.name}.jsonl.zst"


def sentences() -> dict[str, str]:
    """Case -> what the first finding of its recording must say: names differ from recording to recording."""
    return msgspec.json.decode(_SENTENCES.read_bytes(), type=dict[str, str]) if _SENTENCES.exists() else {}


def record(case: Case) -> str:
    """Record one case; what became of it, in words."""
    if case.needs is not None and (why := case.needs()):
        return f"not recorded, {why}"
    path = recording_of(case)
    path.unlink(missing_ok=True)
    _, sentence = observe(case, _SEED, builtin_profiles(), path, Redactor())
    known = sentences() | {case.name: sentence}
    kept = {one.name: known[one.name] for one in CASES if one.name in known}
    _SENTENCES.write_bytes(msgspec.json.format(msgspec.json.encode(kept), indent=1) + b"\n")
    return f"{path.stat().st_size:,} bytes"


def main(names: list[str]) -> int:
    """Record the named cases, or all; prints a line for each."""
    for name in names or [case.name for case in CASES]:
        case = find(name)
        if case is None:
            print(f"there is no case {name!r}", file=sys.stderr)
            return 2
        print(f"{name}: {record(case)}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
