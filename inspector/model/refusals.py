"""What was refused and never made good: a refusal is excused when the same asker went on to the same step or past it.

Healthy programs are full of refusals: the other name is tried, the next version is there, another asker has no use of
its own for it. Each kind has its own measure of what makes it good.
"""

import re
from collections.abc import Container, Iterable, Sequence

from .attempts.row import Attempt
from .attempts.system import is_device
from .coverage import born_here, capability
from .crashes import may_have_failed
from .families import MANAGEMENT
from .formatting import name_of, stem
from .memo import Steps
from .progress import Progress, is_copy, until
from .stages import LEVEL
from .state import Process, State
from .tree import program

_VARIANT = re.compile(r"(_v\d+|_ptsz|_ptds|_\d+)+$")
_NAME = re.compile(r"\b[a-z]+_?[A-Z]\w+")
"""A function's name in a sentence: `Missing symbol cuDeviceGetCount`."""
WITHOUT_IT = "it went on without it"
"""Of a name that is not needed by every consumer, and after which nothing of its API is known to have come."""
_IN_BULK = 5
"""Names that were refused to one asker from which on, where it got as many times more, it takes what there is."""
_NO_LOOK = frozenset(("mmap", "mprotect", "mlock", "ioctl"))
"""System calls on what is open already: that the same file was opened elsewhere makes none of them good."""
_STEP = 1_000
"""Rows between two glances at the keys."""
_KILLED = frozenset((1, 2, 3, 9, 13, 15))
"""HUP, INT, QUIT, KILL, PIPE, TERM: never a program's own fault (signal(7))."""


def is_table(attempt: Attempt) -> bool:
    """A private export table was asked for: the API itself answers that, as it answers a call."""
    by_call = attempt.calls is not None and attempt.calls.role == "table"
    return by_call or (attempt.lookup is not None and attempt.lookup.via == "cuGetExportTable")


def excuses(
    process: Process, attempts: Sequence[Attempt], hollow: Container[Attempt] = ()
) -> Steps[dict[Attempt, str]]:
    """Why each excused refusal of one process is no fault, as far as the process itself tells; in steps.

    A `hollow` success excuses nothing (see `progress.without_start`)."""
    granted = _Granted()
    for number, one in enumerate(attempts):
        if one not in hollow:
            granted.add(one)
        if number % _STEP == 0:
            yield
    return (yield from _Judge(process, attempts, granted).judge())


def is_optional(attempt: Attempt) -> bool:
    """A question about a property that no profile lists: frameworks ask many, and take no for an answer."""
    unlisted = attempt.calls is not None and attempt.calls.role == "other"
    return unlisted and attempt.came_back and LEVEL[attempt.stage or "asked"] < LEVEL["context"]


