"""The report as data: exactly the keys that `report --format json` prints, schema `shim-inspector/report/1`.

Every other format is drawn from these shapes, so all of them say the same. Keys are only ever added. Moments are UTC in
ISO 8601 with microseconds, null when unknown; durations are seconds.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from inspector.model.stages import Stage
from inspector.model.verdict import Confidence, ModeName, PaneName, RungName, Severity, Truth
from inspector.stream.libraries import FileState, Route

SCHEMA_NAME: Literal["shim-inspector/report/1"] = "shim-inspector/report/1"

Pid = Annotated[int, Meta(description="Process id as the collector numbers it.")]
Moment = Annotated[str, Meta(description="UTC, ISO 8601 with microseconds.")]
Seconds = Annotated[float, Meta(description="Seconds since the observation began; negative before it.")]


class ReportStruct(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the report."""


class EvidenceRow(ReportStruct, frozen=True, kw_only=True):
    """One row that proves something."""

    text: str
    at: Moment | None = None
    pid: Pid | None = None
    pane: PaneName | None = None
    key: str = ""
    by_hand: Annotated[str, Meta(description="The command that shows the same fact.")] = ""
    stack: Annotated[list[str], Meta(description="Who called, the innermost first: `/app/train.py:14 in main`.")] = []


class ExitStatus(ReportStruct, frozen=True, kw_only=True):
    """How a process ended: code or signal is set; both are null when it is not known."""

    code: int | None = None
    signal: int | None = None
    signal_name: Annotated[str, Meta(description="`SIGSEGV`.")] = ""


class TreeProcess(ReportStruct, frozen=True, kw_only=True):
    """One process of the tree, alive or dead, in order of birth."""

    pid: Pid
    ppid: Pid
    argv: list[str]
    started: Moment | None
    ended: Moment | None
    exit: ExitStatus | None
    environment: Annotated[dict[str, str], Meta(description="Loader, GPU and profile-named keys only.")]
    environment_known: bool = True
    environment_changes: Annotated[
        dict[str, str | None], Meta(description="Collected keys that differ from the parent's; null: taken away.")
    ] = {}
    origin: str = ""
    exe: str = ""
    comm: str = ""
    unit: str | None = None
    container: str | None = None
    uid: int = -1
    secure: Annotated[bool | None, Meta(description="AT_SECURE: the loader ignores LD_PRELOAD.")] = None
    static: bool | None = None
    output: Annotated[dict[str, str], Meta(description="Where fd 1 and 2 lead.")] = {}
    stopped: Annotated[bool, Meta(description="A signal or a debugger holds it.")] = False


class Target(ReportStruct, frozen=True, kw_only=True):
    """What was asked for, and the processes that were found."""

    pid: Pid | None
    argv: list[str]
    exe: str
    tree: list[TreeProcess]
    asked: Annotated[str, Meta(description="The target as it was named.")] = ""


class ModeReport(ReportStruct, frozen=True, kw_only=True):
    """What the program computes on, of this start."""

    verdict: ModeName
    confidence: Confidence
    evidence: list[EvidenceRow]
    contradictions: list[EvidenceRow]
    words: Annotated[
        str,
        Meta(
            description="As the screen and the text say it; of `cpu` also `Crashed`, `Failed`, `Ended` (it computed "
            "nothing, on a GPU or on the CPU) and `Another process`."
        ),
    ] = ""


class RungReport(ReportStruct, frozen=True, kw_only=True):
    """One rung: yes, no with proof, or unknown with what is missing to know."""

    rung: RungName
    state: Truth
    detail: str
    evidence: list[EvidenceRow]
    reached: Annotated[bool, Meta(description="false: behind the break, or nothing asked for more.")] = True


class ApiReport(ReportStruct, frozen=True, kw_only=True):
    """The ladder of one API in one process."""

    api: str
    pid: Pid
    provider: str | None
    rungs: list[RungReport]
    first_broken: RungName | None


