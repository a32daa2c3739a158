"""Files that are there for us, and not in the file tree that the process sees."""

from collections.abc import Iterable
from shlex import quote

from inspector.model import commands_by_hand, evidence
from inspector.model.evidence import short
from inspector.model.formatting import name_of
from inspector.model.state import Process
from inspector.model.tree import program
from inspector.model.verdict import Evidence
from inspector.stream.libraries import PreloadChecked

from .context import Case, Context
from .environment import missing_file
from .rule import Cause, Hit, Pattern


def hidden_by_namespace(context: Context, process: Process, entry: PreloadChecked) -> bool:
    """The entry is absent in a file tree that is not ours: it may well be there outside."""
    runs = context.program(process)
    return entry.path is None and not entry.there and entry.entry.startswith("/") and runs is not None and runs.own_root


def _look_inside(process: Process, path: str) -> str:
    """The file as the process sees it, by a living process that sees the same; from outside it would be there."""
    alive = commands_by_hand.alive_beside(process)
    return f"ls -l /proc/{alive.pid}/root{quote(path)}" if alive is not None else ""


class HiddenByNamespace(Cause):
    id = "hidden-by-namespace"
    place = "mapped"
    meaning = (
        "The file is there for you, but not in the file tree that the process sees (container, snap, private mounts)."
    )
    proof = "The process has a mount namespace or root of its own, and the path does not exist in it."
    cure = "Bring the file into that tree: a bind mount, the container's image, the snap's interface."

    def explain(self, case: Case) -> Hit | None:
        process = case.process
        runs = program(process)
        if runs is None or not missing_file(case):
            return None
        for entry in case.context.preloads(process):
            if entry.usable is False and hidden_by_namespace(case.context, process, entry):
                row = evidence.of_environment(process, entry.source, f"{short(process)}: {entry.source}={entry.entry}")
                return self._hit(case, entry.entry, [row])
        found = case.state.copies.get(("library", name_of(missing_file(case))))
        outside = [copy for copy in found.copies if copy.outside] if found is not None else []
        if runs.own_root and outside and all(copy.outside for copy in (found.copies if found else [])):
            return self._hit(case, outside[0].path, [])
        return None

    def _hit(self, case: Case, path: str, rows: list[Evidence]) -> Hit:
        process = case.process
        runs = program(process)
        assert runs is not None
        return Hit(
            title=f"{path} does not exist in the mount namespace of {short(process)}",
            cause=f"The process has a mount namespace of its own ({runs.container or runs.root}); paths resolve "
            "there, not as in your shell.",
            next_step="make the file available there (bind mount or image)",
            command=_look_inside(process, path),
            process=process,
            confidence=case.sure,
            evidence=[
                *rows,
                evidence.of_process(
                    process, f"mount namespace {runs.mount_namespace}, root {runs.root}",
                    by_hand=f"readlink /proc/{process.pid}/ns/mnt /proc/self/ns/mnt",
                ),
                *case.rows(),
            ],
            subject=path,
            root=f"{path} does not exist in the mount namespace of {short(process)}",
        )  # fmt: skip


class HiddenPreloads(Pattern):
    """The same of a preload entry, where nothing was asked for in vain."""

    id = "hidden-by-namespace"
    place = "mapped"
    meaning = HiddenByNamespace.meaning
    proof = HiddenByNamespace.proof
    cure = HiddenByNamespace.cure

    def find(self, context: Context) -> Iterable[Hit]:
        for process in context.state.processes:
            runs = program(process)
            for entry in context.preloads(process):
                if entry.usable is not False or runs is None or not hidden_by_namespace(context, process, entry):
                    continue
                text = f"{short(process)}: {entry.source}={entry.entry}"
                yield Hit(
                    title=f"{entry.entry} does not exist in the mount namespace of {short(process)}",
                    cause=f"The process has a mount namespace of its own ({runs.container or runs.root}); paths "
                    "resolve there, not as in your shell.",
                    next_step="make the file available there (bind mount or image)",
                    command=_look_inside(process, entry.entry),
                    process=process,
                    confidence="proven",
                    evidence=[
                        evidence.of_environment(process, entry.source, text),
                        evidence.of_process(
                            process, f"mount namespace {runs.mount_namespace}, root {runs.root}",
                            by_hand=f"readlink /proc/{process.pid}/ns/mnt /proc/self/ns/mnt",
                        ),
                    ],
                    subject=entry.entry,
                )  # fmt: skip


CAUSES: tuple[Cause, ...] = (HiddenByNamespace(),)
PATTERNS: tuple[Pattern, ...] = (HiddenPreloads(),)
