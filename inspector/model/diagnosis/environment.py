"""Did the variables reach this process, and does its loader honour them?"""

import re
from collections.abc import Iterable, Iterator
from shlex import quote

from inspector.model import evidence, recipes
from inspector.model.evidence import short
from inspector.model.state import Process
from inspector.model.tree import ancestors, program
from inspector.model.usage import hides_devices, no_device
from inspector.model.verdict import Confidence
from inspector.model.wording import listed, name_of, plural
from inspector.stream.libraries import PreloadChecked

from .rule import LOADER_KEYS, Hit, Rule, Scene

_SEEN_BY = re.compile(r"^(.*) \(as pid (\d+) sees it\)$")


class StaticBinary(Rule):
    id = "static-binary"
    place = "environment"
    meaning = "The program is linked statically: no dynamic loader runs in it, so nothing is preloaded or searched."

    def find(self, scene: Scene) -> Iterable[Hit]:
        for process in scene.state.processes:
            runs = program(process)
            if runs is None or not runs.static or not process.execs or _dynamic_relative(scene, process):
                continue
            carried = [key for key in LOADER_KEYS if runs.environment.get(key)]
            if not carried:
                continue
            yield Hit(
                title=f"{short(process)} is a static program: {listed(carried)} has no effect in it",
                cause=f"{runs.exe} has no interpreter (PT_INTERP): there is no dynamic loader that could read the "
                "variable.",
                next_step="use a dynamically linked build of the program",
                process=process,
                confidence="proven",
                evidence=[
                    evidence.of_process(process, f"{runs.exe} is static", by_hand=recipes.header(process, runs.exe)),
                    *[evidence.of_environment(process, key, f"{key}={runs.environment[key]}") for key in carried],
                ],
                subject=runs.exe,
            )


def _dynamic_relative(scene: Scene, process: Process) -> bool:
    """A static helper or launcher beside a process that matters more is no fault."""
    return any(scene.rank(one) <= 2 for one in scene.state.processes if one is not process)


class LoaderIgnoresEnvironment(Rule):
    id = "loader-ignores-environment"
    place = "environment"
    meaning = (
        "The kernel marked the program as secure (set-user-id, file capabilities, a security module): its loader "
        "ignores LD_PRELOAD with slashes, LD_LIBRARY_PATH and LD_AUDIT."
    )

    def find(self, scene: Scene) -> Iterable[Hit]:
        for process in scene.state.processes:
            runs = program(process)
            if runs is None or not runs.secure or not process.execs:
                continue
            carried = [key for key in LOADER_KEYS if runs.environment.get(key)]
            if not carried:
                continue
            why = f"the file has {runs.capabilities_added}" if runs.capabilities_added else "AT_SECURE is set"
            yield Hit(
                title=f"the loader of {short(process)} ignores {listed(carried)}: {why}",
                cause="In a program that runs with more rights than its caller the loader drops these variables.",
                next_step=f"getcap {quote(runs.exe)}; ls -l {quote(runs.exe)}   # without the extra rights the "
                "variables work again",
                process=process,
                severity="error" if scene.rank(process) <= 3 else "warning",
                confidence="proven",
                evidence=[
                    evidence.of_process(
                        process, f"AT_SECURE of {short(process)} is 1", by_hand=recipes.secure(process.pid)
                    ),
                    *[evidence.of_environment(process, key, f"{key}={runs.environment[key]}") for key in carried],
                ],
                subject=runs.exe,
            )


