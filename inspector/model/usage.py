"""How one process stands to one API: who provides it, who could call it, who did, and with what result."""

from collections.abc import Iterator

import msgspec

from inspector.stream.calls import CallerCount, CallOutcome, CallReturned, LookedUp, OpenCall, WatchedFunction
from inspector.stream.libraries import ImageRead, LibraryMapped

from .apis import Consumption, ImageApis
from .families import bundles_loader
from .formatting import name_of
from .memo import once
from .profiles import Profiles, Role
from .state import Process, State
from .tree import libraries

_EXIT_WINDOW = 1_000_000_000
"""ns before the end of a process in which results of a tear-down are normal."""
_LOOK = 500_000_000
"""ns between two looks at the counters, at most."""


class Provider(msgspec.Struct, frozen=True):
    """A file in the process that offers an API."""

    library: LibraryMapped
    image: ImageRead | None
    apis: ImageApis | None

    @property
    def path(self) -> str:
        return self.library.path

    @property
    def gone(self) -> bool:
        """It was mapped and unloaded again (dlclose)."""
        return self.library.state == "unmapped"


class Consumer(msgspec.Struct, frozen=True):
    """A file in the process that calls an API, or could."""

    path: str
    library: LibraryMapped | None
    how: Consumption | None
    """What its file says; None when it was only seen to ask or call."""
    observed: bool = False
    """It was seen to ask for the API or to call it."""


class FunctionCalls(msgspec.Struct):
    """All that is known of one function in one process."""

    function: WatchedFunction
    role: Role
    total: int = 0
    first: int = 0
    last: int = 0
    by_consumer: int = 0
    by_itself: int = 0
    """Calls from inside the library, or from another provider's constructor."""
    borrowed: int = 0
    """Calls by the provider of another API for its own ends (NVML asks the driver)."""
    by_unknown: int = 0
    results: dict[int, int] = msgspec.field(default_factory=dict)
    """Results given to consumers, as far as they were read."""
    returned: int = 0
    """Calls whose result was read, by whomever they were."""
    last_of: dict[int, int] = msgspec.field(default_factory=dict)
    """By result: the moment a consumer got it last."""
    callers: dict[str, int] = msgspec.field(default_factory=dict)
    samples: list[CallReturned] = msgspec.field(default_factory=list)
    """Calls in full by consumers, in order."""
    inside: list[OpenCall] = msgspec.field(default_factory=list)
    stopped: str = ""
    """Why counting stopped: the figures are lower bounds."""
    results_stopped: str = ""
    """Why results are read no more: they are those of its first calls."""

    @property
    def name(self) -> str:
        return self.function.name

    @property
    def unreturned(self) -> int:
        """Entries whose return was never seen, where each return would have been."""
        return max(0, self.total - self.returned) if self.sees_returns and self.returned else 0

    @property
    def sees_returns(self) -> bool:
        """The result of each call is seen: so in old recordings. Where callers are counted at the entry, the first
        results may be missed and later ones are read no more, and calls that were open at the end are told."""
        return self.function.returns and not self.function.callers

    @property
    def succeeded(self) -> int:
        """Calls by consumers that gave 0: where only the first results were read, and all were 0, all calls count."""
        if self.results_stopped and set(self.results) == {0}:
            return max(self.results[0], self.by_consumer)
        return self.results.get(0, 0)


