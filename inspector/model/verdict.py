"""The shapes of an answer: evidence, rungs, ladders, GPU mode, findings. Screens and reports show exactly these."""

from typing import Literal

import msgspec

from .stages import Stage

RungName = Literal["environment", "mapped", "exported", "reachable", "resolved", "called", "returned", "logged", "used"]
RUNGS: tuple[RungName, ...] = (
    "environment", "mapped", "exported", "reachable", "resolved", "called", "returned", "logged", "used",
)  # fmt: skip
Truth = Literal["yes", "no", "unknown"]
Confidence = Literal["proven", "likely", "guess"]
Severity = Literal["error", "warning", "info"]
ModeName = Literal["cuda", "rocm", "vulkan", "opencl", "cpu", "undecided"]
PaneName = Literal["processes", "libraries", "symbols", "timeline", "logs", "gpu"]


class Evidence(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One row that proves something; a screen can jump to it."""

    text: str
    at: int = 0
    """CLOCK_MONOTONIC ns, 0 when it is no moment."""
    pid: int | None = None
    pane: PaneName | None = None
    key: str = ""
    """Row in that pane: pid for processes, `pid:base` for libraries, `file:name` for symbols, `source:number` for
    logs, index of the moment for the timeline."""
    by_hand: str = ""
    """The command that shows the same fact: `readelf -d ...`."""
    stack: list[str] = []
    """Who called, frame by frame, the innermost first: `/app/train.py:14 in main`."""


class Rung(msgspec.Struct, frozen=True, kw_only=True):
    """One rung of a ladder: yes, no with proof, or unknown with what is missing."""

    rung: RungName
    state: Truth
    detail: str
    """One short phrase; for `unknown` it says what is missing to know."""
    evidence: list[Evidence] = []
    reached: bool = True
    """False behind the break, or where nobody asked for more: nothing came so far that could be judged."""


class Ladder(msgspec.Struct, frozen=True, kw_only=True):
    """All rungs of one API in one process."""

    api: str
    pid: int
    started: int = 0
    """Birth of the process; with pid it names one process even when pids are reused."""
    provider: str | None
    rungs: list[Rung]
    first_broken: RungName | None


NO_DEVICE = " answers, no device seen"
"""How the words of a mode end whose work returned success without a device behind it."""


class Mode(msgspec.Struct, frozen=True, kw_only=True):
    """What the program computes on, of this start."""

    verdict: ModeName
    confidence: Confidence
    evidence: list[Evidence] = []
    contradictions: list[Evidence] = []
    device_seen: bool = True
    """False where work returned success and, though all that could have shown it was watched, no device and no way to
    one was seen behind it.
    """


class Link(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One link of a chain: what was asked, and what was answered."""

    text: str
    at: int = 0
    """CLOCK_MONOTONIC ns, 0 when it is no moment."""
    pid: int | None = None
    kind: str = ""
    """`words`, `call`, `load`, `lookup`, `system`, `signal`, `end`, `preload`, `setting`, `prediction`, or `root` for
    what lies behind the last of them."""
    subject: str = ""
    """The function, file, path or setting that was asked for."""
    answer: str = ""
    by_hand: str = ""
    """The command that shows the same fact."""
    asked_from: str = ""
    """`train.py:14 in main`, where a stack was copied."""


ON_CPU, ELSEWHERE = "on the CPU", "another process does the work"
"""Effects, the first links of chains."""


def in_place_of_cpu(effect: str) -> str:
    """What a badge says where the effect (the first link of a chain) is not that the program computes on the CPU.

    `crashed`, `failed` or `ended` before any result; `another process`, which does the work. Empty otherwise.
    """
    words = ("crashed", "failed", "ended", "another process")
    return next((one for one in words if effect.startswith(f"{one} ")), "")


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """A named cause with its proof and the next step."""

    rule: str
    severity: Severity
    confidence: Confidence
    title: str
    """One sentence with the names and numbers of this case."""
    cause: str
    next_step: str
    evidence: list[Evidence] = []
    pid: int | None = None
    doubt: str = ""
    """What would change this finding."""
    command: str = ""
    """One command for the next step that runs as it is; empty where there is none."""
    chain: list[Link] = []
    """From the effect to the root; empty where no refusal stands behind the finding."""


class Reached(msgspec.Struct, frozen=True, kw_only=True):
    """How far one consumer of an API got."""

    pid: int
    started: int = 0
    """Birth of the process."""
    api: str
    stage: Stage
    at: int = 0
    """When it got there first, CLOCK_MONOTONIC ns."""
    by: str = ""
    """The call, look-up or load that shows it."""
    stopped: bool = False
    stopped_by: str = ""
    """The refusal at which it ended, in words; empty where it goes on or ended in order."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that follows from the state; the first finding is the answer."""

    mode: Mode
    ladders: list[Ladder]
    findings: list[Finding]
    progress: list[Reached] = []
    excused: dict[tuple[int, int], str] = {}
    """Refusals that were made good: pid and moment -> how."""
    coverage: str
    """Which processes were watched, since when, and what was not looked at."""
