"""Why a library could not be loaded: what the loader says, and what the files say behind it."""

from collections.abc import Collection

from inspector.model import commands_by_hand, evidence
from inspector.model.coverage import born_here
from inspector.model.evidence import short
from inspector.model.failed_loads import FailedLoad
from inspector.model.formatting import listed, name_of
from inspector.model.state import Process
from inspector.model.verdict import Evidence

from .context import Case
from .environment import missing_file
from .found_elsewhere import FoundElsewhere, found_elsewhere
from .rule import Cause, Hit


def asker(case: Case) -> str:
    """Who asked, by name: the library, or the process."""
    load = case.load or case.leaf
    return name_of(load.asker) if load.asker not in ("", "?") else short(load.process)


def verb(failure: FailedLoad) -> str:
    """`could not be loaded` of what was seen, `would not load` of what files foretell."""
    return "failed to load" if failure.happened else "would fail to load"


def _there(where: FoundElsewhere) -> str:
    """Where it is, as a sentence behind another one."""
    return f" {where.words[0].upper()}{where.words[1:]}." if where.words else ""


def _before_us(failure: FailedLoad) -> str:
    """When a load that is only foretold was tried, in a process that ran already."""
    if failure.happened or born_here(failure.process):
        return ""
    return " If it was tried, it was before we attached, in this process or in a child that has ended."


def _doubt(failure: FailedLoad) -> str:
    if failure.happened:
        return ""
    return "Predicted from files: the program may set another path before it loads the file."


class DlopenOverridden(Cause):
    id = "dlopen-overridden"
    place = "resolved"
    meaning = (
        "A library of the process implements dlopen itself and returns NULL without touching the file or setting an "
        "error."
    )
    proof = "The question went to that library's own dlopen, no file was opened for it, and dlerror has no text."
    cure = (
        "Take the library out of LD_PRELOAD (one that provides an API is found by LD_LIBRARY_PATH), or do not export "
        "dlopen and dlsym."
    )

    def explain(self, case: Case) -> Hit | None:
        failure = case.failure
        if failure is None or failure.cause != "overridden" or failure.lookup is None:
            return None
        process, hook, via = failure.process, failure.answered_by, failure.lookup.via
        defines = evidence.of_file(
            process, hook, f"{hook} defines {via}", by_hand=commands_by_hand.exported(process, hook, via)
        )
        return Hit(
            title=f"{via}({name_of(failure.name)}) in {short(process)} got NULL from {name_of(hook)} "
            "without touching the file",
            cause="Its own dlopen cannot find the real one (its own dlsym returns NULL), so every load fails, and "
            "dlerror stays empty: no log shows it.",
            next_step=f"remove {name_of(hook)} from LD_PRELOAD{_found_by_path(case, hook)}, or do not export dlopen "
            "and dlsym",
            command=commands_by_hand.exported(process, hook, via),
            process=process,
            confidence=case.sure,
            evidence=[*case.rows(), defines],
            at=failure.at,
            subject=f"{hook}:{name_of(failure.name)}",
            root=f"{name_of(hook)} overrides {via} for the whole process",
        )


def _found_by_path(case: Case, hook: str) -> str:
    """A library that provides an API is wanted all the same, by its name."""
    provides = any(one.path == hook for use in case.context.computing(case.process) for one in use.providers)
    return " and let it be found by LD_LIBRARY_PATH" if provides else ""


class DependencyMissing(Cause):
    id = "dependency-missing"
    place = "reachable"
    meaning = "A consumer cannot be loaded because a library that it needs is not found on this process's search path."
    proof = "The loader refused the load and named the missing file; or the files alone foretell it."
    cure = "Put the missing library on the library path of this process."

    def explain(self, case: Case) -> Hit | None:
        failure = case.failure
        if failure is None or failure.cause != "dependency" or not failure.missing:
            return None
        process, missing = failure.process, name_of(failure.missing)
        by = f" (needed by {name_of(failure.needed_by)})" if failure.needed_by not in ("", failure.name) else ""
        where = found_elsewhere(case, failure.missing, "library")
        path = (case.context.environment(process) or {}).get("LD_LIBRARY_PATH")
        rows = case.rows()
        if path:
            rows.append(evidence.of_environment(process, "LD_LIBRARY_PATH", f"LD_LIBRARY_PATH={path}"))
        rows += _searched(process, failure)
        words = failure.words or f"{missing}: cannot open shared object file"
        return Hit(
            title=f"{name_of(failure.name)} {verb(failure)} in {short(process)}: {missing}{by} not found",
            cause=f"The loader {'says' if failure.happened else 'would say'}: {words}.{_there(where)}"
            f"{_before_us(failure)} Most programs don't log a failed backend load. Without the backend nothing calls "
            "the shim.",
            next_step=where.step,
            command=where.command or commands_by_hand.needed(process, failure.name),
            process=process,
            confidence=case.sure,
            evidence=rows,
            doubt=_doubt(failure),
            at=failure.at,
            subject=f"{name_of(failure.name)}:{missing}",
            root=f"{missing} not found{f': {where.words}' if where.words else ''}",
        )