class LinkReport(ReportStruct, frozen=True, kw_only=True):
    """One link of a chain: what was asked, and what was answered."""

    text: str
    at: Moment | None = None
    pid: Pid | None = None
    kind: Annotated[
        str,
        Meta(
            description="mode, words, call, load, lookup, system, signal, end, preload, prediction; root: what lies "
            "behind the last of them."
        ),
    ] = ""
    subject: Annotated[str, Meta(description="The function, file, path or setting that was asked for.")] = ""
    answer: str = ""
    by_hand: Annotated[str, Meta(description="The command that shows the same fact.")] = ""
    asked_from: Annotated[str, Meta(description="`train.py:14 in main`; empty: not known.")] = ""


class FindingReport(ReportStruct, frozen=True, kw_only=True):
    """A named cause; the first of the list is the answer."""

    rule: str
    severity: Severity
    confidence: Confidence
    title: str
    cause: str
    next_step: str
    evidence: list[EvidenceRow]
    pid: Pid | None
    doubt: Annotated[str, Meta(description="What would change this finding.")] = ""
    command: Annotated[str, Meta(description="One command for the next step that runs as it is.")] = ""
    chain: Annotated[list[LinkReport], Meta(description="From the effect to the root.")] = []


class ProgressReport(ReportStruct, frozen=True, kw_only=True):
    """How far one process got in one API."""

    pid: Pid
    api: str
    stage: Annotated[
        Stage, Meta(description="The furthest of asked, loaded, resolved, ... work that was reached with success.")
    ]
    at: Annotated[Moment | None, Meta(description="When it got there first.")] = None
    by: Annotated[str, Meta(description="The call, look-up or load that shows it.")] = ""
    stopped: bool = False
    stopped_by: Annotated[str, Meta(description="The refusal at which it ended, in words.")] = ""


class CallReport(ReportStruct, frozen=True, kw_only=True):
    """One function in one process: how often, by whom, with which results."""

    api: str
    function: str
    library: str
    pid: Pid
    count: int
    first: Moment | None
    last: Moment | None
    inside: Annotated[float | None, Meta(description="Seconds that an open call has lasted; null: none is open.")]
    callers: Annotated[dict[str, int], Meta(description="Calling library -> calls.")]
    results: Annotated[dict[str, int], Meta(description="Result by name -> calls, of those whose result was read.")]
    values: Annotated[dict[str, int | str | float], Meta(description="Out-values of the newest call seen in full.")]
    lower_bound: Annotated[str, Meta(description="Why the count is a lower bound; empty: it is exact.")] = ""
    results_of: Annotated[str, Meta(description="Why not every result was read; empty: each one was.")] = ""


class LookupReport(ReportStruct, frozen=True, kw_only=True):
    """Equal look-ups of a library or symbol by name."""

    pid: Pid
    via: str
    requester: str
    name: str
    count: int
    found: Annotated[str | None, Meta(description="Path of the library that the answer points into.")]
    answered_by: str
    error: str
    outcome: Annotated[Literal["found", "refused", "unseen"], Meta(description="unseen: no answer was seen.")]
    version: str = ""
    at: Moment | None = None


class LibraryReport(ReportStruct, frozen=True, kw_only=True):
    """One file mapped executable in one process."""

    pid: Pid
    path: str
    base: Annotated[int, Meta(description="Load bias.")]
    route: Route
    soname: str | None
    build_id: str
    state: FileState
    state_detail: str = ""
    route_by: str = ""
    asked: str = ""
    links: list[str] = []
    namespace: int = 0
    order: int = -1
    size: int = 0
    file: str = ""


class ImageReport(ReportStruct, frozen=True, kw_only=True):
    """What a provider, a consumer or a preloaded file says about itself; system libraries are left out."""

    path: str
    file: str
    error: str | None
    soname: str | None
    build_id: str
    sha256: str
    needed: list[str]
    rpath: str | None
    runpath: str | None
    version_nodes: list[str]
    version_needs: dict[str, list[str]]
    overrides: Annotated[list[str], Meta(description="libc and loader names that it defines for everybody.")]
    offers: Annotated[list[str], Meta(description="API names that it exports, `name@@node`.")]
    needs: Annotated[list[str], Meta(description="API names that it leaves undefined, `name@node`.")]


