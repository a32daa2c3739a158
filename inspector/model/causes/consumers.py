"""Who could call: did the consumer load, was it looked for at all, is there one?"""

from collections.abc import Iterable

from inspector.model import commands_by_hand, evidence
from inspector.model.coverage import born_here
from inspector.model.crashes import crashed
from inspector.model.evidence import short
from inspector.model.formatting import duration, listed, name_of
from inspector.model.start_again import rerun, waited_for
from inspector.model.state import Process
from inspector.model.tree import libraries
from inspector.model.usage import Use, looks_up_freely
from inspector.stream.libraries import CandidateFound

from .context import Context
from .rule import UNEXPLAINED, Hit, Pattern

_PATIENCE = 1_000_000_000
"""ns that a living process is given to load its consumer before its absence is worth telling."""


class BackendDisabled(Pattern):
    id = "backend-disabled"
    answers = UNEXPLAINED | {"given-nothing", "found-not-used"}
    place = "reachable"
    meaning = (
        "A variable restricts which backend directories are looked at, and the one that is there is not among them."
    )
    proof = "The variable in the environment, the directories beside the program, and that none of them was looked at."
    cure = "Remove the variable, or set it to a directory that exists."

    def find(self, context: Context) -> Iterable[Hit]:
        for process in context.state.processes:
            for key, value in (context.environment(process) or {}).items():
                known = context.profiles.environment_key(key)
                if known is None or known.kind != "filter" or not value or not process.execs:
                    continue
                folders = {_folder(candidate) for candidate in self._consumers(context, process)}
                if folders and value not in folders and not self._used_anyway(context):
                    yield self._hit(context, process, key, value, sorted(folders), known.effect)

    def _consumers(self, context: Context, process: Process) -> list[CandidateFound]:
        return [
            candidate
            for candidate in process.candidates.values()
            if candidate.kind == "backend"
            and (apis := context.state.apis.get(candidate.file)) is not None
            and apis.consumes
        ]

    def _used_anyway(self, context: Context) -> bool:
        return any(context.refused(process) for process in context.state.processes) or any(
            consumer.observed
            for process in context.state.processes
            for use in context.computing(process)
            for consumer in use.consumers
        )

    def _hit(self, context: Context, process: Process, key: str, value: str, folders: list[str], effect: str) -> Hit:
        lines = list(context.start.of("backend-skipped"))
        return Hit(
            title=f"{key}={value} names no backend directory; there is {listed(folders)}",
            cause=f"{effect}.",
            next_step=f"unset {key}, or set it to {folders[0]}, and restart",
            command=rerun(process, "-u", key),
            process=process,
            confidence="proven" if lines else "likely",
            evidence=[
                evidence.of_environment(process, key, f"{short(process)}: {key}={value}"),
                *[
                    evidence.of_file(process, c.path, f"not looked at: {c.path}")
                    for c in self._consumers(context, process)
                ],
                *[evidence.of_reading(context.state, reading) for reading in lines[:5]],
            ],
            subject=f"{key}={value}",
        )


def _folder(candidate: CandidateFound) -> str:
    return candidate.directory.rstrip("/").rsplit("/", 1)[-1]


class NoConsumer(Pattern):
    id = "no-consumer"
    place = "reachable"
    meaning = (
        "The library is mapped, but no file in the process imports, needs or names its API: nothing there can call it."
    )
    proof = "Every mapped file was read, and none imports, needs or names a function of the API."
    cure = "Find the process that loads the GPU backend, or install the backend."

    def find(self, context: Context) -> Iterable[Hit]:
        for process in context.state.processes:
            if not process.execs or not context.matters(process) or _has_children(context, process):
                continue
            if context.refused(process) or crashed(process) or not settled(context, process):
                continue
            lonely = [
                use for use in context.computing(process) if use.providers and not use.consumers and not use.total_calls
            ]
            shims = [use for use in lonely if any(p.library.route in ("preload", "audit") for p in use.providers)]
            if (
                shims
                and not _speaks(context, process)
                and not any(use.consumers for use in context.computing(process))
                and self._readable(context, process)
            ):
                yield self._hit(context, process, shims[0])

    def _readable(self, context: Context, process: Process) -> bool:
        mapped = libraries(process).values()
        known = all(library.file in context.state.images or library.route == "vdso" for library in mapped)
        return known and not looks_up_freely(context.state, process)

    def _hit(self, context: Context, process: Process, use: Use) -> Hit:
        shim = next(p for p in use.providers if p.library.route in ("preload", "audit"))
        backends = [c for c in process.candidates.values() if c.kind == "backend"]
        usable = [c for c in backends if _may_use_a_gpu(context, c)]
        unopened = f"; {name_of(usable[0].path)} in {usable[0].directory} was not loaded" if usable else ""
        if backends and not usable:
            unopened = f"; {backends[0].directory} holds no backend for a GPU"
        step, command = _next(process, [c.directory for c in usable], [c.directory for c in backends])
        count, seen = len(libraries(process)), born_here(process)
        later = "A consumer may still be loaded later." if not process.ended else ""
        return Hit(
            title=f"{name_of(shim.path)} is mapped in {short(process)}, but none of its {count} mapped files can call "
                  f"{use.api}{unopened}",
            cause="A preloaded library is in every child process, also in those that never use a GPU. Only a "
            "library or program that imports, needs or looks up its names can call it.",
            next_step=step,
            command=command,
            process=process,
            severity="error" if seen else "info",
            confidence="likely" if seen else "guess",
            evidence=[
                evidence.of_library(process, shim.library, f"mapped: {shim.path} ({shim.library.route})"),
                evidence.of_process(
                    process, f"{count} files mapped, none of them imports, needs or names a function of {use.api}",
                    by_hand=f"cat /proc/{process.pid}/maps",
                ),
            ],
            doubt=later if seen else f"A child of it that ended before we attached may have had one. {later}".strip(),
            subject=f"{shim.path}:{use.api}",
        )  # fmt: skip


def _may_use_a_gpu(context: Context, backend: CandidateFound) -> bool:
    """It uses an API of devices, or was not read."""
    apis = context.state.apis.get(backend.file)
    return bool(apis.consumes) if apis is not None else backend.file not in context.state.images


def _next(process: Process, usable: list[str], backends: list[str]) -> tuple[str, str]:
    """A backend that is there may be loaded at the next start; where none is there, or none belongs, it is not."""
    if usable:
        step = "find the process that loads the GPU backend: observe the next start from its first instruction"
        return step, waited_for(process)
    if backends:
        return f"install the GPU backend into {backends[0]}", commands_by_hand.below(process, backends[0])
    step = f"observe the program that loads a GPU backend: {short(process)} does not"
    return step, commands_by_hand.consumers()


def _speaks(context: Context, process: Process) -> bool:
    """A shim tells in its log of calls in this process: the story of called-only-by-itself."""
    return any(reading.pid == process.pid and reading.groups.get("function") for reading in context.start.of("call"))


def _has_children(context: Context, process: Process) -> bool:
    """Children carry what their parent carries: it is for them to have a consumer."""
    return any(one.parent is process and context.matters(one) for one in context.state.processes)


def settled(context: Context, process: Process) -> bool:
    """It ended, or had time enough, so that what it has not loaded so far says something."""
    return bool(process.ended) or context.state.now - process.started > _PATIENCE or not born_here(process)


def lifetime(context: Context, process: Process) -> str:
    """How long the process has lived."""
    return duration((process.ended or context.state.now) - process.started)


PATTERNS: tuple[Pattern, ...] = (BackendDisabled(), NoConsumer())
