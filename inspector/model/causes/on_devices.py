"""Devices were found or chosen against: in use, ready, given nothing, left aside."""

from inspector.model import commands_by_hand
from inspector.model.attempts.row import Attempt
from inspector.model.attempts.wording import sentence
from inspector.model.decision import UNUSED_FOR, Decision, covered, maps_nothing_to_compute_with
from inspector.model.display_servers import refused_display
from inspector.model.drivers import drivers_behind, machine_lacks_device, software_drivers
from inspector.model.evidence import short
from inspector.model.families import family_of_api
from inspector.model.formatting import ON_GPU, duration, listed, name_of, plural, stem
from inspector.model.gpu_work import GpuWork, of_tree, words
from inspector.model.progress import Progress
from inspector.model.stages import LEVEL
from inspector.model.start_again import rerun, waited_for
from inspector.model.state import Process

from .conclusion import Conclusion, hit_of, next_start
from .context import Context
from .rule import Hit

NOTHING_BROKEN = "Nothing is broken."

LOOK_FOR_DEVICE = (
    "check whether the machine has a device at all",
    "ls -l /dev/dri /dev/kfd /dev/nvidia* /proc/driver/nvidia/version; lspci -nn | grep -i -E '3d|vga|display'",
)
"""Next step and command where the machine shows no GPU."""


class GpuInUse(Conclusion):
    id = "gpu-in-use"
    meaning = "The program runs on the GPU."
    proof = "Work (launches, copies, graphs) succeeded; proven where a device stands behind it."
    cure = "Nothing to do."
    reasons = ("works",)

    def conclude(self, context: Context, decision: Decision) -> Hit | None:
        if decision.confidence == "guess":
            return None
        working = [work for work in of_tree(context.state, context.profiles) if work.proven]
        over = decision.process is not None and bool(decision.process.ended)
        title = f"{'ran' if over else 'running'} {ON_GPU.get(decision.verdict, 'on the GPU')}"
        if working:
            title += f": {words(max(working, key=lambda work: work.launches))}"
        elif decision.evidence:
            title += ": its log says so" if decision.evidence[0].pane == "logs" else f": {decision.evidence[0].text}"
        if decision.silence is not None:
            return _without_device(decision, working)
        doubt = "" if decision.confidence == "proven" else "no device was seen behind the success"
        cause = _ignored(context) or _left_out(context, decision) or NOTHING_BROKEN + _discarded(decision.process)
        if doubt and not working and decision.evidence and decision.evidence[0].pane == "logs":
            doubt = "Its log says so; no work was counted."
        elif doubt and not working and _unread(decision.progress):
            doubt = "What its work returned was not read."
            cause = "No error was seen; whether the device took the work is not known."
        if decision.contradictions:
            cause = "But see the evidence against it."
        if decision.stop is not None and decision.stop.after_work:
            cause = f"It worked until this was refused: {sentence(decision.stop.attempt)}."
        return hit_of(decision, title, cause, doubt=doubt, subject="use")


def _without_device(decision: Decision, working: list[GpuWork]) -> Hit:
    """Success that nothing stands behind: it is told as that, and is no use of a device yet."""
    most = max(working, key=lambda work: work.launches, default=None)
    done = words(most) if most is not None else decision.evidence[0].text
    launch = most.launched[0].function if most is not None else None
    return hit_of(
        decision,
        f"{done}; no device was seen behind it",
        "All files that it opened were seen, and no device, socket or shared memory was among them. What only returns "
        "success computes nothing; a library that computes on the CPU by itself looks the same.",
        "check a result: copy a known array to the device and back, or compare it with a run on the CPU",
        command=commands_by_hand.code(most.process, launch.library, launch.name) if most and launch else "",
        evidence=[*decision.evidence, *([decision.silence] if decision.silence is not None else [])],
        doubt="A way to the device from before, such as memory that it inherited, would not show.",
        subject="use",
    )


def _unread(progress: Progress | None) -> bool:
    """Work was asked of the device, and nobody read what came back."""
    return progress is not None and "work" in progress.last and progress.last["work"].ok is None