class _Granted:
    """The newest success of each kind, so that no refusal looks through all that came after it."""

    def __init__(self) -> None:
        self.calls: dict[tuple[str, int], Attempt] = {}
        """By family and least stage: calls that were answered with success."""
        self.reached: dict[tuple[str, int], Attempt] = {}
        """As `calls`, also of those whose answer was not read."""
        self.called: dict[tuple[str, str], Attempt] = {}
        """By family and API: calls, whatever they answered but a refusal."""
        self.names: dict[tuple[str, str], Attempt] = {}
        """By family and name without its version; by family and the empty name, any look-up."""
        self.asked: dict[tuple[str, str], tuple[set[str], set[str]]] = {}
        """By family and asker: names of functions that it got, and that it was refused."""
        self.got_on: dict[tuple[str, str], int] = {}
        """By family and asker: how many names it got after one that it was refused."""
        self.files: dict[tuple[str, str], Attempt] = {}
        """By family and library without its version."""
        self.by_asker: dict[tuple[str, str], Attempt] = {}
        """By family and asker: what reached *initialised* or more."""
        self.brought: dict[str, set[str]] = {}
        """By asker: the libraries that it got."""
        self.opened: dict[str, int] = {}
        """By file name: the newest open or load that went well."""
        self.initialised: dict[str, int] = {}
        """By family: when an initialisation first succeeded."""
        self.worked: dict[str, Attempt] = {}
        self.launches: dict[str, tuple[int, int, str]] = {}
        """By family: when something was launched first and last, and by which function."""
        self.deeds: dict[tuple[str, int], Attempt] = {}
        """As `calls`, without copies: what was computed is also fetched from a device that is given up."""

    def add(self, one: Attempt) -> None:
        """Take a success into account; they come in order of time."""
        if one.kind == "lookup" and one.family:
            _, refused = names = self.asked.setdefault((one.family, one.asker), (set(), set()))
            names[one.ok is False].add(one.what)
            if refused and one.ok:
                self.got_on[one.family, one.asker] = self.got_on.get((one.family, one.asker), 0) + 1
        if one.ok is False or not one.family or one.stage is None:
            return
        family, level = one.family, LEVEL[one.stage]
        if one.kind == "call":
            self.called[family, one.api] = self.called[family, ""] = one
            self.reached |= dict.fromkeys([(family, least) for least in range(level + 1)], one)
            if one.ok:
                for least in range(level + 1):
                    self.calls[family, least] = one
                    if not is_copy(one.what):
                        self.deeds[family, least] = one
                if level >= LEVEL["initialised"]:
                    self.initialised.setdefault(family, one.at)
                if one.stage == "work" and family not in MANAGEMENT:
                    self.worked[family] = one
            if one.stage == "work" and not is_copy(one.what):
                first, last, _ = self.launches.get(family, (one.at, 0, ""))
                self.launches[family] = first, max(last, until(one)), one.what
        elif one.kind == "lookup" and one.ok:
            self.names[family, _VARIANT.sub("", one.what)] = self.names[family, ""] = one
        elif one.kind == "load":
            for path in (one.what, one.provider):
                self.files[family, stem(path)] = one
                self.opened[name_of(path)] = max(one.at, self.opened.get(name_of(path), 0))
            self.brought.setdefault(one.asker, set()).add(one.provider)
        if level >= LEVEL["initialised"]:
            self.by_asker[family, one.asker] = one

    def takes_what_there_is(self, one: Attempt, *, failed: bool) -> bool:
        """Its asker fills a table of functions, old and new ones: it did not stop at those that were refused.

        Of who `failed` in the end it may have been the reason, but for the few that are new."""
        asker = one.family, one.asker
        got, refused = self.asked.get(asker, (set(), set()))
        few = len(got) >= _IN_BULK * len(refused)
        return len(refused) >= _IN_BULK and (few or (not failed and self.got_on.get(asker, 0) >= _IN_BULK))


