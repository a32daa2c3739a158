"""Libraries that a program looked for by itself before it would load any: path by path with stat(2) or access(2), or by
asking the linker for them.
"""

from collections import defaultdict
from collections.abc import Iterator
from errno import ENOENT

from inspector.model.failed_loads import FailedLoad
from inspector.model.families import family_of_api, family_of_file
from inspector.model.formatting import name_of, plural, stem
from inspector.model.profiles import Profiles
from inspector.model.state import Process
from inspector.stream.syscalls import SystemCallRefused

from .row import Attempt

_LOOKS = ("access", "faccessat", "faccessat2", "stat", "lstat", "newfstatat", "statx", "readlink", "readlinkat")
_LEAST = 3
"""Folders: fewer are a look at one known place, not a search."""


def searched(process: Process, profiles: Profiles) -> Iterator[Attempt]:
    """Libraries of an API that were looked for to the end and not found, by a program that asked no loader for them.

    A look that succeeds is not told: whoever finds a library ends its search, so that it was looked for in fewer
    folders than what is nowhere.
    """
    asked = {name_of(lookup.name) for lookup in process.lookups}
    looks: dict[str, list[SystemCallRefused]] = defaultdict(list)
    for one in process.refused_calls:
        name = name_of(one.subject)
        sought = one.errno == ENOENT and one.call in _LOOKS and "/" in one.subject
        if sought and name not in asked and profiles.api_of_soname(name) is not None:
            looks[name].append(one)
    places = {name: len({one.subject for one in found}) for name, found in looks.items()}
    most = max(places.values(), default=0)
    found_one = {stem(name) for name, count in places.items() if count < most}
    for name, found in looks.items():
        if most >= _LEAST and stem(name) not in found_one:
            yield _attempt(process, profiles, name, found)


def _attempt(process: Process, profiles: Profiles, name: str, looks: list[SystemCallRefused]) -> Attempt:
    api = _api_of(profiles, name)
    last = looks[-1]
    words = f"not in any of {plural(len({one.subject for one in looks}), 'place')} that the program looked at"
    failure = FailedLoad(process, name, "absent", words, missing=name)
    return Attempt(
        process, "load", name, False, last.at, begin=looks[0].at, tid=last.tid, call=last.call, api=api,
        family=family_of_api(profiles, api), stage="loaded", answer=words, source="file", failure=failure,
    )  # fmt: skip


def searched_by_linker(process: Process, profiles: Profiles) -> Iterator[Attempt]:
    """Libraries of which the linker knew nothing: `ctypes.util.find_library` of Python asks so, after ld.so.cache and
    the compiler, and opens nothing by itself.
    """
    for library, begin, at in process.linker_knew_not:
        if family := family_of_file(profiles, library):
            words = f"{library}: neither in ld.so.cache nor known to the linker (ctypes.util.find_library)"
            failure = FailedLoad(process, library, "absent", words, missing=library)
            yield Attempt(
                process, "load", library, False, at, begin=begin, api=_api_of(profiles, library), family=family,
                stage="loaded", answer=words, failure=failure,
            )  # fmt: skip


def _api_of(profiles: Profiles, library: str) -> str:
    return profiles.api_of_soname(library) or ""
