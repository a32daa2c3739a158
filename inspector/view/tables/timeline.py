"""The pane Timeline: all moments on one clock, and above them the calls that are open right now."""

from array import array
from bisect import bisect_right
from collections.abc import Mapping

from inspector.model.formatting import duration
from inspector.model.state import Moment, MomentKind, Process, State
from inspector.stream.calls import OpenCall
from inspector.stream.log_line import LONGEST
from inspector.view.clock import since_start, wall_of
from inspector.view.pane_context import PaneContext, title_of

from .break_marks import CAUSE, EFFECT, break_marks, why_unmarked
from .logline import read_line, reads_bad
from .row import Cell, Column, Details, Note, Row, Tone, cell
from .told import told_of

COLUMNS = (
    Column("SECONDS", 10, right=True),
    Column("TIME", 12, least=100),
    Column("PID", 7, right=True),
    Column("KIND", 7),
    Column("WHAT HAPPENED"),
)
_MARKS: dict[str, tuple[str, Tone]] = {CAUSE: ("◀ cause  ", "no"), EFFECT: ("◀ effect  ", "unknown")}
_TONES: dict[MomentKind, Tone] = {"call": "name", "signal": "strong", "process": "strong"}


class Moments:
    """Rows of the timeline, of all processes or of one; grows with the state and makes rows when they are seen."""

    columns = COLUMNS

    def __init__(self, context: PaneContext, *, hides: bool = False) -> None:
        """`hides` leaves out refusals that are excused."""
        self._state = context.state
        self._whose, self._hides = context.process, hides
        self._all = self._whose is None and not hides
        self._picked = array("Q")
        """Indices into the timeline, used when not all of it is shown."""
        self._seen = 0
        self._newest: Moment | None = None
        self._answer: object = None
        self._excused = excused_of(context)
        self._wrong = True
        """Refusals count: the answer tells of something that is wrong."""
        self.marks: dict[int, str] = {}
        """Indices into the timeline of what the answer speaks of."""
        self.epoch: object = self._epoch(context)
        self.heading = ""
        self.grow(context)

    def _epoch(self, context: PaneContext) -> object:
        return id(context.state), context.scope.process, excused_of(context) if self._hides else None

    def grow(self, context: PaneContext) -> bool:
        """Take what is new; False when a new table is due: another state or process, or moments came in between."""
        timeline, whose = context.state.timeline, self._whose
        if self.epoch != self._epoch(context) or len(timeline) < self._seen:
            return False
        if self._seen and timeline[self._seen - 1] is not self._newest:
            return False
        self._excused = excused_of(context)
        if not self._all:
            self._picked.extend(index for index in range(self._seen, len(timeline)) if self._is_shown(timeline[index]))
        if self._answer is not context.answer or len(timeline) != self._seen:
            self._answer, self.marks = context.answer, break_marks(context.answer, timeline)
        self._wrong = told_of(context.answer).wrong
        self._seen, self._newest = len(timeline), timeline[-1] if timeline else None
        self.heading = inside_now(context) or (title_of(whose) if whose is not None else "all processes, one clock")
        why = why_unmarked(context.answer, self.marks, context.state)
        self.heading += (f"; {why}" if why else "") + ("; excused refusals hidden: h" if self._hides else "")
        return True

    def _is_shown(self, moment: Moment) -> bool:
        hidden = self._hides and (moment.pid, moment.at) in self._excused
        return not hidden and (self._whose is None or _belongs(moment, self._whose))

    def __len__(self) -> int:
        return self._seen if self._all else len(self._picked)

    def _moment(self, index: int) -> Moment:
        return self._state.timeline[self._index(index)]

    def _index(self, index: int) -> int:
        return index if self._all else self._picked[index]

    @property
    def break_row(self) -> int | None:
        """Row of the moment at which it broke; of the effect, where no moment tells of the cause."""
        by_mark = {mark: place for place, mark in self.marks.items()}
        place = by_mark.get(CAUSE, by_mark.get(EFFECT))
        return self.find(str(place)) if place is not None else None

    def row(self, index: int) -> Row:
        moment = self._moment(index)
        words = _words(moment)
        says, bad = moment.kind == "log", self.bad(index)
        mark = self.marks.get(self._index(index), "")
        if says and bad:
            text: Cell = (("! ", "unknown"), (words, "plain"))  # as in the pane Logs
        elif bad and self._wrong:
            text = (("✗ ", "no"), (words, "plain"))
        else:
            text = (("· ", "quiet"), (words, "quiet")) if moment.bad else cell(words)
        text = (_MARKS[mark], *text) if mark in _MARKS else text
        return Row(
            str(self._index(index)),
            (
                cell(since_start(self._state, moment.at), "quiet"),
                cell(wall_of(self._state, moment.at), "quiet"),
                cell(str(moment.pid) if moment.pid else "", "quiet"),
                cell(moment.kind, "no" if bad and self._wrong and not says else _TONES.get(moment.kind, "quiet")),
                text,
            ),
        )

    def text(self, index: int) -> str:
        moment = self._moment(index)
        return f"{moment.pid} {moment.kind} {moment.text}"

    def find(self, key: str) -> int | None:
        if not key.isdecimal():
            return None
        number = int(key)
        if self._all:
            return number if number < self._seen else None
        place = bisect_right(self._picked, number) - 1
        return place if place >= 0 and self._picked[place] == number else None

    def near(self, at: int) -> int | None:
        place = bisect_right(range(len(self)), at, key=lambda index: self._moment(index).at)
        return place - 1 if place else None

    def moment(self, index: int) -> int:
        return self._moment(index).at

    def pid(self, index: int) -> int:
        return self._moment(index).pid

    def bad(self, index: int) -> bool:
        """A refusal that was never made good, or trouble of another kind; a log line that tells of any."""
        moment = self._moment(index)
        if moment.kind == "log":
            return moment.bad or reads_bad(self._state, moment.text)
        return moment.bad and (moment.pid, moment.at) not in self._excused

    def details(self, index: int) -> Details:
        moment = self._moment(index)
        process = process_at(self._state, moment)
        words = _words(moment)
        notes = [
            Note("time", f"{wall_of(self._state, moment.at)}  ({since_start(self._state, moment.at)} s since start)"),
            Note("kind", moment.kind),
        ]
        if process is not None or moment.pid or moment.kind != "note":
            whose = title_of(process) if process is not None else str(moment.pid or "not known")
            notes.insert(1, Note("process", whose))
        if words != moment.text:
            notes.append(Note("line", moment.text))
        if why := self._excused.get((moment.pid, moment.at)):
            notes.append(Note("excused", why, "quiet"))
        if mark := self.marks.get(self._index(index)):
            notes.append(
                Note("answer", f"a link of its chain: {mark}" if mark not in _MARKS else f"this row is its {mark}")
            )
        if index:
            notes.append(
                Note("gap", f"{duration(moment.at - self._moment(index - 1).at)} after the event before", "quiet")
            )
        return Details(words, notes)


