"""The commands that need no screen: report, trace, record, diff, list, explain, doctor."""

import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from inspector.commands import inputs
from inspector.commands.errors import CUT_SHORT, NO_TARGET, NOT_PERMITTED, UserError, say
from inspector.commands.options import Options
from inspector.commands.progress import progress, telling_of_waits, while_recording
from inspector.commands.redaction import greet, redacted, redactor_of, tell_hidden

if TYPE_CHECKING:
    from inspector.commands.program_output import ProgramOutput
    from inspector.model.profiles import Profiles
    from inspector.report.observe import Observed
    from inspector.report.schema import Report
    from inspector.stream.events import AnyEvent
    from inspector.stream.processes import ProcessListed

_DEFAULT_SECONDS = 5.0
_NICE = 10
_UNSIZED = 100
"""Columns of text that goes to no terminal, or to one that has no size."""


def report(options: Options) -> int:
    """Watch or read, then print the answer; the exit code is the answer as a number."""
    from inspector.report.expectation import UNEXPECTED, expectation
    from inspector.report.verdict import exit_code

    if options.schema:
        return _print_schema()
    profiles = inputs.profiles(options)
    observed = observe(options, profiles)
    refuse_nothing(observed, options)
    built = report_of(observed, profiles, every_moment=options.format == "perfetto")
    write(options, render(redacted(built, options, observed.state), options))
    if options.expect is None:
        return exit_code(observed.state, built, cut_short=observed.cut_short)
    met, why = expectation(built, options.expect)
    say(why)
    return 0 if met else UNEXPECTED


def trace(options: Options) -> int:
    """The timeline as lines, as things happen."""
    from inspector.report.trace import Tracer

    tracer = Tracer(as_json=options.format == "json")
    redactor = redactor_of(options)
    profiles = inputs.profiles(options)
    for observed in _growing(options, profiles):
        lines = tracer.lines(observed.state)
        if redactor is not None:
            greet(redactor, observed.state)
            lines = redactor.texts(lines)
        sys.stdout.writelines(f"{line}\n" for line in lines)
        sys.stdout.flush()
    refuse_nothing(observed, options)
    tell_hidden(redactor)
    return 0


def record(options: Options) -> int:
    """Write everything that is seen to a file, until the target ends, the time is over, or Ctrl-C."""
    from inspector.report.observe import Watch
    from inspector.stream.recording import RecordingError

    if not options.output:
        raise UserError("record needs a file", f"inspector record {options.target or 'TARGET'} -o seen.zst")
    profiles, redactor = inputs.profiles(options), redactor_of(options)
    with inputs.watched(options) as watched, _own_output(watched, options):
        stream = inputs.collector(options, watched.words, lambda: profiles)
        try:
            stream.record(options.output, redactor)
        except RecordingError as error:
            stream.kill()
            raise UserError(str(error)) from None
        say(f"recording to {options.output}; Ctrl-C stops")
        watch = Watch(stream, profiles, options.seconds, from_birth=options.wait, own_program=bool(options.program))
        observed = watch.run(while_recording(options))
    refuse_nothing(observed, options)
    if stream.recording_trouble:
        raise UserError(stream.recording_trouble, f"inspector report {options.output}", CUT_SHORT)
    for trouble in observed.troubles:
        say(trouble)
    tell_hidden(redactor)
    if options.output != "-":
        say(f"{Path(options.output).stat().st_size:,} bytes; next: inspector report {options.output}")
    return 0


def diff(options: Options) -> int:
    """What differs between the good and the bad."""
    from inspector.report import diff as differences

    assert options.target and options.other
    good, bad = (_read_report(path, options) for path in (options.target, options.other))
    found = differences.compare(redacted(good, options), redacted(bad, options))
    if options.format == "json":
        write(options, differences.as_json(found))
    else:
        text = differences.as_text(found, options.target, options.other, width=_width(options), colour=_colour(options))
        write(options, text.encode())
    return 1 if found.rows else 0


