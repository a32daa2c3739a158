"""How the rungs of a rail are marked: up to its break yes, there no, behind it not reached. One break, marked once."""

from collections.abc import Iterable

import msgspec

from inspector.model.verdict import RUNGS, Evidence, Rung, RungName


class Break(msgspec.Struct, frozen=True):
    """Where the analysis says that the rails of one process and family break, and by what."""

    place: str
    """The place of the rule that explains it."""
    title: str
    names: frozenset[str] = frozenset()
    """Functions, variables and files, these without their folders, that it is about."""
    evidence: tuple[Evidence, ...] = ()
    api: str = ""
    """The API of its root: only that rail is marked; empty where the root belongs to none."""
    apis: frozenset[str] = frozenset()
    """APIs that the chain of the break leads through; empty where it leads through none."""
    calls: frozenset[str] = frozenset()
    """APIs of the calls in its chain, each of which was refused or did not return because of the root."""
    doubtful: bool = False
    """A warning that is not proven: only a rung that is broken by itself is marked."""
    answers: bool = False
    """It is the answer: a warning marks the rail of its root, unless what it says broke there was not seen at all."""

    def rung(self, rungs: Iterable[Rung]) -> RungName:
        """The rung of a rail that is marked; the end of a process breaks the call it was in, else what came next.

        A step of which nobody could see whether it was taken is none that did not come.
        """
        if self.place in RUNGS:
            return self.place
        if self.calls:
            return "returned"
        steps = [rung for rung in rungs if rung.rung != "logged"]
        passed = max((number for number, rung in enumerate(steps) if rung.state == "yes"), default=-1)
        return next((rung.rung for rung in steps[passed + 1 :] if rung.state == "no"), steps[-1].rung)


def first_no(rungs: list[Rung]) -> RungName | None:
    """The lowest rung that is proven broken; a log that goes nowhere breaks nothing."""
    return next((rung.rung for rung in rungs if rung.state == "no" and rung.rung != "logged"), None)


def _broke_before(rungs: list[Rung], broken: RungName) -> bool:
    """This rail has an end of its own below the break: it is not the one that broke there."""
    below = rungs[: RUNGS.index(broken)]
    return any(rung.state == "no" and rung.rung != "logged" for rung in below)


def breaks_here(rungs: list[Rung], broken: Break, api: str) -> bool:
    """The rail of an API broke there, and not by itself further below."""
    name = broken.rung(rungs)
    if broken.doubtful and rungs[RUNGS.index(name)].state != "no":
        return False
    return api in broken.apis or not _broke_before(rungs, name)


def broken_at(rungs: list[Rung], name: RungName, why: Break | None) -> list[Rung]:
    """The rail with its break: where a log goes is no step, and nobody's fault unless the break says so."""
    place = RUNGS.index(name)
    marked = []
    for number, rung in enumerate(rungs):
        if number == place:
            marked.append(rung if why is None or _says_why(rung, why) else _explained(name, why))
        elif number < place:
            marked.append(_passed(rung))
        else:
            marked.append(_behind(rung))
    return marked


def _says_why(rung: Rung, why: Break) -> bool:
    """The rung is broken by itself, and its reason names what the answer names."""
    told = not why.answers or any(name in rung.detail for name in why.names)
    return rung.state == "no" and why.place != "end" and told


def _explained(name: RungName, why: Break) -> Rung:
    return Rung(rung=name, state="no", detail=why.title, evidence=[*why.evidence])


def whole(rungs: list[Rung]) -> list[Rung]:
    """A rail that did not break: what is not there behind the last that holds was never needed, and blames nothing."""
    steps = [number for number, rung in enumerate(rungs) if rung.rung != "logged"]
    last = max((number for number in steps if rungs[number].state == "yes"), default=-1)
    end = next((number for number in steps if number > last and rungs[number].state == "no"), len(rungs))
    return [
        _not_reached(rung) if number >= end or (rung.rung == "environment" and rung.state == "no") else _passed(rung)
        for number, rung in enumerate(rungs)
    ]  # what is wrong with the environment of a process is marked on one of its rails


def held_up(rungs: list[Rung]) -> list[Rung]:
    """The rail of an API whose call was refused, or did not return, because of a root on another rail."""
    place = RUNGS.index("returned")
    rungs = whole(rungs)
    return [*rungs[:place], *(_behind(rung) for rung in rungs[place:])]


def only_environment(rungs: list[Rung]) -> list[Rung]:
    """The rail of a program that has nothing to do with the API: it begins, and goes nowhere."""
    return [rung if rung.rung in ("environment", "logged") else _not_reached(rung) for rung in whole(rungs)]


def _passed(rung: Rung) -> Rung:
    """A rung that is not there and broke nothing: others got past it."""
    if rung.state != "no":
        return rung
    return msgspec.structs.replace(rung, state="unknown", reached=rung.rung != "logged")


def _not_reached(rung: Rung) -> Rung:
    return rung if rung.state == "yes" else msgspec.structs.replace(rung, state="unknown", reached=False)


def _behind(rung: Rung) -> Rung:
    """What stands behind the break follows from it, whatever it says by itself."""
    own = rung.state == "unknown" or rung.rung == "logged"
    detail = rung.detail if own else f"after the break: {rung.detail}"
    return msgspec.structs.replace(rung, state="unknown", detail=detail, reached=False)
