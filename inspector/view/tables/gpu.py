"""The pane GPU: what the program computes on, what proves it and what contradicts it, the machine, and every call."""

from collections.abc import Iterable, Iterator
from functools import partial

from inspector.model.formatting import duration, name_of, size
from inspector.model.state import Process
from inspector.model.verdict import NO_DEVICE, Evidence, in_place_of_cpu
from inspector.stream.calls import CallerCount, CallOutcome, CallReturned, WatchedFunction
from inspector.view.clock import since_start, wall_of
from inspector.view.pane_context import PaneContext, title_of

from .logline import read_line
from .row import Cell, Column, Details, Item, ListTable, Note, Row, Span, Tone, cell
from .told import failed, told_of

COLUMNS = (
    Column("WHAT", 30),
    Column("CALLS", 9, right=True),
    Column("RESULTS", 34),
    Column("VALUES, CALLERS"),
)


_UNUSED = "gpu-ready"
"""The rule of a device that was found and given nothing yet."""
_DOUBTS = "success-without-work"
"""The rule by which it is doubtful that anything was computed."""
_SUCCESS: Span = ("✓ ", "quiet")


def gpu(context: PaneContext) -> ListTable:
    """Mode with its evidence, contradictions, facts of the machine, then calls by process and function."""
    items = [*_mode(context), *_machine(context), *_calls(context)]
    heading = title_of(context.process) if context.process is not None else "all processes"
    return ListTable(COLUMNS, items, heading)


def mode_words(context: PaneContext) -> tuple[str, str, Tone]:
    """Glyph, words and tone of the GPU mode: never colour alone."""
    mode = context.answer.mode if context.answer is not None else None
    if mode is None or mode.verdict == "undecided":
        return "?", "GPU mode undecided", "unknown"
    first = context.answer.findings[0] if context.answer is not None and context.answer.findings else None
    if mode.verdict == "cpu":
        wrong = told_of(context.answer).wrong
        effect = first.chain[0].text if first is not None and first.chain else ""
        word = in_place_of_cpu(effect) or "CPU"
        return "✗" if wrong else "○", f"{word} ({mode.confidence})", "no" if wrong else "quiet"
    words = f"{mode.verdict.upper()} ({mode.confidence})"
    if first is not None and first.severity == "error" and any(link.kind == "mode" for link in first.chain):
        return "✗", words, "no"
    if first is not None and first.rule == _UNUSED:
        return "○", f"{mode.verdict.upper()} found, not used yet ({mode.confidence})", "quiet"
    if not mode.device_seen:
        return "?", f"{mode.verdict.upper()}{NO_DEVICE} ({mode.confidence})", "unknown"
    return ("?", words, "unknown") if first is not None and first.rule == _DOUBTS else ("✓", words, "yes")


def _mode(context: PaneContext) -> Iterator[Item]:
    glyph, words, tone = mode_words(context)
    coverage = context.answer.coverage if context.answer is not None else "nothing known yet"
    yield _line(
        "mode", ((f"{glyph} ", tone), (words, tone)), coverage, [Note("mode", words), Note("coverage", coverage)]
    )
    mode = context.answer.mode if context.answer is not None else None
    if mode is not None:
        yield from _evidence("evidence", "evidence", mode.evidence, "yes")
        yield from _evidence("contradicts", "contradiction", mode.contradictions, "no")


def _evidence(words: str, key: str, rows: Iterable[Evidence], tone: Tone) -> Iterator[Item]:
    for number, one in enumerate(rows):
        label: Cell = (("  ", "plain"), (words if number == 0 else "", tone))
        notes = [Note("what", one.text), Note("process", str(one.pid or ""))]
        item = _line(f"{key}:{number}", label, read_line(one.text).words, notes, [one.by_hand] if one.by_hand else ())
        yield item._replace(at=one.at, pid=one.pid or 0)