class Use(msgspec.Struct):
    """One process and one API."""

    api: str
    process: Process
    providers: list[Provider] = msgspec.field(default_factory=list)
    consumers: list[Consumer] = msgspec.field(default_factory=list)
    calls: dict[int, FunctionCalls] = msgspec.field(default_factory=dict)
    """By function id; only functions that were called."""
    lookups: list[LookedUp] = msgspec.field(default_factory=list)
    """Look-ups of its library names, function names and tables."""

    @property
    def consumer_calls(self) -> int:
        return sum(calls.by_consumer for calls in self.calls.values())

    @property
    def own_calls(self) -> int:
        return sum(calls.by_itself for calls in self.calls.values())

    @property
    def total_calls(self) -> int:
        return sum(calls.total for calls in self.calls.values())

    def with_role(self, *roles: Role) -> Iterator[FunctionCalls]:
        """Called functions of these roles."""
        return (calls for calls in self.calls.values() if calls.role in roles)

    def handed_on(self, calls: FunctionCalls) -> bool:
        """Whether all its calls came from another library of the same API: a shim before the library that works."""
        others = {one.path for one in self.providers if one.library.file != calls.function.file}
        return bool(calls.callers) and others.issuperset(calls.callers)

    def went_on_after(self, moment: int) -> bool:
        """Whether a function (not for look-ups) was called later; calls that are only counted are dated by a look."""
        others = [calls for calls in self.calls.values() if calls.role not in ("table", "lookup")]
        sampled = any(sample.entered > moment for calls in others for sample in calls.samples)
        counted = (calls.last for calls in others if calls.total > len(calls.samples))
        return sampled or any(last > moment + _LOOK for last in counted)

    def samples(self) -> list[CallReturned]:
        """Calls in full by consumers, in order of their returns."""
        return sorted((sample for calls in self.calls.values() for sample in calls.samples), key=lambda s: s.at)


def uses(state: State, process: Process, profiles: Profiles) -> dict[str, Use]:
    """All APIs that a process has anything to do with, by name."""
    return once("uses", state, process, profiles, lambda: _Reader(state, process, profiles).read())


