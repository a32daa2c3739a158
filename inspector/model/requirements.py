"""What consumers need by name and version, set against what the mapped files offer."""

from collections.abc import Iterable

import msgspec
from msgspec.structs import replace

from inspector.stream.libraries import Export, ImageRead, Need

from .failed_loads import is_load
from .formatting import name_of
from .memo import once
from .profiles import Profiles
from .state import Process, State
from .symbol_near_misses import NearMiss, near_misses
from .tree import libraries
from .usage import Use


class NeededName(msgspec.Struct, frozen=True):
    """One name that one consumer needs."""

    name: str
    version: str
    consumer: str
    """Path of the consumer."""
    file: str
    """Identity of the consumer's file."""
    why: str = ""
    """For a missing one: what is wrong."""
    fault: str = ""
    """For a missing one: `missing`, `hidden`, `mangled` or `version`."""
    provider: str = ""
    """For a missing one: the file that should have offered it."""
    at_run_time: bool = False
    """No import: the consumer looks it up by name."""

    @property
    def full_name(self) -> str:
        """`cublasGetStatusString@libcublas.so.12`."""
        return f"{self.name}@{self.version}" if self.version else self.name


def wanted(state: State, process: Process, use: Use, profiles: Profiles) -> list[NeededName]:
    """Names of an API that mapped consumers import, weak ones left out.

    What a refused load mapped for a moment is told in the loader's words, not measured against what is there.
    """
    found = []
    refused = {lookup.name for lookup in process.lookups if lookup.found is False and is_load(lookup)}
    for consumer in use.consumers:
        library = consumer.library
        image = state.images.get(library.file) if library is not None else None
        if image is None or library is None or library.state == "unmapped" or library.path in refused:
            continue
        for need in image.undefined:
            if not need.weak and profiles.api_of_function(need.name) == use.api:
                found.append(NeededName(need.name, need.version, library.path, library.file))
    return found


def import_faults(state: State, process: Process, use: Use, profiles: Profiles) -> list[NeededName]:
    """Imports of an API by mapped consumers that no mapped file offers so."""
    return once(
        f"import faults of {use.api}", state, process, profiles,
        lambda: missing_names(state, process, wanted(state, process, use, profiles)),
    )  # fmt: skip


def required(state: State, use: Use, profiles: Profiles) -> list[NeededName]:
    """Names that known consumers look up at run time without any import showing it."""
    found = []
    for consumer in use.consumers:
        library = consumer.library
        image = state.images.get(library.file) if library is not None else None
        if image is None or library is None or not image.soname:
            continue
        for name, by in profiles.required(use.api, image.soname):
            found.append(NeededName(name, "", library.path, library.file, why=f"{by} asks for it", at_run_time=True))
    return found


def no_beginning(state: State, process: Process, use: Use, profiles: Profiles) -> str:
    """The function with which all use of an API begins, where no library that is mapped for it has that.

    Empty where one may hand it out in another way: by its own dlsym, by a look-up function of the API, or where its
    file or another mapped one could not be read.
    """
    begins = profiles.apis[use.api].begins
    providers = [one for one in use.providers if not one.gone]
    if not begins or not providers:
        return ""
    for library in libraries(process).values():
        image = state.images.get(library.file)
        if image is None and library.route != "vdso":
            return ""
        if image is not None and (
            "dlsym" in image.overrides or any(_hands_out(use.api, one, profiles) for one in image.exports)
        ):
            return ""
    return begins[0] if all(one.image is not None and not one.image.error for one in providers) else ""


def _hands_out(api: str, export: Export, profiles: Profiles) -> bool:
    known = export.name in profiles.apis[api].begins or profiles.role(api, export.name) == "lookup"
    return known and export.visible


def missing_names(state: State, process: Process, names: Iterable[NeededName]) -> list[NeededName]:
    """Those that no mapped file offers so; nothing where a mapped file could not be read (it might offer them)."""
    images = []
    for library in libraries(process).values():
        image = state.images.get(library.file)
        if image is not None and library.state != "unmapped":
            images.append(image)
        elif image is None and library.route != "vdso":
            return []
    offers = _Offers(images)
    return [fault for want in names if (fault := offers.fault(want)) is not None]


class _Offers:
    """All names that the mapped files offer."""

    def __init__(self, images: list[ImageRead]) -> None:
        self.visible: dict[str, list[tuple[ImageRead, Export]]] = {}
        self.near_miss: dict[str, NearMiss] = {}
        for image in images:
            for export in image.exports:
                if export.visible:
                    self.visible.setdefault(export.name, []).append((image, export))
            for found in near_misses(image):
                self.near_miss.setdefault(found.name, found)

    def fault(self, want: NeededName) -> NeededName | None:
        """What is wrong with the offer for this name; None when it is offered as needed."""
        offered = self.visible.get(want.name, [])
        if not offered:
            other = self.near_miss.get(want.name)
            if other is not None:
                why = f"{name_of(other.path)} {other.words}"
                return replace(want, fault=other.kind, why=why, provider=other.path)
            return replace(want, fault="missing", why=want.why or "no loaded library defines it")
        if not want.version or any(version_fits(image, export, want.version) for image, export in offered):
            return None
        image, export = offered[0]
        why = f"{name_of(image.path)} defines it at {export.version or 'no version'}"
        return replace(want, fault="version", why=why, provider=image.path)


def version_fits(image: ImageRead, export: Export, version: str) -> bool:
    """Whether the loader takes this export for that version (dl-lookup.c: an unversioned name in a file without
    version definitions fits any version)."""
    return export.version == version or (not export.version and not image.version_nodes)


def needs_of(image: ImageRead) -> list[Need]:
    """Strong undefined names of a file."""
    return [need for need in image.undefined if not need.weak]