class EnvironmentLost(Rule):
    id = "environment-lost"
    place = "environment"
    meaning = "A loader variable that an ancestor has did not reach the process that needed it."

    def find(self, scene: Scene) -> Iterable[Hit]:
        for process in scene.state.processes:
            own = scene.environment(process)
            if own is None or not process.execs or scene.rank(process) > 1:
                continue
            for key in ("LD_PRELOAD", "LD_LIBRARY_PATH"):
                yield from self._of_key(scene, process, key, own.get(key, ""))

    def _of_key(self, scene: Scene, process: Process, key: str, has: str) -> Iterator[Hit]:
        owner, value = _owner(process, key)
        if owner is None:
            return
        lost = [entry for entry in _entries(value) if entry not in _entries(has)]
        needed = self._needed(scene, process, owner, key, lost)
        if not lost or not needed:
            return
        how = "is not in" if not has else f"is {has} in"
        yield Hit(
            title=f"{key} of {short(owner)} did not reach {short(process)}",
            cause=f"{key}={value} there, but it {how} {short(process)}: {needed}.",
            next_step=f"{recipes.difference(process.pid, owner.pid)}   # then set it where {short(process)} is started",
            process=process,
            confidence="proven" if _source(process) == "exec" else "likely",
            evidence=[
                evidence.of_environment(owner, key, f"{short(owner)}: {key}={value}"),
                evidence.of_environment(process, key, f"{short(process)}: {f'{key}={has}' if has else f'no {key}'}"),
            ],
            doubt="Go copies its whole environment to children; something between the two removed it.",
            subject=f"{key}:{value}",
        )

    def _needed(self, scene: Scene, process: Process, owner: Process, key: str, lost: list[str]) -> str:
        """What this process lacks because of it; empty when it lacks nothing."""
        for use in scene.computing(process):
            if use.consumers and not use.providers:
                return f"{name_of(use.consumers[0].path)} finds no {use.api}"
        for failure in scene.failures(process):
            if failure.missing and scene.profiles.api_of_soname(failure.missing):
                return f"{failure.missing} is not found"
            if failure.cause == "absent" and scene.profiles.api_of_soname(failure.name):
                return f"{name_of(failure.name)} is not found"
        if key == "LD_PRELOAD" and not any(use.providers for use in scene.computing(process)):
            for use in scene.computing(owner):
                shim = next((p for p in use.providers if p.path in lost or p.library.route == "preload"), None)
                if shim is not None:
                    return f"{name_of(shim.path)} is not mapped there"
        return ""


def _source(process: Process) -> str:
    return process.execs[-1].environment_source if process.execs else "unknown"


def _owner(process: Process, key: str) -> tuple[Process | None, str]:
    """The nearest ancestor (or earlier program of this process) that has the variable, with its value."""
    for earlier in reversed(process.execs[:-1]):
        if earlier.environment_known and earlier.environment.get(key):
            return process, earlier.environment[key]
    for ancestor in ancestors(process):
        runs = program(ancestor)
        if runs is not None and runs.environment_known and runs.environment.get(key):
            return ancestor, runs.environment[key]
    return None, ""


def _entries(value: str) -> list[str]:
    return [entry for entry in value.replace(" ", ":").split(":") if entry]


class PreloadEntryUnusable(Rule):
    id = "preload-entry-unusable"
    place = "environment"
    notice = True
    meaning = (
        "An entry of LD_PRELOAD, LD_AUDIT or /etc/ld.so.preload cannot be loaded; the loader ignores it and goes on."
    )

    def find(self, scene: Scene) -> Iterable[Hit]:
        for process in scene.state.processes:
            runs = scene.program(process)
            if runs is not None and runs.static:
                continue  # there is no loader that could ignore it
            for entry in scene.preloads(process):
                if entry.usable is False and not hidden_by_namespace(scene, process, entry):
                    yield self._hit(scene, process, entry)
        yield from self._from_logs(scene)

    def _hit(self, scene: Scene, process: Process, entry: PreloadChecked) -> Hit:
        entries = _entries((scene.environment(process) or {}).get(entry.source, ""))
        place = f"entry {entries.index(entry.entry) + 1} of {entry.source}" if entry.entry in entries else entry.source
        works = any(p.library.route == "preload" for use in scene.computing(process) for p in use.providers)
        rows = [evidence.of_environment(process, entry.source, f"{short(process)}: {entry.source} names {entry.entry}")]
        if entry.words:
            rows.append(evidence.of_file(process, entry.entry, entry.words))
        return Hit(
            title=f"{place}, {entry.entry}, is ignored by the loader: {entry.problem or 'it cannot be loaded'}",
            cause=entry.words or f"{entry.entry}: {entry.problem}",
            next_step=f"file -L {quote(entry.entry)}; ls -lL {quote(entry.entry)}   # put the file there, or take "
            "the entry out",
            process=process,
            severity="warning" if works else "error",
            confidence="proven",
            evidence=rows,
            subject=f"{entry.source}:{entry.entry}",
        )

    def _from_logs(self, scene: Scene) -> Iterator[Hit]:
        checked = {name_of(entry.entry) for process in scene.state.processes for entry in process.preloads}
        for reading in scene.start.of("preload-refused"):
            object_, why = reading.groups.get("object", "?"), reading.groups.get("why", "?")
            if name_of(object_) in checked:
                continue
            yield Hit(
                title=f"{object_} of {reading.groups.get('source', '?')} was ignored by a loader: {why}",
                cause="The loader said so itself.",
                next_step=f"file -L {quote(object_)}; ls -lL {quote(object_)}",
                severity="warning",
                confidence="proven",
                evidence=[evidence.of_reading(scene.state, reading)],
                subject=f"log:{object_}",
            )


def hidden_by_namespace(scene: Scene, process: Process, entry: PreloadChecked) -> bool:
    """The entry is absent in a file tree that is not ours: it may well be there outside."""
    runs = scene.program(process)
    return entry.path is None and entry.entry.startswith("/") and runs is not None and runs.own_root


