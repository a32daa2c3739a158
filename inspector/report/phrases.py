"""How parts of the report are said in one line; text, Markdown and HTML say them with the same words."""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import TypeVar

from inspector.model.causes.registry import find
from inspector.model.formatting import ON_GPU
from inspector.model.verdict import NO_DEVICE, RUNGS, ModeName, in_place_of_cpu

from .clock import duration, seconds_between
from .schema import (
    ApiReport,
    CallReport,
    EvidenceRow,
    LibraryReport,
    LookupReport,
    OpenReport,
    Report,
    RungReport,
    TreeProcess,
)
from .short_text import command, file_name

R = TypeVar("R")
_SMALL_TREE = 12
MODE = {"cuda": "GPU in use: CUDA", "rocm": "GPU in use: ROCm", "vulkan": "GPU in use: Vulkan",
        "opencl": "GPU in use: OpenCL", "cpu": "CPU", "undecided": "Undecided"}  # fmt: skip
_DULL = frozenset(("PATH", "HOME", "USER", "LOGNAME", "LANG", "PWD", "SHELL"))
"""Variables that explain little in most reports; the JSON has them."""
_LONGEST_VALUE = 400
"""Characters of a variable that are shown; search paths and preloads are shorter, the JSON has all of it."""
_BYTES = frozenset(("total", "free", "used"))
_RUNG_WORD = {"yes": "yes", "no": "NO", "unknown": "?"}


def time_of_day(moment: str | None) -> str:
    """`03:04:05.212` of an ISO moment; empty when unknown."""
    return moment[11:23] if moment else ""


def span(begin: str | None, end: str | None) -> str:
    """The time between two moments in words; empty when one of them is unknown."""
    if not begin or not end:
        return ""
    return duration(seconds_between(begin, end))


def mode_words(verdict: ModeName, rule: str, effect: str, *, device_seen: bool = True) -> str:
    """The verdict in words, by the first finding's rule and the first link of its chain: `CPU`, `Crashed`."""
    word = MODE[verdict]
    if not device_seen:
        return f"{word.removeprefix('GPU in use: ')}{NO_DEVICE}"
    if rule == "gpu-ready":
        word = word.replace("GPU in use", "GPU found, not used yet")
    return (in_place_of_cpu(effect).capitalize() if verdict == "cpu" else "") or word


def headline(report: Report) -> str:
    """`CPU (proven)`; `Crashed (proven)` where it computed nothing at all."""
    first = report.findings[0] if report.findings else None
    effect = first.chain[0].text if first is not None and first.chain else ""
    seen = not report.mode.words.endswith(NO_DEVICE)
    word = mode_words(report.mode.verdict, first.rule if first is not None else "", effect, device_seen=seen)
    return word if report.mode.verdict == "undecided" else f"{word} ({report.mode.confidence})"


def answer(report: Report) -> str:
    """The answer in one sentence: the title of the first finding, or that there is none."""
    if report.findings:
        return report.findings[0].title
    return "No process was seen."


def subject(report: Report) -> str:
    """Who was watched, where and how long, in one line."""
    seen, target = report.observation, report.target
    count = len(target.tree)
    name = command(target.argv)
    what = name if name and target.asked.isdecimal() else target.asked or name or "nothing"
    parts = [
        f"{what} (PID {target.pid})" if target.pid and str(target.pid) != what else f"{what}",
        seen.host,
        f"{count} process{'es' if count != 1 else ''} in {duration(seen.seconds)}",
        f"{seen.began[:10]} {seen.began[11:19]} UTC" if seen.began else "",
    ]
    return " - ".join(part for part in parts if part)


def fate(process: TreeProcess) -> str:
    """`running`, `stopped`, `exit 0 after 310 ms`, `SIGSEGV after 40 ms`."""
    if process.ended is None:
        return "stopped" if process.stopped else "running"
    status = process.exit
    if status is None or (status.code is None and status.signal is None):
        how = "ended"
    elif status.signal is not None:
        how = status.signal_name or f"signal {status.signal}"
    else:
        how = f"exit {status.code}"
    lasted = span(process.started, process.ended)
    return f"{how} after {lasted}" if lasted else how


def environment(process: TreeProcess, *, is_root: bool) -> list[str]:
    """The environment of a root, and what differs from the parent's for all others."""
    if not process.environment_known:
        return ["environment unknown"] if is_root else []
    shown: Mapping[str, str | None] = process.environment if is_root else process.environment_changes
    return [_variable(key, value) for key, value in shown.items() if key not in _DULL]


def _variable(key: str, value: str | None) -> str:
    if value is None:
        return f"without {key}"
    if len(value) <= _LONGEST_VALUE:
        return f"{key}={value}"
    return f"{key}={value[:_LONGEST_VALUE]}... ({len(value):,} characters)"


