"""What was refused and never made good: a refusal is excused when the same asker went on to the same step or past it.

Healthy programs are full of refusals: the other name is tried, the next version is there, another asker has no use of
its own for it. Each kind has its own measure of what makes it good.
"""

import re
from collections.abc import Iterable, Sequence

from .attempts.row import Attempt
from .attempts.system import is_device
from .coverage import born_here
from .families import MANAGEMENT
from .progress import Progress
from .stages import LEVEL, reaches
from .state import Process, State
from .tree import program
from .wording import name_of, stem

_VARIANT = re.compile(r"(_v\d+|_ptsz|_ptds|_\d+)+$")
_KILLED = frozenset((1, 2, 3, 9, 13, 15))
"""HUP, INT, QUIT, KILL, PIPE, TERM: never a program's own fault (signal(7))."""


def is_table(attempt: Attempt) -> bool:
    """A private export table was asked for: the API itself answers that, as it answers a call."""
    by_call = attempt.calls is not None and attempt.calls.role == "table"
    return by_call or (attempt.lookup is not None and attempt.lookup.via == "cuGetExportTable")


def excuses(state: State, process: Process, attempts: Sequence[Attempt]) -> dict[Attempt, str]:
    """Why each excused refusal of one process is no fault, as far as the process itself tells."""
    return _Judge(state, process, attempts).judge()


class _Judge:
    """Looks at one process; a refusal is measured against all that came after it."""

    def __init__(self, state: State, process: Process, attempts: Sequence[Attempt]) -> None:
        self.state, self.process, self.attempts = state, process, attempts
        self.granted = [one for one in attempts if one.ok is not False and one.family and one.stage is not None]
        self.initialised: dict[str, int] = {}
        """By family: when an initialisation first succeeded."""
        self.worked: dict[str, Attempt] = {}
        for one in self.granted:
            if one.kind == "call" and one.ok and reaches(one.stage, "initialised"):
                self.initialised.setdefault(one.family, one.at)
            if one.stage == "work" and one.ok and one.family not in MANAGEMENT:
                self.worked[one.family] = one  # the newest
        self.named = {name_of(one.what) for one in attempts if one.source == "program"}

    def judge(self) -> dict[Attempt, str]:
        found = {}
        for attempt in self._all():
            if attempt.ok is False:
                why = self._excuse(attempt)
                if why:
                    found[attempt] = why
        for attempt in self._all():  # what happened inside of something that was made good belongs to it
            around = attempt.inside
            if attempt.ok is False and attempt not in found and around is not None and around in found:
                found[attempt] = found[around]
        return found

    def _all(self) -> Iterable[Attempt]:
        for attempt in self.attempts:
            yield attempt
            yield from (
                inner for inner in attempt.within if inner.at == attempt.at and inner.failure is attempt.failure
            )

    def _excuse(self, attempt: Attempt) -> str:
        around = attempt.inside
        if around is not None and around.ok:
            return f"{name_of(around.what)}, in which it happened, went well"
        worked = self.worked.get(attempt.family)
        if worked is not None and worked.at > attempt.at:
            return f"{worked.what} succeeded after it: the device is used"
        match attempt.kind:
            case "load" | "prediction":
                return self._load(attempt)
            case "lookup":
                return self._lookup(attempt)
            case "call":
                return self._call(attempt)
            case "system":
                return self._system(attempt)
            case "signal":
                return "sent from outside" if attempt.code in _KILLED else ""
            case "preload":
                return self._preload(attempt)
        return ""

    def _later(self, attempt: Attempt) -> Iterable[Attempt]:
        return (one for one in self.granted if one.at > attempt.at and one.family == attempt.family)

    def _load(self, attempt: Attempt) -> str:
        asker = attempt.asker if attempt.inside is None else attempt.inside.asker
        for one in self._later(attempt) if attempt.kind == "load" else self.granted:
            same_file = one.kind == "load" and stem(one.what) == stem(attempt.what) and one.family == attempt.family
            if same_file or (one.kind == "load" and stem(one.provider or "") == stem(attempt.what)):
                return f"{name_of(one.what)} was loaded"
            if not reaches(one.stage, "initialised") or one.family != attempt.family:
                continue
            if one.asker == asker or self._brought_by(one.asker, asker):
                return f"{name_of(asker) or 'it'} went on to {one.what}"
        return ""

    def _brought_by(self, caller: str, asker: str) -> bool:
        """Whoever asked passed the question on to a library of its own: what that reached, it reached."""
        return any(one.kind == "load" and one.asker == asker and one.provider == caller for one in self.granted)

    def _lookup(self, attempt: Attempt) -> str:
        if name_of(attempt.what) in self.named:
            return ""
        for one in self._later(attempt):
            if one.kind == "call" and one.stage is not None and one.api in ("", attempt.api):
                return f"it went on to call {one.what}"
            if one.kind == "lookup" and one.ok and self._does_as_well(attempt, one):
                return f"{one.what} was there"
        if (
            not attempt.decisive
            and not is_table(attempt)
            and self.initialised.get(attempt.family, attempt.at) < attempt.at
        ):
            end = self.process.end
            if end is None or not (end.code or end.signal):
                return "it went on without it"
        return ""

    def _does_as_well(self, refused: Attempt, granted: Attempt) -> bool:
        """Another version of the name; of a name that is not needed, any name that was asked for after it."""
        same = _VARIANT.sub("", granted.what) == _VARIANT.sub("", refused.what)
        return same or (not refused.decisive and not is_table(refused))

    def _call(self, attempt: Attempt) -> str:
        if attempt.stage is None:
            return "it tells nothing about the device"
        for one in self._later(attempt):
            if one.kind == "call" and LEVEL[one.stage or "asked"] >= LEVEL[attempt.stage] and one.ok:
                return f"{one.what} succeeded after it"
        return ""

    def _system(self, attempt: Attempt) -> str:
        name = name_of(attempt.what)
        opened = any(o.errno == 0 and name_of(o.path) == name and o.at >= attempt.at for o in self.process.opens)
        if opened:
            return "it was opened at another place or time"
        loaded = any(one.kind == "load" and name_of(one.provider or one.what) == name for one in self.granted)
        return "another place had it" if loaded else self._went_on_to_a_device(attempt)

    def _went_on_to_a_device(self, attempt: Attempt) -> str:
        """A look at something else (`/dev/char/195:0`), after which the same call got hold of a GPU's own file."""
        around = attempt.inside
        if around is None or is_device(attempt.what):
            return ""
        first = min(one.at for one in around.within if one.what == attempt.what)
        held = (
            opened.path
            for opened in self.process.opens
            if not opened.errno and opened.tid == attempt.tid and first <= opened.at <= around.at
        )
        node = next(filter(is_device, held), None)
        return f"the same call went on to open {node}" if node else ""

    def _preload(self, attempt: Attempt) -> str:
        """An ignored entry is no fault where the API was reached without it."""
        used = next(
            (one for one in self.granted if one.kind == "call" and one.ok and reaches(one.stage, "counted")), None
        )
        return f"{used.what} succeeded without it" if used is not None else ""