class _Judge:
    """Looks at one process; a refusal is measured against the newest success of its kind."""

    def __init__(self, process: Process, attempts: Sequence[Attempt], granted: _Granted) -> None:
        self.process, self.attempts, self.granted = process, attempts, granted
        for opened in process.opens:
            if not opened.errno:
                self.granted.opened[name_of(opened.path)] = opened.at
        self.named = {name_of(one.what) for one in attempts if one.source == "program"}
        endings = [one.what for one in attempts if one.kind == "words" and one.answer == "own-error"]
        self.named.update(_NAME.findall(endings[-1]) if endings else ())

    def judge(self) -> Steps[dict[Attempt, str]]:
        found = {}
        for number, attempt in enumerate(self._all()):
            if attempt.ok is False and (why := self._excuse(attempt)):
                found[attempt] = why
            if number % _STEP == 0:
                yield
        for attempt in self._all():  # what happened inside of something that was made good belongs to it
            around = attempt.inside
            if attempt.ok is False and attempt not in found and around is not None and around in found:
                found[attempt] = found[around]
        return found

    def _all(self) -> Iterable[Attempt]:
        for attempt in self.attempts:
            yield attempt
            yield from (one for one in attempt.within if one.at == attempt.at and one.failure is attempt.failure)

    def _excuse(self, attempt: Attempt) -> str:
        around = attempt.inside
        if around is not None and around.ok:
            return f"{name_of(around.what)}, in which it happened, succeeded"
        if (worked := self._worked_after(attempt)) != "":
            return f"{worked} succeeded after it: the device is used"
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
                return self._preload()
        return ""

    def _amid_work(self, attempt: Attempt) -> bool:
        """It had launched something before, and was refused what it needs to launch more."""
        deep = attempt.kind == "call" and LEVEL[attempt.stage or "asked"] >= LEVEL["memory"]
        return deep and self.granted.launches.get(attempt.family, (attempt.at,))[0] < attempt.at

    def _worked_after(self, attempt: Attempt) -> str:
        """The work that was done after a refusal; amid work a copy is none: it may fetch what is there already."""
        if self._amid_work(attempt):
            _, last, function = self.granted.launches[attempt.family]
            return function if last > attempt.at else ""
        worked = self.granted.worked.get(attempt.family)
        return worked.what if worked is not None and worked.at > attempt.at else ""

    def _load(self, attempt: Attempt) -> str:
        after = attempt.at if attempt.kind == "load" else -1
        family, granted = attempt.family, self.granted
        same = granted.files.get((family, stem(attempt.what)))
        runs = program(self.process)
        itself = (
            same is not None and runs is not None and name_of(same.provider) == name_of(runs.exe)
        )  # the program is no library of its own
        if same is not None and same.at > after and not itself:
            return f"{name_of(same.what)} was loaded"
        asker = attempt.asker if attempt.inside is None else attempt.inside.asker
        for who in (asker, *granted.brought.get(asker, ())):  # it passed the question on to a library of its own
            went_on = granted.by_asker.get((family, who))
            if went_on is not None and went_on.at > after:
                return f"{name_of(asker) or 'it'} went on to {went_on.what}"
        return ""

    def _lookup(self, attempt: Attempt) -> str:
        if name_of(attempt.what) in self.named:
            return ""
        family, granted = attempt.family, self.granted
        optional = not attempt.decisive and not is_table(attempt)
        apis = (attempt.api, "") if not attempt.api else (attempt.api,)
        called = [granted.called.get((family, api)) for api in apis]
        if attempt.decisive and attempt.serves is not None:  # who begins without the next step has not taken it
            called = [granted.reached.get((family, LEVEL[attempt.serves]))]
        for one in (
            *called,
            granted.names.get((family, _VARIANT.sub("", attempt.what))),
            granted.names.get((family, "")) if optional else None,
        ):
            if one is not None and one.at > attempt.at:
                return f"it went on to {one.what}"
        failed = may_have_failed(self.process.end)
        if optional and granted.takes_what_there_is(attempt, failed=failed):
            return "it asked for many names more, and takes what there is"
        if optional and granted.initialised.get(family, attempt.at) < attempt.at and not failed:
            return WITHOUT_IT
        return ""

    def _call(self, attempt: Attempt) -> str:
        if attempt.stage is None:
            return "it says nothing about the device"
        if is_optional(attempt) and not self._ended_over(attempt):
            return "programs go on without it"
        granted = self.granted.deeds if self._amid_work(attempt) else self.granted.calls
        one = granted.get((attempt.family, LEVEL[attempt.stage]))
        return f"{one.what} succeeded after it" if one is not None and one.at > attempt.at else ""

    def _ended_over(self, attempt: Attempt) -> bool:
        """The process ended with a failure, and nothing of the family succeeded after it."""
        after = self.granted.calls.get((attempt.family, 0))
        return may_have_failed(self.process.end) and (after is None or after.at < attempt.at)

    def _system(self, attempt: Attempt) -> str:
        opened = attempt.refused_call is None or attempt.call not in _NO_LOOK  # a look at a path, made good by another
        at = self.granted.opened.get(name_of(attempt.what), -1) if opened else -1
        return "it was found at another place or time" if at >= attempt.at else self._went_on_to_a_device(attempt)

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

    def _preload(self) -> str:
        """An ignored entry is no fault where the API was reached without it."""
        counted = (one for (_, least), one in self.granted.calls.items() if least == LEVEL["counted"])
        used = next(counted, None)
        return f"{used.what} succeeded without it" if used is not None else ""


def shape(process: Process) -> tuple[object, ...]:
    """What siblings have in common that do the same: parent, program, first words that are no numbers."""
    runs = program(process)
    argv = runs.argv if runs is not None else []
    words = tuple(word for word in argv[1:3] if not word.isdigit() and "/" not in word)
    return process.ppid, name_of(argv[0]) if argv else process.comm, words


def failed_beside(attempt: Attempt, other: Progress) -> bool:
    """Its process ended with a failure over a refused call, while another one was there already that computes: two
    workers, of which one does not make good what the other was refused."""
    process = attempt.process
    failed = attempt.kind == "call" and process.end is not None and bool(process.end.code)
    return failed and other.launched is not None and other.process.started < process.ended


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
            if one.process is attempt.process or failed_beside(attempt, one):
                continue
            if one.last_at("counted") > attempt.at:
                found[attempt] = f"PID {one.process.pid}, which does the same, found a device later"
    return found


def counted_too_late(state: State, attempt: Attempt) -> bool:
    """A refused look-up says nothing while the calls of that library were not counted from the start, or not at all."""
    watched = [
        state.watched_since.get(function.id, state.now)
        for function in state.functions.values()
        if function.api == attempt.api and (not attempt.provider or function.library == attempt.provider)
    ]
    refusing = attempt.provider or attempt.answer.partition(": undefined symbol")[0]
    if refusing.startswith("/") and not watched and not counts_calls(state):
        return True
    return not born_here(attempt.process) or (bool(watched) and min(watched) > attempt.at)


def counts_calls(state: State) -> bool:
    """Whether calls are counted at all; recordings of before do not say."""
    found = capability(state, "count-calls")
    return found is None or found.state == "yes"
