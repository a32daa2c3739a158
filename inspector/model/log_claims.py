"""What the programs of this start say of themselves, by a profile's rules or in plain words: claims and refusals."""

import re
from collections.abc import Iterable
from typing import Literal

import msgspec

from .families import family_of_function
from .log_parsing import Kind
from .log_parsing.vocabulary import CONCERNS_DEVICES, CONCERNS_GPU, DROPPED, FAILURE, LACKS_MEMORY, NO_DEVICE, NOT_BUILT
from .log_runs import LogRun
from .profiles import Profiles
from .profiles.schema import Meaning
from .state import Process, Reading, Said, State
from .tree import ancestors, libraries, roots
from .worker import is_tool

Saying = Literal["cpu", "found", "dropped", "given", "given-nothing"]
"""The five classes of a last word; the newest of a start wins."""
ON_CPU: frozenset[Saying | None] = frozenset(("cpu", "dropped", "given-nothing"))
"""Those that say that no GPU is used."""
Refusal = Literal["", "no-device", "no-memory", "not-built", "call", "load", "lookup", "error", "own-error"]

_OF_MEANING: dict[Meaning, Saying] = {
    "device-dropped": "dropped", "driver-too-old": "dropped", "no-device": "cpu", "buffer": "given",
}  # fmt: skip
_OF_KIND: dict[Kind, Saying] = {
    "on-cpu": "cpu", "found": "found", "dropped": "dropped", "given": "given", "given-nothing": "given-nothing",
}  # fmt: skip
_REFUSED: dict[Kind, Refusal] = {
    "no-device": "no-device", "no-memory": "no-memory", "not-built": "not-built", "load": "load",
    "call": "call", "error": "error", "ended": "own-error",
}  # fmt: skip
_NO_MORE = frozenset(("error", "crash"))
"""Meanings of rules that tell of a line only that it is bad: what was refused, its own words tell."""
DEATHS_TOLD = frozenset(("Aborted", "Bus error", "Illegal instruction", "Segmentation fault", "terminate called"))
"""What a shell or a run-time library prints of any death: that it was one, and not why."""
_LAST_LINES = 12
"""Lines that may follow the one that names the error: frames, hints, what a shell says of it."""
_FRAME = re.compile(
    r"\s|stack backtrace:|note: |goroutine \d|runtime stack:|created by |[\w./*()-]+\(.*\)$|[a-z]\w{1,5} +0x[0-9a-f]+$"
)
"""A line of a stack, or about one, as Rust, Go, Java and JavaScript print them; Go adds the registers."""
_FAMILIES = {"cuda": "cuda", "nvidia": "cuda", "rocm": "rocm", "hip": "rocm", "vulkan": "vulkan", "opencl": "opencl"}

_OF_STATUS = {
    "CU": "cuda",
    "cuda": "cuda",
    "hip": "rocm",
    "HSA_": "rocm",
    "VK_": "vulkan",
    "CL_": "opencl",
    "NVML_": "nvml",
    "EGL_": "egl",
}
"""How the names of results begin."""


class Word(msgspec.Struct, frozen=True):
    """One line in which a program speaks of what it computes on, or of what was refused to it."""

    source: int
    number: int
    text: str
    at: int
    """CLOCK_MONOTONIC ns; 0 where neither the line nor its coming tells it."""
    pid: int = 0
    """Who wrote it, where that is known."""
    saying: Saying | None = None
    family: str = ""
    refusal: Refusal = ""
    name: str = ""
    """Function or file that was refused."""
    code: int = 0
    answer: str = ""
    reading: Reading | None = None
    """Set where a profile understands the line: then its meaning is certain."""
    doubtful: bool = False
    """It may be of an earlier run."""


def words_of(start: LogRun, profiles: Profiles) -> list[Word]:
    """All of this start, in order; a line that a profile understands is read by its rules alone."""
    read = [word for one in start.this if (word := _of_reading(start, one)) is not None]
    told = {(word.source, word.number) for word in read}
    understood = {
        (one.source, one.number)
        for one in start.this
        if one.rule.means not in _NO_MORE or (one.source, one.number) in told
    }
    said = [
        word
        for one in start.said
        if (one.source, one.number) not in understood and (word := _of_said(start, one, profiles)) is not None
    ]
    return sorted([*read, *said], key=lambda word: (word.at, word.source, word.number))


def last_word(words: Iterable[Word]) -> Word | None:
    """The newest line that says what is computed on; a device that is found once more takes no work back."""
    claims = sorted((word for word in words if word.saying), key=lambda word: (word.at, word.number))
    if not claims or claims[-1].saying != "found":
        return claims[-1] if claims else None
    before = next((word for word in reversed(claims) if word.saying != "found"), None)
    return before if before is not None and before.saying in ("given", "given-nothing") else claims[-1]


def own_error(state: State, words: Iterable[Word]) -> Word | None:
    """The error by which a program says that it ends: one that was caught and logged has other lines behind it."""
    said = (one for one in reversed(list(words)) if one.refusal == "own-error" and stands_last(state, one))
    return next((one for one in said if not _of_a_tool(state, one)), None)


def concerns_gpu(word: Word, *, perhaps: bool = False) -> bool:
    """Whether an error speaks of a GPU; with `perhaps` of any device or driver is enough."""
    lowered = word.text.lower()
    surely = (CONCERNS_GPU, NO_DEVICE, DROPPED)
    phrases = (*surely, CONCERNS_DEVICES) if perhaps else surely
    return any(phrase.find(word.text, lowered) is not None for phrase in phrases)


def says_not_built(word: Word) -> bool:
    """Whether an error says that the program was built without code for a GPU."""
    return NOT_BUILT.find(word.text, word.text.lower()) is not None


