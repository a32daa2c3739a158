"""A small builder of event streams: a story of processes, libraries, calls and logs, without any process."""

from collections.abc import Sequence
from typing import Any, Literal

from inspector.model.fold import apply
from inspector.model.state import State
from inspector.stream.base import Event
from inspector.stream.calls import (
    CallCount,
    CallOutcome,
    CallReturned,
    CallsCounted,
    CallsInside,
    FunctionsWatched,
    LookedUp,
    OpenCall,
    OutcomesCounted,
    TriedFile,
    Via,
    WatchedFunction,
)
from inspector.stream.libraries import Export, ImageRead, LibraryMapped, LibraryUnmapped, Need, Route
from inspector.stream.logs import LogFound, LogLine, LogRead
from inspector.stream.processes import ProcessEnded, ProcessExec, ProcessStarted
from inspector.stream.session import Capability, SessionStarted

MS = 1_000_000
SECOND = 1_000 * MS
WALL = 1_760_000_000 * SECOND
"""Wall time of the session's first moment."""

DRIVER = ["cuInit", "cuDriverGetVersion", "cuDeviceGetCount", "cuDeviceGet", "cuDeviceGetName", "cuDeviceTotalMem_v2",
          "cuDeviceGetAttribute", "cuMemGetInfo_v2", "cuGetProcAddress_v2", "cuGetProcAddress", "cuGetExportTable",
          "cuMemAlloc_v2", "cuLaunchKernel", "cuModuleLoadData"]  # fmt: skip
RUNTIME = ["cudaGetDeviceCount", "cudaMalloc", "cudaLaunchKernel", "cudaGetDeviceProperties_v2",
           "__cudaRegisterFatBinary", "cudaRuntimeGetVersion"]  # fmt: skip
NVML = ["nvmlInit_v2", "nvmlShutdown", "nvmlDeviceGetCount_v2", "nvmlDeviceGetMemoryInfo", "nvmlInitWithFlags"]
API_OF = {"cu": "cuda-driver", "cuda": "cuda-runtime", "nvml": "nvml", "egl": "egl", "vk": "vulkan", "cl": "opencl"}


def api_of(name: str) -> str:
    """API of a function by its prefix."""
    return next(
        API_OF[prefix]
        for prefix in ("nvml", "cuda", "cu", "egl", "vk", "cl")
        if name.removeprefix("__").startswith(prefix)
    )