def _line(key: str, label: Cell, text: str, notes: list[Note], by_hand: Iterable[str] = ()) -> Item:
    title = "".join(part for part, _ in label).strip() or text
    return Item(Row(key, (label, cell(text)) if text else (label,)), Details(title, notes, list(by_hand)))


def _machine(context: PaneContext) -> Iterator[Item]:
    facts = context.state.gpu
    if facts is None:
        return
    driver = facts.driver or "no /proc/driver/nvidia/version"
    yield _line(
        "driver", cell("machine", "head"), driver, [Note("driver", driver)], ["cat /proc/driver/nvidia/version"]
    )
    for number, pci in enumerate(facts.pci):
        yield _line(
            f"pci:{number}", cell("  PCI device"), pci, [Note("PCI", pci)], [f"lspci -nns {pci.split(' ', 1)[0]}"]
        )
    present = [device for device in facts.devices if device.present]
    absent = [device for device in facts.devices if not device.present]
    for device in present:
        words = f"{device.path} {device.mode} {device.owner}".rstrip()
        yield _line(
            f"device:{device.path}", cell("  device file"), words, [Note("device", words)], [f"ls -l {device.path}"]
        )
    if absent:
        words = " ".join(device.path for device in absent)
        yield _line("absent", cell("  absent", "quiet"), words, [Note("absent", words)], ["ls -l /dev/nvidia*"])
    modules = " ".join(facts.modules) or "no GPU module is loaded"
    yield _line("modules", cell("  kernel modules"), modules, [Note("modules", modules)], ["lsmod"])


def _calls(context: PaneContext) -> Iterator[Item]:
    from inspector.model.coverage import maybe_called_before  # not before the first paint

    functions = context.state.functions
    silent: list[Process] = []
    files = {function.file for function in functions.values()}
    for process in context.processes:
        called = sorted(process.counts.values(), key=lambda count: count.first)
        if not called:
            if any(library.file in files for library in process.libraries.values()):
                silent.append(process)
            continue
        yield _line(f"calls:{process.pid}:{process.started}", cell(f"calls in {title_of(process)}", "head"), "", [])
        for count in called:
            yield _call(context, process, count.function)
    if functions and silent:
        since = min(context.state.watched_since.values(), default=0)
        text = f"{len(silent)} of {len(context.processes)} processes called none of {len(functions)} watched functions"
        text += f" since {wall_of(context.state, since)}" if since else ""
        late = bool(maybe_called_before(context.state, silent))
        mark: Cell = (("? " if late else "· ", "unknown" if late else "quiet"), ("not called", "plain"))
        yield _line("silent", mark, text, [Note("coverage", text)])
    elif not functions:
        why = "no functions watched yet: no GPU API library found, or counting is not permitted (d)"
        yield _line("unwatched", (("? ", "unknown"), ("calls unknown", "plain")), why, [Note("coverage", why)])


def _call(context: PaneContext, process: Process, function: int) -> Item:
    watched = context.state.functions.get(function)
    count = process.counts[function]
    outcomes = [one for one in process.outcomes.values() if one.function == function]
    calls = [one for one in process.calls if one.function == function]
    api = watched.api if watched is not None else ""
    inside = next((one for one in process.open_calls if one.function == function), None)
    name = watched.name if watched is not None else f"function {function}"
    results = _results(context, api, outcomes, name in told_of(context.answer).names)
    if inside is not None and not process.ended:
        results = (("▸ ", "unknown"), (f"inside for {duration(context.now - inside.entered)}", "unknown"))
    row = Row(
        f"{process.pid}:{function}",
        (
            (("  ", "plain"), (name, "name")),
            cell(f"{count.count:,}{'+' if function in context.state.stopped else ''}", "strong"),
            results,
            cell(_callers(process.calls_by(function), calls), "plain"),
        ),
    )
    return Item(row, partial(_call_details, context, process, function, api), count.last, pid=process.pid)


