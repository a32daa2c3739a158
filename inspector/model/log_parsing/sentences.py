"""One line of any program's output: does it say what became of the GPU, of a call or of a load?"""

import re
from collections.abc import Iterator, Sequence
from typing import Final, Literal

from msgspec import Struct

from inspector.model.own_output import quotes

from . import vocabulary as v

Kind = Literal[
    "on-cpu",
    "found",
    "dropped",
    "given",
    "given-nothing",
    "no-device",
    "no-memory",
    "not-built",
    "call",
    "load",
    "error",
    "ended",
]
"""`on-cpu`: it runs on the CPU, or falls back to it. `found`: a device was found. `dropped`: one was found and is
not taken (too old, unsupported). `given`: work was placed on the GPU. `given-nothing`: work could have been placed
there, and none was. `no-device`: it found none. `no-memory`: memory of the
device was refused. `not-built`: this build of it has no code for the GPU. `call`: the
result of a function. `load`: a library or symbol that was refused. `error`: another failure that concerns the GPU.
`ended`: the error by which it says that it ends."""


class Words(Struct, frozen=True):
    """One thing that a line says."""

    kind: Kind
    text: str
    """The line, without blanks around it."""
    subject: str = ""
    """The function, API, library or symbol that it is about, else the words that say it, as they are written there."""
    answer: str = ""
    """What that answered: `100`, `CUDA_ERROR_NO_DEVICE`, `cannot open shared object file`."""

    @property
    def refused(self) -> bool:
        """A call or a load that was not answered with success."""
        return self.kind == "load" or (self.kind == "call" and v.SUCCESS.match(self.answer) is None)


MOST_TEXT: Final = 1_000
"""Characters of a line that are looked at: hostile lines may be long."""

_HINTS: Final = (
    "cpu", "gpu", "cuda", "nvidia", "nvml", "rocm", "hip", "hsa", "vulkan", "vk", "opencl", "cl_", "device", "driver",
    "accelerat", "vram", "offload", "provider", "platform", ".so", ".node", "java.library.path", "undefined symbol",
    "amdgpu", "nouveau", "radeon", "i915", "drm", "gbm", "opengl", "glx", "egl",
    "cuinit", "cuctx", "cumem", "cumod", "cuget", "culaunch", "culink", "clget", "clcreate", "clenqueue", "clbuild",
)  # fmt: skip
"""Without one of these, in lower case, a line says nothing about a GPU: looked for first, because it is fast."""

_REQUIRED_BY: Final = re.compile(r"\(required by ([^()\s]{1,400})\)")

_CLAIMS: Final[tuple[tuple[Kind, v.Phrase], ...]] = (
    ("given-nothing", v.GIVEN_NOTHING),
    ("not-built", v.NOT_BUILT),
    ("on-cpu", v.ON_CPU),
    ("no-device", v.NO_DEVICE),
    ("dropped", v.DROPPED),
    ("given", v.GIVEN),
    ("found", v.FOUND),
)
"""Denials first: they hold the words of what they deny."""
_LOOKED_FOR = re.compile(r"\b(?:find|finding|locate)\b", re.IGNORECASE)
_DENIED: Final = re.compile(r"\b(?:unable|fail(?:ed|ure)?|cannot|can'?t|couldn'?t|could\s+not)\b", re.IGNORECASE)
"""Before what would be a find: `Unable to retrieve available GPU devices`."""

_HEDGED: Final = re.compile(
    r"\b(?:may|might)\b[^.;]{0,30}\b(?:problem|issue|error|fail|not work|unstable|unexpected)", re.IGNORECASE
)
"""Of a driver that is taken all the same: `unsupported driver, you may have problems`."""


def words_of(line: str) -> list[Words]:
    """All that one line says; most say nothing. What a call or a load answered comes before what was made of it."""
    if quotes(line):
        return []
    text = line[:MOST_TEXT].strip()
    lowered = text.lower()
    found = [*_results(text, lowered), *_failed_loads(text, lowered)]
    claim = _claim(text, lowered)
    if claim is not None:
        found.append(claim)
    elif not found and _lacks_device_memory(text, lowered):
        found.append(Words("no-memory", text))
    elif not found and v.FAILURE.find(text, lowered) and not v.NO_FAILURE.find(text, lowered):
        found.append(Words("error", text))
    return found


def read_lines(lines: Sequence[str]) -> Iterator[tuple[int, Words]]:
    """What the lines of one batch say, each with the index of its line."""
    whole = "\n".join(lines).lower()
    present = [hint for hint in _HINTS if hint in whole]
    if not present:
        return
    for index, line in enumerate(lines):
        lowered = line[:MOST_TEXT].lower()
        if any(hint in lowered for hint in present):
            for words in words_of(line):
                yield index, words


def _claim(text: str, lowered: str) -> Words | None:
    """What it says of the GPU as a whole."""
    for kind, phrase in _CLAIMS:
        match = phrase.find(text, lowered)
        if match is not None and kind == "dropped" and _HEDGED.search(text, match.start()):
            return None
        if match is not None and not (kind == "found" and _DENIED.search(text, 0, match.start())):
            return Words(kind, text, subject=match[0].strip())
    return None


def _lacks_device_memory(text: str, lowered: str) -> bool:
    """Memory was refused, and the line is about a GPU, not about the machine's own memory."""
    return v.LACKS_MEMORY.find(text, lowered) is not None and v.CONCERNS_GPU.find(text, lowered) is not None


def _results(text: str, lowered: str) -> Iterator[Words]:
    for phrase in v.TOLD_RESULT:
        told = [Words("call", text, match["function"], match["answer"]) for match in phrase.find_all(text, lowered)]
        named = [words for words in told if words.subject or words.refused]
        if named:
            yield from dict.fromkeys(named)
            return


def _failed_loads(text: str, lowered: str) -> Iterator[Words]:
    named = next((match for phrase in v.TOLD_NAME if (match := phrase.find(text, lowered)) is not None), None)
    if named is not None:
        function = named["function"]
        yield Words("load", text, function, f"undefined symbol: {function}")
        return
    if not any(name in lowered for name in (".so", ".node", "java.library.path", "undefined symbol")):
        return
    for phrase in v.TOLD_LOAD:
        match = phrase.find(text, lowered)
        if match is not None:
            subject, answer = match["subject"], (match["answer"] or "").strip().rstrip(".,")
            answer = answer or ("not found" if _LOOKED_FOR.search(match[0]) else "not loaded")
            by = _REQUIRED_BY.search(text, match.end())
            if by is not None:  # whose load failed is the one that needs the version
                subject, answer = by[1], f"{subject}: {answer} {by[0]}"
            yield Words("load", text, subject, answer)
            return
