"""Tools that a program runs to learn of devices, and that are not installed: `nvidia-smi`, `rocminfo`."""

import re
from collections.abc import Collection, Iterable
from errno import ENOENT
from shlex import quote
from signal import SIGINT, SIGKILL, SIGPIPE, SIGTERM

from inspector.model import commands_by_hand, evidence
from inspector.model.attempts.row import Attempt
from inspector.model.attempts.wording import row_of
from inspector.model.evidence import short
from inspector.model.families import MANAGEMENT
from inspector.model.first_lines import last_line, last_line_of
from inspector.model.folding.processes import end_words
from inspector.model.formatting import listed, name_of
from inspector.model.start_again import by_hand
from inspector.model.state import Process
from inspector.model.tree import program
from inspector.stream.invocation import program_name

from .context import Case, Context
from .rule import UNEXPLAINED, Cause, Hit, Pattern

_OF_DEVICES = re.compile(r"nvidia|cuda|rocm|amd-smi|hip(?:config|info)|vulkan|clinfo|opencl|gpu|xpu-smi", re.I)
"""Names of tools that tell of devices."""
_VENDORS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("nvidia", re.compile(r"nvidia|nvml|cuda", re.I)),
    ("amd", re.compile(r"rocm|amd|hip", re.I)),
    ("intel", re.compile(r"xpu|intel", re.I)),
)
"""Whose devices a tool, or a family of APIs, tells of."""
_SHELLS = ("sh", "bash", "dash", "ash", "busybox")
_WITH_COMMAND = 3
"""Words of `sh -c COMMAND`."""
_NOT_FOUND = 127
_LONGEST = 200


class ToolMissing(Pattern):
    id = "tool-missing"
    place = "reachable"
    meaning = "A program runs a tool to learn which devices there are (nvidia-smi, say), and it is not installed."
    proof = "Each execve of it failed with ENOENT, or a shell that was to run it ended with 127, and none succeeded."
    cure = "Install the tool, or add its directory to PATH where the program is started."
    answers = UNEXPLAINED | {"nobody-asked", "management-only"}

    def find(self, context: Context) -> Iterable[Hit]:
        refused: dict[str, list[Attempt]] = {}
        for rows in context.analysis.attempts.values():
            for one in rows:
                missing = one.kind == "system" and one.call in ("execve", "execveat") and one.code == ENOENT
                if missing and _OF_DEVICES.search(name_of(one.what)):
                    refused.setdefault(name_of(one.what), []).append(one)
        for process in context.state.processes:
            name, row = _not_found_by_shell(context, process)
            if row is not None:
                refused.setdefault(name, []).append(row)
        ran = {name_of(run.exe) for process in context.state.processes for run in process.execs}
        ran |= {name_of(run.argv[0]) for process in context.state.processes for run in process.execs if run.argv}
        absent = {name: rows for name, rows in refused.items() if name not in ran}
        for name in _worth_telling(context, absent):
            yield self._hit(context, name, absent[name])

    def _hit(self, context: Context, name: str, rows: list[Attempt]) -> Hit:
        asker = _program(rows[0].process)
        folders = dict.fromkeys(one.what.rpartition("/")[0] for one in rows if one.kind == "system")
        looked = (
            f"It was looked for in {listed(folders, 4)}" if folders else "A shell was to run it and found it nowhere"
        )
        place = _only_place(context, asker, folders)
        hit = Hit(
            title=f"{short(asker)} runs {f'{place}/{name}' if place else name}, and it is not there",
            cause=f"{looked}. The program learns of devices from this tool, and takes its absence for no GPU.",
            next_step=f"put {name} there, or tell the program where it is: it does not look in PATH"
            if place
            else f"install {name}, or add its directory to PATH where the program is started",
            command=commands_by_hand.path(asker, f"{place}/{name}") if place else f"command -v {quote(name)}",
            process=asker,
            evidence=[row_of(context.state, one) for one in rows[:8]],
            at=rows[0].at,
            subject=name,
            root=f"{place}/{name} is not there" if place else f"{name} is not in PATH",
        )
        if _is_all_it_runs(asker):
            hit.title = f"{short(asker)} was to run {name}, which is not there"
            hit.cause = f"{looked}. Nothing else was started: the shell ended with {_NOT_FOUND}."
            hit.next_step = f"install {name}, or correct its path or PATH"
            hit.root = f"{name} is not there"
        return hit


def _only_place(context: Context, asker: Process, folders: Collection[str]) -> str:
    """The one folder in which a program looks for a tool, where PATH does not name it."""
    path = (context.environment(asker) or {}).get("PATH")
    only = next(iter(folders)) if len(folders) == 1 else ""
    return only if only and path is not None and only not in path.split(":") else ""


def _worth_telling(context: Context, tools: Collection[str]) -> list[str]:
    """Those of a vendor whose management API began, where one did: programs ask for each vendor in turn."""
    began = {
        _vendor(one.family)
        for one in context.analysis.progress.values() if one.family in MANAGEMENT and one.got_to("initialised")
    }  # fmt: skip
    return [name for name in tools if not began or _vendor(name) in ("", *began)]


def _vendor(name: str) -> str:
    return next((vendor for vendor, words in _VENDORS if words.search(name)), "")


def _program(process: Process) -> Process:
    """Who asked: a child that could not execute anything is only the arm of its parent."""
    while (not process.execs or _shell_words(process)) and process.parent is not None:
        process = process.parent
    return process


