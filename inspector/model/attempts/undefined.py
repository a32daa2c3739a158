"""Names that a mapped library does not have: as the loader's words tell of it after the fact, and as its table says."""

from collections.abc import Container, Iterable, Iterator

from inspector.model.coverage import of_lookups
from inspector.model.failed_loads import classify
from inspector.model.families import family_of_api, family_of_file, family_of_function
from inspector.model.formatting import name_of
from inspector.model.profiles import Profiles
from inspector.model.requirements import no_beginning
from inspector.model.state import Process, State
from inspector.model.tree import libraries
from inspector.model.usage import uses
from inspector.stream.libraries import LibraryMapped

from .lookups import DECISIVE
from .row import Attempt, Source

_LEAST = 6
"""Letters of a path's end that are left of it at least: the beginning of freed memory is soon written over."""


def lookup_told(state: State, process: Process, profiles: Profiles, words: str, source: Source) -> Attempt | None:
    """The look-up of which `libcuda.so.1: undefined symbol: cuInit` speaks, where that library is mapped and stayed so.

    A load that fails for a name leaves nothing mapped, and the name is among what the file needs; else it was asked for
    by dlsym(3). None where any mapped file offers the name: whoever asked may have gone there. What provides an API
    needs none of its functions from elsewhere, so that words of one that is not mapped any more tell of dlsym(3), too.
    """
    path = words.partition(": ")[0].rpartition(" ")[2]
    _, _, symbol, _ = classify(words, path)
    api = profiles.api_of_function(symbol) if symbol else None
    if api is None:
        return None
    use = uses(state, process, profiles).get(api)
    providers = [one.path for one in use.providers if not one.gone] if use is not None else []
    gone = path if not providers and profiles.api_of_soname(path) == api else ""
    if path == symbol:  # the words name no library: it is the one that provides the API
        path = next(iter(providers), "")
    library = _lacking(state, process, path, symbol) if path else None
    provider = library.path if library is not None else gone
    if not provider:
        return None
    return Attempt(
        process, "lookup", symbol, False, process.started, api=api, family=family_of_function(profiles, symbol),
        stage="resolved", provider=provider, answer=f"{provider}: undefined symbol: {symbol}", source=source,
        sampled=False, decisive=profiles.role(api, symbol) in DECISIVE,
    )  # fmt: skip


def optional_names(profiles: Profiles, sentences: Iterable[str]) -> set[str]:
    """Sentences about names for which one library of an API was asked in vain, one name after the other.

    Whoever asks a library for its next name can do without the one before, unless nobody can begin without it. And what
    provides an API needs none of its own functions from elsewhere: it was asked by dlsym(3), and was there.
    """
    asked: dict[str, list[tuple[str, str]]] = {}
    for words in sentences:
        name = name_of(words.partition(": ")[0].rpartition(" ")[2])
        symbol = classify(words, name)[2]
        family = family_of_function(profiles, symbol) if symbol else ""
        if family and family == family_of_file(profiles, name) and profiles.api_of_soname(name) is not None:
            asked.setdefault(name, []).append((words, symbol))
    return {
        words for each in asked.values() if len({symbol for _, symbol in each}) > 1 for words, symbol in each
        if profiles.role(profiles.api_of_function(symbol) or "", symbol) not in DECISIVE
    }  # fmt: skip


def _lacking(state: State, process: Process, path: str, symbol: str) -> LibraryMapped | None:
    """The mapped library of that path, or end of one, that does not have the name and does not need it itself."""
    found: list[LibraryMapped] = []
    for library in libraries(process).values():
        image = state.images.get(library.file)
        if library.state == "unmapped" or image is None or image.error:
            continue
        if any(export.name == symbol and export.visible for export in image.exports):
            return None
        named = library.path == path or (len(path) >= _LEAST and library.path.endswith(path))
        if named and all(need.name != symbol for need in image.undefined):
            found.append(library)
    return found[0] if len({library.path for library in found}) == 1 else None


def without_beginning(state: State, process: Process, profiles: Profiles, refused: Container[str]) -> Iterator[Attempt]:
    """Libraries of an API of which nobody can begin anything, where look-ups were not all seen: their table says so."""
    if of_lookups(state, process).complete:
        return
    for use in uses(state, process, profiles).values():
        name = no_beginning(state, process, use, profiles)
        if not name or use.consumer_calls or name in refused:
            continue
        provider = next(one for one in use.providers if not one.gone)
        yield Attempt(
            process, "lookup", name, False, process.started, api=use.api, family=family_of_api(profiles, use.api),
            stage="resolved", provider=provider.path, answer=f"{provider.path} does not define it", source="file",
            sampled=False, decisive=True,
        )  # fmt: skip