class _Reader:
    """Reads one process once, for all APIs."""

    def __init__(self, state: State, process: Process, profiles: Profiles) -> None:
        self.state, self.process, self.profiles = state, process, profiles
        self.found: dict[str, Use] = {}
        self.mapped = libraries(process)
        self.by_path = {library.path: library for library in self.mapped.values()}

    def read(self) -> dict[str, Use]:
        for library in self.mapped.values():
            self._library(library)
        for number in dict.fromkeys([*self.process.callers, *(number for number, _, _ in self.process.outcomes)]):
            for caller in self.process.calls_by(number):
                self._by_caller(caller)
        for outcome in self.process.outcomes.values():
            self._outcome(outcome)
        self._counts()
        self._samples()
        for call in self.process.open_calls:
            function = self.state.functions.get(call.function)
            if function is not None and function.api in self.profiles.apis:
                self._calls(function).inside.append(call)
        for lookup in self.process.lookups:
            self._lookup(lookup)
        for use in self.found.values():
            self._add_unseen_providers(use)
        return self.found

    def _add_unseen_providers(self, use: Use) -> None:
        """A library whose functions were called was there, even if it came and went too quickly to be told."""
        known = {provider.library.file for provider in use.providers}
        for calls in use.calls.values():
            function = calls.function
            if function.file in known:
                continue
            known.add(function.file)
            gone = LibraryMapped(
                at=calls.first,
                pid=self.process.pid,
                path=function.library,
                base=0,
                file=function.file,
                state="unmapped",
            )
            image, apis = self.state.images.get(function.file), self.state.apis.get(function.file)
            use.providers.append(Provider(gone, image, apis))

    def _use(self, api: str) -> Use:
        return self.found.setdefault(api, Use(api, self.process))

    def _library(self, library: LibraryMapped) -> None:
        apis = self.state.apis.get(library.file)
        if apis is None:
            named = self.profiles.api_of_soname(library.asked or library.path)
            if named is not None:
                self._use(named).providers.append(Provider(library, None, None))
            return
        for api in sorted(apis.provides):
            self._use(api).providers.append(Provider(library, self.state.images.get(library.file), apis))
        for api, how in apis.consumes.items() if library.state != "unmapped" else ():
            self._use(api).consumers.append(Consumer(library.path, library, how))

    def _calls(self, function: WatchedFunction) -> FunctionCalls:
        calls = self._use(function.api).calls
        if function.id not in calls:
            role = self.profiles.role(function.api, function.name)
            calls[function.id] = FunctionCalls(
                function,
                role,
                stopped=self.state.stopped.get(function.id, ""),
                results_stopped=self.state.results_stopped.get(function.id, ""),
            )
        return calls[function.id]

    def _by_caller(self, caller: CallerCount) -> None:
        function = self.state.functions.get(caller.function)
        if function is None or function.api not in self.profiles.apis:
            return
        calls = self._calls(function)
        calls.total += caller.count
        calls.first = min(calls.first or caller.first, caller.first)
        calls.last = max(calls.last, caller.last)
        calls.callers[caller.caller] = calls.callers.get(caller.caller, 0) + caller.count
        kind = self._caller(function, caller)
        if kind == "own":
            calls.by_itself += caller.count
        elif kind == "borrowed":
            calls.borrowed += caller.count
        elif kind == "unknown":
            calls.by_unknown += caller.count
        else:
            calls.by_consumer += caller.count
            self._observe(function.api, caller.caller)

    def _outcome(self, outcome: CallOutcome) -> None:
        function = self.state.functions.get(outcome.function)
        if function is None or function.api not in self.profiles.apis:
            return
        calls = self._calls(function)
        calls.returned += outcome.count
        if self._caller(function, outcome) == "consumer":
            calls.results[outcome.result] = calls.results.get(outcome.result, 0) + outcome.count
            calls.last_of[outcome.result] = max(calls.last_of.get(outcome.result, 0), outcome.last)

    def _caller(self, function: WatchedFunction, outcome: CallOutcome | CallerCount) -> str:
        if outcome.own or outcome.caller == function.library:
            return "consumer" if bundles_loader(self.profiles, function.library, function.api) else "own"
        if outcome.caller in ("?", ""):
            return "unknown"
        library = self.by_path.get(outcome.caller)
        apis = self.state.apis.get(library.file) if library is not None else None
        provides = apis.provides if apis is not None else frozenset()
        if function.api in provides:
            itself = library is not None and library.file == function.file
            return "own" if itself or (library is not None and self._begins(library, function.name)) else "consumer"
        if any(function.api in self.profiles.apis[api].borrows for api in provides if api in self.profiles.apis):
            return "borrowed"
        return "own" if provides and self._only_in_constructor(outcome) else "consumer"

    def _begins(self, shim: LibraryMapped, name: str) -> bool:
        """Whether a library that hands this function on was asked for it by nobody but itself."""
        watched = self.state.functions.values()
        own = (each.id for each in watched if each.file == shim.file and each.name == name)
        callers = [caller for number in own for caller in self.process.calls_by(number)]
        return bool(callers) and all(caller.own or caller.caller == shim.path for caller in callers)

    def _only_in_constructor(self, outcome: CallOutcome | CallerCount) -> bool:
        seen = [
            call.constructor
            for call in self.process.calls
            if (call.function, call.caller) == (outcome.function, outcome.caller)
            and (isinstance(outcome, CallerCount) or call.result == outcome.result)
        ]
        return bool(seen) and all(seen) and outcome.count <= len(seen)

    def _counts(self) -> None:
        for number, count in self.process.counts.items():
            function = self.state.functions.get(number)
            if function is None or not count.count or function.api not in self.profiles.apis:
                continue
            calls = self._calls(function)
            if not calls.callers:
                calls.by_unknown += max(0, count.count - calls.total)
            calls.total = max(calls.total, count.count)
            calls.first = min(calls.first or count.first, count.first or calls.first)
            calls.last = max(calls.last, count.last)

    def _samples(self) -> None:
        for call in self.process.calls:
            function = self.state.functions.get(call.function)
            if function is None or function.api not in self.profiles.apis:
                continue
            outcome = CallOutcome(
                pid=call.pid, function=call.function, caller=call.caller, own=call.own, result=call.result, count=1
            )
            if self._caller(function, outcome) == "consumer":
                self._calls(function).samples.append(call)

    def _lookup(self, lookup: LookedUp) -> None:
        api = self.profiles.api_of_soname(lookup.name) or self.profiles.api_of_function(lookup.name)
        api = api or self.profiles.api_of_function(lookup.via)
        if api is None or api not in self.profiles.apis:
            return
        self._use(api).lookups.append(lookup)
        if lookup.requester and self._may_ask(api, lookup.requester):
            self._observe(api, lookup.requester)

    def _may_ask(self, api: str, requester: str) -> bool:
        return _is_consumer(self.state, self.by_path.get(requester), self.profiles, api)

    def _observe(self, api: str, path: str) -> None:
        consumers = self._use(api).consumers
        for index, consumer in enumerate(consumers):
            if consumer.path == path:
                consumers[index] = Consumer(path, consumer.library, consumer.how, observed=True)
                return
        library = self.by_path.get(path)
        apis = self.state.apis.get(library.file) if library is not None else None
        consumers.append(Consumer(path, library, apis.consumes.get(api) if apis else None, observed=True))