def _is_all_it_runs(asker: Process) -> bool:
    """A shell that ended because it did not find what it was to run: that is no tool of a program."""
    runs = program(asker)
    over = asker.end is not None and asker.end.code == _NOT_FOUND
    return over and runs is not None and bool(runs.argv) and name_of(runs.argv[0]) in _SHELLS


def _shell_words(process: Process) -> list[str]:
    """Of `sh -c 'nvidia-smi -q'` the words of the command."""
    runs = program(process)
    argv = runs.argv if runs is not None else []
    shell = len(argv) == _WITH_COMMAND and argv[1] == "-c" and name_of(argv[0]) in _SHELLS
    return argv[2].split() if shell else []


def _not_found_by_shell(context: Context, process: Process) -> tuple[str, Attempt | None]:
    """The tool that a shell did not find: it executes nothing then, and ends with 127 (sh(1))."""
    words = _shell_words(process)
    if not words or process.end is None or process.end.code != _NOT_FOUND or not _OF_DEVICES.search(name_of(words[0])):
        return "", None
    rows = context.analysis.attempts.get(process, [])
    return name_of(words[0]), next((one for one in rows if one.kind == "end"), None)


_TOLD = re.compile(
    r"\b(?:find|locate|run|execute|exec|start)\b[^.;]{0,20}?[\s'\"`](?P<sought>[\w-]+)['\"`]?(?:\s|$|[:;,.])"
    r"|[\s'\"`](?P<unknown>[\w-]+)['\"`]?:?\s+(?:command |executable )?(?:was |is )?not found\b"
    r"|No such file or directory: '(?P<absent>[\w-]+)'"
)
"""A tool that an error says was not found; `shutil.which` and its like look for it without executing anything."""
_TOOLS_OF_DEVICES = re.compile(r"(?:nvidia-smi|rocm-smi|amd-smi|xpu-smi|rocminfo|clinfo|vulkaninfo|hipconfig|nvcc)$")


def _told(text: str) -> str:
    """The tool of devices that a line says is not there."""
    names = (match[match.lastgroup or 0] for match in _TOLD.finditer(text))
    return next((name for name in names if _TOOLS_OF_DEVICES.match(name)), "")


class EndedWithoutTool(Cause):
    id = ToolMissing.id
    place = ToolMissing.place
    meaning = ToolMissing.meaning
    proof = ToolMissing.proof
    cure = ToolMissing.cure

    def explain(self, case: Case) -> Hit | None:
        """The program ended with a failure, and its words name a tool that is not there."""
        if case.leaf.kind != "end":
            return None
        said = [word.text for word in case.context.analysis.words if word.refusal in ("own-error", "error")]
        said.append(last_line(case.state))
        missing = ToolMissing().find(case.context)
        hit = next((hit for hit in missing if any(hit.subject in text for text in said)), None)
        return hit or next((_of_words(case, name, text) for text in reversed(said) if (name := _told(text))), None)


def _of_words(case: Case, name: str, text: str) -> Hit:
    return Hit(
        title=f"{short(case.process)} needs {name}, and did not find it",
        cause=f"The program says: {text.strip()[:200]}. It learns of devices from this tool.",
        next_step=f"install {name}, or add its directory to PATH where the program is started",
        command=f"command -v {quote(name)}",
        process=case.process,
        confidence="likely",
        evidence=case.rows(),
        at=case.leaf.at,
        subject=name,
        root=f"{name} is not in PATH",
    )


class ToolFailed(Pattern):
    id = "tool-failed"
    place = "returned"
    meaning = "A program runs a tool to learn which devices there are (nvidia-smi, say), and the tool failed."
    proof = (
        "The kernel told how the tool ended, and no later run of it succeeded; what it wrote is told where it was seen."
    )
    cure = "Run the tool by hand as the program did, and mend what it names."
    answers = ToolMissing.answers

    def find(self, context: Context) -> Iterable[Hit]:
        last: dict[str, Process] = {}
        for process in context.state.processes:
            runs = program(process)
            name = program_name(runs.argv, runs.exe) if runs is not None and process.parent is not None else ""
            if process.ended and (_OF_DEVICES.search(name) or _TOOLS_OF_DEVICES.match(name)):
                last[name] = process
        for name, process in last.items():
            if _failed(process) and not any(one.parent is process for one in context.state.processes):
                yield self._hit(context, name, process)

    def _hit(self, context: Context, name: str, process: Process) -> Hit:
        end, runs = process.end, program(process)
        asker = _program(process.parent) if process.parent is not None else process
        said = last_line_of(context.state, process)[:_LONGEST].rstrip(".")
        told = f": {said}" if said else ""
        how = end_words(end) if end is not None else "failed"
        return Hit(
            title=f"{short(asker)} ran {name}, which {how}{told}",
            cause="The program learns of devices from this tool, and asked for no GPU by itself.",
            next_step=f"run {name} by hand as the program did, and mend what it names",
            command=by_hand(runs) if runs is not None else "",
            process=asker,
            evidence=[evidence.of_process(process, f"{short(process)} {how}{told}", at=process.ended)],
            at=process.ended,
            subject=name,
            root=f"{name} {how}{told}",
        )


def _failed(process: Process) -> bool:
    """By its status, or by a signal that is its own fault; a shell that found no tool is told as that."""
    end = process.end
    if end is None or end.signal in (SIGKILL, SIGTERM, SIGINT, SIGPIPE):
        return False
    return bool(end.signal) or bool(end.code and end.code not in (_NOT_FOUND - 1, _NOT_FOUND))


CAUSES: tuple[Cause, ...] = (EndedWithoutTool(),)
PATTERNS: tuple[Pattern, ...] = (ToolMissing(), ToolFailed())