def _ignored(context: Context) -> str:
    """Entries of a preload that no loader took: the GPU is in use without them."""
    entries = {(one.source, one.entry): one for process in context.state.processes for one in process.preloads}
    bad = [one for one in entries.values() if one.usable is False]
    if not bad:
        return ""
    first = bad[0]
    number = len([one for one in bad if one.source == first.source])
    total = plural(sum(source == first.source for source, _ in entries), "entry")
    why = first.problem or first.words
    return (
        f"{number} of {total} of {first.source} {'is' if number == 1 else 'are'} ignored: "
        f"{name_of(first.entry)}{f' ({why})' if why else ''}."
    )


def _left_out(context: Context, decision: Decision) -> str:
    """Of several devices one was refused to the program before it computed on another."""
    progress = decision.progress
    if progress is None:
        return ""
    rows = context.analysis.attempts[progress.process]
    own = [one for one in rows if one.kind == "call" and one.family == progress.family and one.calls is not None]
    counts = (sample.values.get("count") for one in own if one.calls for sample in one.calls.samples)
    several = max((count for count in counts if isinstance(count, int)), default=0)
    refused = next((one for one in own if one.refused and one.stage == "context" and one.code), None)
    if several < 2 or refused is None:
        return ""
    return f"It works. Of the {several} devices that were counted one may be left out: before, {sentence(refused)}."


