"""Where else is it? The place of what was asked for in vain, and what would bring it in."""

import re
from shlex import quote

import msgspec

from inspector.model import commands_by_hand
from inspector.model.copies import usable_copies, where_is
from inspector.model.failed_loads import classify
from inspector.model.formatting import listed, name_of, stem
from inspector.model.state import Process, State
from inspector.stream.libraries import CopiesFound, Copy

from .context import Case

OTHER_PROCESSOR = "made for another processor"
"""Loaders pass over such a file as if it were not there (glibc, elf/dl-load.c)."""
_RELEASE = re.compile(r"\.so\.(\d{1,2})(?:\.|$)")
"""The number in a SONAME; NVIDIA's files carry the three digits of a driver in its place."""


class FoundElsewhere(msgspec.Struct, frozen=True):
    """What is known of where it is."""

    words: str
    """`it is there as /opt/cuda/compat/libcuda.so.1`, or that no place has it; empty where nobody looked."""
    step: str
    """What to do about it, in words."""
    command: str
    """The command that does or shows it."""
    paths: tuple[str, ...] = ()
    unfit: str = ""
    """`/opt/x/libcuda.so.1 is made for another processor`: what stands where the file should be."""


def found_elsewhere(case: Case, name: str, *kinds: str) -> FoundElsewhere:
    """Where a file, symbol, version or node is that this process did not get."""
    found = where_is(case.state, case.process, name, *kinds)
    copies = usable_copies(found) if found is not None else []
    if found is not None and copies:
        return _of_copy(case, found, copies)
    beside = _known_paths(case.state, case.process, name) if found is None or found.kind == "library" else []
    if found is not None:  # what it met would not do; what it did not meet may lie in a folder that it does not know
        met = {copy.path for copy in found.copies}
        beside = [path for path in beside if path not in met and name_of(path) == name_of(name)]
    if beside:
        return _known(case, name, beside)
    search = commands_by_hand.search(case.process, f"{stem(name)}*")
    if found is not None and found.complete and (found.places or found.copies or found.kind == "device"):
        places = (
            f"it is in none of the {len(found.places)} directories searched"
            if found.places
            else "it is not on this machine"
        )
        if bad := [copy for copy in found.copies if copy.problem and copy.path != found.library]:
            return _unfit(case, found, bad[0], name, search)
        return FoundElsewhere(places, _get(found, name), search)
    if name.startswith("/"):
        words = "it was asked for by its path, so nothing else is searched"
        return FoundElsewhere(words, f"put {name_of(name)} there, or set the path by which it is asked for", search)
    return FoundElsewhere(
        "", f"check whether {name_of(name)} is on this machine, and add its directory to the library path", search
    )


def _unfit(case: Case, found: CopiesFound, copy: Copy, name: str, search: str) -> FoundElsewhere:
    """There is one, and the loader would not take it: that one is to be mended where it can be."""
    words = f"{copy.path} cannot be used ({copy.problem})"
    look = commands_by_hand.listing(case.process, copy.path)
    if copy.problem.startswith("a link to "):
        return FoundElsewhere(words, "install what the link leads to, or correct the link", look)
    if copy.problem == "permission denied":
        return FoundElsewhere(words, f"let the user of this process read {copy.path}", look)
    if copy.problem == OTHER_PROCESSOR:
        step = f"put a build for the processor of this machine in place of {copy.path}"
        kind = commands_by_hand.kind(case.process, copy.path)
        return FoundElsewhere(words, step, kind, unfit=f"{copy.path} is {copy.problem}")
    cause, missing, _, _ = classify(copy.problem, copy.path)
    if cause == "dependency":
        needed = commands_by_hand.needed(case.process, copy.path)
        return FoundElsewhere(words, f"bring {missing}, which {name_of(copy.path)} needs, to the library path", needed)
    return FoundElsewhere(words, _get(found, name), search)


def _get(found: CopiesFound, name: str) -> str:
    """What to do when no copy is on this machine: a library comes in a package, a symbol with another release."""
    if found.kind in ("symbol", "version"):
        return f"use a release of {name_of(found.library) or 'the library'} that has {name_of(name)}"
    return f"install the package that provides {name_of(name)}"


