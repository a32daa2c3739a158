"""A state and an answer that hold one of everything: a server whose discovery children do not reach the GPU."""

from inspector.model.state import LogSource, Moment, Process, State
from inspector.model.verdict import RUNGS, Answer, Evidence, Finding, Ladder, Mode, Rung, RungName, Truth
from inspector.report.builder import report
from inspector.report.schema import Report
from inspector.stream.calls import (
    CallCount,
    CallOutcome,
    CallReturned,
    FileOpened,
    LoaderRefused,
    LookedUp,
    OpenCall,
    WatchedFunction,
)
from inspector.stream.libraries import Export, ImageRead, LibraryMapped, Need, PreloadChecked
from inspector.stream.logs import LogFound, LogLine
from inspector.stream.processes import Descriptor, ProcessEnded, ProcessExec
from inspector.stream.session import Capability, LimitNoted, SessionEnded, SessionStarted
from inspector.stream.syscalls import SystemCallRefused

MS = 1_000_000
SECOND = 1000 * MS
BEGAN = 500 * SECOND
SHIM = "/opt/vgpu/lib/libvgpu-cuda.so.1"
RUNTIME = "/usr/local/lib/ollama/cuda_v12/libcudart.so.12.8.90"
BACKEND = "/usr/local/lib/ollama/cuda_v12/libggml-cuda.so"
WORDS = f"{BACKEND}: version `libcudart.so.12' not found (required by {BACKEND})"  # as ld.so says it


def at(milliseconds: float) -> int:
    return BEGAN + round(milliseconds * MS)


def sample_report(extra: State | None = None) -> Report:
    return report(extra or state(), answer(), troubles=[])


def state() -> State:
    processes = [_server(), _child(), _crashed()]
    for child in processes[1:]:
        child.parent = processes[0]
    return State(
        session=SessionStarted(
            at=BEGAN,
            version="0.1.0",
            wall=1_767_323_045 * SECOND,
            host="gpu-vm",
            kernel="6.8.0-45-generic",
            uid=0,
            target="ollama",
            collector=799,
            capabilities=[
                Capability(name="count-calls", state="yes", how="uprobe_multi links (bpf)"),
                Capability(
                    name="journal",
                    state="no",
                    how="journalctl",
                    why="the journal is not readable by this user",
                    lost="log lines that only the journal holds",
                    grant="sudo usermod -aG systemd-journal $USER",
                ),
            ],
        ),
        ended=SessionEnded(at=at(5000), reason="the time is over"),
        now=at(5000),
        processes=processes,
        current={process.pid: process for process in processes},
        images=_images(),
        functions={
            1: WatchedFunction(id=1, api="cuda-driver", name="cuInit", library=SHIM, file="fe:1:77", returns=True),
            2: WatchedFunction(id=2, api="cuda-driver", name="cuDeviceGetCount", library=SHIM, file="fe:1:77"),
            3: WatchedFunction(id=3, api="cuda-runtime", name="cudaGetDeviceCount", library=RUNTIME, file="fe:1:90"),
        },
        stopped={3: "it cost 2.1 % of a CPU"},
        logs=_logs(),
        limits=[LimitNoted(at=at(0), what="the first 4 calls before attach", why="counting began at attach")],
        lost={"perf ring": 3},
        timeline=_timeline(),
    )


def answer() -> Answer:
    proof = Evidence(
        text=f"ld.so: {WORDS}",
        at=at(212),
        pid=845,
        pane="timeline",
        key="4",
        by_hand=f"readelf -V {RUNTIME}",
    )
    shown = Evidence(text="inference compute id=cpu library=cpu", at=at(640), pid=812, pane="logs", key="1:2")
    return Answer(
        mode=Mode(
            verdict="cpu",
            confidence="proven",
            evidence=[shown],
            contradictions=[Evidence(text="pid 845 holds /dev/nvidiactl", at=at(190), pid=845, pane="gpu")],
        ),
        ladders=[
            _ladder("cuda-driver", 845, SHIM, broken="reachable"),
            _ladder("cuda-runtime", 845, RUNTIME, broken="exported"),
            _ladder("nvml", 845, None, broken="mapped"),
            _ladder("cuda-driver", 851, SHIM, broken=None),
        ],
        findings=[
            Finding(
                rule="version-node-missing",
                severity="error",
                confidence="proven",
                title="libggml-cuda.so needs version node libcudart.so.12, which libcudart.so.12.8.90 does not define",
                cause="The runtime in cuda_v12 was built without a version script, so the loader refuses the backend "
                "and the runner counts no device.",
                next_step="Link the runtime with a version script that defines libcudart.so.12, then start the "
                "service again.",
                evidence=[proof, Evidence(text="no .gnu.version_d in libcudart.so.12.8.90", pid=845, pane="libraries")],
                pid=845,
                doubt="a second libcudart.so.12 earlier in LD_LIBRARY_PATH",
            ),
            Finding(
                rule="child-crashed",
                severity="warning",
                confidence="likely",
                title="pid 851 died of SIGSEGV 40 ms after its start",
                cause="It fell in cuInit of the shim.",
                next_step="Look at the core.",
                pid=851,
            ),
            Finding(
                rule="global-preload",
                severity="info",
                confidence="proven",
                title="/etc/ld.so.preload loads the shim into 61 processes",
                cause="Everything on this machine runs through the shim.",
                next_step="Take it out of /etc/ld.so.preload.",
            ),
        ],
        coverage="3 processes from their first instruction, since 03:04:05; what happened before is not known",
    )


