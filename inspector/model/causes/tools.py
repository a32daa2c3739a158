"""Tools that a program runs to learn of devices, and that are not installed: `nvidia-smi`, `rocminfo`."""

import re
from collections.abc import Iterable
from errno import ENOENT
from shlex import quote

from inspector.model.attempts.row import Attempt
from inspector.model.attempts.wording import row_of
from inspector.model.evidence import short
from inspector.model.formatting import listed, name_of
from inspector.model.state import Process

from .context import Context
from .rule import UNEXPLAINED, Hit, Pattern

_OF_DEVICES = re.compile(r"nvidia|cuda|rocm|amd-smi|hip(?:config|info)|vulkan|clinfo|opencl|gpu|xpu-smi", re.I)
"""Names of tools that tell of devices."""


class ToolMissing(Pattern):
    id = "tool-missing"
    place = "reachable"
    meaning = "A program runs a tool to learn which devices there are (nvidia-smi, say), and it is not installed."
    proof = "Each execve of it failed with ENOENT, in every folder of PATH, and none succeeded."
    cure = "Install the tool, or add its folder to PATH where the program is started."
    answers = UNEXPLAINED | {"nobody-asked", "management-only"}

    def find(self, context: Context) -> Iterable[Hit]:
        refused: dict[str, list[Attempt]] = {}
        for rows in context.analysis.attempts.values():
            for one in rows:
                missing = one.kind == "system" and one.call in ("execve", "execveat") and one.code == ENOENT
                if missing and _OF_DEVICES.search(name_of(one.what)):
                    refused.setdefault(name_of(one.what), []).append(one)
        ran = {name_of(run.exe) for process in context.state.processes for run in process.execs}
        ran |= {name_of(run.argv[0]) for process in context.state.processes for run in process.execs if run.argv}
        for name, rows in refused.items():
            if name not in ran:
                yield self._hit(context, name, rows)

    def _hit(self, context: Context, name: str, rows: list[Attempt]) -> Hit:
        asker = _program(rows[0].process)
        folders = dict.fromkeys(one.what.rpartition("/")[0] for one in rows)
        return Hit(
            title=f"{short(asker)} runs {name}, and it is not there",
            cause=f"It was looked for in {listed(folders, 4)}. The program learns of devices from this tool, "
            "and takes its absence for no GPU.",
            next_step=f"install {name}, or add its folder to PATH where the program is started",
            command=f"command -v {quote(name)}",
            process=asker,
            evidence=[row_of(context.state, one) for one in rows[:8]],
            at=rows[0].at,
            subject=name,
            root=f"{name} is not in PATH",
        )


def _program(process: Process) -> Process:
    """Who asked: a child that could not execute anything is only the arm of its parent."""
    while not process.execs and process.parent is not None:
        process = process.parent
    return process


PATTERNS: tuple[Pattern, ...] = (ToolMissing(),)
