"""What is said of the mode where no chain of refusals stands behind it: in use, ready, given nothing, nobody asked."""

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import replace
from shlex import quote
from typing import ClassVar, get_args

from inspector.model import evidence
from inspector.model.attempts.row import Attempt
from inspector.model.attempts.wording import sentence
from inspector.model.coverage import born_here, capability
from inspector.model.decision import Decision, Reason, computed
from inspector.model.evidence import short
from inspector.model.progress import Progress
from inspector.model.tree import program
from inspector.model.wording import duration, listed, name_of
from inspector.model.work import of_tree, words
from inspector.model.worker import is_tool

from .rule import Hit, Place, Rule
from .scene import Scene

_CHANNELS = ("process-births", "environment", "library-loads", "lookups", "count-calls", "results", "open-files")


class Conclusion(Rule):
    """Says what the decision means where it has no chain."""

    place: ClassVar[Place] = "used"
    reasons: ClassVar[tuple[Reason, ...]]

    @abstractmethod
    def conclude(self, scene: Scene, decision: Decision) -> Hit | None:
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


def _again(scene: Scene, decision: Decision) -> str:
    """The command that sees the next start from its first instruction."""
    process = decision.process or (scene.state.processes[0] if scene.state.processes else None)
    runs = program(process) if process is not None else None
    return f"inspector --wait {quote(name_of(runs.exe))}" if runs is not None and runs.exe else "inspector doctor"


class GpuInUse(Conclusion):
    id = "gpu-in-use"
    meaning = "The program computes on the GPU."
    proof = "Work (launches, copies, graphs) was answered with success; proven where a device stands behind it."
    cure = "Nothing is to be done."
    reasons = ("works",)

    def conclude(self, scene: Scene, decision: Decision) -> Hit | None:
        if decision.confidence == "guess":
            return None
        working = [work for work in of_tree(scene.state, scene.profiles) if work.proven]
        title = f"the program computes on the GPU ({decision.verdict})"
        if working:
            title += f": {words(max(working, key=lambda work: work.launches))}"
        elif decision.evidence:
            title += f": {decision.evidence[0].text.strip()[:120]}"
        doubt = ""
        if decision.confidence != "proven":
            doubt = (
                "no device was seen to stand behind the success" if working else "Its log says so; no work was counted."
            )
        cause = (
            "But see what contradicts it." if decision.contradictions else "Nothing is broken on the way to the GPU."
        )
        return _hit(decision, title, cause, doubt=doubt, subject="use")


class GpuReady(Conclusion):
    id = "gpu-ready"
    meaning = "A GPU was found, and nothing has computed on it yet."
    proof = "Discovery counted or described a device, or the program says so; no work was asked of it so far."
    cure = "Give the program something to compute, and look again."
    reasons = ("ready",)

    def conclude(self, scene: Scene, decision: Decision) -> Hit | None:
        if decision.progress is not None:
            how = sentence(decision.progress.furthest)
        else:
            how = f"the program says: {decision.word.text.strip()[:160]}" if decision.word is not None else ""
        return _hit(
            decision, f"a GPU was found, nothing has computed on it yet: {how}",
            "Discovery went well. Whether the work is done there shows when the program computes.",
            "give it something to compute, and look again", doubt="A later step may still be refused.",
        )  # fmt: skip


class FoundNotUsed(Conclusion):
    id = "found-not-used"
    meaning = "A device was found, and the program computes without it."
    proof = (
        "Discovery counted a device; then seconds of CPU time were spent and no call followed, or the program says so."
    )
    cure = "Look at the program's own settings: which device it was told to compute on."
    reasons = ("found-not-used",)

    def conclude(self, scene: Scene, decision: Decision) -> Hit | None:
        progress = decision.progress
        if progress is None:
            return None
        spent = decision.process.cpu_after(progress.newest) if decision.process is not None else 0
        after = f", then {duration(spent)} of CPU time were spent and nothing was given to it" if spent else ""
        said = f"; the program says: {decision.word.text.strip()[:160]}" if decision.word is not None else ""
        return _hit(
            decision,
            f"a device was found ({_by(progress)}){after or said}",
            "Nothing refused it: the driver answered and the program went on without the device"
            f"{said if after else ''}.",
            "look at its own settings: on which device it was told to compute",
            severity="error",
            doubt="A server may still wait for its first request." if not after else "",
        )


