"""Two libraries that offer an API in one process: whose functions are called?"""

from collections.abc import Iterator

from inspector.model import commands_by_hand, evidence
from inspector.model.evidence import short
from inspector.model.formatting import name_of
from inspector.model.state import Process
from inspector.model.usage import Provider
from inspector.stream.calls import LookedUp

from .context import Case, Context
from .rule import Cause, Hit, Pattern


class BoundElsewhere(Cause):
    id = "bound-elsewhere"
    place = "resolved"
    meaning = "Two libraries export the API in one process; the consumer's calls go to the one that was not meant."
    proof = "The file whose function refused the call, and another provider of the same API that nobody called."
    cure = "Take the first one from the process, or make it forward the calls."

    def explain(self, case: Case) -> Hit | None:
        leaf = case.leaf
        use = case.context.uses(case.process).get(leaf.api)
        if leaf.kind != "call" or use is None:
            return None
        called = {calls.function.file for calls in use.calls.values()}
        winner = next((p for p in use.providers if p.path == leaf.provider), None)
        for loser in use.providers:
            if winner is None or loser is winner or loser.library.file in called or loser.gone or loser.apis is None:
                continue
            if _named(case.context, loser, use.api) and _offers(loser, {leaf.what}):
                return self._hit(case, winner, loser)
        return None

    def _hit(self, case: Case, winner: Provider, loser: Provider) -> Hit:
        opened = _opened(case.process, winner)
        cause = "The first library in look-up order that defines a name wins; preloads come first."
        step = f"remove {winner.path} from the process, or make it forward the calls"
        if opened is not None:
            cause = f"{name_of(opened.requester)} opened {opened.name} by itself and asked there for the functions: "
            cause += "what is preloaded, or stands before it, is not asked then."
            step = f"make the program open {loser.path} instead of {opened.name}: by a setting, or a link in its place"
        title = f"in {short(case.process)} {case.leaf.what} etc. are bound to {winner.path}, not to {loser.path}"
        return Hit(
            title=title,
            cause=cause,
            next_step=step,
            command=commands_by_hand.exported(case.process, winner.path, case.leaf.what),
            process=case.process,
            confidence="likely",
            evidence=[
                *[
                    evidence.of_library(case.process, p.library, f"{p.path} ({p.library.route})")
                    for p in (winner, loser)
                ],
                *case.rows(),
            ],
            doubt=f"If {winner.path} is the intended shim, check what it returns.",
            at=case.leaf.at,
            subject=f"{winner.path}:{loser.path}",
            root=title,
        )


def _opened(process: Process, winner: Provider) -> LookedUp | None:
    """How it was opened, where its functions were asked for in the handle that this gave."""
    answered = [one for one in process.lookups if one.found and one.answer == winner.path]
    if not any(one.via in ("dlsym", "dlvsym") for one in answered):
        return None
    return next((one for one in answered if one.via in ("dlopen", "dlmopen") and one.name), None)


def _offers(provider: Provider, names: set[str]) -> bool:
    """Whether a library exports one of these names; not known means that it may."""
    image = provider.image
    return image is None or bool(image.error) or any(one.visible and one.name in names for one in image.exports)


def _named(context: Context, provider: Provider, api: str) -> bool:
    """It has the SONAME that consumers ask for (one without is the case of name-mismatch)."""
    soname = provider.image.soname if provider.image is not None else None
    return soname is not None and context.profiles.api_of_soname(soname) == api


class BoundSlots(Pattern):
    """Slots that hold another library's address, before anybody called."""

    id = "bound-elsewhere"
    place = "resolved"
    meaning = BoundElsewhere.meaning
    proof = BoundElsewhere.proof
    cure = BoundElsewhere.cure

    def find(self, context: Context) -> Iterator[Hit]:
        for process, use in context.all_uses():
            if len(use.providers) < 2 or use.total_calls:
                continue
            bound: dict[str, set[str]] = {}
            for slot in (slot for read in process.slots.values() for slot in read.slots if slot.bound_to):
                bound.setdefault(slot.bound_to or "", set()).add(slot.name)
            winner = next((one for one in use.providers if one.path in bound), None)
            loser = next((one for one in use.providers if one.path not in bound and not one.gone), None)
            if loser is not None and winner is not None and not _offers(loser, bound[winner.path]):
                continue  # each of the two offers a part of the API of its own
            if winner is not None and loser is not None and _named(context, loser, use.api):
                title = f"in {short(process)} {use.api} is bound to {winner.path}, not to {loser.path}"
                yield Hit(
                    title=title,
                    cause="The first library in look-up order that defines a name wins.",
                    next_step=f"remove {name_of(winner.path)} from the process, or make it forward the calls",
                    command=commands_by_hand.dynamic(process, winner.path),
                    process=process,
                    confidence="likely",
                    evidence=[evidence.of_library(process, one.library, one.path) for one in (winner, loser)],
                    doubt="If the first one is the intended shim, check what it returns.",
                    subject=f"{winner.path}:{loser.path}",
                )


CAUSES: tuple[Cause, ...] = (BoundElsewhere(),)
PATTERNS: tuple[Pattern, ...] = (BoundSlots(),)