def _searched(process: Process, failure: FailedLoad) -> list[Evidence]:
    prediction = failure.prediction
    steps = next((d.steps for d in prediction.missing if d.name == failure.missing), []) if prediction else []
    return [
        evidence.of_file(
            process,
            step.path,
            f"looked at {step.path} ({step.rule}): {step.result}",
            by_hand=commands_by_hand.listing(process, step.path),
        )
        for step in steps[:12]
    ]


class LibraryNotFound(Cause):
    id = "lookup-failed"
    place = "resolved"
    meaning = "A consumer asked for the API's library or for one of its functions and was refused."
    proof = "The loader or the API itself said so; no call of the API succeeded after it."
    cure = "Bring the library or the function to where it was asked for, under the name that was asked for."

    def explain(self, case: Case) -> Hit | None:
        failure, name = case.failure, missing_file(case)
        if failure is None or not name or failure.cause != "absent":
            return None
        process = case.process
        names = listed(dict.fromkeys(map(name_of, case.alternatives or (name,))), 3)
        if "/" in name and len(case.alternatives) < 2:
            names = name
        where = found_elsewhere(case, name, "library")
        path = (case.context.environment(process) or {}).get("LD_LIBRARY_PATH", "")
        searched = f" (LD_LIBRARY_PATH={path})" if path else " (no LD_LIBRARY_PATH is set)"
        if all("/" in one for one in case.alternatives or (name,)):
            searched = ""  # of a path the loader looks nowhere else
        words = where.words or "no directory of this process's search path holds it"
        by, key = asker(case), _variable(case, name)
        step, command = where.step, where.command
        names_file = name in (case.context.environment(process) or {}).get(key, "").split(":")
        if names_file and not where.paths and not where.unfit:
            step, command = f"set {key} to what is there, or remove it", case.rerun("-u", key)
        place = f"{words[0].upper()}{words[1:]}{searched}."
        runtime = ' A CUDA runtime returns 35, "driver version is insufficient", for this as well.' \
            if case.leaf.api == "cuda-driver" else ""  # fmt: skip
        named = f" {key} names it." if key else ""
        optional = not key and not where.unfit and _may_be_optional(case, case.alternatives or (name,))
        return Hit(
            title=f"{by} asked for {names}{'' if by == short(process) else f' in {short(process)}'}: "
            f"{where.unfit or 'not found'}",
            cause=f"{failure.words or 'The file is not there'}. {place}{runtime}{named}".strip(),
            next_step=f"if it should use a GPU: {step}" if optional else step,
            command=command,
            process=process,
            severity="warning" if optional else "error",
            confidence="guess" if optional else case.sure,
            evidence=case.rows(),
            doubt="It may be an optional plug-in: the program went on without it, and said nothing of it."
            if optional
            else "",
            at=case.leaf.at,
            subject=name_of(name),
            root=where.words,
        )


def _may_be_optional(case: Case, names: Collection[str]) -> bool:
    """A file of the program's own, asked for by its path, whose absence it took without a word and without a failure.

    A library of the driver or of a toolkit is no such file, whatever path leads to it; nor is what a call failed over.
    """
    end, known = case.process.end, case.context.profiles.api_of_soname
    own = all("/" in one and known(name_of(one)) is None for one in names)
    failed = end is not None and bool(end.code or end.signal)
    spoke = any(
        word.pid in (0, case.process.pid) and (word.saying or word.refusal) for word in case.context.analysis.words
    )
    return own and len(case.chain) == 1 and not failed and not spoke


