"""`inspector demo`: start a case and look at it, on the screen or as a text report; replay it where no compiler is."""

import random
from collections.abc import Callable
from typing import get_args

from inspector.model.diagnosis import diagnose
from inspector.model.profiles import Profiles
from inspector.report.builder import report
from inspector.report.formats import render
from inspector.report.observe import Observed, from_recording
from inspector.stream.live import LiveStream
from inspector.stream.recording import Recording

from .build import CompilerError
from .case import Case, Family
from .cases import CASES, find
from .observe import CaseStream, observe
from .record import recording_of
from .start import CaseError, start

Say = Callable[[str], None]
Show = Callable[[LiveStream | Recording], int]
"""The screen on a living stream or on a recording, until the person quits; returns an exit code."""


class DemoError(Exception):
    """The demo cannot be shown; the message is a sentence for the user."""


def table() -> str:
    """The cases as lines: name and story, family by family."""
    width = max(len(case.name) for case in CASES)
    lines = [f"{len(CASES)} cases; inspector demo CASE starts one as a real process tree, under inspection;"]
    lines.append(f"without a name it is {CASES[0].name}")
    for family in get_args(Family):
        lines += ["", family]
        lines += [f"  {case.name:<{width}}  {case.story}" for case in CASES if case.family == family]
    return "\n".join(lines)


def run_demo(name: str | None, profiles: Profiles, say: Say, show: Show | None, seed: int | None = None) -> bytes | int:
    """Start a case (the question by default) and look at it with `show`; without a screen, the text report of it.

    Raises DemoError when there is no such case or nothing can be shown.
    """
    case = find(name or CASES[0].name)
    if case is None:
        raise DemoError(f"there is no case {name!r}; inspector demo --list names them")
    why = case.needs() if case.needs is not None else ""
    if not why:
        seed = random.randrange(1 << 16) if seed is None else seed
        say(f"{case.name}: {case.story} (seed {seed})")
        try:
            return _show_living(case, seed, profiles, show) if show else _report_living(case, seed, profiles)
        except CompilerError as error:
            why = str(error)
        except CaseError as error:
            raise DemoError(str(error)) from None
    say(f"{why}. This is a recording of the same")
    return _replay(case, profiles, show)


def _show_living(case: Case, seed: int, profiles: Profiles, show: Show) -> int:
    started = start(case, seed)
    try:
        return show(CaseStream(started, profiles))
    finally:
        started.stop()


def _report_living(case: Case, seed: int, profiles: Profiles) -> bytes:
    state, _ = observe(case, seed, profiles)
    return _text(Observed(state))


def _replay(case: Case, profiles: Profiles, show: Show | None) -> bytes | int:
    path = recording_of(case)
    if not path.exists():
        raise DemoError(f"there is no recording of {case.name}; inspector demo --list names the cases")
    if show is not None:
        return show(Recording(str(path)))
    return _text(from_recording(str(path), profiles))


def _text(observed: Observed) -> bytes:
    return render(report(observed.state, diagnose(observed.state), observed.troubles), "text")
