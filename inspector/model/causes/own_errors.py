"""Programs that end by an error of their own: about the GPU, about a build without it, or about something else."""

import re

from inspector.model.attempts.row import Attempt
from inspector.model.attempts.wording import setting_row, word_row
from inspector.model.coverage import opens_told_throughout
from inspector.model.drivers import machine_lacks_device, software_drivers
from inspector.model.evidence import short
from inspector.model.families import MANAGEMENT
from inspector.model.first_lines import last_line
from inspector.model.formatting import listed, name_of
from inspector.model.log_claims import Word, concerns_gpu, own_error, says_not_built, stands_last, writer
from inspector.model.log_parsing.vocabulary import CONCERNS_DEVICES, CONCERNS_GPU
from inspector.model.progress import Progress
from inspector.model.settings import Setting
from inspector.model.start_again import waited_for

from .context import Case
from .lacking import holds_libraries
from .on_devices import LOOK_FOR_DEVICE
from .rule import Cause, Hit
from .system import LimitReached, limit_of

_OF_A_SETTING = re.compile(
    r"\b(?:invalid|unknown|unrecogni[sz]ed|unsupported|bad|wrong)\b[^.:]{0,60}\b(?:value|option|argument|parameter|flag|name)\b",
    re.IGNORECASE,
)
"""What it says is wrong is what it was given, not what it found."""
_TO_INSTALL = re.compile(
    r"\b(?:is|are)(?: not|n['’]t) installed\b|\bnot installed\b|\b(?:pip|conda) install\b", re.IGNORECASE
)
"""It names software that is missing: no matter of devices."""
_NO_DESCRIPTOR = re.compile(
    r"\btoo many open files\b|\bEMFILE\b|\b(?:errno|failed with|error)[ =:(]*24\b", re.IGNORECASE
)
"""Words for EMFILE; Go's runtime tells the number alone."""
_FEW_DESCRIPTORS = 65_536
"""Whoever may hold more is not told to raise a limit."""
_WRAPPED = 3
"""Lines over which one sentence goes."""
_SHORTLY = 40
"""Lines between the reason that a program prints and the error by which it ends."""


class NotBuiltByOwnError(Cause):
    id = "cpu-only-build"
    place = "reachable"
    meaning = "A package is a build without GPU code, or the program says that it was built without."
    proof = "The program's own words."
    cure = "Install the build that has GPU code."

    def explain(self, case: Case) -> Hit | None:
        if case.leaf.kind != "end":
            return None
        words = case.context.analysis.words
        said = own_error(case.state, words) or _first_of_a_sentence(words)
        if said is None or not says_not_built(said):
            return None
        told = said.text.strip()[:200]
        return Hit(
            title=f"the program says this build has no GPU code: {told}",
            cause="It was compiled or packaged without it; nothing failed before.",
            next_step="install the build that has GPU code",
            process=case.process,
            confidence="likely",
            evidence=[word_row(case.state, said), *case.rows()],
            at=case.leaf.at,
            subject="not built",
            root=told,
        )


def _first_of_a_sentence(words: list[Word]) -> Word | None:
    """The last place where it says so; a sentence that is broken into lines begins with what it says."""
    told = [one for one in words if one.refusal == "not-built"]
    near = (one for one in told if one.source == told[-1].source and told[-1].number - one.number <= _WRAPPED)
    return next(near, None)