def _opened(case: Case, name: str) -> str:
    """The file that the loader opened for a bare name, and would not take."""
    tried = case.leaf.lookup.tried if case.leaf.lookup is not None else []
    return next((one.path for one in tried if not one.errno and name_of(one.path) == name_of(name)), "")


def _variable(case: Case, path: str) -> str:
    """By which variable the process came to ask for this path."""
    if "/" not in path:
        return ""
    for key, value in (case.context.environment(case.process) or {}).items():
        entries = {one.rstrip("/") for one in value.split(":")}
        if path.rstrip("/") in entries or path.rpartition("/")[0] in entries - {""}:
            return key
    return ""


_ADVICE = (
    ("static TLS block", "raise the room for thread-local variables, or preload the library (LD_PRELOAD)"),
    ("Is a directory", "remove the directory and put the file there: a container runtime creates one where the file "
     "that it is to mount is not on the host"),
    ("cannot read file data", "look at what lies there: no file, or one that cannot be read"),
    ("file too short", "copy or install the file again: it is empty or cut short"),
    ("executable stack", "use a build without an executable stack (patchelf --clear-execstack)"),
)  # fmt: skip
"""What to do about words of glibc's loader (dl-load.c, dl-reloc.c, dl-execstack.c)."""
_MORE_TLS = "GLIBC_TUNABLES=glibc.rtld.optional_static_tls=16384"
"""The GNU C Library manual, Dynamic Linking Tunables."""


def _advice(case: Case, words: str) -> tuple[str, str]:
    """What to do about the loader's words, and the command where it is another one than to look at the file."""
    for part, step in _ADVICE:
        if part in words:
            return step, case.rerun(_MORE_TLS) if "TLS" in part else ""
    return "check that the file is complete, readable and built for this machine", ""


class LoadRefused(Cause):
    id = "backend-load-failed"
    place = "reachable"
    meaning = "A consumer file is there and could not be loaded."
    proof = "The loader refused it in its own words, or the program says so."
    cure = "Make the file whole, readable and of this machine's kind; then the load goes through."

    def explain(self, case: Case) -> Hit | None:
        failure = case.failure
        if failure is None:
            return self._of_words(case) if case.leaf.kind == "load" and case.leaf.came_back else None
        if case.leaf.kind in ("signal", "end") and not failure.words:
            return None  # the process died in it, and nothing says that the file is at fault
        process = failure.process
        named = failure.words.partition(": ")[0]
        path = named if named.startswith("/") else _opened(case, failure.name) or failure.name
        which = f" It is {path}." if path != failure.name and path not in failure.words else ""
        died = case.leaf.kind == "signal"
        step, command = _advice(case, failure.words)
        return Hit(
            title=f"{name_of(failure.name)} {verb(failure)} in {short(process)}: "
            f"{failure.words or 'dlopen returned NULL, its error text was not seen'}",
            cause=f"{asker(case)} asked for it.{which} "
            + (
                f"Its load ended the process: {case.leaf.what}."
                if died
                else "Most programs don't log a failed backend load; they continue without it."
            ),
            next_step=step,
            command=command or f"{commands_by_hand.kind(process, path)}; {commands_by_hand.header(process, path)}",
            process=process,
            confidence=case.sure if failure.words else "likely",
            evidence=case.rows(),
            doubt=_doubt(failure),
            at=failure.at,
            subject=name_of(failure.name),
        )

    def _of_words(self, case: Case) -> Hit:
        """Only the program tells of it."""
        leaf = case.leaf
        where = found_elsewhere(case, leaf.what, "library")
        return Hit(
            title=f"{name_of(leaf.what)} failed to load in {short(leaf.process)}, says its own log: {leaf.answer}",
            cause=f"The load itself was not seen.{_there(where)}",
            next_step=where.step,
            command=case.again(),
            process=leaf.process,
            confidence="likely",
            evidence=case.rows(),
            doubt="It may have been found under another name later.",
            at=leaf.at,
            subject=name_of(leaf.what),
            root=where.words,
        )


CAUSES: tuple[Cause, ...] = (DlopenOverridden(), DependencyMissing(), LibraryNotFound(), LoadRefused())