class Story:
    """Events told one after another; each method moves the clock on by a millisecond."""

    def __init__(self, *, can: Sequence[str] = ("count-calls", "lookups"), attach: bool = False) -> None:
        self.state = State()
        self.events: list[Event] = []
        self.now = 100 * SECOND
        self.attach = attach
        self._inodes: dict[str, int] = {}
        self._base = 0x7F00_0000_0000
        self._functions: dict[tuple[str, str], int] = {}
        self._returns: dict[int, bool] = {}
        self._totals: dict[tuple[int, int, str, int], int] = {}
        capabilities = [Capability(name=name, state="yes", how="test") for name in can]
        self.tell(
            SessionStarted(
                at=self.now, version="1", wall=WALL, host="vm", kernel="6.18", uid=0, target="x", collector=7,
                capabilities=capabilities,
            )
        )  # fmt: skip

    def tell(self, event: Event) -> None:
        """Fold any event."""
        self.events.append(event)
        apply(self.state, event)

    def later(self, nanoseconds: int = MS) -> int:
        """Let time pass and say what time it is."""
        self.now += nanoseconds
        return self.now

    # -- processes -------------------------------------------------------------------------------------------------

    def process(
        self,
        pid: int = 812,
        argv: Sequence[str] = ("/opt/app/server",),
        *,
        parent: int = 0,
        age: int = 0,
        environment: dict[str, str] | None = None,
        **facts: Any,
    ) -> int:
        """A process is born (or found, if `age` ns old) and runs a program."""
        born = self.later()
        origin: Literal["attach", "fork", "run"] = "attach" if age else ("fork" if parent else "run")
        self.tell(
            ProcessStarted(at=born, pid=pid, ppid=parent or 1, started=born - age, origin=origin, comm=argv[0][-15:])
        )
        self.execute(pid, argv, environment=environment, **facts)
        return pid

    def execute(
        self, pid: int, argv: Sequence[str], *, environment: dict[str, str] | None = None, **facts: Any
    ) -> None:
        """A process executes a program."""
        known = {
            "exe": argv[0],
            "interpreter": "/lib64/ld-linux-x86-64.so.2",
            "static": False,
            "secure": False,
            "elf_class": 64,
        }
        event: dict[str, Any] = (
            {"at": self.later(), "pid": pid, "argv": list(argv), "environment": environment or {}} | known | facts
        )
        self.tell(ProcessExec(**event))

    def end(self, pid: int = 812, code: int | None = 0, signal: int | None = None) -> None:
        """A process ends."""
        self.tell(ProcessEnded(at=self.later(), pid=pid, code=None if signal else code, signal=signal))

    # -- libraries -------------------------------------------------------------------------------------------------

    def file(self, path: str) -> str:
        """Identity of a file."""
        return f"8:1:{self._inodes.setdefault(path, len(self._inodes) + 1000)}"

    def image(
        self,
        path: str,
        *,
        soname: str | None = None,
        exports: Sequence[str] = (),
        version: str = "",
        imports: Sequence[str] = (),
        **facts: Any,
    ) -> str:
        """What a file says about itself; gives back its identity."""
        event: dict[str, Any] = {
            "at": self.later(), "file": self.file(path), "path": path, "soname": soname,
            "exports": [Export(name=name, version=version) for name in exports], "exports_total": len(exports),
            "undefined": [Need(name=name) for name in imports], "version_needs": {"libc.so.6": ["GLIBC_2.2.5"]},
            "version_nodes": [version] if version else [], "has_version_table": bool(version),
        } | facts  # fmt: skip
        self.tell(ImageRead(**event))
        return self.file(path)

    def map(self, pid: int, path: str, route: Route = "needed", **facts: Any) -> int:
        """A process maps a file; gives back the base."""
        self._base += 0x100_0000
        event: dict[str, Any] = {
            "at": self.later(),
            "pid": pid,
            "path": path,
            "base": self._base,
            "file": self.file(path),
            "route": route,
        } | facts
        self.tell(LibraryMapped(**event))
        return self._base

    def unmap(self, pid: int, path: str, base: int) -> None:
        """A process lets a file go."""
        self.tell(LibraryUnmapped(at=self.later(), pid=pid, path=path, base=base))

    def driver(
        self, pid: int = 812, path: str = "/opt/shim/libcuda.so.1", route: Route = "dlopen", *,
        soname: str | None = "libcuda.so.1", exports: Sequence[str] = DRIVER, watch: bool = True, asked: str = "",
        **facts: Any,
    ) -> str:  # fmt: skip
        """A process maps a CUDA driver library whose functions are watched from before."""
        if watch:
            self.watch(path, exports)
        self.image(path, soname=soname, exports=exports, **facts)
        self.map(pid, path, route, asked=asked)
        return path

    def consumer(
        self, pid: int = 812, path: str = "/opt/app/libbackend.so", *,
        imports: Sequence[str] = ("cuInit", "cuDeviceGetCount"),
        route: Route = "dlopen", **facts: Any,
    ) -> str:  # fmt: skip
        """A process maps a library that imports functions of an API."""
        self.image(path, imports=imports, **facts)
        self.map(pid, path, route)
        return path

    # -- calls -----------------------------------------------------------------------------------------------------

    def watch(self, path: str, names: Sequence[str], *, returns: bool = True, listed: bool = True) -> None:
        """Functions of a file are counted from now on."""
        watched = []
        for name in names:
            number = self._functions.setdefault((path, name), len(self._functions) + 1)
            self._returns[number] = returns
            watched.append(
                WatchedFunction(
                    id=number,
                    api=api_of(name),
                    name=name,
                    library=path,
                    file=self.file(path),
                    returns=returns,
                    listed=listed,
                )
            )
        self.tell(FunctionsWatched(at=self.later(), functions=watched))

    def call(
        self,
        pid: int,
        function: str,
        result: int = 0,
        *,
        by: str = "/opt/app/libbackend.so",
        library: str = "/opt/shim/libcuda.so.1",
        count: int = 1,
        constructor: bool = False,
        took: int = MS,
        arguments: dict[str, int | str] | None = None,
        values: dict[str, int | str | float] | None = None,
    ) -> None:
        """A watched function is called and returns."""
        number = self._functions[library, function]
        entered = self.later()
        left = self.later(took)
        own = by == library
        key = (pid, number, by, result)
        total = self._totals[key] = self._totals.get(key, 0) + count
        entries = sum(n for (p, f, _, _), n in self._totals.items() if (p, f) == (pid, number))
        self.tell(
            CallReturned(
                at=left, pid=pid, tid=pid, function=number, entered=entered, caller=by, own=own,
                constructor=constructor, result=result, arguments=arguments or {}, values=values or {},
            )
        )  # fmt: skip
        self.tell(
            CallsCounted(at=left, counts=[CallCount(pid=pid, function=number, count=entries, first=entered, last=left)])
        )
        outcome = CallOutcome(
            pid=pid, function=number, caller=by, own=own, result=result, count=total, first=entered, last=left
        )
        self.tell(OutcomesCounted(at=left, outcomes=[outcome]))

    def inside(self, pid: int, function: str, *, library: str = "/opt/shim/libcuda.so.1", since: int = SECOND) -> None:
        """A call is open now and has been for `since` ns."""
        number = self._functions[library, function]
        entered = self.later()
        self.tell(
            CallsCounted(at=entered, counts=[CallCount(pid=pid, function=number, count=1, first=entered, last=entered)])
        )
        self.tell(
            CallsInside(at=self.later(since), open=[OpenCall(pid=pid, tid=pid, function=number, entered=entered)])
        )

    def look_up(
        self, pid: int, via: Via, name: str, found: bool | None = True, *, by: str = "/opt/app/libbackend.so",
        answer: str | None = None, error: str = "", tried: Sequence[tuple[str, int]] = (), **facts: Any,
    ) -> None:  # fmt: skip
        """A look-up by name."""
        event: dict[str, Any] = {
            "at": self.later(), "pid": pid, "tid": pid, "via": via, "name": name, "requester": by, "found": found,
            "answer": answer, "error": error, "tried": [TriedFile(path=path, errno=number) for path, number in tried],
        } | facts  # fmt: skip
        self.tell(LookedUp(**event))

    # -- logs ------------------------------------------------------------------------------------------------------

    def log(self, *lines: str, backlog: bool = False, name: str = "stderr of the server", source: int = 1) -> None:
        """Lines appear in a log."""
        known = self.state.logs.get(source)
        if known is None:
            self.tell(LogFound(at=self.later(), source=source, name=name, kind="file", why="fd 2"))
        first = self.state.logs[source].lines_total
        told = [LogLine(number=first + index, text=line) for index, line in enumerate(lines)]
        self.tell(LogRead(at=self.later(), source=source, lines=told, lines_total=first + len(told), backlog=backlog))
