"""`inspector mcp`: the same answers for an assistant, by the Model Context Protocol over stdin and stdout.

Every tool only reads. Observations run in processes of their own, with redaction on, and end by themselves. Answers are
plain text and short, the chain first; what was observed last is kept, to be asked about.
"""

import json
import subprocess
import sys
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from copy import copy
from typing import Literal, TypeVar

import anyio
import msgspec
from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ToolAnnotations

from inspector import __version__
from inspector.commands.errors import UserError
from inspector.commands.inputs import collector, profiles
from inspector.commands.options import Options
from inspector.report.schema import FindingReport, Report, from_json
from inspector.report.short_text import command
from inspector.stream.base import Event, Request
from inspector.stream.libraries import LoadPredicted
from inspector.stream.redact import Redactor
from inspector.stream.requests import PredictLoad, ReadSymbols, SymbolPage
from inspector.stream.session import RequestFailed
from inspector.stream.text import visible
from inspector.stream.transport import MAIN, target_words

A = TypeVar("A", bound=Event)

_MOST_SECONDS = 60.0
_MOST_ROWS = 100
_KEPT = 4
_QUESTION = 1
_QUESTION_SECONDS = 30.0
_MOST_TEXT = 6_000
_INSTRUCTIONS = """\
Answers why a process computes on the CPU although a GPU library or shim is loaded. Begin with `report` on a PID or
name: it watches for some seconds and gives the cause, its chain and the next step. `timeline`, `logs`, `calls` and
`libraries` tell more about an observation by its number;
`symbols` and `predicted_load` ask a running process anew.
"unknown" means not observed, never "did not happen"."""


class Observations:
    """The newest reports, by number."""

    def __init__(self) -> None:
        self._reports: OrderedDict[int, Report] = OrderedDict()
        self._next = 1

    def add(self, report: Report) -> int:
        """The number under which it can be asked for."""
        number, self._next = self._next, self._next + 1
        self._reports[number] = report
        if len(self._reports) > _KEPT:
            self._reports.popitem(last=False)
        return number

    def get(self, number: int) -> Report:
        """Raises ToolError, which the assistant reads, for a number that is not kept."""
        if number not in self._reports:
            raise ToolError(f"observation {number} is not kept; there are {list(self._reports)}; `report` makes one")
        return self._reports[number]


def mcp(options: Options) -> int:
    """Serve until stdin ends."""
    server(options).run("stdio")
    return 0


def server(options: Options) -> MCPServer:
    """The server with its tools; the options say where to look."""
    made = MCPServer("inspector", version=__version__, instructions=_INSTRUCTIONS)
    kept = Observations()
    _add_looking(made, kept, _place_words(options))
    _add_calls_and_times(made, kept)
    _add_files_and_logs(made, kept)
    _add_questions(made, options)
    return made


def _reading(made: MCPServer) -> Callable[[Callable[..., Awaitable[str]]], object]:
    """Declares a tool that only reads and answers text."""
    return made.tool(annotations=ToolAnnotations(read_only_hint=True, open_world_hint=False), structured_output=False)


def _add_looking(made: MCPServer, kept: Observations, place: Sequence[str]) -> None:
    @_reading(made)
    async def processes(all: bool = False) -> str:
        """Running processes with GPU libraries, preloads or shims; `all`: every process."""
        return await _said("list", *(["--all"] if all else []), *place)

    @_reading(made)
    async def doctor() -> str:
        """What this machine and user allow to observe, what is lost without it, and the command that grants it."""
        return await _said("doctor", *place)

    @_reading(made)
    async def report(target: str, seconds: float = 5.0) -> str:
        """Watch TARGET (PID, process name, unit:NAME.service, container:ID, or a recording's path) for some seconds
        and answer why it is or is not on the GPU: mode, causes with their chains, next steps, what could not be seen.
        """
        _check(target, "target: a PID, a name, unit:NAME.service, container:ID or a recording")
        for_ = f"--for={min(max(seconds, 0.2), _MOST_SECONDS):g}s"
        done = await _run("report", "--redact", "--format=json", for_, *place, target, wait=_MOST_SECONDS + 30)
        if not done.stdout:
            raise ToolError(done.stderr.decode(errors="replace").strip())
        seen = from_json(done.stdout)
        return f"observation {kept.add(seen)}\n{summary(seen)}"

    @_reading(made)
    async def explain(rule: str) -> str:
        """What a rule of a finding means, how it is proven and what to do."""
        _check(rule, "rule of a finding")
        return await _said("explain", rule)


def _add_calls_and_times(made: MCPServer, kept: Observations) -> None:
    @_reading(made)
    async def timeline(observation: int, begin: float = 0.0, end: float = 1e9, contains: str = "") -> str:
        """Loads, look-ups, calls with results, refusals and ends between two moments, in seconds since it began."""
        found = [
            f"{row.seconds:.3f} PID {row.pid} {row.kind}: {row.text}"
            for row in kept.get(observation).timeline
            if begin <= row.seconds <= end and contains in row.text
        ]
        return _rows(found)

    @_reading(made)
    async def calls(observation: int, contains: str = "") -> str:
        """API functions that were called: how often, by which library, with which results and values."""
        found = [
            f"{call.function} x{call.count} in PID {call.pid}, {call.library}, by {json.dumps(call.callers)}, results "
            f"{json.dumps(call.results)}, values {json.dumps(call.values)}{_bound(call.lower_bound)}"
            for call in kept.get(observation).calls
            if contains in call.function
        ]
        return _rows(found)