def _of_a_tool(state: State, word: Word) -> bool:
    """Written by a shell or a tool on the way to the program."""
    who = writer(state, word)
    if who is None or not is_tool(who):
        return False
    starts = any(not is_tool(one) and who in ancestors(one) for one in state.processes)
    return not starts or bool(word.pid) or word.name in DEATHS_TOLD


def stands_last(state: State, word: Word) -> bool:
    """At most a few lines follow it in its log: frames, hints, what a shell says of it."""
    source = state.logs.get(word.source)
    if source is None:
        return True
    frames = sum(1 for line in source.lines if line.number > word.number and _FRAME.match(line.text))
    ours = sum(1 for number in source.own if number > word.number)
    return source.lines_total - frames - ours - word.number <= _LAST_LINES


def writer(state: State, word: Word) -> Process | None:
    """Whose words they are: by the line, by who was seen to write it, by who holds its log, else the tree's first."""
    source = state.logs.get(word.source)
    holders = source.found.pids if source is not None else []
    several = len(holders) > 1 and not word.pid
    seen = (_seen_to_write(state, word) or _could_call(state, word, holders)) if several else []
    known = next((state.current[pid] for pid in (word.pid, *seen, *holders) if pid in state.current), None)
    return known or next(iter(roots(state)), None)


def _seen_to_write(state: State, word: Word) -> list[int]:
    """Of several that share a log: who wrote these words among its first lines, as the kernel saw it."""
    text = word.text.strip()
    return [
        process.pid
        for process in state.processes
        if any(text in line for written in process.writes.values() for line in written.sample)
    ]


def _could_call(state: State, word: Word, holders: list[int]) -> list[int]:
    """Of several that share a log: who called the function that answered, else who has its library."""
    api = state.profiles.api_of_function(word.name) if word.refusal == "call" else None
    if api is None:
        return []
    able = [pid for pid in holders if pid in state.current and _has(state, state.current[pid], api)]
    numbers = {function.id for function in state.functions.values() if function.name == word.name}
    return [pid for pid in able if not numbers.isdisjoint(state.current[pid].counts)] or able


def _has(state: State, process: Process, api: str) -> bool:
    images = (state.apis.get(library.file) for library in libraries(process).values())
    return any(one is not None and api in one.provides for one in images)


def _of_reading(start: LogRun, reading: Reading) -> Word | None:
    saying, family = _saying(reading)
    means, groups = reading.rule.means, reading.groups
    refusal: Refusal = ""
    name, code = "", 0
    if means == "error" and groups.get("function") and _number(groups.get("code", "")):
        refusal, name, code = "call", groups["function"], _number(groups["code"])
    elif means in ("no-device", "init-failed"):
        refusal = "no-device"
    elif means == "backend-failed" and groups.get("path"):
        refusal, name = "load", groups["path"]
    elif means == "lookup-failed" and groups.get("function"):
        refusal, name = "lookup", groups["function"]
    elif saying is None:
        return None
    return Word(
        reading.source, reading.number, reading.text, reading.at, reading.pid, saying, family, refusal, name, code,
        groups.get("why", "") or groups.get("path", ""), reading, start.doubts(reading),
    )  # fmt: skip


def _saying(reading: Reading) -> tuple[Saying | None, str]:
    rule, groups = reading.rule, reading.groups
    if rule.means == "offload":
        return ("given-nothing" if groups.get("layers", "0") == "0" else "given"), ""
    if rule.means == "mode":
        mode = rule.mode or rule.modes.get(groups.get("library", "").lower())
        return ("cpu", "") if mode == "cpu" else ("found", mode or "") if mode else (None, "")
    if rule.means == "devices-counted":
        return ("found", "") if groups.get("count", "0") != "0" else (None, "")
    return _OF_MEANING.get(rule.means), ""


def _of_said(start: LogRun, said: Said, profiles: Profiles) -> Word | None:
    words = said.words
    saying = _OF_KIND.get(words.kind)
    refusal: Refusal = _REFUSED.get(words.kind, "")
    if words.kind == "call" and not words.refused:
        refusal = ""
    if words.kind == "on-cpu" and NO_DEVICE.find(words.text, words.text.lower()) is not None:
        refusal = "no-device"  # it says both: that it found none, and what it does now
    elif words.kind == "on-cpu" and FAILURE.find(words.text, words.text.lower()) is not None:
        refusal = "error"  # and what failed before
    if words.kind == "on-cpu" and LACKS_MEMORY.find(words.text, words.text.lower()) is not None:
        refusal = "no-memory"
    if saying is None and not refusal:
        return None
    lowered = words.text.lower()
    family = family_of_function(profiles, words.subject) if words.kind == "call" else ""
    family = family or next((family for name, family in _FAMILIES.items() if name in lowered), "")
    family = family or next((family for begin, family in _OF_STATUS.items() if words.answer.startswith(begin)), "")
    return Word(
        said.source, said.number, words.text, said.at, said.pid, saying, family, refusal, words.subject,
        _code(profiles, words.answer) if words.kind == "call" else 0, words.answer, None, start.doubts(said),
    )  # fmt: skip


def _code(profiles: Profiles, answer: str) -> int:
    """The number of a result that is told by number or by name; -1 for a name that no profile has."""
    number = _number(answer)
    if number:
        return number
    for api in profiles.apis.values():
        code = next((code for code, name in api.results.items() if f"_{name}".endswith(f"_{answer}")), None)
        if code is not None:
            return code
    return -1 if answer else 0


def _number(text: str) -> int:
    try:
        return int(text, 0)
    except ValueError:
        return 0