def tally(counts: Mapping[str, int], *, whole: int = 0, paths: bool = False, own: str = "") -> str:
    """`CUDA_SUCCESS 2, CUDA_ERRORNO_DEVICE 1`; a single name that stands for the `whole` needs no number."""
    named = {"itself" if key == own else file_name(key) if paths else key: count for key, count in counts.items()}
    if whole and list(named.values()) == [whole]:
        return next(iter(named))
    return ", ".join(f"{name} {count}" for name, count in named.items())


def call(row: CallReport) -> str:
    """Results, callers, values and how long a call has been open."""
    parts = [
        tally(row.results, whole=row.count),
        f"by {tally(row.callers, whole=row.count, paths=True, own=row.library)}" if row.callers else "",
        ", ".join(_value(name, value) for name, value in row.values.items() if name != "pointer"),
        f"INSIDE for {duration(row.inside)}" if row.inside is not None else "",
        f"at least: {row.lower_bound}" if row.lower_bound else "",
    ]
    return "; ".join(part for part in parts if part)


def _value(name: str, value: int | str | float) -> str:
    if name in _BYTES and isinstance(value, int) and value >= 1 << 30:
        return f"{name}={value / (1 << 30):.1f} GiB"
    return f"{name}={value}"


def failed_call(row: CallReport) -> bool:
    """It is open, or it gave a result other than success."""
    names = (name.lower() for name in row.results)
    return row.inside is not None or any(not name.endswith("success") and name != "0" for name in names)


def calls_by_likes(report: Report, most: int) -> tuple[list[tuple[CallReport, list[CallReport]]], int]:
    """Calls in order, those that say the same folded, and how many do not fit; what failed always fits first."""
    rows = folded(report.calls, lambda row: (row.function, row.library, row.count, call(row)))
    if len(rows) <= most:
        return rows, 0
    failed = [pair for pair in rows if failed_call(pair[0])][:most]
    others = [pair for pair in rows if not failed_call(pair[0])][: most - len(failed)]
    kept = {id(pair[0]) for pair in (*failed, *others)}
    return [pair for pair in rows if id(pair[0]) in kept], len(rows) - most


def lookup(row: LookupReport) -> str:
    """What came of a look-up, in the loader's own words where there are any."""
    if row.error:
        return row.error
    if row.outcome == "found":
        return f"found in {row.found}" if row.found else "found"
    return "not found (NULL)" if row.outcome == "refused" else "the result was not seen"


def route(row: LibraryReport) -> str:
    """`dlopen as libcuda.so.1 by libcudart.so.12`."""
    asked = f" as {row.asked}" if file_name(row.asked) not in ("", file_name(row.path)) else ""
    by = f" by {file_name(row.route_by)}" if file_name(row.route_by) not in ("", file_name(row.path)) else ""
    return f"{row.route}{asked}{by}"


def library_state(row: LibraryReport) -> str:
    """`replaced: mapped inode 77, on disk inode 91`."""
    return f"{row.state}: {row.state_detail}" if row.state_detail else row.state


def pids(rows: Sequence[int]) -> str:
    """`845 +3`: the first of some processes and how many more there are."""
    others = len(set(rows)) - 1
    return f"{rows[0]} +{others}" if others else str(rows[0])


