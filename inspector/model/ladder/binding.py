"""Rungs reachable and resolved: who here could call, and does it hold this library's address?"""

from inspector.model import commands_by_hand, evidence
from inspector.model.coverage import of_lookups
from inspector.model.failed_loads import FailedLoad, failure_row, failures
from inspector.model.formatting import listed, name_of, plural
from inspector.model.tree import libraries, unread
from inspector.model.usage import Consumer, looks_up_freely
from inspector.model.verdict import Evidence, Rung

from .view import View

_LOADS = ("dlopen", "dlmopen")


def reachable(view: View) -> Rung:
    """Who in this process could call the API; which consumer failed to load?"""
    failed = [failure for failure in failures(view.state, view.process, view.profiles) if _concerns(view, failure)]
    if view.use.consumers:
        rows = [_consumer_row(view, consumer) for consumer in view.use.consumers[:10]]
        names = listed((name_of(consumer.path) for consumer in view.use.consumers), 3)
        return Rung(rung="reachable", state="yes", detail=f"by {names}", evidence=rows)
    if failed:
        failure = failed[0]
        seen = "failed to load" if failure.happened else "would fail to load"
        detail = (
            f"{name_of(failure.name)} {seen}: {failure.words or 'dlopen returned NULL, its error text was not seen'}"
        )
        return Rung(rung="reachable", state="no", detail=detail, evidence=[failure_row(view.state, failure)])
    return _without_consumer(view)


def _concerns(view: View, failure: FailedLoad) -> bool:
    """Whether the file would have used this API, as far as its own facts tell."""
    if failure.missing:
        return view.profiles.api_of_soname(failure.missing) in (view.use.api, None)
    return True


def _consumer_row(view: View, consumer: Consumer) -> Evidence:
    how = consumer.how.words if consumer.how is not None else ""
    how = f"{how}, seen to ask or call" if consumer.observed and how else how or "seen to ask or call"
    return evidence.of_file(
        view.process, consumer.path, f"{name_of(consumer.path)} {how}",
        by_hand=commands_by_hand.undefined(view.process, consumer.path),
    )  # fmt: skip


def _without_consumer(view: View) -> Rung:
    mapped = libraries(view.process)
    if not mapped:
        return Rung(rung="reachable", state="unknown", detail="its mappings were not seen")
    if dark := unread(view.state, view.process):
        detail = f"{plural(len(dark), 'mapped file')} not read: one of them may use it"
        return Rung(rung="reachable", state="unknown", detail=detail)
    if looks_up_freely(view.state, view.process):
        detail = "none by name, but a foreign function interface is mapped that can call anything"
        return Rung(rung="reachable", state="unknown", detail=detail)
    row = evidence.of_process(
        view.process, f"none of {len(mapped)} mapped files imports, needs or names {view.use.api}"
    )
    return Rung(rung="reachable", state="no", detail="no mapped file here uses it", evidence=[row])


def resolved(view: View) -> Rung:
    """Which library wins the look-up, and does the consumer hold that address?"""
    use = view.use
    if use.consumer_calls:
        called = next(calls for calls in use.calls.values() if calls.by_consumer)
        row = evidence.of_calls(view.process, called, f"{called.name} of {called.function.library} is called")
        return Rung(rung="resolved", state="yes", detail="consumers call it", evidence=[row])
    answered = [lookup for lookup in use.lookups if lookup.found and lookup.answer]
    refused = [lookup for lookup in use.lookups if lookup.found is False and lookup.via not in ("cuGetExportTable",)]
    if answered and all(lookup.via in _LOADS for lookup in answered):
        # The library was given; that says nothing where its functions were then refused.
        names = [lookup for lookup in refused if lookup.via not in _LOADS]
        answered, refused = ([], names) if names else (answered, refused)
    bound = _bound(view)
    if bound:
        return bound
    if answered:
        last = answered[-1]
        row = evidence.of_lookup(view.state, view.process, last, f"{last.via}({last.name}): {last.answer}")
        return Rung(rung="resolved", state="yes", detail=f"{plural(len(answered), 'look-up')} answered", evidence=[row])
    if refused:
        first = refused[0]
        words = first.error or "NULL"
        row = evidence.of_lookup(view.state, view.process, first, f"{first.via}({first.name}): {words}")
        return Rung(rung="resolved", state="no", detail=f"{first.via}({first.name}) refused: {words}", evidence=[row])
    return _unresolved(view)


def _bound(view: View) -> Rung | None:
    """What the slots of consumers hold."""
    paths = {provider.path for provider in view.use.providers}
    rows: list[Evidence] = []
    for slots in view.process.slots.values():
        for slot in slots.slots:
            if view.profiles.api_of_function(slot.name) != view.use.api or slot.bound_to is None:
                continue
            text = f"{slot.name} of {name_of(slots.path)} is bound to {slot.bound_to}"
            rows.append(evidence.of_file(view.process, slots.path, text))
            if slot.bound_to not in paths:
                return Rung(rung="resolved", state="no", detail=text, evidence=[rows[-1]])
    if rows:
        return Rung(rung="resolved", state="yes", detail=f"{plural(len(rows), 'slot')} bound to it", evidence=rows[:10])
    return None


def _none_bound_yet(view: View) -> bool:
    """The slots of consumers for this API were read, and the loader had filled none of them."""
    every = (slot for slots in view.process.slots.values() for slot in slots.slots)
    return any(view.profiles.api_of_function(slot.name) == view.use.api for slot in every)


def _unresolved(view: View) -> Rung:
    if not view.use.providers or not view.use.consumers:
        missing = "provider" if not view.use.providers else "consumer"
        return Rung(rung="resolved", state="unknown", detail=f"there is no {missing} here")
    if _none_bound_yet(view):
        detail = "its slots were read: none is bound yet"
        return Rung(rung="resolved", state="unknown", detail=detail)
    coverage = of_lookups(view.state, view.process)
    if coverage.complete:
        return Rung(rung="resolved", state="unknown", detail="no look-up was seen, its slots were not read")
    return Rung(rung="resolved", state="unknown", detail=f"look-ups not seen: {coverage.words}")
