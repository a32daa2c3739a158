"""What tells of a death beside the call that was open: the stack at the signal, a file cut short, the last words."""

from errno import EMFILE, ENOENT
from signal import SIGABRT

from inspector.model.attempts.row import Attempt
from inspector.model.drivers import software_drivers
from inspector.model.families import family_of_function
from inspector.model.formatting import listed, name_of
from inspector.model.log_claims import DEATHS_TOLD, Word, concerns_gpu, stands_last
from inspector.model.stacks import behind_carriers, stack_of
from inspector.model.state import Process, State
from inspector.stream.syscalls import SystemCallRefused

from .context import Context

_LONGEST = 200


def function_of_an_api(context: Context, death: Attempt) -> str:
    """` inside nvmlInit_v2 of libnvidia-ml.so.1, called by app`: the innermost such frame at the signal."""
    stack = stack_of(death)
    frames = list(stack.native) if stack is not None else []
    for place, frame in enumerate(frames):
        known = family_of_function(context.profiles, frame.symbol) if frame.symbol else ""
        if known and ".so" in name_of(frame.path):
            caller = next((one.path for one in frames[place + 1 :] if one.path != frame.path), "")
            asked = f", called by {name_of(caller)}" if caller else ""
            return f" inside {frame.symbol} of {name_of(frame.path)}{asked}"
    return ""


def aborted_at(death: Attempt) -> str:
    """`start+0x11 (libgpu.so)`: who called abort(3), which is what the C library did for it."""
    stack = stack_of(death) if death.code == SIGABRT else None
    frame = behind_carriers(stack) if stack is not None else None
    if frame is None:
        return ""
    return f"{frame.symbol}+{frame.offset:#x} ({name_of(frame.path)})" if frame.symbol else name_of(frame.path)


def refused_drivers(context: Context, death: Attempt) -> str:
    """Drivers that the loader of an API was refused before: without one it may answer NULL for a function."""
    refused = [
        one for one in context.analysis.unexcused("load")
        if one.process is death.process and one.own_ends and one.at <= death.at
    ]  # fmt: skip
    told = dict.fromkeys(f"{name_of(one.asker)} asked for {name_of(one.what)} in vain" for one in refused)
    return f" Before, {listed(told, 2)}: it has no driver." if told else ""


def cut_short(state: State, process: Process) -> tuple[str, str]:
    """A mapped file of the process that ends before what its own headers tell, and how; both empty where none does."""
    for library in process.libraries.values():
        image = state.images.get(library.file)
        if image is not None and image.error is not None and image.error.startswith("truncated"):
            return library.path, image.error
    return "", ""


def last_words(context: Context, death: Attempt) -> Word | None:
    """Why a program says that it gives up, just before abort(3): an exception, an assertion, a panic. Before any other
    fault: what it said last of a GPU that failed it, without which it went on and fell.
    """
    said = [
        word for word in context.analysis.words
        if death.code == SIGABRT and word.refusal == "own-error" and word.pid in (0, death.process.pid)
        and word.name not in DEATHS_TOLD
    ]  # fmt: skip
    errors = [
        word for word in context.analysis.words
        if (word.refusal == "error" or word.saying == "dropped") and word.pid in (0, death.process.pid)
        and concerns_gpu(word) and stands_last(context.state, word)
    ]  # fmt: skip
    return next(iter([*said[-1:], *errors[-1:]]), None)


def words_of(said: Word) -> str:
    """A last word without what a run-time library puts before it."""
    return (said.answer if said.name == "what()" and said.answer else said.text).strip()[:_LONGEST]


def only_software(context: Context, process: Process, said: Word | None) -> str:
    """That nothing but the CPU stands behind the API of which the last words speak."""
    if said is None or not said.family:
        return ""
    drivers = software_drivers(context.state, process, said.family, context.profiles)
    return f" Only {listed(map(name_of, drivers), 2)} was there for it, a software driver." if drivers else ""


def tables_with_gaps(process: Process) -> str:
    """Private tables with NULL entries that were handed out to it."""
    tables = (one for one in process.lookups if one.lacking and one.found)
    told = [
        f"{name_of(one.answer or one.answered_by) or 'the driver'} handed out the export table {one.name.upper()} "
        f"without {'entry' if len(one.lacking) == 1 else 'entries'} {listed(map(str, one.lacking), 6)}"
        for one in tables
    ]
    return f"; {listed(dict.fromkeys(told), 2)}" if told else ""


def refused_start(process: Process) -> tuple[str, str]:
    """What the loader said when it would not start the program, and the limit of open files if that was in its way."""
    said = process.refusals[-1] if process.refusals else None
    if said is None:
        return "", ""
    full = any(one.errno == EMFILE and one.tid == said.tid for one in process.opens)
    limits = process.constraints.limits if process.constraints is not None else []
    most = next((one.soft for one in limits if one.name == "RLIMIT_NOFILE" and full), None)
    limit = "" if most is None else f"the limit of open files of this process is {most}"
    return f"{said.object}: {said.text}" if said.object else said.text, limit


def refused_program(process: Process) -> SystemCallRefused | None:
    """What the process was to become, where the kernel would not execute it: for want of a right, or of its kind."""
    since = process.execs[-1].at if process.execs else 0
    refused = [one for one in process.refused_calls if one.call in ("execve", "execveat") and one.at > since]
    return next((one for one in reversed(refused) if one.errno != ENOENT), None)
