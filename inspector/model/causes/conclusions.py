"""What is said of the mode where no chain of refusals stands behind it: in use, ready, given nothing, nobody asked."""

import re
from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import replace
from errno import ENOENT
from shlex import quote
from typing import ClassVar, get_args

from inspector.model import evidence
from inspector.model.attempts.row import Attempt
from inspector.model.attempts.wording import sentence, word_row
from inspector.model.coverage import born_here, capability
from inspector.model.decision import CONTRADICTING, UNUSED_FOR, Decision, Reason, computed, covered
from inspector.model.drivers import drivers_behind, software_drivers
from inspector.model.evidence import short
from inspector.model.families import MANAGEMENT, family_of_api, family_of_file
from inspector.model.formatting import duration, listed, name_of
from inspector.model.gpu_work import of_tree, words
from inspector.model.progress import Progress
from inspector.model.state import Process
from inspector.model.tree import program
from inspector.model.worker import is_tool

from .context import Context
from .rule import Hit, Place, Rule

_GUESS = re.compile(r"\b(possible|possibly|maybe|may be|might|perhaps)\b", re.I)
_SCRIPTS = re.compile(r"python|perl|ruby|node_modules|site-packages|/share/|/locale|/proc/|/sys/")
"""Folders in which interpreters look for their own modules."""
_CHANNELS = ("process-births", "environment", "library-loads", "lookups", "count-calls", "results", "open-files")


class Conclusion(Rule):
    """Says what the decision means where it has no chain."""

    place: ClassVar[Place] = "used"
    reasons: ClassVar[tuple[Reason, ...]]

    @abstractmethod
    def conclude(self, context: Context, decision: Decision) -> Hit | None:
        """The answer for one of its reasons."""


def _hit(decision: Decision, title: str, cause: str, step: str = "", **facts: object) -> Hit:
    hit = Hit(
        title=title,
        cause=cause,
        next_step=step,
        process=decision.process,
        confidence=decision.confidence,
        evidence=[*decision.evidence, *decision.contradictions],
        severity="info",
        subject=decision.reason,
    )
    return replace(hit, **facts)  # type: ignore[arg-type]


def _again(context: Context, decision: Decision) -> str:
    """The command that sees the next start from its first instruction."""
    process = decision.process or (context.state.processes[0] if context.state.processes else None)
    runs = program(process) if process is not None else None
    return f"inspector --wait {quote(name_of(runs.exe))}" if runs is not None and runs.exe else "inspector doctor"


class GpuInUse(Conclusion):
    id = "gpu-in-use"
    meaning = "The program runs on the GPU."
    proof = "Work (launches, copies, graphs) was answered with success; proven where a device stands behind it."
    cure = "Nothing to do."
    reasons = ("works",)

    def conclude(self, context: Context, decision: Decision) -> Hit | None:
        if decision.confidence == "guess":
            return None
        working = [work for work in of_tree(context.state, context.profiles) if work.proven]
        over = decision.process is not None and bool(decision.process.ended)
        title = f"{'ran' if over else 'running'} on the GPU ({decision.verdict})"
        if working:
            title += f": {words(max(working, key=lambda work: work.launches))}"
        elif decision.evidence:
            title += ": its log says so" if decision.evidence[0].pane == "logs" else f": {decision.evidence[0].text}"
        doubt = ""
        if decision.confidence != "proven":
            doubt = "no device was seen behind the success" if working else "Its log says so; no GPU work was counted."
        cause = "But see the evidence against it." if decision.contradictions else "Nothing is broken."
        if decision.stop is not None and decision.stop.after_work:
            cause = f"After it was refused: {sentence(decision.stop.attempt)}."
        return _hit(decision, title, cause, doubt=doubt, subject="use")


class GpuReady(Conclusion):
    id = "gpu-ready"
    meaning = "A GPU was found, and nothing has computed on it yet."
    proof = "Discovery counted or described a device, or the program says so; no work was asked of it so far."
    cure = "Give the program work, then check again."
    reasons = ("ready",)

    def conclude(self, context: Context, decision: Decision) -> Hit | None:
        if decision.progress is not None:
            how = sentence(decision.progress.furthest)
        else:
            how = "its log says so" if decision.word is not None else ""
        return _hit(
            decision, f"a GPU was found but has not been used yet: {how}".removesuffix(": "),
            "Discovery succeeded. Whether the work runs there shows once the program computes.",
            "give it work, then check again", doubt="A later step may still be refused.",
        )  # fmt: skip


