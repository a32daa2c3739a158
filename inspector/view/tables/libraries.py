"""The pane Libraries: every mapped file, its route, whether it is still the one on disk; and what did not load."""

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from functools import partial
from typing import NamedTuple

from msgspec import Struct

from inspector.model.formatting import name_of, plural, size
from inspector.model.state import Process, State
from inspector.model.tree import libraries as libraries_of
from inspector.model.tree import opened_as
from inspector.stream.libraries import ImageRead, LibraryMapped, LoadPredicted
from inspector.view.clock import wall_text
from inspector.view.pane_context import PaneContext, title_of
from inspector.view.paths import names_apart

from .process_groups import Folds, helper_programs
from .row import Cell, Column, Details, Item, ListTable, Note, Row, Tone, cell
from .told import told_of

COLUMNS = (
    Column("LIBRARY", 30),
    Column("STATE", 12),
    Column("ROUTE", 26),
    Column("GPU API", 22),
    Column("SONAME", 20, least=140),
    Column("BUILD-ID", 8, least=150),
    Column("IN", 4, right=True),
    Column("PATH", keep_end=True, least=90),
)
_NOT_SEEN: Cell = (("○ ", "quiet"), ("not loaded", "quiet"))
_NOT_LOADED: Cell = (("✗ ", "no"), ("not loaded", "no"))
_OPTIONAL: Cell = (("· ", "quiet"), ("not loaded", "quiet"))
"""Nothing failed because of it: programs ask for much that they can do without."""


class _MappedFile(Struct):
    """One file, with every mapping of it that we look at."""

    path: str
    file: str
    first: LibraryMapped
    holders: list[tuple[Process, LibraryMapped]] = []


def libraries(context: PaneContext, folds: Folds | None = None) -> ListTable:
    """What failed to load, then what is mapped: preloads and API libraries first, the rest in order of appearance."""
    state = context.state
    asked = [_asked(process, one) for process in context.processes for one in process.asked_loads.values()]
    failures = sorted(_failures(context), key=lambda one: one.row.cells[1] is not _NOT_LOADED)
    names = _names(context)
    unused = list(_candidates(context, names))
    files = sorted(_mapped_files(context), key=lambda mapped_file: _rank(state, mapped_file))
    mapped = _with_folded(context, files, folds or Folds(), names)
    whose = title_of(context.process) if context.process is not None else plural(len(state.processes), "process")
    heading = f"{plural(len(files), 'file')} in {whose}" + _not_there(failures)
    return ListTable(COLUMNS, [*asked, *failures, *mapped, *unused], heading)


def _not_there(failures: Sequence[Item]) -> str:
    """`, 1 failed to load, 3 optional ones are not there`."""
    failed = sum(1 for one in failures if one.row.cells[1] is _NOT_LOADED)
    optional = len(failures) - failed
    return (f", {failed} failed to load" if failed else "") + (f", {optional} optional not loaded" if optional else "")


def _names(context: PaneContext) -> Mapping[str, str]:
    """What each file is called: two of one name are told apart by their folders."""
    mapped = (library.path for process in context.processes for library in libraries_of(process).values())
    return names_apart([*mapped, *(path for process in context.processes for path in process.candidates)])


def _with_folded(
    context: PaneContext, files: Sequence[_MappedFile], folds: Folds, names: Mapping[str, str]
) -> list[Item]:
    """The files, those that only helper programs map as one row."""
    helpers = helper_programs(context) if context.process is None else set()
    folded = [one for one in files if all(id(process) in helpers for process, _ in one.holders)]
    items = [_item(context, one, names) for one in files if one not in folded]
    folds.groups, folds.above = set(), {}
    if len(folded) < 2 or folds.everything:
        return items + [_item(context, one, names) for one in folded]
    members = [_item(context, one, names) for one in folded]
    words: Cell = (("▸ ", "quiet"), (f"+{len(folded)} libraries of helper programs", "quiet"))
    also = [] if "helpers" in folds.opened else [key for one in members for key in (one.row.key, *one.also)]
    notes = [Note("right", "shows them one by one"), *(Note("", one.path) for one in folded)]
    folds.groups = {"helpers"}
    items.append(Item(Row("helpers", (words,)), Details("mapped by helper programs only", notes), 0, also))
    if "helpers" in folds.opened:
        folds.above = {one.row.key: "helpers" for one in members}
        items += members
    return items


def _mapped_files(context: PaneContext) -> Iterable[_MappedFile]:
    by_file: dict[tuple[str, str], _MappedFile] = {}
    for process in context.processes:
        for library in libraries_of(process).values():
            key = (library.file, library.path)
            mapped_file = by_file.setdefault(key, _MappedFile(library.path, library.file, library))
            mapped_file.holders.append((process, library))
    return by_file.values()


