"""Commands on the panes (choose, narrow, jump, mark, count) without a screen; each returns a message to show."""

from msgspec.structs import replace

from inspector.model.state import Process
from inspector.model.verdict import Evidence, Finding
from inspector.stream.requests import AddLog, CountFunctions, PredictLoad, ScanPointers, StopCounting
from inspector.stream.session import RequestFailed

from .clock import moment_typed, since_start
from .pane_context import PaneContext, title_of
from .panes.all import all_panes
from .panes.logs import LogsPane
from .panes.pane import Pane
from .panes.symbols import SymbolsPane
from .panes.timeline import TimelinePane
from .session import Session
from .tables.processes import OTHER_TREE
from .tables.row import Details
from .tables.sorting import Sorting
from .tables.symbols import SymbolTable


class Actions:
    """The six panes over one session, and which of them is looked at."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.panes: list[Pane] = all_panes(session)
        self.number = 0
        self.finding = 0
        """Which finding the answer shows; 0 is the answer itself."""
        self._sought = ""
        """Row of the pane Libraries that the cursor goes to as soon as it is there: the answer to `predict`."""
        self.refusal = ""
        """Why the last request failed that no pane shows."""

    @property
    def pane(self) -> Pane:
        return self.panes[self.number]

    def context(self) -> PaneContext:
        return self.session.context()

    def look(self) -> bool:
        """Give answers to the panes that asked, and bring the visible one up to date; False when nothing changed."""
        while self.session.answers:
            event = self.session.answers.popleft()
            taken = any(pane.answered(event) for pane in self.panes)
            if isinstance(event, RequestFailed) and not taken:
                self.refusal = event.why
        changed = self.pane.look(self.context())
        if self._sought and self.pane.name == "libraries" and self.pane.seek(self.context(), self._sought):
            self._sought = ""
        return changed

    def show(self, number: int) -> None:
        """Turn to a pane."""
        self.number = number % len(self.panes)
        self.look()

    def named(self, name: str) -> int:
        """Number of the pane with a name."""
        return next(number for number, pane in enumerate(self.panes) if pane.name == name)

    # Findings

    def findings(self) -> list[Finding]:
        answer = self.session.answer
        return answer.findings if answer is not None else []

    def current_finding(self) -> Finding | None:
        found = self.findings()
        return found[self.finding % len(found)] if found else None

    def turn_finding(self, step: int) -> str:
        """Show another finding in the answer."""
        found = self.findings()
        if len(found) < 2:
            return "no other findings"
        self.finding = (self.finding + step) % len(found)
        return ""

    def jump(self, evidence: Evidence) -> str:
        """Turn to the row that a piece of evidence names."""
        if evidence.pane is None:
            return "no pane has a row for this: " + (evidence.by_hand or "it follows from several facts")
        if evidence.at:
            self._choose(at=evidence.at)
        self.show(self.named(evidence.pane))
        if self.pane.seek(self.context(), evidence.key):
            return ""
        self._choose(process=None, file="")
        self.pane.look(self.context())
        found = self.pane.seek(self.context(), evidence.key)
        return "" if found else "that row is no longer kept"

    # Choices

    def only(self) -> str:
        """Narrow to what the cursor stands on: this process, this library, this source."""
        pane, index = self.pane, self.pane.listing.chosen
        if isinstance(pane, LogsPane):
            pane.next_source(self.context())
            return "" if pane.source is None else "o: next source, O: all"
        if index is None:
            return "no row selected"
        if pane.name == "processes":
            return self._only_process(pane.listing.table.row(index).key)
        if pane.name == "libraries":
            return self._only_library(pane.listing.table.row(index).key)
        if isinstance(pane.listing.table, SymbolTable):
            symbol = pane.listing.table.symbol(index)
            if symbol is not None and not symbol.file:
                return f"no library is known to define {symbol.symbol.name}"
            self._only_file(symbol.file if symbol is not None else "")
            return "O: all libraries"
        return self._only_owner(pane.listing.table.pid(index), pane.listing.table.moment(index))

    def other_tree(self) -> str:
        """The pid of the process under the cursor where it belongs to another tree; else empty."""
        chosen = self.pane.listing.chosen
        key = self.pane.listing.table.row(chosen).key if chosen is not None else ""
        return key.removeprefix(OTHER_TREE) if key.startswith(OTHER_TREE) else ""

    def everything(self) -> str:
        """Undo what `only` narrowed."""
        if isinstance(self.pane, LogsPane):
            self.pane.choose(self.context(), None)
        elif isinstance(self.pane, SymbolsPane) and not self.pane.everything:
            self.pane.show_everything(True)
            self._choose(file="")
        else:
            self._choose(process=None, file="")
        return ""

    def _only_process(self, key: str) -> str:
        pid, _, started = key.partition(":")
        if not pid.isdecimal():
            return ""
        chosen = (int(pid), int(started))
        self._choose(process=None if self.session.scope.process == chosen else chosen, file="")
        return f"all panes show {pid} only, O: all" if self.session.scope.process else "all panes show all processes"

    def _only_library(self, key: str) -> str:
        image = self.session.state.images.get(file := ":".join(key.split(":")[:3]))
        if image is None:
            return "this file's symbols were not read"
        self._only_file(file)
        self.show(self.named("symbols"))
        return "O: all libraries"

    def _only_file(self, file: str) -> None:
        self._choose(file=file)
        for pane in self.panes:
            if isinstance(pane, SymbolsPane):
                pane.show_everything(False)

    def _only_owner(self, pid: int, at: int) -> str:
        named = [one for one in self.session.state.processes if one.pid == pid and (not at or one.started <= at)]
        if not named:
            return "this row belongs to no process in the tree"
        self._choose(process=(named[-1].pid, named[-1].started))
        return f"all panes show {title_of(named[-1])} only, O: all"

    def mark(self) -> str:
        """Mark the moment of the row under the cursor in all panes, or take the mark away."""
        pane = self.pane
        index = pane.listing.chosen
        at = pane.listing.table.moment(index) if index is not None else 0
        if not at or at == self.session.scope.at:
            had = self.session.scope.at
            self._choose(at=0)
            return "no time is marked" if had else "this row has no time"
        self._choose(at=at)
        return f"{since_start(self.session.state, at)} s is marked in all panes; t again unmarks it"

    def to_mark(self) -> None:
        """Put the cursor of a pane that was turned to on the marked moment."""
        listing = self.pane.listing
        if listing.mark is not None:
            listing.reveal(listing.mark)
            listing.follow = False

    def follow(self) -> str:
        """Stay on the newest row, or stop to."""
        listing = self.pane.listing
        listing.follow = not listing.follow
        if listing.follow:
            listing.move(len(listing) - 1)
        return "following the newest row" if listing.follow else "not following"

    def next_bad(self, step: int) -> str:
        """Go to the next or previous row that tells of trouble."""
        return self.pane.next_bad(self.context(), step)

    def go_to_time(self, text: str) -> str:
        """Go to a moment that a person typed, in the pane that is shown."""
        at = moment_typed(self.session.state, text)
        if at is None:
            return f"no time: {text} (14:03:21, 2026-01-02 14:03, or seconds since the start: +12.5)"
        return self.pane.go_to(self.context(), at)

    def sort(self, sorting: Sorting) -> str:
        """Sort the rows of the pane."""
        return self.pane.sort(self.context(), sorting)

    def fold(self, step: int) -> bool:
        """Fold (-1) or unfold (1) the row under the cursor; False when there is nothing to fold."""
        return self.pane.fold(self.context(), step)

    def turn_level(self, step: int) -> str:
        """Show log lines of the next minimum level."""
        pane = self.pane
        return pane.turn_level(self.context(), step) if isinstance(pane, LogsPane) else "v works in the logs (5)"

    def this_start(self) -> str:
        """Hide or show log lines of earlier starts."""
        pane = next(one for one in self.panes if isinstance(one, LogsPane))
        pane.toggle_start()
        return "lines since the program started" if pane.this_start else "lines of all runs"

    def hide_excused(self) -> str:
        """Hide or show refusals that were made good, in the timeline."""
        pane = self.pane
        return pane.hide(self.context()) if isinstance(pane, TimelinePane) else "h hides refusals in the Timeline (4)"

    def _choose(self, **choices: object) -> None:
        self.session.scope = replace(self.session.scope, **choices)

    # Filter

    def narrow(self, pattern: str) -> None:
        self.pane.narrow(self.context(), pattern)
        self.pane.look(self.context())

    def widen(self) -> None:
        self.pane.widen(self.context())
        self.pane.look(self.context())

    # Requests

    def watch(self) -> str:
        """Ask to count calls of the function under the cursor, or to stop."""
        table, index = self.pane.listing.table, self.pane.listing.chosen
        symbol = table.symbol(index) if isinstance(table, SymbolTable) and index is not None else None
        if symbol is None:
            return "c counts calls of a function: select one in Symbols (3)"
        name = symbol.symbol.name
        if not symbol.file:
            return f"{name} was not found: there is nothing to count"
        if not symbol.defined or symbol.symbol.kind not in ("func", "ifunc"):
            return f"{name} is not a function defined in this library"
        if not self.session.live:
            return "counting cannot start in a recording"
        assert isinstance(table, SymbolTable)
        counted = [one.id for one in table.known.functions.get((symbol.file, name), ()) if self._counts(one.id)]
        if counted:
            self.session.ask(lambda number: StopCounting(id=number, functions=counted))
            return f"{name} is no longer counted; c counts it again"
        self.session.ask(lambda number: CountFunctions(id=number, file=symbol.file, path=symbol.path, names=[name]))
        return f"counting {name} from now on"

    def scan(self) -> str:
        """Ask who holds addresses of GPU functions in the memory of the chosen process, or of the newest living one."""
        process = self._living()
        if process is None:
            return "only a running process has memory to search"
        self.session.ask(lambda number: ScanPointers(id=number, pid=process.pid))
        return f"looking in the memory of {title_of(process)}: see Libraries and Symbols"

    def predict(self, name: str) -> str:
        """Ask what the loader would do with a file or a name in the chosen process, or in the newest living one."""
        process = self._living()
        if process is None:
            return "loads can be predicted for running processes only"
        self.session.ask(lambda number: PredictLoad(id=number, pid=process.pid, name=name))
        self._sought = f"asked:{process.pid}:{name}"
        self.show(self.named("libraries"))
        return f"asked what ld.so of {title_of(process)} would do with {name}"

    def add_log(self, path: str) -> str:
        """Follow one more log file, alone in the pane as soon as it is known."""
        if not self.session.live:
            return "a recording cannot follow a log"
        self.session.ask(lambda number: AddLog(id=number, path=path))
        self.show(self.named("logs"))
        pane = self.pane
        assert isinstance(pane, LogsPane)
        pane.wanted = path
        return f"following {path}, O: all sources"

    def _living(self) -> Process | None:
        living = [one for one in self.context().processes if not one.ended] if self.session.live else []
        return living[-1] if living else None

    def _counts(self, function: int) -> bool:
        return function not in self.session.state.stopped

    # The row under the cursor

    def details(self) -> Details | None:
        """Everything known of it."""
        index = self.pane.listing.chosen
        return self.pane.listing.table.details(index) if index is not None else None

    def by_hand(self) -> str:
        """The command that shows the same by hand."""
        details = self.details()
        return details.by_hand[0] if details is not None and details.by_hand else ""