def folded(rows: Iterable[R], key: Callable[[R], Hashable]) -> list[tuple[R, list[R]]]:
    """Rows that say the same, each with all its likes, in order of appearance."""
    groups: dict[Hashable, list[R]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return [(group[0], group) for group in groups.values()]


def striking_libraries(report: Report) -> list[LibraryReport]:
    """Libraries that have to do with the question: providers, consumers, preloads, and files that changed."""
    speaking = {image.file for image in report.images if image.offers or image.needs or image.error}
    return [
        row
        for row in report.libraries
        if row.file in speaking or row.route in ("preload", "audit") or row.state not in ("current", "unknown")
    ]


def telling_processes(report: Report) -> tuple[list[TreeProcess], dict[str, int]]:
    """Processes that have to do with the question, with their ancestors, by birth; of the rest, how many ran what.

    A small tree is shown whole.
    """
    tree = report.target.tree
    if len(tree) <= _SMALL_TREE:
        return tree, {}
    telling = {tree[0].pid, *_pids_spoken_of(report)}
    telling |= {process.pid for process in tree if process.ended is None or (process.exit and process.exit.signal)}
    parents = {process.pid: process.ppid for process in tree}
    for pid in list(telling):
        while (pid := parents.get(pid, 0)) and pid not in telling:
            telling.add(pid)
    rest = Counter(
        file_name(process.argv[0]) if process.argv else "?" for process in tree if process.pid not in telling
    )
    return [process for process in tree if process.pid in telling], dict(rest.most_common())


def _pids_spoken_of(report: Report) -> set[int]:
    evidence = [*report.mode.evidence, *(row for finding in report.findings for row in finding.evidence)]
    pids = {row.pid for row in report.findings if row.pid is not None}
    pids |= {row.pid for row in evidence if row.pid is not None}
    pids |= {row.pid for row in report.apis} | {row.pid for row in report.calls}
    pids |= {row.pid for row in failed_lookups(report)}
    return pids | {row.pid for row in striking_libraries(report)}


def failed_lookups(report: Report) -> list[LookupReport]:
    """Look-ups that were refused or never answered."""
    return [row for row in report.lookups if row.outcome != "found"]


def failed_opens(report: Report) -> list[tuple[str, str, str]]:
    """Process, error, path of failed opens and other calls; a search through many folders is one row, and none when
    it succeeded."""
    opened = {(row.pid, file_name(row.path)) for row in report.opens if row.result == "ok"}
    failed = [
        row
        for row in report.opens
        if row.result != "ok" and not (row.result == "ENOENT" and (row.pid, file_name(row.path)) in opened)
    ]
    groups = folded(
        failed, lambda row: (row.call, row.result, file_name(row.path) if row.result == "ENOENT" else row.path)
    )
    return [(pids([row.pid for row in group]), first.result, _places(group)) for first, group in groups]


def _places(group: list[OpenReport]) -> str:
    paths = list(dict.fromkeys(row.path for row in group))
    call = f"{group[0].call} " if group[0].call != "open" else ""
    if len(paths) == 1:
        return (call + paths[0]).strip()
    shortest = min(paths, key=lambda path: (path.count("/"), len(path)))
    return f"{call}{file_name(paths[0])}, in {len(paths)} places: {shortest}, ..."


def rails(report: Report) -> list[ApiReport]:
    """The ladders that lead anywhere: not that of a program that has nothing to do with a GPU."""
    return [ladder for ladder in report.apis if ladder.first_broken or any(map(_is_step, ladder.rungs))]


def _is_step(rung: RungReport) -> bool:
    return rung.reached and rung.rung not in ("environment", "logged")


def chosen_ladders(report: Report) -> list[ApiReport]:
    """The ladders that the answer speaks of: broken ones of its process, whole ones, or the one that got furthest."""
    pid = report.findings[0].pid if report.findings else None
    shown = rails(report)
    broken = [ladder for ladder in shown if ladder.first_broken]
    whole = [ladder for ladder in shown if not ladder.first_broken]
    if report.mode.verdict in ON_GPU and whole:
        return sorted(whole, key=_holding, reverse=True)[:2]
    rule = find(report.findings[0].rule) if report.findings else None
    of_answer = [ladder for ladder in broken if ladder.pid == pid]
    of_answer.sort(key=lambda ladder: rule is None or ladder.first_broken != rule.place)
    if not report.findings:
        return sorted(shown, key=_holding, reverse=True)[:1]
    return of_answer[:2] or sorted(broken, key=_height, reverse=True)[:1] or whole[:1]


def _holding(ladder: ApiReport) -> int:
    return sum(rung.state == "yes" for rung in ladder.rungs)


def _height(ladder: ApiReport) -> int:
    return RUNGS.index(ladder.first_broken) if ladder.first_broken else len(RUNGS)


def lines(count: int) -> str:
    """`1 line`, `12 lines`."""
    return f"{count:,} line{'s' if count != 1 else ''}"


def mode_evidence(report: Report) -> list[EvidenceRow]:
    """What shows the mode, without what the first finding says already."""
    shown = report.findings[0].evidence if report.findings else []
    said = {(row.text, row.at) for row in shown} | {(row.pane, row.key, row.pid) for row in shown if row.key}
    return [
        row
        for row in report.mode.evidence
        if (row.text, row.at) not in said and (row.pane, row.key, row.pid) not in said
    ]


def rung_word(rung: RungReport) -> str:
    """`yes`, `NO`, `?` for unknown, `-` for what was not reached."""
    return _RUNG_WORD[rung.state] if rung.reached else "-"


def rail(rungs: Iterable[RungReport]) -> list[str]:
    """One word for each rung."""
    return [rung_word(rung) for rung in rungs]


def same_rails(report: Report) -> list[tuple[ApiReport, list[int]]]:
    """Ladders with the same API, provider and rail folded into the first of them, with all their pids."""
    groups = folded(rails(report), lambda ladder: (ladder.api, ladder.provider, *rail(ladder.rungs)))
    return [(first, [ladder.pid for ladder in group]) for first, group in groups]


def depth(process: TreeProcess, tree: Iterable[TreeProcess]) -> int:
    """How deep a process stands below the first one of the tree."""
    parents = {other.pid: other.ppid for other in tree}
    steps, pid = 0, process.ppid
    while pid in parents and steps < 40:
        steps, pid = steps + 1, parents[pid]
    return steps
