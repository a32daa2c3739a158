"""Loads that failed or would fail, with the cause taken from the loader's own words."""

import re
from typing import Literal

import msgspec
from msgspec.structs import replace

from inspector.stream.calls import FileOpened, LoaderRefused, LookedUp
from inspector.stream.libraries import LoadPredicted, Need

from . import commands_by_hand, evidence
from .crashes import crashed, tells_how
from .formatting import name_of
from .memo import once
from .profiles import Profiles
from .start_again import loader_trace
from .state import Process, Reading, State
from .tree import libraries
from .verdict import Confidence, Evidence

Cause = Literal["absent", "dependency", "symbol", "version", "unsuitable", "overridden", "other"]

_CANNOT_OPEN = re.compile(r"(?:^|: )(?P<file>[^\s:]+): cannot open shared object file")
_UNDEFINED = re.compile(r"undefined symbol: (?P<name>[^\s,]+)(?:, version (?P<version>\S+))?")
_NO_NODE = re.compile(r"version [`'](?P<version>[^']+)' not found")
_UNSUITABLE = re.compile(
    r"truncated|invalid ELF header|wrong ELF class|file too short|ELF file|cannot read file data|cannot change memory|"
    r"cannot open shared object file: (?!No such file)|failed to map|cannot map|not ELF|file data"
)
_SOON = 1_000_000_000
_RTLD_NOLOAD = 4
"""dlopen(3): a question whether the library is loaded; NULL is its plain answer."""


class FailedLoad(msgspec.Struct, frozen=True):
    """One load that failed (seen) or would fail (predicted from files)."""

    process: Process
    name: str
    """As it was asked for."""
    cause: Cause
    words: str
    """The loader's own words, as far as known."""
    missing: str = ""
    """The dependency that is not found, by name."""
    needed_by: str = ""
    """The object that needs it."""
    symbol: str = ""
    version: str = ""
    offered: str = ""
    """What is offered in place of the version."""
    requester: str = ""
    answered_by: str = ""
    lookup: LookedUp | None = None
    prediction: LoadPredicted | None = None
    refusal: LoaderRefused | None = None
    reading: Reading | None = None
    """The line of a log that tells it."""
    opened: FileOpened | None = None
    """The last file that was looked for in vain, where the look-up itself was not seen."""
    told: bool = False
    """Only the program itself tells it."""
    concerns: bool = True
    """The file uses or offers an API, or lacks something that does; False where its own facts show none."""

    @property
    def happened(self) -> bool:
        """It really happened, it is not only predicted."""
        return bool(self.lookup or self.refusal or self.reading or self.opened or self.told)

    @property
    def sure(self) -> Confidence:
        """Proven where the loader itself was seen to refuse; likely where files or a log tell it."""
        return "proven" if self.lookup is not None or self.refusal is not None else "likely"

    @property
    def at(self) -> int:
        event = self.lookup or self.refusal or self.reading or self.opened or self.prediction
        return event.at if event is not None else 0


def failure_of(state: State, process: Process, profiles: Profiles, lookup: LookedUp) -> FailedLoad:
    """What is behind one refused load, in the loader's words as far as they or the files tell."""
    return _Finder(state, process, profiles).of_lookup(lookup)


def foretold(state: State, process: Process, profiles: Profiles, prediction: LoadPredicted) -> FailedLoad:
    """What files say would be behind a load that was not seen."""
    return _Finder(state, process, profiles).of_prediction(prediction)


def is_load(lookup: LookedUp) -> bool:
    """It asks for a library to be loaded, not only whether it is there already."""
    return lookup.via in ("dlopen", "dlmopen") and not lookup.flags & _RTLD_NOLOAD


def failures(state: State, process: Process, profiles: Profiles) -> list[FailedLoad]:
    """Loads of this process that failed and matter, in order of time; those that succeeded later are left out."""
    return once("failures", state, process, profiles, lambda: _Finder(state, process, profiles).find())