def _rank(state: State, mapped_file: _MappedFile) -> int:
    apis = state.apis.get(mapped_file.file)
    if mapped_file.first.route in ("preload", "audit"):
        return 0
    if apis is not None and apis.provides:
        return 1
    return 2 if apis is not None and apis.consumes else 3


def _item(context: PaneContext, mapped_file: _MappedFile, names: Mapping[str, str]) -> Item:
    image, apis = context.state.images.get(mapped_file.file), context.state.apis.get(mapped_file.file)
    library = _worst(mapped_file)
    told, keys = (
        told_of(context.answer),
        {("libraries", f"{process.pid}:{one.base}") for process, one in mapped_file.holders},
    )
    blamed = name_of(mapped_file.path) in told.names or not told.rows.isdisjoint(keys)
    concerned = library.route in ("preload", "audit") or (apis is not None and bool(apis.words()))
    row = Row(
        f"{mapped_file.file}:{mapped_file.path}",
        (
            cell(names[mapped_file.path], "name" if concerned else "plain"),
            _state(library, blamed),
            cell(_route(library), "plain" if library.route in ("preload", "dlopen", "audit") else "quiet"),
            cell(", ".join(apis.words()) if apis is not None else ""),
            cell(image.soname or "none" if image and not image.error else "?", "quiet"),
            cell(image.build_id[:8] if image else "", "quiet"),
            cell(str(len({process.pid for process, _ in mapped_file.holders})), "quiet"),
            cell(mapped_file.path, "quiet"),
        ),
    )
    also = [f"{process.pid}:{one.base}" for process, one in mapped_file.holders]
    return Item(row, partial(_details, context, mapped_file, image), 0, [*also, mapped_file.path])


def _worst(mapped_file: _MappedFile) -> LibraryMapped:
    """The mapping that a person should hear of first."""
    order = ("deleted", "replaced", "modified", "current", "unknown", "unmapped")
    return min((library for _, library in mapped_file.holders), key=lambda library: order.index(library.state))


_GLYPHS: dict[str, tuple[str, Tone]] = {
    "current": ("✓ ", "yes"),
    "unmapped": ("○ ", "quiet"),
    "unknown": ("? ", "unknown"),
}
"""States of a file that are no trouble."""


def _state(library: LibraryMapped, blamed: bool) -> Cell:
    """A file that is another one on disk by now is an error where the answer tells of it, else it is to be known."""
    glyph, tone = _GLYPHS.get(library.state, ("✗ ", "no") if blamed else ("≠ ", "unknown"))
    return ((glyph, tone), (library.state, "quiet" if library.state in _GLYPHS else tone))


def _route(library: LibraryMapped) -> str:
    by = f" by {name_of(library.route_by)}" if library.route_by and library.route in ("needed", "dlopen") else ""
    return "route unknown" if library.route == "unknown" else library.route + by


class _Failure(NamedTuple):
    """One thing that did not load, whoever wanted it."""

    name: str
    route: str
    words: str


def _failures(context: PaneContext) -> Iterator[Item]:
    wanted: dict[_Failure, list[tuple[Process, str]]] = {}
    predicted: dict[_Failure, LoadPredicted] = {}
    for process in context.processes:
        for failure, key, prediction in _failed(process):
            wanted.setdefault(failure, []).append((process, f"{process.pid}:{key}"))
            if prediction is not None:
                predicted[failure] = prediction
    told = told_of(context.answer)
    for failure, holders in wanted.items():
        keys = {("libraries", key) for _, key in holders}
        concerned = name_of(failure.name) in told.names or not told.rows.isdisjoint(keys)
        yield _not_loaded(failure, holders, predicted.get(failure), concerned)


def _failed(process: Process) -> Iterator[tuple[_Failure, str, LoadPredicted | None]]:
    for entry in process.preloads:
        if entry.usable is False:
            failure = _Failure(entry.entry, entry.source, entry.words or entry.problem)
            yield failure, f"preload:{entry.entry}", None
    for prediction in process.predictions.values():
        if prediction.ok is False:
            yield _Failure(prediction.name, "predicted", prediction.words), f"load:{prediction.name}", prediction
    here = {name_of(one.path) for one in process.libraries.values() if one.state != "unmapped"}
    for refusal in process.refusals:
        if not _of_a_name(refusal.object, refusal.text, here):
            yield _Failure(refusal.object, "the loader said", refusal.text), f"refused:{refusal.object}", None
    known = {name_of(one.object) for one in process.refusals} | {name_of(name) for name in process.predictions}
    for sentence in process.loader_words.words if process.loader_words is not None else ():
        name, _, text = sentence.partition(": ")
        if text and name_of(name) not in known and not _of_a_name(name, text, here):
            yield _Failure(name, "before we attached", text), f"recalled:{name}", None