class LogLineReport(ReportStruct, frozen=True, kw_only=True):
    """One line; `number` counts from 0 within its source."""

    number: int
    text: str
    at: Moment | None = None
    pid: Pid = 0
    matters: Annotated[bool, Meta(description="Evidence points at it or a profile knows it.")] = False


class LogReport(ReportStruct, frozen=True, kw_only=True):
    """One log source and the lines of it that matter, then the newest."""

    source: int
    name: str
    kind: str
    why: str
    pids: list[Pid]
    readable: bool
    problem: str
    lines_total: int
    lines: list[LogLineReport]


class OpenReport(ReportStruct, frozen=True, kw_only=True):
    """One path that a process opened or tried to, or another system call that the kernel refused."""

    pid: Pid
    path: Annotated[str, Meta(description="Of another call than open what it was about, empty where it has nothing.")]
    result: Annotated[str, Meta(description="`ok` or the name of the error: `ENOENT`.")]
    count: int = 1
    at: Moment | None = None
    call: Annotated[str, Meta(description="`open` for all of its family, else as in syscalls(2): `ioctl`.")] = "open"
    arguments: dict[str, int] = {}


class LimitReport(ReportStruct, frozen=True, kw_only=True):
    """Something that cannot be known here, why, and the command that grants it."""

    what: str
    why: str
    grant: str


class TimelineRow(ReportStruct, frozen=True, kw_only=True):
    """One moment; calls seen in full have a length."""

    at: Moment
    seconds: Seconds
    pid: Pid
    kind: str
    text: str
    bad: bool = False
    lasts: Annotated[float | None, Meta(description="Seconds; null for a moment without length.")] = None


class Observation(ReportStruct, frozen=True, kw_only=True):
    """Who looked, where, when and how it ended."""

    version: str
    host: str
    kernel: str
    began: Moment | None
    seconds: Annotated[float, Meta(description="How long it was watched.")]
    ended: Annotated[str, Meta(description="Why the observation ended; empty when the stream has no end.")]
    coverage: Annotated[str, Meta(description="What was watched since when, and what was not.")]
    troubles: Annotated[list[str], Meta(description="Damage of the stream or recording, in words.")] = []
    timeline_left_out: Annotated[int, Meta(description="Moments in the middle that are not listed.")] = 0
    opens_left_out: Annotated[int, Meta(description="File opens of no interest, only counted.")] = 0
    left_out: Annotated[dict[str, int], Meta(description="Rows of other lists that are not listed.")] = {}
    processes_left_out: Annotated[int, Meta(description="Processes that ended and are no longer kept.")] = 0
    logs_left_out: Annotated[int, Meta(description="Log lines that are not listed.")] = 0


class Report(ReportStruct, frozen=True, kw_only=True):
    """Why the process is, or is not, on the GPU: one observation of one target."""

    schema: Literal["shim-inspector/report/1"]
    target: Target
    mode: ModeReport
    apis: list[ApiReport]
    findings: list[FindingReport]
    calls: list[CallReport]
    lookups: list[LookupReport]
    libraries: list[LibraryReport]
    logs: list[LogReport]
    opens: list[OpenReport]
    limits: list[LimitReport]
    observation: Observation
    images: list[ImageReport] = []
    timeline: list[TimelineRow] = []
    progress: list[ProgressReport] = []


_DECODER = msgspec.json.Decoder(Report)


def to_json(report: Report) -> bytes:
    """The report as readable JSON; the same report gives the same bytes everywhere."""
    return msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n"


def from_json(content: bytes) -> Report:
    """A report that was written as JSON; raises msgspec.MsgspecError for anything else."""
    try:
        return _DECODER.decode(content)
    except RecursionError:
        raise msgspec.DecodeError("it is nested too deep") from None


def schema() -> bytes:
    """The JSON Schema (2020-12) of the report; `python -m inspector.report.schema > .../schema.json` publishes it."""
    generated = msgspec.json.schema(Report)
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_NAME,
        "title": "Report of inspector",
    }
    return msgspec.json.format(msgspec.json.encode(head | generated), indent=2) + b"\n"


if __name__ == "__main__":
    import sys

    sys.stdout.buffer.write(schema())