def _by(progress: Progress) -> str:
    one = progress.furthest
    return f"{one.what} in {short(progress.process)}" + (f", answered by {one.provider}" if one.provider else "")


class NoWorkGiven(Conclusion):
    id = "no-work-given"
    meaning = "The process that computes was given no GPU, or gave it nothing, although nothing was refused to it."
    proof = (
        "The process was started for a model; it asked for no API or made no launch, and a setting or its log says why."
    )
    cure = "Change the option that keeps the layers off the device, or bring the backend into its folder."
    reasons = ("given-nothing",)

    def conclude(self, scene: Scene, decision: Decision) -> Hit | None:
        worker, word = decision.process, decision.word
        if worker is None:
            return None
        why = [choice.words for choice in decision.choices]
        if word is not None and word.saying == "given-nothing":
            why.append(word.text.strip()[:160])
        loads = scene.analysis.attempts.get(worker, [])
        got = sorted({name_of(one.provider or one.what) for one in loads if one.kind == "load" and one.ok})
        gave = f"it loaded {listed(got)} and gave it no work" if got else "it loaded no GPU library and asked for none"
        found = next((row.text for row in decision.contradictions), "")
        return _hit(
            decision,
            f"{short(worker)} computes on the CPU: {gave}" + (f" because of {'; '.join(why)}" if why else ""),
            f"{f'Discovery went well ({found}), but ' if found else ''}the work is done in this process"
            f"{', which was started for a model' if scene.analysis.worker else ''}.",
            "change that option"
            if decision.choices
            else "look at the options of the request and at the folder of backends",
            severity="error",
            subject=f"{'; '.join(why)}" or "no work",
            command=_again(scene, decision),
        )


class CpuChosen(Conclusion):
    id = "cpu-chosen"
    place = "environment"
    meaning = "A setting or an argument asks for the CPU, or hides every device."
    proof = "It stands in the environment or the arguments of the process, and no GPU was asked for."
    cure = "Take the setting out, or change it."
    reasons = ("chosen", "given-nothing")

    def conclude(self, scene: Scene, decision: Decision) -> Hit | None:
        if decision.reason != "chosen" or not decision.choices:
            return None
        first = decision.choices[0]
        said = f" The program says: {decision.word.text.strip()[:160]}" if decision.word is not None else ""
        return Hit(
            title=f"{first.words} keeps {short(first.process)} on the CPU",
            cause=f"The program does what it was told; nothing was refused.{said}",
            next_step=f"take {first.key} out, or change it",
            process=first.process, severity="warning", confidence=decision.confidence, evidence=decision.evidence,
            subject=first.words, root=first.words,
        )  # fmt: skip


class ToldByProgram(Conclusion):
    id = "told-by-program"
    place = "logged"
    meaning = "The program says that it computes on the CPU or found no device; what it asked before was not seen."
    proof = "The line in its log, of this start."
    cure = "Observe the next start from its first instruction: then the refusal itself is seen."
    reasons = ("told", "dropped")

    def conclude(self, scene: Scene, decision: Decision) -> Hit | None:
        refused = [one for one in decision.chain if one.kind == "words"]
        if not refused and decision.reason == "told":
            return None  # it says what, and not why
        text = decision.word.text if decision.word is not None else refused[0].what if refused else ""
        built = any(word.refusal == "not-built" for word in scene.analysis.words)
        asked = "" if any(scene.analysis.computing()) else "; nobody was seen to ask for a GPU library"
        late = any(not born_here(process) for process in scene.state.processes)
        return _hit(
            decision, f"the program says: {text.strip()[:200]}{asked}",
            "This build of the program has no code for a GPU." if built else
            "It began before the observation: what it asked was not seen." if late else
            "Nothing that was seen explains it further.",
            "install the build that has GPU code" if built else "observe its next start from the first instruction",
            severity="warning",
            command=_again(scene, decision), doubt="" if not late else "Its first calls would show the refusal itself.",
        )  # fmt: skip


