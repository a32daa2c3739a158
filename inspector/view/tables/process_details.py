"""Everything known of one process: its life, commands, environment, unit, descriptors and files."""

import shlex
from collections.abc import Iterator

from inspector.model.formatting import duration, errno_name, name_of, plural, signal_name, size
from inspector.model.state import Process, State
from inspector.model.tree import KeyChange, environment_change, program
from inspector.stream.machine import UnitSetting
from inspector.stream.processes import Descriptor, ProcessExec, SignalDelivered
from inspector.view.clock import wall_of
from inspector.view.pane_context import PaneContext, short_name

from .exit_status import ENDINGS, LOADER_KEYS, end_of
from .row import Details, Note, Tone
from .told import Told, told_of

_STATES = {
    "R": "running",
    "S": "sleeping",
    "D": "in uninterruptible sleep (D)",
    "T": "stopped (T)",
    "t": "stopped by a tracer (t)",
    "Z": "zombie (Z)",
    "I": "idle",
}
"""The letter of /proc/PID/stat in words."""
MOST_OPENS = 30
"""Opens of files that are listed; the timeline has all of them."""


def details_of(context: PaneContext, process: Process) -> Details:
    """Life, commands, environment, program, surroundings."""
    told = told_of(context.answer)
    notes = [
        *_life(context, process, told),
        *_commands(process),
        *_environment_notes(context, process, told),
        *_programs(process),
        *_unit(context.state, process),
        *_preload_files(context.state),
        *_surroundings(process, told),
    ]
    return Details(f"{process.pid} {short_name(process)}", notes, _by_hand(process))


def _life(context: PaneContext, process: Process, told: Told) -> Iterator[Note]:
    state = context.state
    words = {
        "attach": "already running when we attached",
        "fork": "started while we watched",
        "run": "started by us",
        "map": "found because it maps the library",
    }
    yield Note("came", words.get(process.origin, process.origin))
    if process.parent is not None:
        yield Note("parent", f"{process.parent.pid} {short_name(process.parent)}")
    born = wall_of(state, process.started) if process.started else ""
    if process.ended:
        lived = duration(process.ended - process.started)
        yield Note("lived", f"{born} to {wall_of(state, process.ended)}, {lived}" if born else lived)
        end = end_of(process, told)
        yield Note("end", "".join(text for text, _ in end), end[0][1])
    elif born:
        yield Note("born", born)
    for one in process.signals:
        told_end = one.fatal and process.pid in (told.ends if one.signal in ENDINGS else told.pids)
        yield Note("signal", _signal_words(one), told.tone(told_end, "plain"))
    vitals = process.vitals
    if vitals is not None and not process.ended:
        parts = (
            f"{vitals.cpu:.1f} % CPU",
            size(vitals.rss),
            plural(vitals.threads, "thread"),
            _STATES.get(vitals.state),
        )
        yield Note("now", ", ".join(part for part in parts if part))


def _signal_words(one: SignalDelivered) -> str:
    place = one.symbol or one.library or "an unknown address"
    where = f" at {place}+{one.offset:#x}" if one.symbol or one.library else ""
    inside = f" in {one.library}" if one.symbol and one.library else ""
    return f"{signal_name(one.signal)}{where}{inside}{'' if one.fatal else ' (handled)'}"


def _commands(process: Process) -> Iterator[Note]:
    for number, run in enumerate(process.execs):
        label = "command" if number == len(process.execs) - 1 else "before"
        yield Note(label, shlex.join(run.argv) or run.comm)
    if process.execs and process.parent is not None:
        yield Note("", "reported by the kernel; whether it went through a libc hook is unknown", "quiet")


def _programs(process: Process) -> Iterator[Note]:
    runs = program(process)
    if runs is not None:
        yield from _program(runs)


def _program(run: ProcessExec) -> Iterator[Note]:
    yield Note("program", run.exe)
    if run.static:
        yield Note("", "statically linked: the loader never runs, LD_PRELOAD has no effect", "unknown")
    if run.secure:
        added = f" ({run.capabilities_added})" if run.capabilities_added else ""
        yield Note("", f"AT_SECURE{added}: the loader ignores LD_PRELOAD and LD_LIBRARY_PATH", "unknown")
    yield Note("folder", run.cwd)
    if run.uid >= 0:
        yield Note("user", f"uid {run.uid}")
    if run.unit:
        yield Note("unit", run.unit)
    if run.container:
        yield Note("container", run.container)
    if run.own_root:
        yield Note("root", f"has another root directory: {run.root}", "unknown")


def _environment_notes(context: PaneContext, process: Process, told: Told) -> Iterator[Note]:
    runs = program(process)
    if runs is None or not runs.environment_known:
        yield Note("environ", "not readable", "unknown")
        return
    changes = {one.key: one for one in environment_change(process) or ()}
    against = "against the parent's" if process.parent is not None else "loader, GPU and profile keys"
    yield Note("environ", f"{against} ({runs.other_keys} other keys not collected)", "head")
    for key in sorted({*runs.environment, *changes}, key=lambda key: (key not in changes, _rank(key))):
        yield from _key_notes(key, runs.environment.get(key, ""), changes.get(key))
        known = context.profiles.environment_key(key)
        if known is not None and known.effect:
            yield Note("", f"    {known.truth or known.effect}", "quiet")
    for entry in process.preloads:
        if entry.usable is False:
            tone = told.tone(process.pid in told.pids, "unknown")
            yield Note("preload", f"{entry.entry}: {entry.words or entry.problem}", tone)