def excused_of(context: PaneContext) -> Mapping[tuple[int, int], str]:
    """Refusals that were made good: pid and moment -> how."""
    return context.answer.excused if context.answer is not None else {}


def _words(moment: Moment) -> str:
    return read_line(moment.text).words if moment.kind == "log" else moment.text[:LONGEST]


def process_at(state: State, moment: Moment) -> Process | None:
    """The process that had the pid at that moment."""
    return next((one for one in reversed(state.processes) if _belongs(moment, one)), None)


def _belongs(moment: Moment, process: Process) -> bool:
    if moment.pid != process.pid:
        return False
    newest = not process.ended or moment.at <= process.ended
    return newest and moment.at >= process.started


def inside_now(context: PaneContext) -> str:
    """`4712 inside cudaMalloc > cuMemAlloc_v2 for 12 s, waiting in futex`; empty when no call is open."""
    parts = []
    for process in context.processes:
        threads: dict[int, list[OpenCall]] = {}
        for call in process.open_calls if not process.ended else ():
            threads.setdefault(call.tid, []).append(call)
        for tid, calls in threads.items():
            calls.sort(key=lambda call: call.entered)
            names = " > ".join(_name_of(context.state, call.function) for call in calls)
            wait = process.waits.get(tid)
            place = (wait.syscall or wait.wchan) if wait is not None else ""
            inside = f"{process.pid} inside {names} for {duration(context.now - calls[-1].entered)}"
            parts.append(f"{inside}, waiting in {place}" if place else inside)
    return "; ".join(parts[:3])


def _name_of(state: State, number: int) -> str:
    function = state.functions.get(number)
    return function.name if function is not None else f"function {number}"
