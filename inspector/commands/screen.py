"""The commands with a screen: look, run, replay, demo; each falls back to text where no screen can be drawn."""

import gc
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

from inspector.commands import inputs
from inspector.commands.errors import NO_TARGET, UserError, say
from inspector.commands.options import Options
from inspector.commands.run_folder import place_for_files

if TYPE_CHECKING:
    from inspector.model.profiles import Profiles
    from inspector.stream.live import LiveStream
    from inspector.stream.processes import ProcessListed
    from inspector.stream.recording import Recording
    from inspector.view.settings import Settings


def look(options: Options) -> int:
    """The screen on a target, or the picker."""
    why = _no_screen()
    if options.target is None:
        if why is None:
            return _pick(options)
        say(f"no screen here: {why}. This is the list; an answer in text: inspector report PID")
        return _list_in_text(options)
    if why is None:
        return replay(options) if inputs.is_recorded(options) else _show(options)
    say(f"no screen here: {why}. This is the text report: inspector report {options.target}")
    return _report_in_text(options)


def run(options: Options) -> int:
    """A program under observation."""
    if not options.program:
        raise UserError("run needs a program to start", "inspector run -- CMD...")
    why = _no_screen()
    if why is None:
        refuse_absent(options)
        return _show(options)
    say(f"no screen here: {why}. This is the text report: inspector report -- CMD...")
    return _report_in_text(options)


def refuse_absent(options: Options) -> None:
    """UserError for a program that cannot be started here: a screen would only show that nothing ran."""
    from pathlib import Path
    from shlex import quote
    from shutil import which

    program = options.program[0]
    if options.sudo or not inputs.transport_of(options).here or which(program):  # sudo has a PATH of its own
        return
    words = quote(program)
    if "/" not in program:
        raise UserError(f"cannot start {program}: no such program in PATH", f"command -v {words}", NO_TARGET)
    why = "it is no file that may be executed" if Path(program).exists() else "no such file"
    raise UserError(f"cannot start {program}: {why}", f"ls -l {words}", NO_TARGET)


def replay(options: Options) -> int:
    """A recording on the screen."""
    if not options.target:
        raise UserError("replay needs a recording", "inspector replay FILE")
    why = _no_screen()
    piped = why is not None and options.target == "-"
    if not piped and not inputs.looks_recorded(options.target):
        raise UserError(f"{options.target} is not a readable recording", "inspector record TARGET -o FILE makes one")
    if why is not None:
        say(f"no screen here: {why}. This is the text report: inspector report {options.target}")
        return _report_in_text(options)
    from inspector.stream.recording import Recording

    return _screen(Recording(options.target), inputs.profiles(options), options)


def demo(options: Options) -> int:
    """The question as a real process; where no screen can be drawn, the text report of it, and exit code 0."""
    from inspector.demo.run import DemoError, run_demo, table

    if options.names:
        print(table())
        return 0
    why = _no_screen() if sys.stdout.isatty() else "standard output is not a terminal"
    profiles = inputs.profiles(options)
    place_for_files()
    try:
        shown = run_demo(
            options.target, profiles, say, None if why else lambda source: _screen(source, profiles, options)
        )
    except DemoError as error:
        raise UserError(str(error), "inspector demo --list") from None
    if isinstance(shown, int):
        return shown
    sys.stdout.buffer.write(shown)
    return 0


def _report_in_text(options: Options) -> int:
    from inspector.commands.headless import report

    return report(options)


def _list_in_text(options: Options) -> int:
    from inspector.commands.headless import listing

    return listing(options)


def _show(options: Options) -> int:
    """The collector comes first: it begins, and is told what to look for, while we import what draws."""
    known = cache(lambda: inputs.profiles(options))
    with inputs.watched(options) as watched:
        source = inputs.collector(options, watched.words, known)
        source.tell_what_to_look_for()
        return _navigate(options, known(), source)


def _pick(options: Options) -> int:
    """The picker, and then the screen on what was picked."""
    return _navigate(options, inputs.profiles(options), None)


def _navigate(options: Options, profiles: "Profiles", source: "LiveStream | None") -> int:
    """The screen on a living target, with the way back to the picker and on to another target."""

    def look_around() -> "Sequence[ProcessListed]":
        from inspector.commands.headless import listed

        return listed(options, profiles)

    def connect(target: str) -> "LiveStream":
        from inspector.stream.transport import target_words

        return inputs.collector(options, target_words(target), lambda: profiles)

    with _importing():
        from inspector.view.app import run as show

    mouse, settings = not options.no_mouse, _settings(options)
    started = options.program[0].rpartition("/")[2] if options.program else ""
    target = (options.target or "") if source is not None else ""
    return show(
        source, listed=look_around, connect=connect, profiles=profiles, mouse=mouse, target=target, waits=options.wait,
        started=started, settings=settings,
    )  # fmt: skip


def _screen(source: "LiveStream | Recording", profiles: "Profiles", options: Options) -> int:
    with _importing():
        from inspector.view.app import run as show

    return show(source, profiles=profiles, mouse=not options.no_mouse, settings=_settings(options))


def _settings(options: Options) -> "Settings":
    """What the person set up: theme, columns, order, keys."""
    from inspector.view import config_file
    from inspector.view.settings import Settings

    path = config_file.config_path()
    if options.reset_config:
        say(config_file.reset(path) or f"there are no settings in {path}")
    return Settings(path)


@contextmanager
def _importing() -> Iterator[None]:
    """Imports make no garbage, but a tenth of their time would go into looking for some.

    asyncio goes without ssl where there is none, and nothing here talks to a network: another thirtieth.
    """
    gc.disable()
    without = "ssl" not in sys.modules
    if without:
        sys.modules["ssl"] = None  # type: ignore[assignment]  # what import takes for "not installed"
    yield
    if without:
        del sys.modules["ssl"]
    gc.freeze()
    gc.enable()


def _no_screen() -> str | None:
    from inspector.view.terminal import can_run_screen

    return can_run_screen()