def _ladder(api: str, pid: int, provider: str | None, broken: RungName | None) -> Ladder:
    states: list[Rung] = []
    fallen = False
    for name in RUNGS:
        fallen = fallen or name == broken
        truth: Truth = "no" if name == broken else "unknown" if fallen else "yes"
        detail = {"yes": f"{name} holds", "no": f"{name} is broken here", "unknown": f"{name}: nothing got so far"}
        states.append(Rung(rung=name, state=truth, detail=detail[truth]))
    return Ladder(api=api, pid=pid, provider=provider, rungs=states, first_broken=broken)


def _program(pid: int, when: float, argv: list[str], environment: dict[str, str]) -> ProcessExec:
    return ProcessExec(
        at=at(when),
        pid=pid,
        argv=argv,
        exe="/usr/local/bin/ollama",
        uid=998,
        environment=environment,
        environment_source="exec",
        unit="ollama.service",
        secure=False,
        static=False,
    )


def _server() -> Process:
    server = Process(pid=812, ppid=1, started=BEGAN - 3600 * SECOND, origin="attach", comm="ollama")
    server.execs = [_program(812, 0, ["ollama", "serve"], {"LD_PRELOAD": SHIM, "OLLAMA_DEBUG": "1"})]
    server.descriptors = {1: Descriptor(fd=1, target="/dev/null", kind="null")}
    server.libraries = {
        0x7F0000000000: LibraryMapped(
            at=at(0),
            pid=812,
            path="/lib/x86_64-linux-gnu/libc.so.6",
            base=0x7F0000000000,
            file="fe:1:5",
            route="needed",
            route_by="ollama",
        ),
        0x7F1000000000: LibraryMapped(
            at=at(0),
            pid=812,
            path=SHIM,
            base=0x7F1000000000,
            file="fe:1:77",
            route="preload",
            route_by=SHIM,
            asked=SHIM,
            state="replaced",
            state_detail="mapped inode 77, on disk inode 91, 6 min newer",
        ),
    }
    return server


def _child() -> Process:
    child = Process(pid=845, ppid=812, started=at(100), origin="fork", comm="ollama", ended=at(410))
    child.execs = [
        _program(
            845,
            101,
            ["ollama", "runner", "--ollama-engine", "--port", "41234"],
            {"LD_LIBRARY_PATH": "/usr/local/lib/ollama/cuda_v12", "OLLAMA_DEBUG": "1"},
        )
    ]
    child.end = ProcessEnded(at=at(410), pid=845, code=0)
    child.preloads = [
        PreloadChecked(at=at(102), pid=845, source="LD_PRELOAD", entry=SHIM, path=SHIM, usable=True)  # inherited
    ]
    child.libraries = {
        0x7F2000000000: LibraryMapped(
            at=at(150),
            pid=845,
            path=SHIM,
            base=0x7F2000000000,
            file="fe:1:77",
            route="dlopen",
            route_by=RUNTIME,
            asked="libcuda.so.1",
            links=["/usr/lib/libcuda.so.1", SHIM],
        ),
        0x7F3000000000: LibraryMapped(
            at=at(140), pid=845, path=RUNTIME, base=0x7F3000000000, file="fe:1:90", route="needed", route_by=BACKEND
        ),
    }
    child.counts = {
        1: CallCount(pid=845, function=1, count=2, first=at(160), last=at(161)),
        2: CallCount(pid=845, function=2, count=1, first=at(170), last=at(170)),
    }
    child.outcomes = {
        (1, SHIM, 0): CallOutcome(pid=845, function=1, caller=SHIM, own=True, result=0, count=1),
        (1, RUNTIME, 100): CallOutcome(pid=845, function=1, caller=RUNTIME, result=100, count=1),
        (2, RUNTIME, 0): CallOutcome(pid=845, function=2, caller=RUNTIME, result=0, count=1),
    }
    child.calls = [
        CallReturned(
            at=at(170.35),
            pid=845,
            tid=845,
            function=2,
            entered=at(170),
            caller=RUNTIME,
            result=0,
            values={"count": 0},
        )
    ]
    child.open_calls = [OpenCall(pid=845, tid=846, function=3, entered=at(300), caller="/usr/local/bin/ollama")]
    child.lookups = [
        LookedUp(
            at=at(212),
            pid=845,
            tid=845,
            via="dlopen",
            name=BACKEND,
            requester="/usr/local/bin/ollama",
            found=False,
            error=WORDS,
            answered_by=SHIM,
        ),
        LookedUp(
            at=at(155),
            pid=845,
            tid=845,
            via="dlsym",
            name="cuInit",
            requester=RUNTIME,
            found=True,
            answer=SHIM,
            count=2,
        ),
        LookedUp(at=at(156), pid=845, tid=845, via="dlsym", name="cuFoo", requester=RUNTIME, found=None),
    ]
    child.refusals = [
        LoaderRefused(at=at(213), pid=845, tid=845, object="libcublasLt.so.12", text="cannot open shared object file")
    ]
    child.opens = [
        FileOpened(at=at(120), pid=845, tid=845, path="/dev/nvidiactl"),
        FileOpened(at=at(121), pid=845, tid=845, path="/dev/nvidia0", errno=13, count=2),
    ]
    child.opens_skipped = 61
    child.refused_calls = [
        SystemCallRefused(
            at=at(122), pid=845, tid=845, call="ioctl", errno=25, subject="/dev/nvidiactl", arguments={"request": 0xD6}
        )
    ]
    return child