def drives(apis: ImageApis | None, profiles: Profiles, api: str) -> bool:
    """Whether who asks is a consumer: a provider of another API asks for its caller only where it drives this one."""
    if apis is None or not apis.provides:
        return True
    return any(api in profiles.apis[own].drives for own in apis.provides if own in profiles.apis)


def asks_for_others(state: State, process: Process, profiles: Profiles, requester: str, api: str) -> bool:
    """Whether a library that asked is a consumer; False for a provider that asks for its own ends."""
    library = next((one for one in libraries(process).values() if one.path == requester), None)
    return _is_consumer(state, library, profiles, api)


def _is_consumer(state: State, library: LibraryMapped | None, profiles: Profiles, api: str) -> bool:
    """The program itself asks for its own ends only, whatever it offers to the libraries that it loads."""
    if library is None or library.route == "executable":
        return True
    return drives(state.apis.get(library.file), profiles, api)


def faults(use: Use, profiles: Profiles) -> list[tuple[FunctionCalls, int, int]]:
    """Bad results given to consumers: function, result, how often; those that healthy programs see are left out."""
    end = use.process.ended
    found = []
    for calls in use.calls.values():
        at_exit = bool(end) and end - calls.last < _EXIT_WINDOW
        for result, count in calls.results.items():
            if result == 0 or calls.role in ("error", "lookup", "table") or not calls.function.returns:
                continue
            if profiles.normal(use.api, calls.name, result, at_exit=at_exit) is None:
                found.append((calls, result, count))
    return found


def no_device(use: Use, profiles: Profiles) -> tuple[FunctionCalls, str] | None:
    """The call by which a consumer was told that there is no device, and the answer in words."""
    for calls, result, _ in faults(use, profiles):
        nothing = profiles.is_called(use.api, result, "NODEVICE", "INVALIDDEVICE")
        if calls.role in ("init", "count") and nothing:
            return calls, f"{calls.name} = {profiles.result(use.api, result)}"
    for calls in use.with_role("count"):
        if any(sample.result == 0 and sample.values.get("count") == 0 for sample in calls.samples):
            return calls, f"{calls.name} counted 0"
    return None


def hides_devices(value: str) -> bool:
    """Whether a variable such as CUDA_VISIBLE_DEVICES with this value hides every device."""
    return value.strip() in ("", "-1") or value.lower() in ("none", "void", "nodevfiles")


def looks_up_freely(state: State, process: Process) -> bool:
    """libffi is mapped: names that are looked up stand in scripts, not in files that are read here."""
    for library in libraries(process).values():
        image = state.images.get(library.file)
        if image is not None and (image.soname or "").startswith("libffi.so"):
            return True
    return False


def caller_names(calls: FunctionCalls) -> str:
    """`libcudart.so.12`, the libraries that called, by name."""
    return ", ".join(dict.fromkeys(name_of(path) for path in calls.callers))