class OutOfDescriptors(Cause):
    """A limit that only the program tells: not every system call that makes a descriptor is watched."""

    id = LimitReached.id
    place = LimitReached.place
    meaning = LimitReached.meaning
    proof = LimitReached.proof
    cure = LimitReached.cure

    def explain(self, case: Case) -> Hit | None:
        process, said = case.process, own_error(case.state, case.context.analysis.words)
        limit = limit_of(process, "RLIMIT_NOFILE")
        if case.leaf.kind != "end" or said is None or limit is None or limit > _FEW_DESCRIPTORS:
            return None
        told = _told_of_descriptors(case, said)
        if not told:
            return None
        root = f"the limit of open files of this process is {limit}"
        return Hit(
            title=f"{short(process)} failed over the limit of open files, which is {limit}: {told[:160]}",
            cause=f"It {case.leaf.answer.removeprefix('it ')}. Its last words: {said.text.strip()[:200]}.",
            next_step="raise the limit (ulimit -n, LimitNOFILE= of its unit) or find what holds so many",
            command=case.rerun(),
            process=process,
            confidence="likely",
            evidence=[word_row(case.state, said), *case.rows()],
            at=case.leaf.at,
            subject="EMFILE:RLIMIT_NOFILE",
            root=root,
        )


class EndedByOwnError(Cause):
    id = "ended-by-own-error"
    place = "end"
    meaning = "The program failed with an error of its own, and nothing related to the GPU was seen to fail before."
    proof = "Its exit code, and the last line of the error that it printed."
    cure = "Fix the program's own error."

    def explain(self, case: Case) -> Hit | None:
        leaf = case.leaf
        if leaf.kind != "end":
            return None
        process = leaf.process
        said, words = last_words(case)
        progress = next((one for one in case.context.analysis.of_process(process) if one.got_to("initialised")), None)
        reached = _reached(case, progress) if progress is not None else ""
        if not words:
            return None
        about_gpu = said is not None and concerns_gpu(said, perhaps=progress is not None)
        about_gpu |= said is None and any(one.find(words, words.lower()) for one in (CONCERNS_DEVICES, CONCERNS_GPU))
        off = [one for owner, one in case.context.analysis.settings if owner is process and about_gpu]
        reason = _reason(case, said)
        before, step, command = _advice(case, words, reached, reason, off, about_gpu=about_gpu)
        root = off[0].text if off else _told_by(reason)[:240] if reason is not None else words
        return Hit(
            title=f"{short(process)} failed with its own error: {words}",
            cause=f"It {leaf.answer.removeprefix('it ')}; {before}",
            next_step=step,
            command=command,
            process=process,
            confidence="likely" if said is None or about_gpu or reason or _may_follow(case, said) else case.sure,
            evidence=[*(word_row(case.state, one) for one in (reason, said) if one is not None),
                      *(setting_row(process, one) for one in off), *case.rows()],
            at=leaf.at,
            subject=words,
            root=root,
        )  # fmt: skip


def _may_follow(case: Case, said: Word) -> bool:
    """Its error may come from what the kernel refused: that was not told, or it tells of memory or descriptors."""
    lacks = "memory" in said.text.lower() or bool(_told_of_descriptors(case, said))
    return lacks or not opens_told_throughout(case.state, case.process)


def _told_of_descriptors(case: Case, said: Word) -> str:
    """The line near its last words that tells of descriptors that it did not get."""
    source = case.state.logs.get(said.source)
    lines = [line for line in source.lines if -_SHORTLY <= line.number - said.number <= 0] if source else []
    return next((line.text.strip() for line in reversed(lines) if _NO_DESCRIPTOR.search(line.text)), "")


def last_words(case: Case) -> tuple[Word | None, str]:
    """The error by which the program says that it ends, or what it said last of a device, and the text of it; else the
    last line of its log.
    """
    said = own_error(case.state, case.context.analysis.words) or _about_gpu(case)
    return said, said.text.strip()[:240] if said is not None else last_line(case.state)[:240]


def _reached(case: Case, progress: Progress) -> str:
    """How far it had got, and that nothing but the CPU stood behind it."""
    drivers = software_drivers(case.state, progress.process, progress.family, case.context.profiles)
    only = f", with {listed(map(name_of, drivers), 2)} alone behind it, a software driver" if drivers else ""
    return f" It had got as far as {progress.furthest.what}{only}."