def listing(options: Options) -> int:
    """Processes with GPU libraries, preloads or shims."""
    gc.disable()  # the list ends before garbage matters, and a tenth of its time goes into looking for some
    from inspector.report import listing as lists

    rows = listed(options, inputs.profiles(options))
    chosen = rows if options.everything else lists.interesting(rows)
    if options.format == "json":
        write(options, lists.as_json(chosen))
    else:
        write(options, lists.as_text(chosen, width=_width(options), colour=_colour(options)).encode())
    return 0


def explain(options: Options) -> int:
    """What a rule means, how it is proven, what to do; all rules without one."""
    from inspector.model.causes.registry import find
    from inspector.report import rules

    name = options.target or ""
    rule = find(name) if name else None
    if name and rule is None:
        near = get_close_matches(name, [one.rule for one in rules.rule_reports()], 1)
        raise UserError(f"no rule is called {name}", f"inspector explain {near[0]}" if near else "inspector explain")
    if options.format == "json":
        write(options, rules.as_json(name))
    elif options.format == "markdown":
        write(options, rules.as_markdown().encode())
    elif rule is not None:
        write(options, rules.as_text(rule, width=_width(options), colour=_colour(options)).encode())
    else:
        write(options, rules.list_as_text(width=_width(options), colour=_colour(options)).encode())
    return 0


def doctor(options: Options) -> int:
    """What this machine and user allow."""
    from inspector.report import doctor as doctors
    from inspector.stream.session import SessionStarted

    events = _short_session(options, ["--capabilities"], inputs.profiles(options))
    session = next((event for event in events if isinstance(event, SessionStarted)), None)
    if session is None:
        raise UserError("the collector reported nothing about this machine")
    if options.fix:
        write(options, doctors.grants(session).encode())
    elif options.format == "json":
        write(options, doctors.as_json(session))
    else:
        write(options, doctors.as_text(session, width=_width(options), colour=_colour(options)).encode())
    return 0


# -- from streams to facts -------------------------------------------------------------------------------------------


def observe(options: Options, profiles: "Profiles") -> "Observed":
    """The state after reading a recording, or after watching a collector for a while."""
    from inspector.report.observe import Watch, from_recording
    from inspector.stream.recording import RecordingError

    if inputs.is_recorded(options):
        assert options.target
        try:
            return from_recording(options.target, profiles)
        except RecordingError as error:
            raise UserError(str(error), "inspector record TARGET -o FILE makes one") from None
    check_writable(options)
    seconds = options.seconds if options.seconds or options.program else _DEFAULT_SECONDS
    with inputs.watched(options) as watched, _own_output(watched, options):
        stream = inputs.collector(options, watched.words, lambda: profiles)
        watch = Watch(stream, profiles, seconds, from_birth=options.wait, own_program=bool(options.program))
        with _behind_programs():
            return watch.run(progress(options))


@contextmanager
def _behind_programs() -> "Iterator[None]":
    """Processors are for what is watched first; root may take its place again afterwards (sched(7))."""
    if os.geteuid() != 0:
        yield
        return
    before = os.getpriority(os.PRIO_PROCESS, 0)
    os.setpriority(os.PRIO_PROCESS, 0, max(before, _NICE))
    with suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    try:
        yield
    finally:
        with suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
            os.setpriority(os.PRIO_PROCESS, 0, before)


def report_of(observed: "Observed", profiles: "Profiles", *, every_moment: bool = False) -> "Report":
    """The report as data."""
    from inspector.model.diagnosis import diagnose
    from inspector.report.builder import TIMELINE_ROWS
    from inspector.report.builder import report as built

    rows = sys.maxsize if every_moment else TIMELINE_ROWS
    return built(observed.state, diagnose(observed.state), observed.troubles, rows)


def render(built: "Report", options: Options) -> bytes:
    """The report in the format that was asked for."""
    from inspector.report.formats import render as rendered

    return rendered(built, options.format, width=_width(options), colour=_colour(options), expected=options.expect)


def refuse_nothing(observed: "Observed", options: Options) -> None:
    """UserError when nothing at all was seen: no link, no collector, no such target, or it may not be observed."""
    if observed.unreached is not None:
        raise UserError(observed.unreached.words, observed.unreached.help)
    missing = observed.state.missing
    if missing is not None and (missing.kind == "no-such-target" or not observed.state.processes):
        if missing.kind == "not-permitted":
            far = not inputs.transport_of(options).here
            raise UserError(missing.why, "the same with --sudo" if far else missing.help, NOT_PERMITTED)
        raise UserError(missing.why, missing.help or "inspector list --all", NO_TARGET)