class FoundNotUsed(Conclusion):
    id = "found-not-used"
    meaning = "A device was found, and the program computes without it."
    proof = (
        "Discovery counted a device; then seconds of CPU time were spent and no call followed, or the program says so."
    )
    cure = "Check the program's settings: which device it was told to use."
    reasons = ("found-not-used",)

    def conclude(self, context: Context, decision: Decision) -> Hit | None:
        progress = decision.progress
        if progress is None:
            return None
        spent = decision.process.cpu_after(progress.newest, context.state.now) if decision.process is not None else 0
        after = f", then {duration(spent)} of CPU time were spent and it got no work" if spent else ""
        if decision.process is not None and decision.process.ended and spent < UNUSED_FOR:
            after = ", and the program ended without giving it work"
        said = f"; the program says: {decision.word.text.strip()[:160]}" if decision.word is not None else ""
        return _hit(
            decision,
            f"a device was found ({_by(progress)}){after or said}",
            "Nothing refused it: the driver answered and the program went on without the device"
            f"{said if after else ''}.",
            "check its settings: which device it was told to use",
            severity="error" if spent > UNUSED_FOR or said else "warning",
            doubt="A server may still be waiting for its first request." if not after else "",
        )


def _by(progress: Progress) -> str:
    one = progress.furthest
    return f"{one.what} in {short(progress.process)}" + (f", returned by {one.provider}" if one.provider else "")


class NoWorkGiven(Conclusion):
    id = "no-work-given"
    meaning = "The process that computes was given no GPU, or gave it nothing, although nothing was refused to it."
    proof = (
        "The process was started for a model; it asked for no API or made no launch, and a setting or its log says why."
    )
    cure = "Change the option that keeps the layers off the device, or put the backend into its directory."
    reasons = ("given-nothing",)

    def conclude(self, context: Context, decision: Decision) -> Hit | None:
        worker, word = decision.process, decision.word
        if worker is None:
            return None
        why = [setting.text for setting in decision.settings]
        if word is not None and word.saying == "given-nothing":
            why.append(word.text.strip()[:160])
        loads = context.analysis.attempts.get(worker, [])
        got = sorted({name_of(one.provider or one.what) for one in loads if one.kind == "load" and one.ok})
        gave = (
            f"it loaded {listed(got)} and gave it no work"
            if got
            else "it neither loaded nor asked for a GPU library"
            if born_here(worker)
            else "it has no library of a GPU loaded, nor a backend"
        )
        found = next((row.text for row in decision.contradictions), "")
        return _hit(
            decision,
            f"{short(worker)} runs on the CPU: {gave}" + (f" because of {'; '.join(why)}" if why else ""),
            f"{f'Discovery succeeded ({found[:160]}), but ' if found else ''}the work is done in this process"
            f"{', which was started to run a model' if context.analysis.worker else ''}.",
            "change that option" if decision.settings else "check the request's options and the backend directory",
            severity="error",
            subject=f"{'; '.join(why)}" or "no work",
            command=_again(context, decision),
        )


class SoftwareDriver(Conclusion):
    id = "software-driver"
    place = "mapped"
    meaning = "A program asked Vulkan or OpenCL, and only a driver that runs on the CPU answered (llvmpipe, pocl)."
    proof = "The loader brought in such a driver, and no file of a device was opened by the process."
    cure = "Install the device's driver with its ICD file, and give the process access to the device file."
    reasons = ("software",)

    def conclude(self, context: Context, decision: Decision) -> Hit | None:
        progress, process = decision.progress, decision.process
        if progress is None or process is None:
            return None
        drivers = software_drivers(context.state, process, progress.family, context.profiles)
        api = next(
            one for one in context.profiles.apis.values()
            if one.software and family_of_api(context.profiles, one.name) == progress.family
        )  # fmt: skip
        what = api.title.removesuffix(" loader")
        others = drivers_behind(process, api.name, context.profiles).hardware
        idle = f" {listed(map(name_of, others), 3)} was loaded too and opened no device." if others else ""
        none = "" if context.state.gpu is None or context.state.gpu.devices else " This machine shows no GPU."
        return _hit(
            decision, f"{what} in {short(process)} runs on the CPU: "
            f"only {listed(map(name_of, drivers), 2)} is behind it, a software driver",
            f"It got as far as {name_of(progress.furthest.what)}, and no device file was opened.{idle}{none}",
            "install the device's driver with its ICD file, and give the process access to the device file",
            severity="warning", subject=f"software:{progress.family}", root=f"{drivers[0]} is a software driver",
            command="ls -l /dev/dri /dev/nvidia* /etc/OpenCL/vendors /usr/share/vulkan/icd.d /etc/vulkan/icd.d",
        )  # fmt: skip


