"""Who provides an API and who could call it, read from what the files themselves say: names, not file names."""

from msgspec import Struct

from inspector.stream.libraries import ImageRead

from .profiles import Profiles

_ENOUGH_PRIVATE = 2
"""Exported names of an API's private list that make a file a provider whatever its SONAME."""


class Consumption(Struct, frozen=True):
    """How one file could come to call one API."""

    imports: tuple[str, ...] = ()
    """Functions of the API among its undefined names."""
    needed: tuple[str, ...] = ()
    """SONAMEs of the API in DT_NEEDED."""
    opens: tuple[str, ...] = ()
    """SONAMEs of the API among the names that it may pass to dlopen."""
    names: tuple[str, ...] = ()
    """Function names in its read-only data that it may pass to dlsym."""

    @property
    def words(self) -> str:
        """`imports 11 names`, `needs libcuda.so.1`, `may dlopen libcuda.so.1`."""
        if self.imports:
            return f"imports {len(self.imports)} names"
        if self.needed:
            return f"needs {self.needed[0]}"
        return f"may dlopen {self.opens[0]}" if self.opens else f"may look up {len(self.names)} names"


class ImageApis(Struct, frozen=True):
    """What one file is to the APIs that profiles know."""

    provides: frozenset[str]
    consumes: dict[str, Consumption]
    passes_on: frozenset[str] = frozenset()
    """APIs of which it has functions that only pass calls on: it loads their library by name itself (trampolines)."""

    def words(self) -> list[str]:
        """`provides cuda-driver`, `uses cuda-runtime`."""
        return [f"provides {api}" for api in sorted(self.provides)] + [f"uses {api}" for api in sorted(self.consumes)]


def describe(image: ImageRead, profiles: Profiles) -> ImageApis:
    """Which APIs a file provides and which it could call."""
    named = profiles.api_of_soname(image.soname) if image.soname else None
    opened = _sonames(image.dlopen_names, profiles) if image.imports_lookup else {}
    offers = _provided(image, profiles)
    passes_on = frozenset(api for api in offers if api in opened and api != named and image.soname)
    provides = offers - passes_on
    consumes = {
        api: consumption
        for api, consumption in _consumptions(image, profiles).items()
        if api not in provides and _may_consume(api, provides, profiles)
    }
    return ImageApis(provides, consumes, passes_on)


def _provided(image: ImageRead, profiles: Profiles) -> frozenset[str]:
    offered = {export.name for export in image.exports if export.visible}
    found = {api.name for api in profiles.apis.values() if len(offered.intersection(api.private)) >= _ENOUGH_PRIVATE}
    named = profiles.api_of_soname(image.soname) if image.soname else None
    if named is not None and image.kind in ("shared", "pie"):
        found.add(named)
    return frozenset(found)


def _may_consume(api: str, provides: frozenset[str], profiles: Profiles) -> bool:
    """A provider of one API is a consumer of another only where it drives it for its caller (a runtime, the driver)."""
    return not provides or any(api in profiles.apis[own].drives for own in provides)


def _consumptions(image: ImageRead, profiles: Profiles) -> dict[str, Consumption]:
    imports: dict[str, list[str]] = {}
    for need in image.undefined:
        api = profiles.api_of_function(need.name)
        if api is not None:
            imports.setdefault(api, []).append(need.name)
    needed = _sonames(image.needed, profiles)
    opens = _sonames(image.dlopen_names, profiles) if image.imports_lookup else {}
    names: dict[str, list[str]] = {}
    for name in image.api_names if image.imports_lookup else ():
        api = profiles.api_of_function(name)
        if api is not None:
            names.setdefault(api, []).append(name)
    return {
        api: Consumption(
            tuple(imports.get(api, ())),
            tuple(needed.get(api, ())),
            tuple(opens.get(api, ())),
            tuple(names.get(api, ())),
        )
        for api in dict.fromkeys((*imports, *needed, *opens, *names))
    }


def _sonames(names: list[str], profiles: Profiles) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in names:
        api = profiles.api_of_soname(name)
        if api is not None:
            found.setdefault(api, []).append(name)
    return found
