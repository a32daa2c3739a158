"""Calls of a few functions, counted by perf events where kernel programs are not allowed; entries only."""

import msgspec

from inspector.stream.calls import CallCount, CallsCounted, FunctionsWatched, WatchedFunction
from inspector.stream.libraries import ImageRead
from inspector.stream.session import LimitNoted

from ...elf.file import ElfError
from ...elf.sites import Site, find_sites
from ...kernel.event_counters import EventCounters, Point
from ...kernel.permissions import may_use_uprobe_events
from ...kernel.refusals import Refusal
from ..contract import Mapping, Session, Tracked, TreeObserver
from .call_plans import planned_functions

TICK_SECONDS = 0.1


class _Counted(msgspec.Struct):
    count: int
    first: int


class FewCallsSource(TreeObserver):
    """Chooses the functions that come first in the plan, and says that the others are not counted."""

    def __init__(self, session: Session, refusal: Refusal) -> None:
        """`refusal`: why kernel programs are not allowed."""
        self._session = session
        self._refusal = refusal
        self._planned = planned_functions(session.plan)
        self._by_uprobes = may_use_uprobe_events()
        self._counters = EventCounters(self._by_uprobes)
        self._numbers: dict[tuple[str, str], int] = {}
        self._in_process: dict[int, int] = {}
        self._seen: dict[tuple[int, int], _Counted] = {}
        self._said = False
        session.tree.watch(self)

    def start(self) -> None:
        """Begin to read the counters."""
        self._session.loop.every(TICK_SECONDS, self._tick)

    def executed(self, process: Tracked) -> None:
        """Addresses of the program before mean nothing now."""
        self._counters.remove(process.pid)
        self._in_process.pop(process.pid, None)

    def ended(self, process: Tracked) -> None:
        """Read its counters a last time."""
        self._tick()
        self._counters.remove(process.pid)

    def image(self, process: Tracked, mapping: Mapping, image: ImageRead) -> None:
        """Count the first functions of the plan that this file exports."""
        exported = {export.name for export in image.exports if export.kind == "func"}
        names = [name for name in self._planned if name in exported]
        room = self._counters.most - self._in_process.get(process.pid, 0)
        if not names or not self._session.configure.count:
            return
        try:
            sites = {site.name: site for site in find_sites(mapping.open_path, names[: max(room, 0)]).found}
        except ElfError:
            return
        chosen = [site for name in names if (site := sites.get(name)) is not None][: max(room, 0)]
        self._watch(process, mapping, chosen)
        if len(names) > len(chosen):
            self._say_limit()

    def close(self) -> None:
        """Send the last counts and detach."""
        self._tick()
        self._counters.close()

    def _watch(self, process: Tracked, mapping: Mapping, sites: list[Site]) -> None:
        points = {
            self._number(mapping, site): (site, _point(self._number(mapping, site), mapping, site)) for site in sites
        }
        counted = self._counters.add(process.pid, [point for _, point in points.values()])
        self._in_process[process.pid] = self._in_process.get(process.pid, 0) + len(counted)
        events = [self._event(number, mapping, points[number][0]) for number in counted]
        if events:
            at = self._session.loop.now()
            self._session.sink.send(
                FunctionsWatched(at=at, functions=events, means="perf-uprobe" if self._by_uprobes else "breakpoint")
            )

    def _number(self, mapping: Mapping, site: Site) -> int:
        return self._numbers.setdefault((mapping.file, site.name), len(self._numbers))

    def _event(self, number: int, mapping: Mapping, site: Site) -> WatchedFunction:
        return WatchedFunction(
            id=number,
            api=self._planned[site.name].api,
            name=site.name,
            library=mapping.path,
            file=mapping.file,
            aliases=list(site.aliases),
            offset=site.entry,
            cost=site.entry_cost,
        )

    def _say_limit(self) -> None:
        if self._said:
            return
        self._said = True
        what = f"calls of all but {self._counters.most} functions of a process, who calls, and with what result"
        why, grant = self._refusal.why, self._refusal.grant
        limit = LimitNoted(at=self._session.loop.now(), what=what, why=why, grant=grant)
        self._session.sink.send(limit)

    def _tick(self) -> None:
        now = self._session.loop.now()
        changed = []
        for (pid, number), count in self._counters.counts().items():
            seen = self._seen.setdefault((pid, number), _Counted(0, now))
            if count > seen.count:
                seen.first = now if seen.count == 0 else seen.first
                seen.count = count
                changed.append(CallCount(pid=pid, function=number, count=count, first=seen.first, last=now))
        if changed:
            self._session.sink.send(CallsCounted(at=now, counts=changed))


def _point(number: int, mapping: Mapping, site: Site) -> Point:
    address = mapping.start + site.entry - mapping.offset
    return Point(number=number, address=address, open_path=mapping.open_path, offset=site.entry)