class CpuChosen(Conclusion):
    id = "cpu-chosen"
    place = "environment"
    meaning = "A setting or an argument asks for the CPU, or hides every device."
    proof = "It stands in the environment or the arguments of the process, and no GPU was asked for."
    cure = "Remove the setting, or change it."
    reasons = ("chosen", "given-nothing")

    def conclude(self, context: Context, decision: Decision) -> Hit | None:
        if decision.reason != "chosen" or not decision.settings or decision.process is None:
            return None
        first, who = decision.settings[0], short(decision.process)
        said = f" The program says: {decision.word.text.strip()[:160]}" if decision.word is not None else ""
        inside = "; it was set inside the process after its start" if first.place == "memory" else ""
        return Hit(
            title=f"{first.text} keeps {who} on the CPU{inside}",
            cause=f"{first.effect}. The program does as told; nothing failed.{said}",
            next_step=f"remove {first.key}, or change it",
            process=decision.process,
            severity="warning",
            confidence=decision.confidence,
            evidence=decision.evidence,
            subject=first.text,
            root=first.text,
        )


class NotBuiltForGpu(Conclusion):
    id = "cpu-only-build"
    place = "reachable"
    meaning = "The program or a package of it was built without a part for the GPU."
    proof = "The package's files lie there and the part for the GPU does not, or the program says so itself."
    cure = "Install the build that has GPU code."
    reasons = ("told", "dropped", "nobody-asked", "unknown", "nothing-called")

    def conclude(self, context: Context, decision: Decision) -> Hit | None:
        """Behind it stands that nobody asked, or that the program says so."""
        for process in context.state.processes:
            for package in process.packages.values():
                if package.gpu_part is False:
                    looked = f"; looked for it in {listed(package.looked, 2)}" if package.looked else ""
                    known = context.profiles.package(package.package)
                    cure = known.remedy if known is not None else f"install the build of {package.package} for a GPU"
                    row = evidence.of_file(process, package.path, f"{package.package}: {package.path}{looked}")
                    return _hit(
                        decision,
                        f"{package.package} of {short(process)} is a CPU-only build",
                        f"{package.path} is there, and no file of it can use a GPU{looked}.",
                        cure,
                        severity="error", process=process, confidence="likely", evidence=[row, *decision.evidence],
                        subject=package.package, root=f"{package.package} is a CPU-only build",
                    )  # fmt: skip
        told = (word for word in context.analysis.words if word.refusal == "not-built")
        said = next((word for word in told if not _GUESS.search(word.text)), None)
        if said is None or (decision.verdict != "cpu" and decision.reason != "unknown"):
            return None
        return _hit(
            decision, f"the program says this build has no GPU code: {said.text.strip()[:200]}",
            "It was compiled or packaged without it; nothing failed.", "install the build that has GPU code",
            severity="error", confidence="likely", evidence=[word_row(context.state, said), *decision.evidence],
            subject="not built", root=said.text.strip()[:200],
        )  # fmt: skip


class BackendMissing(Conclusion):
    id = "backend-missing"
    place = "reachable"
    meaning = "A program looked into its directories for a backend, and none that lies there could ask for a GPU."
    proof = "The directories that it read, the libraries that it loaded, and that none of them has to do with an API."
    cure = "Put the GPU backend into that directory: install the package or the part of it that has it."
    reasons = ("told", "dropped", "nobody-asked")

    def conclude(self, context: Context, decision: Decision) -> Hit | None:
        if any(context.analysis.computing()) or not covered(context.state, context.state.processes, CONTRADICTING):
            return None
        for process in reversed(context.state.processes):
            folders = list(dict.fromkeys(one.path.rstrip("/.") for one in process.folders if _of_libraries(one.path)))
            sought = _backends_sought(context, process)
            if not (folders or sought) or is_tool(process) or (decision.reason == "nobody-asked" and not sought):
                continue
            folders = list(dict.fromkeys(path.rpartition("/")[0] for path in sought)) or folders
            names = list(dict.fromkeys(map(name_of, sought)))
            looked = f" It looked for {listed(names, 4)}, and none is there." if names else ""
            near = [one.path for one in process.candidates.values() if one.kind == "provider"]
            there = f" {near[0]} is available." if near else ""
            said = f" The program says: {decision.word.text.strip()[:160]}" if decision.word is not None else ""
            return _hit(
                decision, f"no GPU backend in {listed(folders, 2)}: "
                f"nothing that {short(process)} found there can use a GPU",
                f"It read the directory but loaded nothing that uses a GPU API.{looked}{there}{said}",
                f"put the GPU backend into {folders[0]}", severity="error", confidence="likely", process=process,
                command=f"ls -l {quote(folders[0])}", subject=folders[0], root=f"{folders[0]} has no GPU backend",
            )  # fmt: skip
        return None


