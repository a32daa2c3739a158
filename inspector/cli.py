"""The command line: each word leads to one function; nothing heavy is imported before a command needs it.

--help, --version and list know neither textual nor rich.
"""

import contextlib
import errno
import gc
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NoReturn

from inspector import __version__
from inspector.commands.errors import UserError, say

if TYPE_CHECKING:
    from inspector.commands.options import Options

OBJECTS = 20_000
"""New objects between two looks for garbage: after 700, as Python has it, a tenth of each start is spent on looking."""


def _completion(options: "Options") -> int:
    from inspector.commands.completion import completion

    return completion(options)


def _mcp(options: "Options") -> int:
    try:
        from inspector.commands.mcp import mcp
    except ModuleNotFoundError as error:
        raise UserError(
            f"{error.name} is not installed: it belongs to the extra [mcp]", "pip install 'shim-inspector[mcp]'"
        ) from None
    return mcp(options)


def _command(name: str) -> "Callable[[Options], int]":
    from inspector.commands import screen

    with_screen: dict[str, Callable[[Options], int]] = {
        "": screen.look,
        "run": screen.run,
        "replay": screen.replay,
        "demo": screen.demo,
    }
    if name in with_screen:
        return with_screen[name]
    from inspector.commands import headless

    commands: dict[str, Callable[[Options], int]] = {
        "report": headless.report,
        "trace": headless.trace,
        "record": headless.record,
        "diff": headless.diff,
        "list": headless.listing,
        "explain": headless.explain,
        "doctor": headless.doctor,
        "completion": _completion,
        "mcp": _mcp,
    }
    return commands[name]


def main(words: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code. Never a traceback for what a user or a target can cause."""
    given = list(sys.argv[1:] if words is None else words)
    _stand_in_for_closed_streams()
    warnings.simplefilter("ignore", FutureWarning)  # of expressions of users and profiles: no line of ours to mend
    gc.set_threshold(OBJECTS)
    try:
        if given[:1] == ["collect"]:
            _import_msgspec_alone()
            return _collect(given[1:])
        options = _options(given)
        _end_in_order()
        _import_msgspec_alone()
        return _command(options.command)(options)
    except UserError as trouble:
        say(str(trouble))
        if trouble.command:
            say(f"next: {trouble.command}")
        return trouble.code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader has gone: what is left in the buffer must not be complained about at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 141
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
            raise
        say(f"the output cannot be written: {(error.strerror or str(error)).lower()}")
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 1


def _options(words: list[str]) -> "Options":
    from inspector.commands.options import plain

    options = plain(words)
    if options is None:
        from inspector.commands.arguments import parse

        options = parse(words, __version__)
    return options


def _import_msgspec_alone() -> None:
    """Without typing_extensions, of which it wants nothing that typing lacks: inspect and ast come with that, 10 ms."""
    if "typing_extensions" in sys.modules:
        return
    sys.modules["typing_extensions"] = None  # type: ignore[assignment]
    try:
        import msgspec  # noqa: F401
    finally:
        del sys.modules["typing_extensions"]


def _end_in_order() -> None:
    """SIGTERM and SIGHUP leave nothing behind: no program of a demo, no file of a run. The screen has its own way."""
    import signal

    def end(number: int, _: object) -> None:
        signal.signal(number, signal.SIG_IGN)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # whoever reads it may have stopped: we must not wait for that
        raise SystemExit(128 + number)

    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, end)


def _stand_in_for_closed_streams() -> None:
    """Whoever closed stdout or stderr (`>&-`) wants no words: the interpreter leaves None in their place."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115 - as long as the process


def _collect(words: list[str]) -> NoReturn:
    """The collector, a process of its own: events on stdout, requests on stdin."""
    from inspector.collect.main import run

    code = run(words)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):
            stream.flush()
    os._exit(code)  # whoever waits for our end need not wait while the interpreter takes all apart that it held
