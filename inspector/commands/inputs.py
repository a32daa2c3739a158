"""From the words of the command line to streams: profiles, places, living collectors, files."""

import os
import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from inspector.commands.errors import UserError
from inspector.commands.options import Options

if TYPE_CHECKING:
    from inspector.model.profiles import Profiles
    from inspector.stream.live import LiveStream
    from inspector.stream.requests import Configure
    from inspector.stream.transport import Transport

_MAGIC = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b'{"event"', b"{")


def profiles(options: Options) -> "Profiles":
    """The profiles that come along, the user's own, and those named with --profile."""
    from inspector.model.profiles import ProfileError, load

    try:
        return load(map(Path, options.profile), own=True)
    except ProfileError as error:
        raise UserError(str(error), "inspector --help  (--profile PATH)") from None


def transport_of(options: Options) -> "Transport":
    """Where the collector is to run."""
    from inspector.stream.transport import Transport

    return Transport(
        host=options.host,
        ssh_options=tuple(options.ssh_option),
        via=options.via,
        sudo=options.sudo,
        remote_command=options.remote_command,
    )


class Watched(NamedTuple):
    """What is to be watched."""

    words: Sequence[str]
    """The collector's words for it."""
    output: Path | None = None
    """Where the program that we start writes to, on this machine."""


@contextmanager
def watched(options: Options) -> Iterator[Watched]:
    """What the options name; UserError when that is nothing.

    A program that we start writes to a file, because then the collector can read what it says; the file goes at the
    end, unless it lies on another machine.
    """
    from inspector.commands.run_folder import run_folder
    from inspector.stream.transport import program_words, target_words

    if not options.program:
        if not options.target:
            raise UserError("name a TARGET, a recording, or a program behind --", f"inspector {options.command} --help")
        yield Watched(target_words(options.target, wait=options.wait))
        return
    here = transport_of(options).here
    name = f"{os.urandom(4).hex()}.log"
    with run_folder() if here else nullcontext(Path("/tmp")) as folder:
        elevated = ["--as-caller"] if options.sudo else []  # it is we who look as root, not the program
        words = [f"--run-output={folder / name}", *elevated, *program_words(options.program)]
        yield Watched(words, folder / name if here else None)


def collector(options: Options, words: Sequence[str], known: Callable[[], "Profiles"]) -> "LiveStream":
    """A living collector at the place that the options name; UserError when it cannot be started.

    `known`: the profiles, asked for once it begins.
    """
    from inspector.stream.own_command import reach_by
    from inspector.stream.pipes import in_own_group
    from inspector.stream.transport import collector_command

    def configure() -> "Configure":
        from inspector.stream.requests import Configure

        return Configure(
            plan=known().plan(),
            logs=options.log,
            count=not options.no_count,
            budget=options.budget,
            redact=options.redact,
        )

    where = transport_of(options)
    reach_by(where)
    try:
        if options.bootstrap and not where.here:
            from inspector.commands.bootstrap import bootstrap

            where = bootstrap(where)
        command = collector_command(words, where)
        reconnects = options.host and not options.program and options.command not in ("list", "doctor")
        if not reconnects:
            process = in_own_group(command)  # before all that it takes to understand it
            from inspector.stream.live import LiveStream

            return LiveStream(command, configure, process)
        from inspector.stream.reconnecting import ReconnectingStream

        return ReconnectingStream(command, configure)
    except ValueError as error:
        raise UserError(str(error), "inspector --help") from None
    except UserError:
        raise
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UserError(f"{command[0]} cannot be started: {reason}", f"which {command[0]}") from None


def is_recorded(options: Options) -> bool:
    """Whether TARGET names a file that was recorded or reported, and not a process."""
    target = options.target
    if not target or options.program:
        return False
    if Path(target).is_fifo():
        raise UserError(
            f"{target} is a FIFO (named pipe), and no recording",
            f"inspector {options.command or 'report'} - < {shlex.quote(target)}",
        )
    return target == "-" or (not target.isdecimal() and (looks_recorded(target) or _is_missing_file(target)))


def looks_recorded(path: str) -> bool:
    """Whether a file begins like a recording or a JSON report; a FIFO is not opened: it may have no writer."""
    try:
        if not Path(path).is_file():
            return False
        with open(path, "rb") as file:
            return file.read(8).startswith(_MAGIC)
    except OSError:
        return False


def _is_missing_file(target: str) -> bool:
    """A name that can only be meant as a recording; the error then speaks of a file and not of a process."""
    return target.endswith((".zst", ".gz", ".jsonl", ".json")) and not target.startswith(
        ("unit:", "lib:", "container:")
    )
