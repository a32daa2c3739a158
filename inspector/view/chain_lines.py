"""The answer as lines: the effect, its chain down to the root, the fix, and one command that runs. Pure."""

from collections.abc import Iterable, Sequence

from inspector.model.formatting import name_of
from inspector.model.verdict import ELSEWHERE, ON_CPU, Finding, Link
from inspector.stream.own_command import runnable

from .ages import age
from .header import Line, labelled, problem, wrapped
from .pane_context import PaneContext, short_name
from .paths import short_paths
from .tables.answers import SEVERITIES
from .tables.row import Span, Tone

ARROW = "   ← "
LABEL = 6
"""Columns of the words before a line: `fix`, `run`."""
_NO_RETURN = "did not"
_NOT_FOUND = ("not found", "cannot open shared object file")
_MOST_ROOT, _MOST_FIX, _MOST_RUN = 3, 3, 2
"""Lines that root, fix and command may take on a small screen."""
_WIDE = 100
"""Columns from which on the first line has room for more words."""
_COPY = " Y copies "
_COPIES: tuple[Span, ...] = ((_COPY, "quiet"),)
PLAIN_RULES = ("nobody-asked", "management-only")
"""Rules by which nothing is wrong and nothing is to be done: the program has nothing to do with a GPU."""

OPEN_RULES = ("cause-not-seen",)
"""Rules that say what is not known: no `✓` stands before them."""


def answer_lines(context: PaneContext, number: int, width: int, most: int) -> list[Line]:
    """One finding in at most `most` lines; root, fix and command are the last to go."""
    found = context.answer.findings if context.answer is not None else []
    if not found:
        return without_finding(context, width, most)
    total, number = len(found), number % len(found)
    finding = found[number]
    sure = sure_of(context, finding)
    right = _right(sure if width < _WIDE or not sure else f"cause {sure}", number, total)
    if finding.rule in PLAIN_RULES:
        return labelled(" ", wrapped(short_paths(finding.title), width - 3 - _width(right)), "quiet", indent=2)[:most]
    chain = [link for link in finding.chain if link.kind not in ("mode", "words")]
    if not finding.chain:
        return _sentence(context, finding, right, width, most)
    root = next((link.text for link in chain if link.kind == "root"), finding.title)
    steps = _steps([link for link in chain if link.kind != "root"], root)
    last = _arrow(wrapped(short_paths(root), width - len(ARROW) - 1)[:_MOST_ROOT], "strong")
    todo = _todo(finding, width)
    links = _fitted(steps, most - 1 - len(last) - len(todo))
    return [
        _effect(context, finding, (_right(f"cause {sure}" if sure else "", number, total), right), width),
        *(line for one in links for line in _arrow([_cut(one, width - len(ARROW) - 1)], "plain")),
        *last,
        *todo,
    ][:most]


def in_full(finding: Finding, width: int, most: int) -> list[Line]:
    """A finding for the head of its evidence: all that it says, as far as it fits."""
    glyph, tone = SEVERITIES[finding.severity]
    lines = labelled(f" {glyph} ", wrapped(finding.title, width - 4), "strong", indent=3, mark=tone)
    for label, text in (("why", finding.cause), ("fix", finding.next_step), ("run", _prompt(finding.command)),
                        ("doubt", finding.doubt)):  # fmt: skip
        if text:
            lines += labelled(
                f" {label}", wrapped(text, width - LABEL - 2), "name" if label == "run" else "plain", indent=LABEL + 1
            )
    return [*lines[:most], Line()]


def without_copy(lines: Sequence[Line]) -> list[Line]:
    """The lines while something else has the focus, so that `Y` copies something else."""
    return [line._replace(right=()) if line.right == _COPIES else line for line in lines]


