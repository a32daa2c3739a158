"""Entries of LD_PRELOAD, LD_AUDIT and /etc/ld.so.preload as the loader of one process would find them."""

from typing import Literal

from inspector.collect.access.opening import read_regular
from inspector.stream.libraries import PreloadChecked
from inspector.stream.text import decode

from ...elf.file import ElfError
from ...elf.library import LibraryCache
from ...elf.search import NO_SUCH_FILE, NOT_OPENED, NOT_SETUID, PERMISSION_DENIED, Answer, Loaded, Search, Surroundings
from ..preload_entries import file_entries, list_entries

Source = Literal["LD_PRELOAD", "LD_AUDIT", "/etc/ld.so.preload"]
_PRELOAD_FILE = b"/etc/ld.so.preload"
_LARGEST = 1 << 16


def preload_entries(environment: dict[bytes, bytes], around: Surroundings) -> list[tuple[Source, bytes]]:
    """All entries with the place that names them, in the loader's order."""
    entries: list[tuple[Source, bytes]] = []
    entries += [("LD_AUDIT", entry) for entry in list_entries(environment.get(b"LD_AUDIT", b""))]
    entries += [("LD_PRELOAD", entry) for entry in list_entries(environment.get(b"LD_PRELOAD", b""))]
    try:
        content = read_regular(around.files.locate(_PRELOAD_FILE), _LARGEST)
        entries += [("/etc/ld.so.preload", entry) for entry in file_entries(content)]
    except OSError:
        pass
    return entries


def check_preload(
    at: int,
    pid: int,
    source: Source,
    entry: bytes,
    around: Surroundings,
    library_cache: LibraryCache,
    program: Loaded | None,
) -> PreloadChecked:
    """One entry: where it is found, whether it can be used, and what ld.so prints about it."""
    from_environment = source != "/etc/ld.so.preload"
    if around.secure and from_environment and b"/" in entry:
        problem = "silently ignored: the program gains privileges (AT_SECURE), so an entry with a slash is skipped"
        return PreloadChecked(at=at, pid=pid, source=source, entry=decode(entry), usable=False, problem=problem)
    answer = Search(around, library_cache).find(entry, program, program, preload=from_environment)
    if source == "LD_AUDIT":
        _check_audit(answer)
    problem = _problem(answer)
    return PreloadChecked(
        at=at,
        pid=pid,
        source=source,
        entry=decode(entry),
        path=decode(answer.path) if answer.library else None,
        there=any(step.result != NO_SUCH_FILE for step in answer.steps),
        usable=None if answer.unknown else not problem,
        problem=problem or answer.unknown,
        words=_words(source, entry, answer),
    )


def _check_audit(answer: Answer) -> None:
    """An audit module must define la_version (rtld-audit(7))."""
    try:
        if answer.library and not answer.library.refusal and b"la_version" not in answer.library.symbols.offers:
            answer.error = "undefined symbol: la_version"
    except ElfError as error:
        answer.unknown = str(error)


def _problem(answer: Answer) -> str:
    """Why the entry cannot be used, in plain words; empty when it can."""
    if answer.error:
        return _not_opened(answer) if answer.error == NOT_OPENED else answer.error
    return answer.library.refusal if answer.library else ""


def _not_opened(answer: Answer) -> str:
    if any(step.result == NOT_SETUID for step in answer.steps):
        return "the program gains privileges (AT_SECURE): only a set-user-ID file in a default directory would be taken"
    refused = [step for step in answer.steps if step.result == PERMISSION_DENIED]
    if refused:
        return f"its user may not read {refused[0].path}"
    if len(answer.steps) == 1:
        return answer.steps[0].result
    return f"no file of that name in any of {len(answer.steps)} places that are searched"


def _words(source: Source, entry: bytes, answer: Answer) -> str:
    """rtld.c, do_preload and load_audit_module: the reason without its errno."""
    error = answer.error or (answer.library.refusal if answer.library else "")
    if not error:
        return ""
    if source == "LD_AUDIT":
        return f"ERROR: ld.so: object '{decode(entry)}' cannot be loaded as audit interface: {error}; ignored."
    return f"ERROR: ld.so: object '{decode(entry)}' from {source} cannot be preloaded ({error}): ignored."