def _of_copy(case: Case, asked: CopiesFound, copies: list[Copy]) -> FoundElsewhere:
    best = copies[0]
    outside = " outside of the file tree that the process sees" if best.outside else ""
    words = f"it is there as {listed((copy.path for copy in copies), 3)}{outside}"
    if best.outside:
        return FoundElsewhere(words, f"bring {best.path} into the container or namespace of the process",
                           f"ls -l {quote(best.path)}", tuple(one.path for one in copies))  # fmt: skip
    if " -> " in best.brought_by:
        link, _, target = best.brought_by.partition(" -> ")
        if _of_another_release(link, best.path):
            return FoundElsewhere(f"only another release is there: {best.path}", _other_release(link, best.path),
                                  commands_by_hand.listing(case.process, best.path),
                                  tuple(one.path for one in copies))  # fmt: skip
        step = f"make {link} a link to {target}"
        return FoundElsewhere(words, step, commands_by_hand.link(case.process, target, link),
                              tuple(one.path for one in copies))  # fmt: skip
    if best.brought_by:
        step = f"set {best.brought_by} where the program is started"
        return FoundElsewhere(words, step, case.rerun(best.brought_by), tuple(one.path for one in copies))
    step = "start the program again: its loader will find it there now"
    if asked.kind == "symbol":
        lacks = f" in place of {asked.library}" if asked.library else ""
        step = f"let the loader find {best.path}{lacks}: that file has it"
    elif best.order != 1:
        step = f"let the program ask for {best.path}"
        if asked.kind == "library" and "/" not in asked.asked and name_of(best.path) == asked.asked:
            step = f"add {best.path.rpartition('/')[0]} to a file in /etc/ld.so.conf.d, then run ldconfig"
    return FoundElsewhere(
        words, step, commands_by_hand.listing(case.process, best.path), tuple(one.path for one in copies)
    )


def _known(case: Case, name: str, paths: list[str]) -> FoundElsewhere:
    folder = paths[0].rsplit("/", 1)[0]
    words = f"it lies in {listed(paths, 3)}" if name_of(paths[0]) == name_of(name) else f"there is {listed(paths, 3)}"
    if _of_another_release(name, paths[0]):
        look = commands_by_hand.listing(case.process, paths[0])
        return FoundElsewhere(words, _other_release(name, paths[0]), look, tuple(paths))
    if name_of(paths[0]) != name_of(name):
        return FoundElsewhere(
            words,
            f"ask for {name_of(paths[0])}, or make {folder}/{name_of(name)} a link to it",
            commands_by_hand.link(case.process, name_of(paths[0]), f"{folder}/{name_of(name)}"),
            tuple(paths),
        )
    before = (case.context.environment(case.process) or {}).get("LD_LIBRARY_PATH", "")
    setting = f"LD_LIBRARY_PATH={folder}{':' + before if before and folder not in before.split(':') else ''}"
    return FoundElsewhere(
        words, f"put {folder} first in LD_LIBRARY_PATH of this program", case.rerun(setting), tuple(paths)
    )


def _of_another_release(asked: str, found: str) -> bool:
    """The numbers of the two SONAMEs differ: what was made for the one need not work with the other."""
    numbers = [match[1] for one in (asked, found) if (match := _RELEASE.search(name_of(one)))]
    return len(numbers) == len((asked, found)) and numbers[0] != numbers[1]


def _other_release(asked: str, found: str) -> str:
    return f"install the release that has {name_of(asked)}, or let the program ask for {name_of(found)} where that fits"


def _known_paths(state: State, process: Process, name: str) -> list[str]:
    """Files of that name, else of that stem, that were met by the way: mapped, near, opened."""
    met: dict[str, None] = {}
    for image in state.images.values():
        if not image.error:
            met.setdefault(image.path)
    for one in state.processes:
        met |= dict.fromkeys(library.path for library in one.libraries.values())
        met |= dict.fromkeys(candidate.path for candidate in one.candidates.values())
        met |= dict.fromkeys(opened.path for opened in one.opens if not opened.errno and ".so" in opened.path)
    paths = [path for path in met if path != name and path.startswith("/")]
    same = [path for path in paths if name_of(path) == name_of(name)]
    return sorted(same or [path for path in paths if stem(path) == stem(name) and ".so" in path])