def without_finding(context: PaneContext, width: int, most: int) -> list[Line]:
    """What is said while there is no finding: what is missing, what is being looked at."""
    state = context.state
    if state.missing is not None:
        lines = problem(state.missing.why, width)
        return lines + labelled(
            " fix", wrapped(runnable(state.missing.help), width - LABEL - 1)[:2], "name", indent=LABEL
        )
    if context.waits_for and not state.processes:
        return _waiting(context, width)
    working = [f"{one.task} {one.done:,} of {one.total:,}" for one in state.work.values()]
    words = ", ".join(working) or _doing(context)
    coverage = context.answer.coverage if context.answer is not None and state.processes else ""
    lines = [Line(((" ? ", "unknown"), (words, "strong")))]
    return [*lines, *labelled("", wrapped(coverage, width - 4), "quiet", indent=3)][:most]


def _doing(context: PaneContext) -> str:
    """What is under way while nothing is known."""
    if context.live:
        return "looking"
    begun = context.state.session is not None or context.state.processes
    return "nothing was observed" if begun else "reading the recording"


def _waiting(context: PaneContext, width: int) -> list[Line]:
    begun = context.state.session.at if context.state.session is not None else context.now
    words = f"Waiting for a process named {context.waits_for} · {age(context.now - begun)}"
    ready = context.state.settled
    told = "Start it now: it is observed from its first instruction" if ready else "Getting ready: do not start it yet"
    mark: Span = (" ● ", "yes") if ready else (" ? ", "unknown")
    below = wrapped(f"{told}. Esc: choose a running process", width - 4)
    return [Line((mark, (words, "strong"))), *labelled("", below, "quiet", indent=3)]


def sure_of(context: PaneContext, finding: Finding) -> str:
    """Confidence of the cause, at most that of the mode that it explains; empty where it explains none."""
    if finding.severity == "info" or context.answer is None:
        return ""
    order = ("guess", "likely", "proven")
    stuck = finding.rule == "call-blocked"  # the mode is open because of it: that is no guess
    explains = any(link.kind == "mode" for link in finding.chain) and not stuck
    return min(finding.confidence, context.answer.mode.confidence if explains else "proven", key=order.index)


def _right(sure: str, number: int, total: int) -> tuple[Span, ...]:
    """`cause proven  1 of 3`: that the mode is so is told in the line above."""
    return ((f" {sure} " if sure else " ", "quiet"), (f" {number + 1} of {total}: [ ] " if total > 1 else "", "quiet"))


def _effect(context: PaneContext, finding: Finding, rights: Sequence[tuple[Span, ...]], width: int) -> Line:
    """The effect, and where it was decided; whether the cause is proven or likely in as many words as there is room."""
    glyph, tone = SEVERITIES[finding.severity]
    mode = next((link for link in finding.chain if link.kind == "mode"), None)
    words = mode.text if mode is not None else short_paths(finding.title)
    where = _where(context, finding) if words != ELSEWHERE else ""
    begin: list[Span] = [(f" {glyph} ", tone), (words, "strong")]
    ways = [(right, f"   {place}{where}" if where else "") for right in rights
            for place in (("decided ", "") if words == ON_CPU else ("",))]  # fmt: skip
    fits = (way for way in ways if _width((*begin, *way[0])) + len(way[1]) <= width)
    right, place = next(fits, ways[-1])
    return Line((*begin, (place, "quiet")), right)


def _where(context: PaneContext, finding: Finding) -> str:
    """`in ollama runner 28465 ○`: that it has ended is a circle. What is only expected may have failed before."""
    owner = next((one for one in reversed(context.state.processes) if one.pid == finding.pid), None)
    if owner is None:
        return ""
    if owner.origin == "attach" and any(link.kind == "prediction" for link in finding.chain):
        return "before we attached, perhaps in a child"
    return f"in {short_name(owner)} {owner.pid}{' ○' if owner.ended else ''}"


def _sentence(context: PaneContext, finding: Finding, right: tuple[Span, ...], width: int, most: int) -> list[Line]:
    """A finding without a chain: its title, why, what to do."""
    glyph, tone = SEVERITIES[finding.severity]
    undecided = context.answer is not None and context.answer.mode.verdict == "undecided"
    if finding.severity == "info" and (undecided or finding.rule in OPEN_RULES):
        glyph, tone = "?", "unknown"
    title = wrapped(short_paths(finding.title), width - 4, _width(right))
    lines = labelled(f" {glyph} ", title, "strong", indent=3, mark=tone)
    lines[0] = lines[0]._replace(right=right)
    todo = _todo(finding, width)
    why = _whole_sentences(short_paths(finding.cause), width - 4, most - len(lines) - len(todo))
    lines += labelled("", why, "quiet", indent=3)
    return [*lines, *todo][:most]