def failure_row(state: State, failure: FailedLoad) -> Evidence:
    """The row that shows a failed or predicted load."""
    text = f"{name_of(failure.name)}: {failure.words or 'NULL, and no error text'}"
    if failure.lookup is not None:
        return evidence.of_lookup(state, failure.process, failure.lookup, text)
    if failure.reading is not None:
        return evidence.of_reading(state, failure.reading)
    if failure.refusal is not None:
        return evidence.of_moment(
            state, failure.process, failure.refusal.at, text, by_hand=loader_trace(failure.process)
        )
    if failure.opened is not None:
        return evidence.of_open(state, failure.process, failure.opened, text)
    by_hand = commands_by_hand.needed(failure.process, failure.name)
    return evidence.of_file(failure.process, failure.name, f"predicted from files: {text}", by_hand=by_hand)


class _Finder:
    """Sorts the look-ups, refusals and predictions of one process into failures."""

    def __init__(self, state: State, process: Process, profiles: Profiles) -> None:
        self.state, self.process, self.profiles = state, process, profiles
        self.loaded = {name_of(library.path) for library in libraries(process).values()}
        self.loaded |= {name_of(library.asked) for library in libraries(process).values() if library.asked}
        self.candidates = {name_of(path) for path, found in process.candidates.items() if found.kind == "backend"}

    def find(self) -> list[FailedLoad]:
        dlopens = [lookup for lookup in self.process.lookups if is_load(lookup)]
        succeeded = {name_of(lookup.name): lookup.at for lookup in dlopens if lookup.found}
        found: dict[str, FailedLoad] = {}
        for lookup in dlopens:
            refused = lookup.found is False or (lookup.found is None and self._died_inside(lookup))
            if refused and lookup.name not in found and succeeded.get(name_of(lookup.name), 0) < lookup.at:
                failure = self.of_lookup(lookup)
                if self._matters(failure):
                    found[lookup.name] = failure
        for refusal in self.process.refusals:
            self._add_refusal(found, refusal)
        told = self.loaded | succeeded.keys() | {name_of(name) for name in found}
        for prediction in self.process.predictions.values():
            if prediction.ok is False and name_of(prediction.name) not in told:
                found[prediction.name] = self.of_prediction(prediction)
        failures = sorted(found.values(), key=lambda failure: failure.at)
        return [failure if self._concerns(failure) else replace(failure, concerns=False) for failure in failures]

    def _died_inside(self, lookup: LookedUp) -> bool:
        """The question was never answered because the load itself ended the process, as files alone foretell."""
        if not crashed(self.process):
            return False
        prediction = self.process.predictions.get(lookup.name)
        return (prediction is not None and prediction.ok is False) or bool(self._damage(lookup))

    def _damage(self, lookup: LookedUp) -> str:
        """Why the file, or one that it needs, cannot be read as a library, in words; empty if it can or is unknown."""
        opened = [one.path for one in lookup.tried if not one.errno]
        for path in dict.fromkeys((lookup.name, *opened)):
            candidate = self.process.candidates.get(path)
            image = self.state.images.get(candidate.file if candidate is not None else self._file_of(path))
            if image is not None and image.error:
                return f"{path}: {image.error}"
        return ""

    def _matters(self, failure: FailedLoad) -> bool:
        """An optional file that is not there is normal; one that is there and fails is not."""
        known = self.profiles.api_of_soname(failure.name) is not None or name_of(failure.name) in self.candidates
        if failure.cause == "absent":
            return known and name_of(failure.name) not in self.loaded
        return True

    def _concerns(self, failure: FailedLoad) -> bool:
        """Whether the load has to do with an API at all, as far as the file's own facts are known."""
        known_names = any(map(self.profiles.api_of_soname, (failure.name, failure.missing)))
        if failure.refusal is not None or known_names or name_of(failure.name) in self.candidates:
            return True
        files = [image.file for image in self.state.images.values() if image.path == failure.name and not image.error]
        known = [self.state.apis[file] for file in files if file in self.state.apis]
        return not known or any(apis.provides or apis.consumes for apis in known)

    def of_lookup(self, lookup: LookedUp) -> FailedLoad:
        prediction = self.process.predictions.get(lookup.name) or next(
            (p for p in self.process.predictions.values() if name_of(p.name) == name_of(lookup.name)), None
        )
        words = lookup.error or self._damage(lookup)
        if not words and self._overridden(lookup):
            return FailedLoad(
                self.process, lookup.name, "overridden", "", requester=lookup.requester,
                answered_by=lookup.answered_by, lookup=lookup, prediction=prediction,
            )  # fmt: skip
        if not words and prediction is not None and prediction.ok is False:
            words = prediction.words
        return self._classified(lookup.name, words, lookup=lookup, prediction=prediction)

    def _overridden(self, lookup: LookedUp) -> bool:
        """Somebody else than libc took the question and no file was touched."""
        answerer = self.state.images.get(self._file_of(lookup.answered_by))
        overrides = answerer is not None and bool({"dlopen", "dlmopen", "dlsym"} & set(answerer.overrides))
        return overrides and not lookup.tried

    def _file_of(self, path: str) -> str:
        return next((lib.file for lib in libraries(self.process).values() if lib.path == path), "")

    def _classified(
        self, name: str, words: str, *, lookup: LookedUp | None = None, prediction: LoadPredicted | None = None,
        refusal: LoaderRefused | None = None,
    ) -> FailedLoad:  # fmt: skip
        cause, missing, symbol, version = classify(words, name)
        offered, needed_by = "", ""
        if prediction is not None:
            offered = prediction.offered_instead.get(symbol, "")
            needed_by = next((dep.by for dep in prediction.missing if dep.name == missing), "")
        return FailedLoad(
            self.process, name, cause, words, missing=missing, needed_by=needed_by, symbol=symbol, version=version,
            offered=offered, requester=lookup.requester if lookup else "", lookup=lookup, prediction=prediction,
            answered_by=lookup.answered_by if lookup else "", refusal=refusal,
        )  # fmt: skip

    def _add_refusal(self, found: dict[str, FailedLoad], refusal: LoaderRefused) -> None:
        """The loader's own error where no dlopen row tells it: at the start of a program, or without look-up rights."""
        words = f"{refusal.object}: {refusal.text}" if refusal.object else refusal.text
        cause, missing, _, _ = classify(words, "")
        soon = bool(self.process.ended) and 0 <= self.process.ended - refusal.at < _SOON
        fatal = soon and (_status(self.process) == 127 or not tells_how(self.process.end))
        if not fatal and cause in ("symbol", "version", "other"):
            return
        told = any(missing and missing in failure.words for failure in found.values())
        if told or (not fatal and not self._known(missing)) or name_of(missing) in self.loaded:
            return
        started = self.process.program.exe if fatal and self.process.program else ""
        name = started or refusal.object or missing
        found.setdefault(name_of(name) or words, self._classified(name, words, refusal=refusal))

    def _known(self, name: str) -> bool:
        return self.profiles.api_of_soname(name) is not None or name_of(name) in self.candidates

    def of_prediction(self, prediction: LoadPredicted) -> FailedLoad:
        failure = self._classified(prediction.name, prediction.words, prediction=prediction)
        others = [one for one in prediction.missing if name_of(one.name) != name_of(prediction.name)]
        if others and failure.cause not in ("dependency", "unsuitable"):
            first = others[0]
            return FailedLoad(
                self.process, prediction.name, "dependency", prediction.words, missing=first.name, needed_by=first.by,
                prediction=prediction,
            )  # fmt: skip
        if prediction.undefined and failure.cause not in ("symbol", "version", "dependency"):
            need = prediction.undefined[0]
            return _of_need(self.process, prediction, need)
        return failure


def _of_need(process: Process, prediction: LoadPredicted, need: Need) -> FailedLoad:
    offered = prediction.offered_instead.get(need.name, "")
    return FailedLoad(
        process, prediction.name, "version" if need.version else "symbol", prediction.words, symbol=need.name,
        version=need.version, offered=offered, prediction=prediction,
    )  # fmt: skip


def _status(process: Process) -> int | None:
    return process.end.code if process.end is not None else None


def classify(words: str, name: str) -> tuple[Cause, str, str, str]:
    """Cause, missing file, symbol and version in the loader's words about loading `name`."""
    match = _UNDEFINED.search(words)
    if match is not None:
        version = match["version"] or ""
        return ("version" if version else "symbol"), "", match["name"], version
    match = _NO_NODE.search(words)
    if match is not None:
        return "version", "", "", match["version"]
    if _UNSUITABLE.search(words):
        return "unsuitable", "", "", ""
    match = _CANNOT_OPEN.search(words)
    if match is not None:
        itself = name and name_of(match["file"]) == name_of(name)
        return ("absent" if itself else "dependency"), match["file"], "", ""
    return "other", "", "", ""