def _rank(key: str) -> tuple[int, str]:
    """Loader keys first, in the order in which they matter."""
    return (LOADER_KEYS.index(key) if key in LOADER_KEYS else len(LOADER_KEYS), key)


def _key_notes(key: str, value: str, change: KeyChange | None) -> Iterator[Note]:
    if change is None:
        yield Note("", f"  {key}={value}")
    elif change.change == "removed":
        yield Note("", f"- {key}={change.before}", "unknown")
    elif change.change == "added":
        yield Note("", f"+ {key}={value}", "yes")
    else:
        yield Note("", f"~ {key}={value}", "unknown")
        yield Note("", f"  was {change.before}", "quiet")


def _surroundings(process: Process, told: Told) -> Iterator[Note]:
    for descriptor in process.descriptors.values():
        tone: Tone = "unknown" if _thrown_away(descriptor) else "plain"
        yield Note(f"fd {descriptor.fd}", _descriptor_words(descriptor), tone)
    for fd, writes in process.writes.items():
        yield Note(f"wrote fd {fd}", f"{size(writes.bytes)} in {writes.writes} writes, {writes.failed} failed")
        for line in writes.sample:
            yield Note("", f"  {line}", "quiet")
    if process.sockets is not None:
        for address in process.sockets.listening:
            yield Note("serves", address)
        for peer in process.sockets.connected:
            yield Note("talks to", f"{peer.address} {peer.pid or ''} {peer.argv}".rstrip())
    yield from _opens(process, told)


def _opens(process: Process, told: Told) -> Iterator[Note]:
    """Files that were refused to it or that it writes: logs that cannot be written are among them."""
    telling = [one for one in process.opens if one.errno or one.writable]
    for one in telling[-MOST_OPENS:]:
        how = errno_name(one.errno) if one.errno else "for writing"
        times = f", {one.count} times" if one.count > 1 else ""
        tone = told.tone(name_of(one.path) in told.names) if one.errno else "plain"
        yield Note("opens", f"{one.path}: {how}{times}", tone)
    if process.opens_skipped:
        more = len(process.opens) - len(telling)
        yield Note(
            "opens",
            f"{more} more are in the timeline, {process.opens_skipped} of no interest are not",
            "quiet",
        )


def _unit(state: State, process: Process) -> Iterator[Note]:
    """Its unit as the files say and as it is in force, setting by setting."""
    runs = program(process)
    unit = state.units.get(runs.unit or "") if runs is not None else None
    if runs is None or unit is None:
        return
    yield Note("unit", unit.unit, "head")
    if unit.needs_reload:
        yield Note("", "its files changed after systemd read them: systemctl daemon-reload", "unknown")
    for setting in unit.settings:
        held = runs.environment.get(setting.key)
        verdict, tone = _in_force(setting, held, runs.environment_known)
        yield Note("", f"{setting.key}={setting.value} ({name_of(setting.path)}:{setting.line}): {verdict}", tone)
    if unit.stderr:
        yield Note("", f"StandardError={unit.stderr}")
    for trouble in unit.trouble:
        yield Note("", trouble, "unknown")
    if unit.sandbox:
        yield Note("", f"sandbox: {' '.join(unit.sandbox)}", "unknown")


def _in_force(setting: UnitSetting, held: str | None, known: bool) -> tuple[str, Tone]:
    if not known:
        return "the environment is not readable", "unknown"
    if held is None:
        return "not in this process", "unknown"
    return ("in force", "yes") if held == setting.value else (f"this process has {held}", "unknown")


def _preload_files(state: State) -> Iterator[Note]:
    for one in state.preload_files.values():
        if one.entries or one.problem:
            yield Note(name_of(one.path), one.problem or " ".join(one.entries), "unknown")
            if one.carriers:
                names = ", ".join(one.carrier_names[:6])
                yield Note("", f"in {one.carriers} processes on this machine: {names}", "unknown")


def _thrown_away(descriptor: Descriptor) -> bool:
    return descriptor.kind in ("null", "closed") and descriptor.fd in (1, 2)


def _descriptor_words(descriptor: Descriptor) -> str:
    peer = f" read by {descriptor.peer}" if descriptor.peer else ""
    lost = ": output written here is lost" if _thrown_away(descriptor) else ""
    return f"{descriptor.target}{peer}{lost}"


def _by_hand(process: Process) -> list[str]:
    runs = program(process)
    if process.ended:
        return [f"journalctl -u {shlex.quote(runs.unit)}"] if runs is not None and runs.unit else []
    return [
        f"tr '\\0' '\\n' < /proc/{process.pid}/environ",
        f"pstree -aps {process.pid}",
        f"ls -l /proc/{process.pid}/fd",
    ]