def _crashed() -> Process:
    crashed = Process(pid=851, ppid=812, started=at(500), origin="fork", comm="ollama", ended=at(540))
    crashed.end = ProcessEnded(at=at(540), pid=851, signal=11, core=True)
    return crashed


def _images() -> dict[str, ImageRead]:
    return {
        "fe:1:77": ImageRead(
            at=at(1),
            file="fe:1:77",
            path=SHIM,
            soname="libcuda.so.1",
            build_id="4f1c0e",
            needed=["libc.so.6"],
            exports=[Export(name="cuInit"), Export(name="cuDeviceGetCount"), Export(name="dlopen")],
            overrides=["dlopen", "dlsym"],
        ),
        "fe:1:90": ImageRead(
            at=at(1),
            file="fe:1:90",
            path=RUNTIME,
            soname="libcudart.so.12",
            exports=[Export(name="cudaGetDeviceCount", version="libcudart.so.12")],
            undefined=[Need(name="cuInit")],
        ),
        "fe:1:5": ImageRead(at=at(1), file="fe:1:5", path="/lib/x86_64-linux-gnu/libc.so.6", soname="libc.so.6"),
    }


def _logs() -> dict[int, LogSource]:
    lines = [
        LogLine(number=0, text="time=03:04:05 level=INFO msg=starting"),
        LogLine(number=1, text="time=03:04:05 level=INFO msg=\"discovering available GPUs...\""),
        LogLine(number=2, text="time=03:04:06 level=INFO msg=\"inference compute\" id=cpu library=cpu"),
    ]  # fmt: skip
    found = LogFound(
        at=at(0), source=1, name="/var/log/ollama.log", kind="file", why="open for writing by PID 812", pids=[812]
    )
    silent = LogFound(
        at=at(0), source=2, name="/tmp/shim.log", kind="file", why="named by profile vgpu", readable=False,
        problem="no such file in the mount namespace of PID 845",
    )  # fmt: skip
    source = LogSource(found=found, lines=lines, lines_total=9, seen_at={1: at(90), 2: at(640)})
    return {1: source, 2: LogSource(found=silent)}


def _timeline() -> list[Moment]:
    return [
        Moment(at=at(0), pid=812, kind="note", text="observation began"),
        Moment(at=at(100), pid=845, kind="process", text="born, a child of 812"),
        Moment(at=at(150), pid=845, kind="load", text=f"{SHIM} mapped", key=f"845:{0x7F2000000000}"),
        Moment(at=at(155), pid=845, kind="lookup", text="dlsym cuInit -> libvgpu-cuda.so.1"),
        Moment(at=at(170.35), pid=845, kind="call", text="cuDeviceGetCount = 0 (count 0)", key="2"),
        Moment(at=at(121), pid=845, kind="open", text="/dev/nvidia0: EACCES", bad=True),
        Moment(at=at(212), pid=845, kind="lookup", text=f"dlopen {BACKEND}: {WORDS}", bad=True),
        Moment(at=at(410), pid=845, kind="process", text="ended with exit code 0 after 310 ms"),
        Moment(
            at=at(540), pid=851, kind="signal", text="killed by SIGSEGV in cuInit+0x1c of libvgpu-cuda.so.1", bad=True
        ),
        Moment(at=at(640), pid=812, kind="log", text="inference compute id=cpu library=cpu", key="1:2"),
    ]
