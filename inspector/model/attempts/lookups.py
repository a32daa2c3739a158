"""Look-ups of functions and private tables by name."""

from collections.abc import Iterator

from inspector.model.families import family_of_api, family_of_function
from inspector.model.profiles import Profiles
from inspector.model.stages import stage_of
from inspector.model.state import Process, State
from inspector.model.usage import asks_for_others
from inspector.stream.calls import LookedUp

from .row import Attempt

DECISIVE = frozenset(("init", "count", "version", "lookup"))
"""Roles of functions that every consumer begins with."""


def lookups(state: State, process: Process, profiles: Profiles) -> Iterator[Attempt]:
    """Every look-up of a name of an API; what a look-up was made of for the loader's own ends is left out."""
    for lookup in process.lookups:
        if lookup.via in ("dlopen", "dlmopen") or lookup.found is None:
            continue
        family = family_of_function(profiles, lookup.name) or _of_table(profiles, lookup)
        if family:
            yield _attempt(state, process, profiles, lookup, family)


def _of_table(profiles: Profiles, lookup: LookedUp) -> str:
    api = profiles.api_of_function(lookup.via)
    return family_of_api(profiles, api) if api is not None else ""


def _attempt(state: State, process: Process, profiles: Profiles, lookup: LookedUp, family: str) -> Attempt:
    api = profiles.api_of_function(lookup.name) or profiles.api_of_function(lookup.via) or ""
    result = f"{lookup.via} answered {profiles.result(api, lookup.result)}" if lookup.result and api else ""
    return Attempt(
        process, "lookup", lookup.name, bool(lookup.found), lookup.at, begin=lookup.entered, tid=lookup.tid, api=api,
        family=family, stage="resolved", asker=lookup.requester, provider=lookup.answer or "",
        answer="found" if lookup.found else lookup.error or result or f"{lookup.via} answered NULL",
        code=lookup.result, source="loader", lookup=lookup,
        decisive=profiles.role(api, lookup.name) in DECISIVE,
        serves=stage_of(profiles, api, lookup.name) if api else None,
        own_ends=not asks_for_others(state, process, profiles, lookup.requester, api),
    )  # fmt: skip
