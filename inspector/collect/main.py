"""`inspector collect`: events as JSON lines on stdout, requests on stdin, words for people on stderr."""

import ctypes
import signal
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from inspector.stream.requests import Configure

from .options import Options
from .request_reader import RequestReader

if TYPE_CHECKING:
    import argparse

CONFIGURE_SECONDS = 2.0
USAGE = 2
_ONE_TARGET = "--target="
"""The only word that a screen on a running target says: reading it takes no parser, which costs 10 ms."""


def run(argv: Sequence[str]) -> int:
    """Observe until asked to quit, until nobody reads or the whole tree has ended; the exit code of the command."""
    options = parse(argv)
    if options is None:
        return USAGE
    _end_quietly_without_reader()
    _give_memory_back()
    request_reader = RequestReader(0)
    try:
        if options.list:
            return _list(request_reader.configuration(CONFIGURE_SECONDS))
        if options.capabilities:
            request_reader.configuration(CONFIGURE_SECONDS)
            return _tell_capabilities(options.target)
        from .observation import observe  # before what to look for is read: whoever started us makes it meanwhile

        return observe(options, request_reader.configuration(CONFIGURE_SECONDS), request_reader)
    except BrokenPipeError:
        return 0
    except KeyboardInterrupt:
        return 130


def parse(argv: Sequence[str]) -> Options | None:
    """The options; None, with words on stderr, when they make no sense."""
    words = list(argv)
    if len(words) == 1 and words[0].startswith(_ONE_TARGET) and words[0] != _ONE_TARGET:
        return Options(target=words[0].removeprefix(_ONE_TARGET))
    command: list[str] = []
    if "--" in words:
        split = words.index("--")
        words, command = words[:split], words[split + 1 :]
    given = _parser().parse_args(words)
    target = given.given_target or given.target or ""
    trouble = ""
    if given.run and not command:
        trouble = "--run needs a command behind `--`"
    elif command and target:
        trouble = "name either a target or a command, not both"
    elif not (command or target or given.list or given.capabilities):
        trouble = "name a target: a PID, a program name, unit:NAME, container:NAME, lib:PATH, or `-- COMMAND`"
    if trouble:
        print(f"inspector collect: {trouble}", file=sys.stderr)
        return None
    return Options(
        target=target,
        wait=given.wait,
        command=tuple(command),
        run_output=given.run_output,
        as_caller=given.as_caller,
        keep=given.keep,
        list=given.list,
        capabilities=given.capabilities,
        logs=tuple(given.log),
    )


def _parser() -> "argparse.ArgumentParser":
    import argparse

    parser = argparse.ArgumentParser(prog="inspector collect", description=__doc__, allow_abbrev=False)
    parser.add_argument("target", nargs="?", help="PID, name or part of the command line, unit:, container:, lib:")
    parser.add_argument("--target", dest="given_target", metavar="TARGET", help="the same, for a name with a dash")
    parser.add_argument("--wait", action="store_true", help="wait for the target, and for each later start of it")
    parser.add_argument("--run", action="store_true", help="start the command behind `--` under observation")
    parser.add_argument("--run-output", default="stderr", metavar="PATH|null|stderr", help="where its output goes")
    parser.add_argument("--as-caller", action="store_true", help="run the command as the user who called sudo(8)")
    parser.add_argument("--keep", action="store_true", help="leave the command running at the end")
    parser.add_argument("--list", action="store_true", help="list processes and exit")
    parser.add_argument("--capabilities", action="store_true", help="report what this machine and user allow, and exit")
    parser.add_argument("--log", action="append", default=[], metavar="PATH", help="follow this log file too")
    return parser


_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
"""malloc.h of glibc."""
_LARGE = 128 << 10


def _give_memory_back() -> None:
    """Let the C library return what is freed: with an arena for each thread it keeps several times what is in use.

    mallopt(3); another C library has no such function, and no arenas.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, 1)
        mallopt(_M_MMAP_THRESHOLD, _LARGE)
        mallopt(_M_TRIM_THRESHOLD, _LARGE)


def _end_quietly_without_reader() -> None:
    """A reader that goes shows as an error of write(2), not as a signal that would leave the run child behind."""
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)


def _list(configure: Configure) -> int:
    from .listing import processes
    from .session_events import ended, started, write_all

    write_all([started("", []), *processes(configure.plan), ended("all processes are listed")])
    return 0


def _tell_capabilities(target: str) -> int:
    from .kernel.permissions import examine
    from .session_events import ended, started, write_all

    write_all([started(target, examine()), ended("all capabilities are reported")])
    return 0