class NobodyAsked(Conclusion):
    id = "nobody-asked"
    place = "called"
    meaning = "Nobody in the tree asked for an API that computes on a GPU: the program has no use for one."
    proof = "Every process was seen from its first instruction, with every channel open, and none asked."
    cure = "If it should use a GPU: install the build or the backend that does."
    reasons = ("nobody-asked",)

    def conclude(self, scene: Scene, decision: Decision) -> Hit | None:
        folders = [folder for process in scene.state.processes for folder in process.folders if folder.path]
        searched = listed((folder.path for folder in folders), 3)
        looked = f" Folders that it searched: {searched}." if searched else ""
        return _hit(
            decision, "nobody asked for a GPU: every process was seen from its first instruction, and none loaded or "
            "looked up a GPU library", f"It is no fault of a driver or a library.{looked}",
            "if it should use one: see whether this build or its backend folder has GPU code", subject="nobody",
        )  # fmt: skip


class ManagementOnly(Conclusion):
    id = "management-only"
    place = "called"
    meaning = "Only figures of devices were read (NVML); nobody asked for an API that computes."
    proof = "Every process was seen from its first instruction; only the management API was asked for."
    cure = "Nothing is to be done for a monitor; a program that should compute lacks its backend."
    reasons = ("management-only",)

    def conclude(self, scene: Scene, decision: Decision) -> Hit | None:
        by = _by(decision.progress) if decision.progress is not None else ""
        return _hit(decision, f"only figures of devices were read ({by}); nobody asked for an API that computes",
                    "A monitor does no more than that.", subject="management")  # fmt: skip


class NothingCalled(Conclusion):
    id = "not-called"
    place = "called"
    meaning = "A consumer is there, everything is found, and no function was called, counted from the first moment on."
    proof = "All its functions were counted from the first moment on, and none was entered."
    cure = "Look at the program's own settings and log before the point where it would ask for devices."
    reasons = ("nothing-called",)

    def conclude(self, scene: Scene, decision: Decision) -> Hit | None:
        progress = decision.progress
        if progress is None:
            return None
        one: Attempt = progress.furthest
        return _hit(
            decision, f"{short(progress.process)} loaded {name_of(one.provider or one.what)} and asked nothing of it",
            "Nothing was refused: no look-up and no call of it was seen.", "look at the program's own settings",
            severity="warning", command=_again(scene, decision),
        )  # fmt: skip


class NotSeen(Conclusion):
    id = "cause-not-seen"
    meaning = (
        "The mode or its cause was not seen. What is missing to know it is listed, with the command that sees the next "
        "start from its first instruction."
    )
    proof = "Nothing: this says what could not be observed."
    cure = "Start the program again under observation, or with more rights."
    reasons = get_args(Reason)

    def conclude(self, scene: Scene, decision: Decision) -> Hit | None:
        if not scene.state.processes:
            return None
        missing = list(_missing(scene))
        got = ""
        if decision.progress is not None:
            one = decision.progress
            got = f"; {short(one.process)} got as far as {one.stage} ({name_of(one.furthest.what)})"
        what = "on the CPU, and no cause was seen" if decision.verdict == "cpu" else "what it computes on was not seen"
        if decision.word is not None:
            got = f"{got}; the program says: {decision.word.text.strip()[:160]}"
        return _hit(
            decision, f"{what}{got}" + (f": {missing[0]}" if missing else ""),
            f"Missing to know it: {'; '.join(missing)}." if missing else "What could be observed is in order.",
            "observe its next start from the first instruction", command=_again(scene, decision),
            confidence="guess", doubt="More rights or an earlier look may show it.", subject="not seen",
            evidence=decision.evidence or [
                evidence.of_process(scene.state.processes[0], missing[0] if missing else "nothing of an API was seen")
            ],
        )  # fmt: skip


def _missing(scene: Scene) -> Iterator[str]:
    """What was not observable here, in words."""
    late = [process for process in scene.state.processes if not born_here(process) and not is_tool(process)]
    if late:
        yield f"{short(late[0])} began before the observation"
    for name in _CHANNELS:
        found = capability(scene.state, name)
        if found is not None and found.state != "yes":
            yield f"{name}: {found.why or found.lost or 'closed here'}"
    if scene.state.lost:
        yield f"{sum(scene.state.lost.values())} records were lost"
    for progress in scene.analysis.computing():
        if not progress.got_to("initialised") and not computed(scene.analysis, progress):
            yield f"no call of {progress.family} in {short(progress.process)} was seen"
            break


CONCLUSIONS: tuple[Conclusion, ...] = (
    GpuInUse(),
    GpuReady(),
    FoundNotUsed(),
    CpuChosen(),
    NoWorkGiven(),
    ToldByProgram(),
    NothingCalled(),
    ManagementOnly(),
    NobodyAsked(),
    NotSeen(),
)