def _add_files_and_logs(made: MCPServer, kept: Observations) -> None:
    @_reading(made)
    async def logs(observation: int, contains: str = "") -> str:
        """Log lines of the target; those that matter for the answer are marked with *."""
        found = [
            f"{'*' if line.matters else ' '} {source.name}:{line.number} {line.text}"
            for source in kept.get(observation).logs
            for line in source.lines
            if contains.lower() in line.text.lower()
        ]
        return _rows(found)

    @_reading(made)
    async def libraries(observation: int, contains: str = "") -> str:
        """Mapped libraries: path, how they came in, SONAME, whether the file on disk is still the one in use."""
        found = [
            f"PID {each.pid} {each.path} by {each.route}, SONAME {each.soname}, {each.state}"
            for each in kept.get(observation).libraries
            if contains in each.path
        ]
        return _rows(found)


def _add_questions(made: MCPServer, options: Options) -> None:
    @_reading(made)
    async def symbols(pid: int, contains: str, kind: Literal["all", "defined", "undefined"] = "all") -> str:
        """Dynamic symbols of all files that a running process maps: which file defines or needs a name."""
        request = ReadSymbols(id=_QUESTION, pid=pid, filter=contains, kind=kind, limit=_MOST_ROWS)
        page = await _answer(options, pid, request, SymbolPage)
        rows = [f"{'defined' if row.defined else 'needed'} {row.symbol.name} {row.path}" for row in page.rows]
        more = f"\n{page.total - len(rows)} more: narrow it down" if page.total > len(rows) else ""
        return ("\n".join(rows) or "nothing") + more

    @_reading(made)
    async def predicted_load(pid: int, name: str) -> str:
        """What the loader would do with a library's name or path in a running process, found out without loading it."""
        told = await _answer(options, pid, PredictLoad(id=_QUESTION, pid=pid, name=name), LoadPredicted)
        return json.dumps(msgspec.to_builtins(told), indent=1)[:_MOST_TEXT]


def summary(report: Report) -> str:
    """The answer for a reader with little room: mode, then the causes with their chains, then what was not seen."""
    target = report.target
    lines = [
        f"target: {command(target.argv)} (PID {target.pid}), {len(target.tree)} processes, "
        f"watched for {report.observation.seconds:.1f} s",
        f"mode: {report.mode.verdict} ({report.mode.confidence})",
        *(f"  evidence: {row.text}" for row in report.mode.evidence[:3]),
        *(f"  against it: {row.text}" for row in report.mode.contradictions[:3]),
    ]
    for finding in report.findings[:4]:
        lines += _finding(finding)
    lines += [f"not seen: {limit.what}: {limit.why}" for limit in report.limits[:6]]
    return "\n".join(lines)


def _finding(finding: FindingReport) -> list[str]:
    lines = [f"{finding.severity} {finding.rule} ({finding.confidence}): {finding.title}"]
    lines += [f"  {'<- ' * bool(number)}{link.text}" for number, link in enumerate(finding.chain)]
    lines += [f"  cause: {finding.cause}", f"  next step: {finding.next_step}"]
    return [*lines, f"  command: {finding.command}"] if finding.command else lines


def _rows(found: Sequence[str]) -> str:
    if not found:
        return "nothing"
    more = f"\n{len(found) - _MOST_ROWS} more: narrow it down" if len(found) > _MOST_ROWS else ""
    return "\n".join(found[:_MOST_ROWS]) + more


def _bound(why: str) -> str:
    return f" (at least: {why})" if why else ""


def _place_words(options: Options) -> list[str]:
    words = [f"--ssh-option={option}" for option in options.ssh_option]
    words += [f"--{name}={value}" for name, value in (("host", options.host), ("via", options.via)) if value]
    words += ["--sudo"] if options.sudo else []
    return words


async def _answer(options: Options, pid: int, request: Request, kind: type[A]) -> A:
    """One question to a collector of its own, which counts nothing and ends with the answer; ToolError without one."""
    try:
        return await anyio.to_thread.run_sync(lambda: _ask(options, pid, request, kind))
    except UserError as error:
        raise ToolError(str(error)) from None


def _ask(options: Options, pid: int, request: Request, kind: type[A]) -> A:
    options = copy(options)
    options.no_count = options.redact = True
    known = profiles(options)
    stream = collector(options, target_words(str(pid)), lambda: known)
    redactor = Redactor()
    end = time.monotonic() + _QUESTION_SECONDS
    stream.send(request)
    try:
        while time.monotonic() < end and stream.ending is None:
            for event in stream.read(0.2):
                if isinstance(event, RequestFailed):
                    raise ToolError(event.why)
                shown = redactor.event(event)
                if isinstance(shown, kind) and (not isinstance(shown, LoadPredicted) or shown.asked):
                    return shown
    finally:
        stream.kill()
    raise ToolError(f"no answer about PID {pid}: {stream.ending.words if stream.ending else 'it took too long'}")


async def _said(*words: str) -> str:
    done = await _run(*words, wait=30.0)
    if done.returncode:
        raise ToolError(done.stderr.decode(errors="replace").strip())
    return done.stdout.decode(errors="replace")


def _check(word: str, kind: str) -> None:
    """ToolError for what would be read as an option, or is no word of a command line at all."""
    if word.startswith("-") or not word.isprintable():
        raise ToolError(f"{visible(word)} is no {kind}")


async def _run(*words: str, wait: float) -> "subprocess.CompletedProcess[bytes]":
    command = [sys.executable, str(MAIN), *words]
    try:
        return await anyio.to_thread.run_sync(
            lambda: subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, timeout=wait)
        )
    except subprocess.TimeoutExpired:
        raise ToolError(f"no answer within {wait:g} s") from None