def _backends_sought(context: Context, process: Process) -> list[str]:
    """Files that could use a GPU, by their names, and that it looked for in vain, whatever call it did that with."""
    asked = [one.subject for one in process.refused_calls if one.errno == ENOENT]
    asked += [one.path for one in process.opens if one.errno == ENOENT]
    return [
        path for path in asked
        if "/" in path
        and family_of_file(context.profiles, path) not in ("", *MANAGEMENT)
        and context.profiles.api_of_soname(path) is None
    ]  # fmt: skip


def _of_libraries(path: str) -> bool:
    """A folder by whose name one keeps libraries there."""
    parts = path.lower().rstrip("/.").split("/")
    if _SCRIPTS.search(path):
        return False
    return any(part in ("lib", "lib64") or "backend" in part or "plugin" in part for part in parts[1:])


class ProviderMissing(Conclusion):
    id = "provider-missing"
    place = "mapped"
    meaning = "A program could use an API, says that it found no device, and no library of that API was ever loaded."
    proof = "Its file names functions of the API; every load was seen, and none was of a library that provides it."
    cure = "Put the library in a directory on the program's library path."
    reasons = ("told", "dropped")

    def conclude(self, context: Context, decision: Decision) -> Hit | None:
        if any(context.analysis.computing()) or not covered(context.state, context.state.processes, CONTRADICTING):
            return None
        for process in context.state.processes:
            lacking = [use for use in context.computing(process) if use.consumers and not use.providers]
            if not lacking or is_tool(process):
                continue
            api = next((use.api for use in lacking if use.api == "cuda-driver"), lacking[0].api)
            name = context.profiles.apis[api].sonames[0]
            folders = list(dict.fromkeys(folder.path for folder in process.folders if "lib" in folder.path))
            read = f" Directories it read: {listed(folders, 4)}." if folders else ""
            how = lacking[0].consumers[0].how
            said = f" The program says: {decision.word.text.strip()[:160]}" if decision.word is not None else ""
            return _hit(
                decision, f"{short(process)} could use {listed(use.api for use in lacking)}, and no library of it was "
                f"loaded or asked for: {name} is not on its search path",
                f"{name_of(lacking[0].consumers[0].path)} {how.words if how is not None else 'names it'}; a program "
                f"that lists directories for a library opens nothing where there is none.{read}{said}",
                f"put {name} in a directory on its library path", severity="error", confidence="likely",
                process=process, command=f"find / -xdev -name {quote(name + '*')} 2>/dev/null",
                subject=name, root=f"{name} is not on the search path of {short(process)}",
            )  # fmt: skip
        return None


class ToldByProgram(Conclusion):
    id = "told-by-program"
    place = "logged"
    meaning = "The program says that it runs on the CPU or found no device; what it asked before was not seen."
    proof = "The line in its log, of this start."
    cure = "Observe the next start from its first instruction: then the refusal itself is seen."
    reasons = ("told", "dropped")

    def conclude(self, context: Context, decision: Decision) -> Hit | None:
        refused = [one for one in decision.chain if one.kind == "words"]
        if not refused and decision.reason == "told":
            return None  # it says what, and not why
        text = decision.word.text if decision.word is not None else refused[0].what if refused else ""
        asked = "" if any(context.analysis.computing()) else "; no process was seen asking for a GPU library"
        late = any(not born_here(process) for process in context.state.processes)
        return _hit(
            decision, f"the program says: {text.strip()[:200]}{asked}",
            "It started before we attached: what it asked for was not seen." if late else
            "Nothing seen explains it further.",
            "observe its next start from its first instruction",
            severity="warning",
            command=_again(context, decision),
            doubt="" if not late else "Its first calls would show the refusal itself.",
        )  # fmt: skip


class NobodyAsked(Conclusion):
    id = "nobody-asked"
    place = "called"
    meaning = "No process in the tree asked for a compute API: the program does not use a GPU."
    proof = (
        "Every process was seen from its first instruction, with every channel open, and none asked; likely where its "
        "look-ups were not all seen, and no library of the kind was mapped or searched for."
    )
    cure = "If it should use a GPU: install the build or the backend that does."
    reasons = ("nobody-asked", "told")

    def conclude(self, context: Context, decision: Decision) -> Hit | None:
        """The program's own word that it uses the CPU may stand beside it."""
        channels = (*CONTRADICTING, "environment")
        told = decision.reason == "told" and not covered(context.state, context.state.processes, channels)
        if any(context.analysis.computing()) or told or decision.confidence == "guess":
            return None
        read = (
            folder.path for process in context.state.processes if not is_tool(process) for folder in process.folders
        )
        searched = listed((path for path in read if _of_libraries(path)), 3)
        looked = f" Directories it searched: {searched}." if searched else ""
        return _hit(
            decision, "no process asked for a GPU: all were seen from their first instruction, and none loaded or "
            "looked up a GPU library", f"This is not a driver or library problem.{looked}",
            "if it should use a GPU: check whether this build or its backend directory has GPU code", subject="nobody",
        )  # fmt: skip