def _results(context: PaneContext, api: str, outcomes: list[CallOutcome], told: bool) -> Cell:
    """`told`: the answer tells of this function; another one that was refused stopped nothing."""
    out: list[tuple[str, Tone]] = []
    totals: dict[int, int] = {}
    for one in outcomes:
        totals[one.result] = totals.get(one.result, 0) + one.count
    for result, total in sorted(totals.items(), key=lambda pair: (pair[0] == 0, -pair[1])):
        glyph, tone = failed("", told)[0] if result else _SUCCESS
        out += [(glyph if not out else ", ", tone), (context.result_name(api, result), tone), (f" x{total:,}", "quiet")]
    return tuple(out)


def _name(watched: WatchedFunction | None) -> str:
    return watched.name if watched is not None else ""


def _callers(counts: list[CallerCount], calls: list[CallReturned]) -> str:
    callers = dict.fromkeys(f"{name_of(one.caller)}{' (itself)' if one.own else ''}" for one in counts)
    values = " ".join(f"{name}={value_words(name, value)}" for name, value in _last_values(calls).items())
    by = "by " + ", ".join(callers) if callers else ""
    return f"{values}  {by}".strip()


def value_words(name: str, value: int | str | float) -> str:
    """A value as people read it: addresses in hexadecimal, amounts of memory in GiB."""
    if isinstance(value, int) and name in ("pointer", "address", "table"):
        return f"{value:#x}"
    if isinstance(value, int) and name in ("total", "free", "size", "bytes") and value >= 1 << 20:
        return size(value)
    return str(value)


def _last_values(calls: list[CallReturned]) -> dict[str, int | str | float]:
    return next((one.values for one in reversed(calls) if one.values), {})


def _call_details(context: PaneContext, process: Process, function: int, api: str) -> Details:
    watched = context.state.functions.get(function)
    notes = list(_call_notes(context, process, function, api))
    return Details(watched.name if watched is not None else f"function {function}", notes)


def _call_notes(context: PaneContext, process: Process, function: int, api: str) -> Iterator[Note]:
    from inspector.model.coverage import unread_results  # not before the first paint

    state = context.state
    watched, count, told = state.functions.get(function), process.counts[function], told_of(context.answer)
    yield Note("process", title_of(process))
    if watched is not None:
        yield Note("library", watched.library)
    if why := state.stopped.get(function):
        yield Note("stopped", f"{why}: the count is a lower bound", "unknown")
    if watched is not None and (why := unread_results(state, process, watched)):
        yield Note("results", f"not of all calls: {why}", "unknown")
    yield Note("first", f"{wall_of(state, count.first)} ({since_start(state, count.first)} s)")
    yield Note("last", f"{wall_of(state, count.last)} ({since_start(state, count.last)} s)")
    yield Note("calls", f"{count.count:,}")
    for one in process.outcomes.values():
        if one.function == function:
            own = " (the library itself)" if one.own else ""
            tone = told.tone(one.result != 0 and _name(watched) in told.names, "plain")
            times = f", {one.count:,} times" if one.count > 1 else ""
            yield Note("returned", f"{context.result_name(api, one.result)} to {one.caller}{own}{times}", tone)
    for call in [one for one in process.calls if one.function == function][:20]:
        yield from _one_call(context, call, api, told.tone(call.result != 0 and _name(watched) in told.names, "plain"))


def _one_call(context: PaneContext, call: CallReturned, api: str, tone: Tone) -> Iterator[Note]:
    when = since_start(context.state, call.entered)
    place = " in a constructor" if call.constructor else ""
    yield Note(when, f"thread {call.tid}, {duration(call.at - call.entered)}{place}", "quiet")
    yield Note("", f"from {call.caller}{' (itself)' if call.own else ''}")
    for name, value in call.arguments.items():
        yield Note("", f"  {name} = {value_words(name, value)}", "quiet")
    for name, out in call.values.items():
        yield Note("", f"  -> {name} = {value_words(name, out)}")
    yield Note("", f"  returned {context.result_name(api, call.result)}", tone)
