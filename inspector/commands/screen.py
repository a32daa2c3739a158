"""The commands with a screen: look, run, replay, demo; each falls back to text where no screen can be drawn."""

from inspector.commands import headless
from inspector.commands.arguments import Options
from inspector.commands.trouble import Trouble, say


def look(options: Options) -> int:
    """The screen on a target, or the picker."""
    why = _no_screen()
    if why is None:
        return _show(options)
    if options.target is None:
        say(f"no screen here: {why}. This is the list; an answer in text: inspector report PID")
        return headless.listing(options)
    say(f"no screen here: {why}. This is the text report: inspector report {options.target}")
    return headless.report(options)


def run(options: Options) -> int:
    """A program under observation."""
    if not options.program:
        raise Trouble("run needs a program to start", "inspector run -- CMD...")
    why = _no_screen()
    if why is None:
        return _show(options)
    say(f"no screen here: {why}. This is the text report: inspector report -- CMD...")
    return headless.report(options)


def replay(options: Options) -> int:
    """A recording on the screen."""
    if not options.target:
        raise Trouble("replay needs a recording", "inspector replay FILE")
    why = _no_screen()
    if why is None:
        return _show(options)
    say(f"no screen here: {why}. This is the text report: inspector report {options.target}")
    return headless.report(options)


def _no_screen() -> str | None:
    from inspector.view.terminal import can_run_screen

    return can_run_screen()