def _of_a_name(library: str, text: str, here: Set[str]) -> bool:
    """A library that is there was asked for a name that it has not: that is no load that failed."""
    return text.startswith("undefined symbol") and name_of(library) in here


def _not_loaded(
    failure: _Failure, holders: list[tuple[Process, str]], prediction: LoadPredicted | None, concerned: bool
) -> Item:
    """`concerned`: the answer tells of it; else nothing failed because of it."""
    tone: Tone = "no" if concerned else "quiet"
    words: Cell = ((f"{failure.route}: ", "quiet"), (failure.words, "plain" if concerned else "quiet"))
    row = Row(holders[0][1], (cell(name_of(failure.name), tone), _NOT_LOADED if concerned else _OPTIONAL, words))
    notes = [Note("wanted", failure.name), Note("error", f"{failure.words} ({failure.route})", tone)]
    if not concerned:
        notes.append(Note("", "nothing failed because of it", "quiet"))
    notes += [Note("in" if not place else "", title_of(process)) for place, (process, _) in enumerate(holders)]
    notes += _missing(prediction) if prediction is not None else []
    by_hand = [f"readelf -d {shlex.quote(failure.name)}"] if "/" in failure.name else []
    also = [key for _, key in holders]
    return Item(row, Details(f"{name_of(failure.name)}: not loaded", notes, by_hand), 0, also, holders[0][0].pid)


def _asked(process: Process, prediction: LoadPredicted) -> Item:
    """The answer to "what would happen if this were loaded here?"."""
    verdict, words = _verdict(prediction)
    why: Cell = (("asked: ", "quiet"), (words, "plain"))
    row = Row(f"asked:{process.pid}:{prediction.name}", (cell(name_of(prediction.name), "name"), verdict, why))
    notes = [
        Note("asked", f"dlopen({prediction.name}) in {title_of(process)}"),
        Note("predicted", words, verdict[0][1]),
    ]
    for found in prediction.tree:
        notes.append(Note("finds", f"{found.name}: {found.path or 'nothing'} ({found.rule})"))
    notes += _missing(prediction)
    return Item(row, Details(f"{name_of(prediction.name)}: what a load would do", notes), pid=process.pid)


def _verdict(prediction: LoadPredicted) -> tuple[Cell, str]:
    if prediction.ok is None:
        return (("? ", "unknown"), ("unknown", "unknown")), prediction.unknown_because
    if prediction.ok:
        return (("✓ ", "yes"), ("would load", "plain")), "ld.so would find everything it needs"
    return (("✗ ", "no"), ("would fail", "no")), prediction.words


def _missing(prediction: LoadPredicted) -> Iterator[Note]:
    for missing in prediction.missing:
        yield Note("missing", f"{missing.name}, needed by {missing.by}", "no")
        for step in missing.steps:
            yield Note("", f"  {step.path}: {step.result} ({step.rule})", "quiet")
    for need in prediction.undefined:
        version = f"@{need.version}" if need.version else ""
        offer = prediction.offered_instead.get(need.name, "no library defines it")
        yield Note("undefined", f"{need.name}{version}: {offer}", "no")


def _candidates(context: PaneContext, names: Mapping[str, str]) -> Iterator[Item]:
    """Backends that a program could load, and of which no load was seen."""
    seen = {library.path for process in context.processes for library in libraries_of(process).values()}
    waiting: dict[str, list[Process]] = {}
    for process in context.processes:
        failed = {name for name, one in process.predictions.items() if one.ok is False}
        for path in process.candidates.keys() - seen - failed:
            waiting.setdefault(path, []).append(process)
    for path, holders in sorted(waiting.items()):
        prediction = holders[0].predictions.get(path)
        would = ", it would load" if prediction is not None and prediction.ok else ""
        words = f"no load was seen{would}"
        row = Row(f"candidate:{path}", (cell(names[path], "quiet"), _NOT_SEEN, cell(f"backend: {words}", "quiet")))
        notes = [Note("path", path), Note("profile", holders[0].candidates[path].profile), Note("load", words)]
        notes += [Note("near" if not place else "", title_of(process)) for place, process in enumerate(holders)]
        by_hand = [f"readelf -d {shlex.quote(path)}"]
        yield Item(row, Details(f"{name_of(path)}: a backend nearby", notes, by_hand), also=[path])


