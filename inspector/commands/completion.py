"""`inspector completion SHELL`: a script for bash, zsh or fish, made from the parsers by shtab.

Words that only this machine knows (processes, units, demo cases) are asked for while somebody types, by
`inspector completion --words`.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import shtab

from inspector import __version__
from inspector.commands.arguments import every_parser
from inspector.commands.errors import UserError
from inspector.commands.options import Options
from inspector.stream.invocation import program_name

_RECORDINGS = shtab.glob("*.jsonl", "*.gz", "*.zst", "*.json")
_TARGETS = shtab.cmd("inspector completion --words targets 2>/dev/null")
_CASES = shtab.cmd("inspector completion --words cases 2>/dev/null")
_COMPLETED: dict[tuple[str, str], shtab.CompleteType] = {
    ("report", "target"): _TARGETS,
    ("trace", "target"): _TARGETS,
    ("record", "target"): _TARGETS,
    ("replay", "target"): _RECORDINGS,
    ("diff", "target"): _RECORDINGS,
    ("diff", "other"): _RECORDINGS,
    ("demo", "target"): _CASES,
}
_KERNEL = 2
"""kthreadd, the parent of the kernel's own threads: nobody looks for a GPU in them."""
_FILES = ("output", "log", "profile")
_FIRST_WORD = {
    "bash": '_inspector_targets() { compgen -W "$(inspector completion --words targets 2>/dev/null)" -- "$1"; }\n'
    "_shtab_inspector_pos_0_COMPGEN=_inspector_targets\n",
    "fish": "complete -c inspector -n __fish_use_subcommand -a '(inspector completion --words targets 2>/dev/null)'\n",
}
"""The first word is a command or a target, for which shtab has no way."""


def completion(options: Options) -> int:
    """Print the script for a shell, or the words of one kind, one per line."""
    if options.words:
        sys.stdout.writelines(f"{word}\n" for word in _WORDS[options.words]())
        return 0
    if options.target is None:
        raise UserError("completion for which shell?", "inspector completion bash")
    sys.stdout.write(script(options.target))
    return 0


def script(shell: str) -> str:
    """What `source <(inspector completion bash)` runs."""
    parser = every_parser(__version__)
    for command, own in _parsers(parser):
        for action in own._actions:
            complete = _COMPLETED.get((command, action.dest)) or (shtab.FILE if action.dest in _FILES else None)
            if complete is not None:
                action.complete = complete  # type: ignore[attr-defined]
    return shtab.complete(parser, shell, preamble=_FIRST_WORD.get(shell, ""))


def _parsers(parser: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    yield "", parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            yield from action.choices.items()


def _targets() -> Iterator[str]:
    """Names of running programs, services under the control of systemd, containers."""
    import psutil

    found = [one.info for one in psutil.process_iter(["pid", "ppid", "name", "cmdline"])]
    programs = [one for one in found if _KERNEL not in (one["pid"], one["ppid"])]
    names = {one["name"] or "" for one in programs} | {program_name(one["cmdline"] or [], "") for one in programs}
    yield from sorted(name for name in names if name and name.isprintable() and " " not in name)
    for unit in sorted(Path("/sys/fs/cgroup").glob("*.slice/*.service")):
        yield f"unit:{unit.name}"


def _cases() -> Iterator[str]:
    from inspector.demo.cases import CASES

    yield from sorted(case.name for case in CASES)


_WORDS: dict[str, Callable[[], Iterator[str]]] = {"targets": _targets, "cases": _cases}
