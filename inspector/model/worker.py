"""Which process does the work: a server finds a device, a child of it computes."""

import re

import msgspec

from .formatting import duration, name_of
from .state import Process, State
from .tree import program

_MODEL_OPTIONS = ("--model", "--model-path", "--gguf", "-hf")
_MODEL_FILE = re.compile(r"\.(gguf|ggml|safetensors|onnx|pt|pth|engine|bin)$|/blobs/sha256", re.I)
_BUSY = 1_500_000_000
"""ns of CPU time from which on a process is taken for the one that computes."""
_TOOLS = re.compile(
    r"^(env|bash|sh|dash|zsh|ash|busybox|readlink|dirname|basename|cp|mv|rm|chown|chmod|mount|umount|unshare|sleep|cat|mkdir|"
    r"sed|grep|awk|mawk|gawk|ln|ls|touch|sudo|su|nice|timeout|tee|head|tail|cut|tr|sort|uname|uname26|id|stat|find|xargs|"
    r"cc|gcc|g\+\+|cc1|cc1plus|collect2|as|ld|ld\.bfd|ld\.gold|ldconfig(\.real)?|ar|make|cmake|ninja|git|objdump|readelf|nm|"
    r"which|expr|cksum|\w+sum|wc|mktemp|rmdir|printf|echo|seq|yes|od|xxd|realpath|ps|pgrep|kill|test|true|false|date|hostname|lscpu|setsid|nohup|stdbuf|taskset|flock|docker-entrypoint)$"
)

_DISPLAY_SERVERS = re.compile(r"^(X|Xorg|Xorg\.bin|Xvfb|Xephyr|Xnest|Xwayland|Xvnc|Xtigervnc|Xtightvnc)$")


class Worker(msgspec.Struct, frozen=True):
    """The process that computes, and what shows it."""

    process: Process
    by_role: bool
    """It was started for a model; else it is only the busiest."""
    why: str


def is_tool(process: Process) -> bool:
    """A tool of shells and builds, by its name: it asked for no device, and what it opens proves nothing."""
    runs = program(process)
    if runs is None or any(not _came_by_preload(process, path) for path in process.asked_by):
        return False
    return is_tool_name(name_of(runs.exe)) or bool(runs.argv and is_tool_name(name_of(runs.argv[0])))


def is_tool_name(name: str) -> bool:
    """The name of a file is that of a tool of shells and builds."""
    return _TOOLS.match(name) is not None


def serves_display(process: Process) -> bool:
    """A display server that something else of the tree started: what it draws with tells nothing of the program."""
    runs = program(process)
    return process.parent is not None and runs is not None and bool(_DISPLAY_SERVERS.match(name_of(runs.exe)))


def _came_by_preload(process: Process, path: str) -> bool:
    """Who asked is a preloaded library, or one that such a library needs: the program knows nothing of it.

    Of a library that somebody opened, and nobody saw who, it may be.
    """
    by_path = {one.path: one for one in process.libraries.values()}
    if path in ("", "?"):
        return any(one.route == "preload" for one in by_path.values())
    seen: set[str] = set()
    while (library := by_path.get(path)) is not None and path not in seen:
        if library.route == "preload":
            return True
        seen.add(path)
        path = library.route_by
    return False


def worker_of(state: State) -> Worker | None:
    """The newest process that was started for a model, else the one that spent the most CPU time; None: none did."""
    candidates = [process for process in state.processes if not is_tool(process)]
    models = [process for process in candidates if process.execs and _for_a_model(process)]
    if models:
        newest = max(models, key=lambda process: process.started)
        return Worker(newest, True, "it was started for a model")
    busiest = max(candidates, key=lambda process: process.cpu_after(0, state.now), default=None)
    spent = busiest.cpu_after(0, state.now) if busiest is not None else 0
    if busiest is None or spent < _BUSY:
        return None
    return Worker(busiest, False, f"it spent {duration(spent)} of CPU time")


def _for_a_model(process: Process) -> bool:
    runs = program(process)
    argv = runs.argv if runs is not None else []
    for option, value in zip(argv, [*argv[1:], ""], strict=False):
        if (option in _MODEL_OPTIONS and value) or option.startswith(tuple(f"{one}=" for one in _MODEL_OPTIONS)):
            return not value.startswith("elf_")
        if option == "-m" and ("/" in value or _MODEL_FILE.search(value)):
            return True
    return False