class ManagementOnly(Conclusion):
    id = "management-only"
    place = "called"
    meaning = "Only figures of devices were read (NVML); no process asked for a compute API."
    proof = "Every process was seen from its first instruction; only the management API was asked for."
    cure = "Nothing to do for a monitor; a program that should compute lacks its backend."
    reasons = ("management-only",)

    def conclude(self, context: Context, decision: Decision) -> Hit | None:
        by = _by(decision.progress) if decision.progress is not None else ""
        return _hit(decision, f"devices were only monitored ({by}); no process asked for a compute API",
                    "A monitor does just that.", subject="management")  # fmt: skip


class NothingCalled(Conclusion):
    id = "not-called"
    place = "called"
    meaning = "A consumer is there, everything is found, and no function was called, counted from the first moment on."
    proof = "All its functions were counted from the first moment on, and none was entered."
    cure = "Check the program's settings, and its log up to where it would look for devices."
    reasons = ("nothing-called",)

    def conclude(self, context: Context, decision: Decision) -> Hit | None:
        progress = decision.progress
        if progress is None:
            return None
        one: Attempt = progress.furthest
        return _hit(
            decision, f"{short(progress.process)} loaded {name_of(one.provider or one.what)} and never called it",
            "Nothing failed: no look-up and no call of it was seen.", "check the program's settings",
            severity="warning", command=_again(context, decision),
        )  # fmt: skip


class NotSeen(Conclusion):
    id = "cause-not-seen"
    meaning = (
        "The mode or its cause was not seen. What is missing to know it is listed, with the command that sees the next "
        "start from its first instruction."
    )
    proof = "None: this says what could not be observed."
    cure = "Start the program again under observation, or with more rights."
    reasons = get_args(Reason)

    def conclude(self, context: Context, decision: Decision) -> Hit | None:
        if not context.state.processes:
            return None
        missing = list(_missing(context))
        got = ""
        if decision.progress is not None:
            one = decision.progress
            got = f"; {short(one.process)} got as far as {one.stage} ({name_of(one.furthest.what)})"
        what = (
            "on the CPU, no cause found so far"
            if decision.verdict == "cpu"
            else "could not see whether it uses the CPU or the GPU"
        )
        if decision.word is not None:
            got = f"{got}; the program says: {decision.word.text.strip()[:160]}"
        return _hit(
            decision, f"{what}{got}" + (f": {missing[0]}" if missing else ""),
            f"Missing: {'; '.join(missing)}." if missing else "What could be observed is fine.",
            "observe its next start from its first instruction", command=_again(context, decision),
            confidence="guess", doubt="More permissions or attaching earlier may show it.", subject="not seen",
            evidence=decision.evidence or [
                evidence.of_process(context.state.processes[0], missing[0] if missing else "nothing of an API was seen")
            ],
        )  # fmt: skip


def _missing(context: Context) -> Iterator[str]:
    """What was not observable here, in words."""
    late = [process for process in context.state.processes if not born_here(process) and not is_tool(process)]
    if late:
        yield f"{short(late[0])} started before we attached"
    for name in _CHANNELS:
        found = capability(context.state, name)
        if found is not None and found.state != "yes":
            yield f"{name}: {found.why or found.lost or 'closed here'}"
    if context.state.lost:
        yield f"{sum(context.state.lost.values())} events were lost"
    for progress in context.analysis.computing():
        if not progress.got_to("initialised") and not computed(context.analysis, progress):
            yield f"no call of {progress.family} in {short(progress.process)} was seen"
            break


CONCLUSIONS: tuple[Conclusion, ...] = (
    GpuInUse(),
    GpuReady(),
    NotBuiltForGpu(),
    BackendMissing(),
    ProviderMissing(),
    FoundNotUsed(),
    SoftwareDriver(),
    CpuChosen(),
    NoWorkGiven(),
    ToldByProgram(),
    NothingCalled(),
    ManagementOnly(),
    NobodyAsked(),
    NotSeen(),
)
