"""Functions that a consumer got hold of before their calls were counted: silence proves nothing then."""

from .formatting import duration, name_of
from .state import State
from .usage import Use


def asked_too_early(state: State, use: Use) -> str:
    """A function that a consumer got, and that was not counted then: it may have called it at once."""
    files = {library.path: library.file for library in use.process.libraries.values()}
    providers = {provider.path for provider in use.providers}
    since: dict[tuple[str, str], int] = {}
    for each in state.functions.values() if use.lookups else ():
        if each.api == use.api:
            at = state.watched_since.get(each.id, 0)
            since |= {(each.file, name): at for name in (each.name, *each.aliases)}
    for lookup in use.lookups:
        path = lookup.answer or ""
        if not lookup.found or lookup.via in ("dlopen", "dlmopen") or path not in files:
            continue
        begun = since.get((files[path], lookup.name))
        if begun is None and path not in providers:
            return f"{lookup.name} was answered from {name_of(path)}, whose function is not counted"
        if begun is not None and lookup.at < begun:
            return f"{lookup.name} was looked up {duration(begun - lookup.at)} before its calls were counted"
    return ""
