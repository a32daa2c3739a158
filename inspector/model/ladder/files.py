"""Rungs mapped and exported: which file provides the API, and does it offer what is needed?"""

from inspector.model import commands_by_hand, evidence
from inspector.model.coverage import born_here
from inspector.model.formatting import listed, name_of, plural
from inspector.model.requirements import NeededName, import_faults, no_beginning, wanted
from inspector.model.state import Process
from inspector.model.tree import libraries, opened_as, preload_source, unread
from inspector.model.usage import Provider
from inspector.model.verdict import Evidence, Rung
from inspector.stream.calls import LookedUp

from .view import View

_ANSWERS = frozenset(("dlsym", "dlvsym"))
"""Who overrides these can give functions away that it does not export."""


def mapped(view: View) -> Rung:
    """Which file provides the API, by which route; is it still the file on disk; are there two?"""
    providers = view.use.providers
    if not providers:
        return _not_mapped(view)
    rows = [_provider_row(view, provider) for provider in providers]
    main = view.provider
    assert main is not None
    library = main.library
    detail = f"{library.path}{_route_words(view.process, main)}"
    if len(providers) > 1:
        detail += f"; {len(providers)} files provide it"
    if main.gone:
        detail += "; unloaded (dlclose)"
    if library.state in ("replaced", "deleted", "modified"):
        row = evidence.of_library(
            view.process, library, f"{library.path} is {library.state}: {library.state_detail}",
            by_hand=commands_by_hand.identity(view.process, library.path),
        )  # fmt: skip
        return Rung(rung="mapped", state="no", detail=f"not the file on disk: {library.state}", evidence=[row, *rows])
    return Rung(rung="mapped", state="yes", detail=detail, evidence=rows)


def _not_mapped(view: View) -> Rung:
    brief = _unloaded(view)
    if brief is not None:
        text = f"dlopen({brief.name}) succeeded; it was unloaded before we looked"
        row = evidence.of_lookup(view.state, view.process, brief, text)
        return Rung(rung="mapped", state="yes", detail=text, evidence=[row])
    mapped_now = libraries(view.process)
    if not mapped_now:
        return Rung(rung="mapped", state="unknown", detail="its mappings were not seen")
    if dark := unread(view.state, view.process):
        detail = f"not among the files that were read; {plural(len(dark), 'file')} of it could not be read"
        return Rung(rung="mapped", state="unknown", detail=detail)
    row = evidence.of_process(
        view.process, f"none of its {len(mapped_now)} mapped files provides {view.use.api}",
        by_hand=f"cat /proc/{view.process.pid}/maps",
    )  # fmt: skip
    since = "" if born_here(view.process) else " now"
    return Rung(rung="mapped", state="no", detail=f"no mapped file provides it{since}", evidence=[row])


def _unloaded(view: View) -> LookedUp | None:
    """A load that succeeded, of a file that is not mapped any more."""
    present = {library.path for library in libraries(view.process).values()}
    loads = [one for one in view.use.lookups if one.found and one.via in ("dlopen", "dlmopen")]
    return next((one for one in loads if one.answer not in present), None)


def _route_words(process: Process, provider: Provider) -> str:
    library = provider.library
    if library.route == "unknown":
        return ""
    if library.route == "preload":
        return f" (by {preload_source(process, library.path)})"
    by = f" by {name_of(library.route_by)}" if library.route_by else ""
    name = opened_as(process, library)
    asked = f" as {name}" if name and name != library.path else ""
    return f" ({library.route}{asked}{by})"


def _provider_row(view: View, provider: Provider) -> Evidence:
    library = provider.library
    image = provider.image
    identity = f", SONAME {image.soname or 'none'}" if image is not None else ", not read"
    text = f"{library.path}{_route_words(view.process, provider)}, file {library.file}{identity}"
    return evidence.of_library(view.process, library, text)


