"""Calls of API functions by consumers: granted, refused, or never return."""

from collections import Counter
from collections.abc import Iterator

from inspector.model.crashes import crashed, killed
from inspector.model.families import family_of_api
from inspector.model.profiles import Profiles
from inspector.model.stages import begins_unasked, stage_of, tells_nothing
from inspector.model.state import Process, State
from inspector.model.usage import FunctionCalls, Use, uses
from inspector.stream.calls import CallReturned, OpenCall

from .row import Attempt

_LONG = 1_000_000_000
"""ns in a call after which it is worth telling; discovery calls take up to 200 ms on real drivers."""
_TELL_NOTHING = ("error", "lookup", "table")
_EXIT_WINDOW = 1_000_000_000


def calls(state: State, process: Process, profiles: Profiles) -> Iterator[Attempt]:
    """Every call of which something is known; calls that are only counted become one row a result."""
    for use in uses(state, process, profiles).values():
        begun = _begun(use)
        for called in use.calls.values():
            yield from _Function(state, process, profiles, use, called, begun).read()


def _begun(use: Use) -> int:
    """When its API first answered a step with success; 0: never."""
    steps = [one for one in use.calls.values() if one.succeeded and not tells_nothing(one.name)]
    return min((one.first for one in steps), default=0)


class _Function:
    """One function in one process."""

    def __init__(
        self, state: State, process: Process, profiles: Profiles, use: Use, calls: FunctionCalls, begun: int
    ) -> None:
        self.state, self.process, self.profiles, self.use, self.calls = state, process, profiles, use, calls
        self.begun = begun
        self.family = family_of_api(profiles, use.api)
        self.stage = stage_of(profiles, use.api, calls.name)

    def read(self) -> Iterator[Attempt]:
        yield from self._not_back()
        if self.calls.role == "table":
            yield from self._tables()
        if self.calls.role in _TELL_NOTHING:
            return
        for sample in self.calls.samples:
            attempt = self._of_sample(sample)
            if attempt is not None:
                yield attempt
        sampled = Counter(sample.result for sample in self.calls.samples)
        for result, count in self.calls.results.items():
            if count > sampled[result]:
                attempt = self._summed(result, self.calls.last_of.get(result, self.calls.last))
                if attempt is not None:
                    yield attempt
        if (self.calls.by_unknown or self.calls.by_consumer) and not self.calls.results:
            yield from self._unseen()

    def _tables(self) -> Iterator[Attempt]:
        """Private tables that were refused, where no look-up tells of them."""
        if any(lookup.via == "cuGetExportTable" for lookup in self.process.lookups):
            return
        for sample in self.calls.samples:
            empty = sample.result == 0 and sample.values.get("pointer") in (0, "0x0", "0")
            if sample.result or empty:
                words = self.profiles.result(self.use.api, sample.result)
                yield Attempt(
                    self.process, "lookup", str(sample.arguments.get("table", "")), False, sample.at,
                    begin=sample.entered, tid=sample.tid, api=self.use.api, family=self.family, stage="resolved",
                    asker=sample.caller, provider=self.calls.function.library, calls=self.calls, sample=sample,
                    answer=f"cuGetExportTable returned {words}{' with a NULL table' if empty else ''}",
                    code=sample.result, source="loader",
                )  # fmt: skip

    def _of_sample(self, sample: CallReturned) -> Attempt | None:
        refused = self._refused(sample.result, sample.at)
        if refused is None:
            return None
        nothing = sample.result == 0 and _nothing(self.stage, sample)
        told = {} if refused else sample.values  # what a failed call leaves there is what lay there before
        values = ", ".join(f"{name}={value}" for name, value in told.items() if name != "pointer")
        words = self.profiles.result(self.use.api, sample.result)
        return self._attempt(
            not refused and not nothing, sample.at, begin=sample.entered, tid=sample.tid, asker=sample.caller,
            answer=f"{words}{f' with {values}' if values else ''}", code=sample.result, sample=sample,
        )  # fmt: skip

    def _summed(self, result: int, at: int) -> Attempt | None:
        refused = self._refused(result, at)
        if refused is None:
            return None
        asker = next(iter(self.calls.callers), "") if len(self.calls.callers) == 1 else ""
        answer = self.profiles.result(self.use.api, result)
        return self._attempt(not refused, at, asker=asker, answer=answer, code=result, sampled=False)

    def _refused(self, result: int, at: int) -> bool | None:
        """Whether a result is a refusal; None for one that healthy programs see and that says nothing."""
        if result == 0:
            return False
        if not self.calls.function.returns:
            return None
        end = self.process.ended
        at_exit = bool(end) and end - at < _EXIT_WINDOW
        normal = self.profiles.normal(self.use.api, self.calls.name, result, at_exit=at_exit)
        return None if normal is not None and not self._found_nothing(result) else True

    def _found_nothing(self, result: int) -> bool:
        """The function that counts devices had but an error to tell, whoever was asked and for whatever."""
        return self.calls.role == "count" and result < 0 and all(one < 0 for one in self.calls.results)

    def _unseen(self) -> Iterator[Attempt]:
        """Calls whose callers or results are not known."""
        results = {
            outcome.result: outcome.last
            for outcome in self.process.outcomes.values()
            if outcome.function == self.calls.function.id and outcome.caller in ("?", "")
        }
        for result, at in results.items():
            attempt = self._summed(result, at or self.calls.last)
            if attempt is not None:
                yield attempt
        if not results and not self.calls.returned and not self.calls.sees_returns:
            yield self._attempt(None, self.calls.last, answer="results not read", sampled=False)

    def _not_back(self) -> Iterator[Attempt]:
        """Entered and never returned: inside for long, or the process ended in it."""
        if self.calls.role == "sync" and not crashed(self.process):
            return  # it may rightly take long
        process = self.process
        over = crashed(process) or killed(process)
        for call in self.calls.inside:
            if process.ended and not over and call.tid != process.pid and self.calls.role != "init":
                continue  # another thread may wait for events, or poll, when the main thread ends the process
            if process.ended or self.state.now - call.entered > _LONG:
                yield self._open(call.entered, call.tid, call.caller)
        lost = self.calls.unreturned or (self.calls.sees_returns and self.calls.total and not self.calls.returned)
        if not self.calls.inside and lost and process.ended and over and _counts_to_the_end(self.calls):
            yield self._open(self.calls.last, 0, "")

    def _open(self, entered: int, tid: int, caller: str) -> Attempt:
        at = self.process.ended or self.state.now
        return self._attempt(False, at, begin=entered, tid=tid, asker=caller, answer="did not return", came_back=False)

    def _attempt(self, ok: bool | None, at: int, **facts: object) -> Attempt:
        stage = self.stage
        if self.calls.role == "sync" and ok is False:
            stage = "work"  # what was launched before fails here
        if stage is None and ok is False and facts.get("came_back", True) and not tells_nothing(self.calls.name):
            stage = "described"  # unknown to us, but a program may have ended over it
        if stage is None and ok is False and begins_unasked(self.calls.name) and not 0 < self.begun <= at:
            stage = "initialised"  # its API had not begun before
        if stage is None and not facts.get("came_back", True):
            stage = "resolved"  # whatever it was to tell, its consumer got no further
        return Attempt(
            self.process, "call", self.calls.name, ok, at, api=self.use.api, family=self.family, stage=stage,
            provider=self.calls.function.library, calls=self.calls, **facts,  # type: ignore[arg-type]
        )  # fmt: skip


def _counts_to_the_end(calls: FunctionCalls) -> bool:
    return not calls.stopped


def _nothing(stage: object, sample: CallReturned) -> bool:
    """A success that gives nothing: no device, no memory."""
    return any(sample.values.get(name) == 0 for name in ("count", "total"))


def innermost(open_calls: list[OpenCall]) -> OpenCall | None:
    """Among several open calls of one thread the one entered last."""
    return max(open_calls, key=lambda call: call.entered, default=None)