def _whole_sentences(text: str, width: int, most: int) -> list[str]:
    """As many sentences as fit, so that none is cut; of a first that does not fit, its beginning."""
    lines = wrapped(text, width)
    while len(lines) > most and ". " in text:
        text = text.rpartition(". ")[0] + "."
        lines = wrapped(text, width)
    if len(lines) <= most:
        return lines
    return [*lines[: most - 1], f"{lines[most - 1][: width - 1]}…"] if most > 0 else []


def _todo(finding: Finding, width: int) -> list[Line]:
    step = wrapped(short_paths(finding.next_step), width - LABEL - 1)[:_MOST_FIX]
    label = " fix" if finding.severity != "info" else " next"  # where nothing is wrong there is nothing to fix
    lines = labelled(label, step, "plain", indent=LABEL, mark="yes")
    if finding.command:
        command = wrapped(short_paths(_prompt(finding.command)), width - LABEL - len(_COPY))
        command = command if len(command) <= _MOST_RUN else [command[0], " ".join(command[1:])]
        lines += labelled(" run", command, "name", indent=LABEL, mark="name")
        lines[-len(command)] = lines[-len(command)]._replace(right=_COPIES)
    return lines


def _prompt(command: str) -> str:
    return f"$ {runnable(command)}" if command else ""


def _steps(links: Sequence[Link], root: str) -> list[str]:
    """The links in few words, without the one that the root tells again."""
    words = root.lower()
    links = [link for link in links if not (_is_open(link) and link.subject.lower() in words)]
    steps = [step(link) for link in links]
    said = links and any(one.lower() in words for one in (name_of(links[-1].subject), steps[-1], links[-1].text))
    return list(dict.fromkeys(steps[:-1] if said else steps))


def _is_open(link: Link) -> bool:
    """A call that did not come back."""
    return link.kind == "call" and link.answer.startswith(_NO_RETURN)


def step(link: Link) -> str:
    """One link in few words: `cuInit = 100 (CUDA_ERROR_NO_DEVICE)`, `libcuda.so.1 not found`."""
    name = name_of(link.subject)
    match link.kind:
        case "load" | "prediction":
            missing = link.answer.startswith(_NOT_FOUND) or link.answer.startswith(f"{name}: {_NOT_FOUND[1]}")
            verb = "failed" if link.kind == "load" else "would fail"
            return f"{name} not found" if missing else f"{name} {verb} to load"
        case "lookup":
            words = link.answer.rsplit(": ", 1)
            return f"{name}: {words[0]}" if len(words) == 1 else f"{name}: {words[0].rsplit(': ', 1)[-1]}"
        case "call":
            if _is_open(link):
                return f"{name} {link.answer}"
            told = link.answer.lstrip("-")[:1].isdigit()
            return f"{name} = {link.answer}" if told else f"{name}: {link.answer.partition(',')[0]}"
        case "signal":
            return f"{link.subject} in {link.answer}"
        case "end":
            return short_paths(link.text)
        case "system":
            return short_paths(link.text.split(" in PID ", 1)[0])
    return short_paths(link.text)


def _fitted(steps: list[str], room: int) -> list[str]:
    """As many as there is room for, those next to the effect and to the root first."""
    if len(steps) <= room:
        return steps
    if room < 2:
        return steps[-1:] if room == 1 else []
    return [*steps[: room - 2], f"{len(steps) - room + 1} more: Enter", steps[-1]]


def _cut(text: str, width: int) -> str:
    """A step is one line: a program's own words may be longer."""
    return text if len(text) <= width else f"{text[: width - 1]}…"


def _arrow(parts: Sequence[str], tone: Tone) -> list[Line]:
    return labelled(ARROW, parts, tone, indent=len(ARROW))


def _width(spans: Iterable[Span]) -> int:
    return sum(len(text) for text, _ in spans)