def exported(view: View) -> Rung:
    """Are the needed names there: defined, visible, at the right version?"""
    provider = view.provider
    if provider is None:
        return Rung(rung="exported", state="unknown", detail=_not_read(view))
    if provider.image is None or provider.image.error:
        why = provider.image.error if provider.image is not None else "not read yet"
        return Rung(rung="exported", state="unknown", detail=f"{name_of(provider.path)}: {why}")
    image = provider.image
    missing = import_faults(view.state, view.process, view.use, view.profiles)
    if missing:
        rows = [_missing_row(view, want) for want in missing[:20]]
        names = listed((want.full_name for want in missing), 3)
        return Rung(
            rung="exported", state="no", detail=f"{plural(len(missing), 'name')} missing: {names}", evidence=rows
        )
    total = image.exports_total or len(image.exports)
    beginning = no_beginning(view.state, view.process, view.use, view.profiles)
    offers = any(view.profiles.api_of_function(one.name) == view.use.api for one in image.exports if one.visible)
    if beginning and offers and not view.use.consumer_calls:
        detail = f"{plural(total, 'name')}; {beginning}, without which the API cannot be used, is not among them"
        by_hand = commands_by_hand.exported(view.process, provider.path, beginning)
        row = evidence.of_library(view.process, provider.library, detail, by_hand=by_hand)
        return Rung(rung="exported", state="no", detail=detail, evidence=[row])
    if not offers and not view.use.consumer_calls and not _ANSWERS.intersection(image.overrides):
        return _nothing_offered(view, provider, total)
    by_hand = commands_by_hand.exported(view.process, provider.path, "NAME")
    row = evidence.of_library(view.process, provider.library, f"{plural(total, 'name')} exported", by_hand=by_hand)
    needed = {want.name for want in wanted(view.state, view.process, view.use, view.profiles)}
    if not needed:
        detail = f"{plural(total, 'name')}; no consumer here imports any by name"
        return Rung(rung="exported", state="yes", detail=detail, evidence=[row])
    here = needed & {export.name for export in image.exports if export.visible}
    if here == needed:
        detail = f"{plural(total, 'name')}; all {len(needed)} that consumers here import are among them"
        return Rung(rung="exported", state="yes", detail=detail, evidence=[row])
    detail = f"{plural(total, 'name')}; {len(here)} of the {len(needed)} that consumers here import are among them"
    dark = unread(view.state, view.process)
    detail += f"; {plural(len(dark), 'mapped file')} not read" if dark else ", other files define the rest"
    return Rung(rung="exported", state="unknown" if dark else "yes", detail=detail, evidence=[row])


def _not_read(view: View) -> str:
    """Why the names of a provider are not known."""
    if _unloaded(view) is None:
        return "nothing is mapped that could export it"
    lacking = list(dict.fromkeys(one.name for one in view.use.lookups if one.found is False and one.name))
    lacks = f"; it was asked for {listed(lacking, 3)} in vain" if lacking else ""
    return f"it was unloaded before its names were read{lacks}"


def _nothing_offered(view: View, provider: Provider, total: int) -> Rung:
    """The file has the API's name, and none of its functions under the names that consumers ask for."""
    image = provider.image
    assert image is not None
    why = ""
    if image.mangled:
        name, symbol = next(iter(image.mangled.items()))
        why = f": {name} is there as the C++ function {symbol}"
    elif image.hidden:
        why = f": {image.hidden[0].name} is there, but hidden"
    detail = f"{plural(total, 'name')}, none of {view.use.api}{why}"
    by_hand = commands_by_hand.exported(view.process, provider.path, "NAME")
    row = evidence.of_library(view.process, provider.library, detail, by_hand=by_hand)
    return Rung(rung="exported", state="no", detail=detail, evidence=[row])


def _missing_row(view: View, want: NeededName) -> Evidence:
    text = f"{name_of(want.consumer)} needs {want.full_name}: {want.why}"
    by_hand = commands_by_hand.undefined(view.process, want.consumer, want.name)
    return evidence.of_symbol(view.process, want.file, want.name, text, by_hand=by_hand)