def _growing(options: Options, profiles: "Profiles") -> "Iterator[Observed]":
    """What is known, each time that it grew; at least once."""
    from inspector.report.observe import Watch

    if inputs.is_recorded(options):
        yield observe(options, profiles)
        return
    with inputs.watched(options) as watched, _own_output(watched, options):
        stream = inputs.collector(options, watched.words, lambda: profiles)
        watch = Watch(stream, profiles, options.seconds, from_birth=options.wait, own_program=bool(options.program))
        tell = telling_of_waits()
        for _ in watch.batches():
            tell(watch)
            yield watch.observed
    for trouble in watch.observed.troubles:
        say(trouble)


def listed(options: Options, profiles: "Profiles") -> "list[ProcessListed]":
    """Every process of the place that the options name."""
    from inspector.stream.processes import ProcessListed

    if not (options.host or options.via or options.sudo):
        # Here and with our own rights: no second process, because a list must come at once.
        from inspector.collect.listing import processes

        return list(processes(profiles.plan()))
    return [event for event in _short_session(options, ["--list"], profiles) if isinstance(event, ProcessListed)]


def _short_session(options: Options, words: list[str], profiles: "Profiles") -> "list[AnyEvent]":
    """All events of a collector that answers one question and ends."""
    stream = inputs.collector(options, words, lambda: profiles)
    events = [event for batch in stream for event in batch]
    if stream.ending is not None and not stream.ending.ok:
        raise UserError(stream.ending.words, stream.ending.help)
    return events


def _read_report(path: str, options: Options) -> "Report":
    import msgspec

    from inspector.report.schema import SCHEMA_NAME, from_json
    from inspector.stream.recording import RecordingError

    try:
        with open(path, "rb") as file:
            beginning = file.read(200)
            if SCHEMA_NAME.encode() in beginning:
                return from_json(beginning + file.read())
        from inspector.report.observe import from_recording

        profiles = inputs.profiles(options)
        return report_of(from_recording(path, profiles), profiles)
    except RecordingError as error:
        raise UserError(str(error)) from None
    except (ValueError, msgspec.MsgspecError) as error:
        raise UserError(f"{path} is a damaged report: {error}") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {(error.strerror or str(error)).lower()}") from None


# -- words out -------------------------------------------------------------------------------------------------------


def write(options: Options, content: bytes) -> None:
    """To stdout, or to the file of -o, which only its owner may read."""
    from inspector.stream.files import FileRefusedError, create

    if not options.output or options.output == "-":
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
        return
    try:
        with create(options.output) as file:
            file.write(content)
    except FileRefusedError as error:
        raise UserError(str(error)) from None
    say(f"written to {options.output} ({len(content):,} bytes)")


def check_writable(options: Options) -> None:
    """Say that the file of -o cannot be, before a program has run for it; UserError says why."""
    from inspector.stream.files import FileRefusedError, check_place

    if options.output and options.output != "-":
        try:
            check_place(options.output)
        except FileRefusedError as error:
            raise UserError(str(error)) from None


def _own_output(watched: inputs.Watched, options: Options) -> "ProgramOutput":
    """The copy of what the program behind `--` says; of nothing with -q."""
    from inspector.commands.program_output import ProgramOutput

    return ProgramOutput(None if options.quiet else watched.output)


def _print_schema() -> int:
    from importlib import resources

    schema = resources.files("inspector.report").joinpath("schema.json").read_bytes()
    sys.stdout.buffer.write(schema)
    return 0


def _to_terminal(options: Options) -> bool:
    return sys.stdout.isatty() and options.output in (None, "-")


def _width(options: Options) -> int:
    """A serial console has no size."""
    return (os.get_terminal_size(1).columns or _UNSIZED) if _to_terminal(options) else _UNSIZED


def _colour(options: Options) -> bool:
    return _to_terminal(options) and not os.environ.get("NO_COLOR") and os.environ.get("TERM", "dumb") != "dumb"
