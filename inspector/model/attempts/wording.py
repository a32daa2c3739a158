"""One attempt in words: as a sentence, as a row of evidence, and as a link of a chain."""

from inspector.model import commands_by_hand, core_dumps, evidence
from inspector.model.coverage import born_here
from inspector.model.evidence import short
from inspector.model.formatting import duration, name_of
from inspector.model.log_claims import Word
from inspector.model.settings import Setting
from inspector.model.start_again import loader_trace
from inspector.model.state import Process, State
from inspector.model.verdict import Evidence, Link
from inspector.stream.text import visible

from .row import Attempt

_LONGEST = 240


def sentence(attempt: Attempt) -> str:
    """`libcudart.so.12 asked for libcuda.so.1: cannot open shared object file`, who and what and the answer."""
    who = attempt.asker_name or short(attempt.process)
    match attempt.kind:
        case "load" | "lookup" if not attempt.came_back:
            return f"{doing(attempt)}{_so_long(attempt)} in {short(attempt.process)}{_by(attempt)}"
        case "load":
            return f"{who} asked for {attempt.what}: {attempt.answer}"
        case "lookup":
            where = f" in {name_of(attempt.provider)}" if attempt.provider else ""
            return f"{who} needs {attempt.what}{where}: {attempt.answer}"
        case "call":
            return f"{_call(attempt)} in {short(attempt.process)}{_by(attempt)}"
        case "system":
            return f"{system_call(attempt)} = {attempt.answer} in {short(attempt.process)}"
        case "signal":
            return f"{attempt.what} in {attempt.answer}, {short(attempt.process)}"
        case "end":
            return f"{short(attempt.process)} {attempt.answer}"
        case "preload":
            return f"{attempt.what} is ignored by the loader: {attempt.answer}"
        case "prediction":
            return f"{name_of(attempt.what)} would fail to load: {attempt.answer}"
    return f"the program says: {attempt.what[:_LONGEST]}"


def system_call(attempt: Attempt) -> str:
    """`open(/dev/nvidiactl)`, `mprotect()` where it is about nothing that has a name."""
    return f"{attempt.call}({attempt.what if attempt.what != attempt.call else ''})"


def doing(attempt: Attempt) -> str:
    """What goes on while an attempt has not been answered: `cuInit`, `the load of libcuda.so.1`."""
    if attempt.kind == "load":
        return f"the load of {name_of(attempt.what)}"
    return f"the look-up of {attempt.what}" if attempt.kind == "lookup" else attempt.what


def _call(attempt: Attempt) -> str:
    if attempt.ok is None:
        times = f" {attempt.calls.total:,} times" if attempt.calls is not None else ""
        return f"{attempt.what} was called{times}, results not read,"
    if attempt.came_back:
        return f"{attempt.what} = {attempt.answer}"
    return f"{attempt.what}{_so_long(attempt)}"


def _so_long(attempt: Attempt) -> str:
    """How long it did not return; of a call whose beginning nobody saw, what is known."""
    if attempt.process.ended:
        later = f", {duration(max(0, attempt.at - attempt.begin))} later," if attempt.begin else ""
        return f" had not returned when the process ended{later}"
    if attempt.begin:
        return f" did not return for {duration(max(0, attempt.at - attempt.begin))}"
    before_us = attempt.source == "memory" and not born_here(attempt.process)
    return f" did not return {'since before we attached' if before_us else 'for some time'}"


def _by(attempt: Attempt) -> str:
    answered = f", returned by {attempt.provider}" if attempt.provider and attempt.came_back else ""
    if not attempt.came_back and attempt.provider:
        answered = f", inside {attempt.provider}"
    said = ", in the program's own words" if attempt.source == "program" else ""
    verb = "called" if attempt.kind == "call" else "asked for"
    asked = f", {verb} by {attempt.asker_name}" if attempt.asker and attempt.asker != attempt.provider else ""
    return f"{answered}{asked}{said}"


def row_of(state: State, attempt: Attempt) -> Evidence:
    """The attempt as evidence, with its place on the screen and the command that shows it."""
    text, process = sentence(attempt), attempt.process
    if attempt.word is not None:
        return word_row(state, attempt.word)
    if attempt.calls is not None:
        return evidence.of_calls(process, attempt.calls, text, at=attempt.begin or attempt.at)
    if attempt.mapped is not None:
        return evidence.of_library(process, attempt.mapped, text)
    if attempt.prediction is not None:
        return evidence.of_file(process, attempt.what, text, by_hand=commands_by_hand.needed(process, attempt.what))
    if attempt.preload is not None:
        return evidence.of_environment(process, attempt.preload.source, text)
    if attempt.kind == "end":
        return evidence.of_process(process, text, at=attempt.at)
    return evidence.of_moment(state, process, attempt.at, text, by_hand=_by_hand(attempt))


def _by_hand(attempt: Attempt) -> str:
    if attempt.kind in ("load", "lookup"):
        return loader_trace(attempt.process)
    if attempt.kind == "signal":
        return core_dumps.look_at(attempt.process)[1]
    path = attempt.what.removeprefix("unix:")
    if attempt.kind == "system" and path.startswith("/"):
        return commands_by_hand.path(attempt.process, path)
    return commands_by_hand.descriptors(attempt.process.pid)


def link_of(state: State, attempt: Attempt) -> Link:
    """The attempt as one link of a chain."""
    row = row_of(state, attempt)
    return Link(
        text=visible(sentence(attempt)), at=attempt.begin or attempt.at, pid=attempt.process.pid, kind=attempt.kind,
        subject=visible(attempt.what), answer=visible(attempt.answer), by_hand=row.by_hand,
    )  # fmt: skip


def word_row(state: State, word: Word) -> Evidence:
    """A line of a log in which a program speaks."""
    source = state.logs.get(word.source)
    by_hand = commands_by_hand.log(source.found.name if source is not None else "", word.number, word.text)
    return Evidence(
        text=visible(word.text.strip()[:1000]), at=word.at, pid=word.pid or None, pane="logs",
        key=f"{word.source}:{word.number}", by_hand=by_hand,
    )  # fmt: skip


def setting_row(process: Process, setting: Setting) -> Evidence:
    """A setting that keeps a process off the device."""
    text = f"{short(process)}: {setting.text}"
    if setting.place == "argument":
        return evidence.of_process(process, text, by_hand=f"tr '\\0' ' ' < /proc/{process.pid}/cmdline")
    inside = " (set inside the process after its start)" if setting.place == "memory" else ""
    return evidence.of_environment(process, setting.key, f"{text}{inside}")