def _discarded(process: Process | None) -> str:
    """That nobody can read what a library prints there: silence of it proves nothing."""
    error = process.descriptors.get(2) if process is not None else None
    if process is None or error is None or error.kind != "null":
        return ""
    return f" Its output is discarded: standard error of {short(process)} is {error.target}."


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
        return hit_of(
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
            after = (
                ", and the program ended without giving it work"
                if progress.stage != "initialised"
                else ", then it ended"
            )
        said = f"; the program says: {decision.word.text.strip()[:160]}" if decision.word is not None else ""
        cause, step, command = _went_without(context, progress)
        begun = progress.stage == "initialised"
        found = (
            f"the API began ({by(progress)}) and no device was asked for"
            if begun
            else f"a device was found ({by(progress)})"
        )
        return hit_of(
            decision,
            f"{found}{after or said}",
            f"{cause}{said if after else ''}.",
            step,
            severity="error" if spent > UNUSED_FOR or said else "warning",
            command=command,
            doubt="A server may still be waiting for its first request." if not after else "",
        )


def _went_without(context: Context, progress: Progress) -> tuple[str, str, str]:
    """Why it gave the device nothing, what to do, and the command for it: a library that it was refused after it had
    found it, if any.
    """
    refused = [
        one for one in context.analysis.unexcused("load")
        if one.process is progress.process and one.family == progress.family and one.at > progress.newest
    ]  # fmt: skip
    if not refused and (said := _said_after(context, progress)) is not None:
        step, command = _about_memory() if said.answer == "no-memory" else ("look at what else it printed before", "")
        return f"The driver answered, and then the program said: {said.what[:200].rstrip('.')}", step, command
    unread = next((one for one in reversed(_calls(context, progress)) if one.ok is None), None)
    if not refused and unread is not None:
        return (
            f"What {name_of(unread.what)} returned was not read, so it may have been refused",
            "watch its next start",
            waited_for(progress.process),
        )
    if not refused:
        return (
            "Nothing refused it: the driver answered and the program went on without the device",
            "check its settings: which device it was told to use",
            "",
        )
    last = refused[0]
    step = f"install {name_of(last.what)}, or bring it to the library path: it belongs to the driver or the toolkit"
    why = f"After that {name_of(last.asker) or 'the program'} asked for {name_of(last.what)} and was refused"
    return why, step, commands_by_hand.search(progress.process, f"{stem(name_of(last.what))}*")


def _calls(context: Context, progress: Progress) -> list[Attempt]:
    rows = context.analysis.attempts[progress.process]
    return [one for one in rows if one.kind == "call" and one.family == progress.family and one.came_back]


def _said_after(context: Context, progress: Progress) -> Attempt | None:
    """The last failure that the program told of after the device was found; it is the reason that it gives itself."""
    told = [
        one for one in context.analysis.unexcused("words")
        if one.process is progress.process and one.at > progress.newest and one.answer != "own-error"
    ]  # fmt: skip
    return told[-1] if told else None


def _about_memory() -> tuple[str, str]:
    """What to do where a device has too little memory, and the command that shows who holds it."""
    return (
        "see who holds the device's memory; free it, or ask for less (a smaller model, batch or context)",
        "nvidia-smi",
    )


def by(progress: Progress) -> str:
    """The call, look-up or load that shows how far it got, with who answered."""
    one = progress.furthest
    if one.kind == "load":
        return f"{one.provider or one.what} is mapped in {short(progress.process)}, no call was seen"
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
        gave = f"it loaded {listed(got)} and gave it no work" if got else _lacked(context, worker)
        found = next((row.text for row in decision.contradictions), "")
        return hit_of(
            decision,
            f"{short(worker)} runs on the CPU: {gave}" + (f" because of {'; '.join(why)}" if why else ""),
            f"{f'Discovery succeeded ({found[:160]}), but ' if found else ''}the work is done in this process"
            f"{', which was started to run a model' if context.analysis.worker else ''}.",
            "change that option" if decision.settings else "check the request's options and the backend directory",
            severity="error",
            subject=f"{'; '.join(why)}" or "no work",
            command=next_start(context, decision),
        )


def _lacked(context: Context, worker: Process) -> str:
    """What it did not have, as far as that was seen."""
    if covered(context.state, [worker], ("lookups", "library-loads")):
        return "it neither loaded nor asked for a GPU library"
    if maps_nothing_to_compute_with(context.state, worker, context.profiles):
        return "it has no library of a GPU loaded, nor a backend"
    return "it was given no work for a GPU"


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
        computed = LEVEL[progress.stage] >= LEVEL["context"]
        others = drivers_behind(process, api.name, context.profiles).hardware
        were = "was" if len(others) == 1 else "were"
        idle = f" {listed(map(name_of, others), 3)} {were} loaded too and opened no device." if others else ""
        none = " This machine shows no GPU." if machine_lacks_device(context.state) else ""
        refused = (one for one in context.analysis.unexcused("load") if one.process is process and one.own_ends)
        vain = dict.fromkeys(f"{name_of(one.asker)} asked for {name_of(one.what)} in vain" for one in refused)
        idle += f" Before, {listed(vain, 2)}." if vain else ""
        if (display := refused_display(process)) is not None:
            idle += f" Before, no display server answered it at {display.subject}."
        told = [one for owner, one in context.analysis.settings if owner is process]
        idle += f" {told[0].text} as well: {told[0].effect}." if told else ""
        return hit_of(
            decision, f"{what} in {short(process)} {'runs on' if computed else 'found only'} the CPU: "
            f"only {listed(map(name_of, drivers), 2)} is behind it, a software driver",
            f"It got as far as {name_of(progress.furthest.what)}, and no device file was opened.{idle}{none}",
            "install the device's driver with its ICD file, and give the process access to the device file",
            severity="warning", subject=f"software:{progress.family}", root=f"{drivers[0]} is a software driver",
            command="ls -l /dev/dri /dev/nvidia* /etc/OpenCL/vendors /usr/share/vulkan/icd.d /etc/vulkan/icd.d",
        )  # fmt: skip


class DrawsOnDevice(Conclusion):
    id = "draws-on-device"
    place = "used"
    meaning = "A program draws (OpenGL, EGL) through the driver of a device, and asked for no API that computes."
    proof = "The driver is mapped, the process opened a device file, and a context was made."
    cure = "Nothing to do; what is drawn is not counted."
    reasons = ("draws",)

    def conclude(self, context: Context, decision: Decision) -> Hit | None:
        found = context.analysis.drawn_with()
        if found is None:
            return None
        progress, drivers = found
        return hit_of(
            decision, f"{short(progress.process)} draws on a GPU (OpenGL) through {listed(map(name_of, drivers), 2)}; "
            "no API that computes was asked for",
            NOTHING_BROKEN, subject="draws",
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
            command=rerun(decision.process, "-u", first.key) if first.place == "environment" else "",
            process=decision.process,
            severity="warning",
            confidence=decision.confidence,
            evidence=decision.evidence,
            subject=first.text,
            root=first.text,
        )


IN_USE: tuple[Conclusion, ...] = (GpuInUse(), GpuReady())
NOT_USED: tuple[Conclusion, ...] = (FoundNotUsed(), SoftwareDriver(), DrawsOnDevice(), CpuChosen(), NoWorkGiven())