def shape(process: Process) -> tuple[object, ...]:
    """What siblings have in common that do the same: parent, program, first words that are no numbers."""
    runs = program(process)
    argv = runs.argv if runs is not None else []
    words = tuple(word for word in argv[1:3] if not word.isdigit() and "/" not in word)
    return process.ppid, name_of(argv[0]) if argv else process.comm, words


def excused_by_siblings(
    refusals: Iterable[Attempt], progress: dict[tuple[Process, str], Progress]
) -> dict[Attempt, str]:
    """Refusals of processes whose siblings of the same shape counted a device later."""
    counted: dict[tuple[tuple[object, ...], str], list[Progress]] = {}
    for (process, family), one in progress.items():
        if one.got_to("counted") and family not in MANAGEMENT:
            counted.setdefault((shape(process), family), []).append(one)
    found = {}
    for attempt in refusals:
        for one in counted.get((shape(attempt.process), attempt.family), ()):
            if one.process is not attempt.process and one.last_at("counted") > attempt.at:
                found[attempt] = f"PID {one.process.pid}, which does the same, found a device later"
    return found


def counted_too_late(state: State, attempt: Attempt) -> bool:
    """A refused look-up says nothing while the calls of that library were not counted from the start."""
    watched = [
        state.watched_since.get(function.id, state.now)
        for function in state.functions.values()
        if function.api == attempt.api and (not attempt.provider or function.library == attempt.provider)
    ]
    return not born_here(attempt.process) or (bool(watched) and min(watched) > attempt.at)