def _advice(
    case: Case, words: str, reached: str, reason: Word | None, off: list[Setting], *, about_gpu: bool
) -> tuple[str, str, str]:
    """What came before the error, what to do about it, and the command."""
    told = opens_told_throughout(case.state, case.process)
    before = f"nothing related to the GPU {'failed' if told else 'was seen to fail'} before.{reached}"
    step, command = "fix the program's own error first", case.rerun()
    if reason is None and (call := _last_unread(case)) is not None:
        before = f"what {call.what} returned just before was not read, so it may have been refused.{reached}"
        return before, "watch its next start", waited_for(case.process)
    if about_gpu:
        before = f"no call or load of a GPU library was seen to fail before{_listed(case)}.{reached}"
        step = "fix what the error names"
    if reason is not None:
        before, step = (
            f"before that it said: {_told_by(reason).rstrip('.')[:240]}.{reached}",
            "fix what these words name",
        )
    elif about_gpu and _TO_INSTALL.search(words) is not None:
        step = "install what the error names, for the very interpreter or program that asked"
    elif about_gpu and machine_lacks_device(case.state) and _OF_A_SETTING.search(words) is None:
        before, (step, command) = f"{before} This machine shows no GPU.", LOOK_FOR_DEVICE
    if off:
        before += "".join(f" {one.text}: {one.effect}." for one in off[:2])
        without = [word for one in off if one.place == "environment" for word in ("-u", one.key)]
        step, command = f"remove {off[0].key}, or change it", case.rerun(*without)
    return before, step, command


def _reason(case: Case, said: Word | None) -> Word | None:
    """What it said of a GPU shortly before an error that tells less: `Failed to create device` follows from a library
    that was not found. The same sentence (`raise ValueError("…")` of a traceback) is no reason for itself.
    """
    if said is None:
        return _refused_load(case)
    if said.refusal != "own-error":
        return None
    message = said.text.partition(": ")[2].strip() or said.text.strip()
    told = [
        word for word in case.context.analysis.words
        if word.refusal in ("error", "load", "lookup") and word.source == said.source and message not in word.text
        and 0 < said.number - word.number <= _SHORTLY and writer(case.state, word) is case.process
    ]  # fmt: skip
    return told[-1] if told and not said.name.endswith(("ImportError", "ModuleNotFoundError")) else None


def _told_by(reason: Word) -> str:
    """What a line says; of a library that was refused its path and the loader's words, without where it was written."""
    whole = reason.refusal == "load" and reason.name.startswith("/") and bool(reason.answer)
    return f"{reason.name}: {reason.answer}" if whole else reason.text.strip()


def _refused_load(case: Case) -> Word | None:
    """A library that it says it could not load among its last lines, where the last of them tells no more than that."""
    told = [
        word for word in case.context.analysis.words
        if word.refusal == "load" and stands_last(case.state, word) and writer(case.state, word) is case.process
    ]  # fmt: skip
    return told[-1] if told else None


def _last_unread(case: Case) -> Attempt | None:
    """The last call of an API to compute with, where nobody read what it returned."""
    rows = [
        one for one in case.context.analysis.attempts[case.process]
        if one.kind == "call" and one.stage is not None and one.family and one.family not in MANAGEMENT
    ]  # fmt: skip
    last = max(rows, key=lambda one: one.at, default=None)
    return last if last is not None and last.ok is None and last.came_back else None


def _listed(case: Case) -> str:
    """Folders of libraries that it listed: who looks for a library so opens nothing where there is none."""
    folders = list(dict.fromkeys(one.path for one in case.process.folders if holds_libraries(one.path)))
    return f"; it listed {listed(folders, 6)}, and loaded none from there" if folders else ""


def _about_gpu(case: Case) -> Word | None:
    """The last line of the process that tells of a device or its driver, where it did not say that it ends by it."""
    said = [
        word for word in case.context.analysis.words
        if word.refusal in ("no-device", "error") and writer(case.state, word) is case.process
    ]  # fmt: skip
    return said[-1] if said else None


CAUSES: tuple[Cause, ...] = (NotBuiltByOwnError(), OutOfDescriptors(), EndedByOwnError())