def _details(context: PaneContext, mapped_file: _MappedFile, image: ImageRead | None) -> Details:
    notes = [Note("path", mapped_file.path), *_identity(mapped_file)]
    apis = context.state.apis.get(mapped_file.file)
    if apis is not None:
        notes += [Note("provides", api, "name") for api in sorted(apis.provides)]
        notes += [Note("uses", f"{api}: {how.words}", "name") for api, how in sorted(apis.consumes.items())]
    notes += _image(image) if image is not None else [Note("file", "not read yet", "unknown")]
    notes += [Note("found by", rule) for rule in sorted(_rules(mapped_file))]
    for process, library in mapped_file.holders:
        notes += _mapping(process, library)
    return Details(name_of(mapped_file.path), notes, _by_hand(mapped_file))


def _rules(mapped_file: _MappedFile) -> set[str]:
    """By which rules of the loader the file is found, as predictions say."""
    predictions = [one for process, _ in mapped_file.holders for one in process.predictions.values()]
    return {found.rule for one in predictions for found in one.tree if found.path == mapped_file.path and found.rule}


def _identity(mapped_file: _MappedFile) -> Iterator[Note]:
    library = _worst(mapped_file)
    yield Note("state", library.state, "plain" if library.state in _GLYPHS else "unknown")
    if library.state_detail:
        yield Note("", library.state_detail)
    for link in library.links[:-1] if len(library.links) > 1 else ():
        yield Note("link", link)
    for name in dict.fromkeys(opened_as(process, one) for process, one in mapped_file.holders):
        if name and name != mapped_file.path:
            yield Note("asked as", name)
    yield Note("identity", f"{library.file} (device, inode), {size(library.size)}")
    if library.mtime:
        yield Note("changed", f"{wall_text(library.mtime, date=True)} on disk")


def _image(image: ImageRead) -> Iterator[Note]:
    if image.error:
        yield Note("ELF", image.error, "unknown")
        return
    yield Note("SONAME", image.soname or "none")
    yield Note("build-id", image.build_id or "none")
    if image.sha256:
        yield Note("sha256", image.sha256)
    yield Note("exports", f"{image.exports_total} names")
    if image.version_nodes:
        yield Note("versions", " ".join(image.version_nodes))
    elif not image.has_version_table:
        yield Note("versions", "no version table", "quiet")
    if image.overrides:
        yield Note("overrides", " ".join(image.overrides), "unknown")
    for label, value in (("RPATH", image.rpath), ("RUNPATH", image.runpath)):
        if value:
            yield Note(label, value)
    yield Note("needs", " ".join(image.needed) or "nothing")
    if image.dlopen_names:
        yield Note("may dlopen", " ".join(image.dlopen_names))
    if image.api_names:
        yield Note("may look up", " ".join(image.api_names))
    if image.gpu_architectures:
        yield Note("GPU code", " ".join(image.gpu_architectures))


def _mapping(process: Process, library: LibraryMapped) -> Iterator[Note]:
    yield Note("mapped in", title_of(process), "head")
    by = f" by {library.route_by}" if library.route_by else ""
    yield Note("", f"{library.route}{by} at {library.base:#x}")
    if library.namespace:
        yield Note("", f"link-map namespace {library.namespace}", "unknown")
    if library.order >= 0:
        yield Note("", f"place {library.order} in the look-up order")
    never = process.never_executed.get(library.path)
    if never is not None:
        tone: Tone = "unknown" if never.functions else "plain"
        if never.caveat:
            yield Note("", "unknown which functions never ran", "quiet")
            yield Note("", never.caveat, "quiet")
        else:
            yield Note("", f"{never.proven} of {never.total} functions proven never executed", tone)
    slots = process.slots.get(library.path)
    for slot in slots.slots if slots is not None else ():
        yield Note("slot", f"{slot.name} -> {slot.bound_to or 'not bound yet'}")
    held = process.pointers.get(library.path)
    for holder, names in held.holders.items() if held is not None else ():
        yield Note("held by", f"{holder}: {' '.join(names)}")
    patched = process.patched.get(library.path)
    if patched is not None:
        yield Note("patched", f"{patched.pages} code pages were modified", "unknown")


def _by_hand(mapped_file: _MappedFile) -> list[str]:
    process = next((one for one, _ in mapped_file.holders if not one.ended), mapped_file.holders[0][0])
    inside = process.program is not None and process.program.own_root and not process.ended
    path = shlex.quote(f"/proc/{process.pid}/root{mapped_file.path}" if inside else mapped_file.path)
    commands = [f"readelf -dV {path}", f"readelf -n {path}"]
    if not process.ended:
        commands.append(f"grep {shlex.quote(name_of(mapped_file.path))} /proc/{process.pid}/maps")
    return commands