class GlobalPreload(Rule):
    id = "global-preload"
    place = "environment"
    notice = True
    meaning = "/etc/ld.so.preload is not empty: its files are loaded into every new process, shells and sshd included."

    def find(self, scene: Scene) -> Iterable[Hit]:
        contained = [process for process in scene.state.processes if (runs := program(process)) and runs.container]
        for file in scene.state.preload_files.values():
            if not file.entries:
                continue
            carries = "carries" if file.carriers == 1 else "carry"
            carriers = f"; {plural(file.carriers, 'process')} {carries} it now" if file.carriers else ""
            names = f" ({listed(file.carrier_names)})" if file.carrier_names else ""
            yield Hit(
                title=f"{file.path} loads {listed(name_of(e) for e in file.entries)} into every new "
                f"process{carriers}{names}",
                cause="A fault in that file breaks every program of the machine, remote login included.",
                next_step=f"take the lines out of {file.path} and set LD_PRELOAD or LD_LIBRARY_PATH for one service "
                "only",
                process=scene.state.processes[0] if scene.state.processes else None,
                severity="warning",
                confidence="proven",
                evidence=[
                    evidence.of_file_on_disk(
                        file.path, f"{file.path}: {listed(file.entries)}", by_hand=f"cat {quote(_from_here(file.path))}"
                    )
                ],
                subject=file.path,
                despite_use=not contained,
            )


def _from_here(path: str) -> str:
    """Where a file lies for us that is told as `PATH (as pid N sees it)`."""
    return _SEEN_BY.sub(r"/proc/\2/root\1", path)


class VisibleDevicesHidden(Rule):
    id = "visible-devices-hidden"
    place = "environment"
    meaning = "A variable such as CUDA_VISIBLE_DEVICES hides the devices: empty, -1 or an id that this machine lacks."

    def find(self, scene: Scene) -> Iterable[Hit]:
        for process in scene.state.processes:
            for key, value in (scene.environment(process) or {}).items():
                known = scene.profiles.environment_key(key)
                if known is not None and known.kind == "visible-devices" and process.execs:
                    yield from self._of_value(scene, process, key, value, known.effect)

    def _of_value(self, scene: Scene, process: Process, key: str, value: str, effect: str) -> Iterator[Hit]:
        uses = [use for use in scene.computing(process) if scene.profiles.restricts(key, use.api)]
        refusal = next((found for use in uses if (found := no_device(use, scene.profiles))), None)
        hides_all = hides_devices(value)
        if value.split(",")[0].strip() == "0":
            return  # the first device stays visible, if there is one
        if refusal is None and (not (hides_all and uses) or any(use.consumer_calls for use in uses)):
            return
        shown = value or "(empty)"
        confidence: Confidence = "guess" if refusal is None else ("proven" if hides_all else "likely")
        rows = [evidence.of_environment(process, key, f"{short(process)}: {key}={value}")]
        told = ""
        if refusal is not None:
            calls, text = refusal
            told = f": {text}"
            rows.append(evidence.of_calls(process, calls, f"{text} through {calls.function.api}"))
        yield Hit(
            title=f"{key}={shown} hides the devices from {short(process)}{told}",
            cause=f"{effect}.",
            next_step=f"unset {key} where the program is started (children inherit it), then restart",
            process=process,
            confidence=confidence,
            evidence=rows,
            doubt="A shim need not honour the variable; the result alone could have another cause."
            if not hides_all
            else "",
            explains=("NODEVICE", "INVALIDDEVICE"),
            subject=f"{key}={value}",
        )


class SettingWithoutEffect(Rule):
    id = "setting-without-effect"
    place = "environment"
    notice = True
    meaning = "A variable is set that the program does not read."

    def find(self, scene: Scene) -> Iterable[Hit]:
        for process in scene.state.processes:
            for key in scene.environment(process) or {}:
                known = scene.profiles.environment_key(key)
                if known is None or known.kind != "ignored" or not process.execs:
                    continue
                yield Hit(
                    title=f"{key} is set and has no effect",
                    cause=f"{known.truth or known.effect}.",
                    next_step=f"take {key} out, so that nobody relies on it",
                    process=process,
                    severity="info",
                    confidence="proven",
                    evidence=[evidence.of_environment(process, key, f"{short(process)}: {key}")],
                    subject=key,
                )


RULES: tuple[Rule, ...] = (
    StaticBinary(), LoaderIgnoresEnvironment(), EnvironmentLost(), PreloadEntryUnusable(), VisibleDevicesHidden(),
    GlobalPreload(), SettingWithoutEffect(),
)  # fmt: skip
