"""The main question as events: a server whose two discovery children map the shim and call nothing."""

from inspector.stream.calls import (
    CallCount,
    CallOutcome,
    CallReturned,
    CallsCounted,
    FunctionsWatched,
    OutcomesCounted,
    WatchedFunction,
)
from inspector.stream.events import AnyEvent
from inspector.stream.libraries import Export, ImageRead, LibraryMapped, LoadPredicted, Need, NeverExecuted
from inspector.stream.logs import LogFound, LogLine, LogRead
from inspector.stream.machine import DeviceNode, GpuRead
from inspector.stream.processes import (
    Descriptor,
    DescriptorsRead,
    ProcessEnded,
    ProcessExec,
    ProcessStarted,
    Vitals,
)
from inspector.stream.session import Capability, LimitNoted, SessionStarted

SECOND = 1_000_000_000
START = 1_000 * SECOND
WALL = 1_767_323_045 * SECOND
"""2026-01-02 03:04:05 UTC."""

SERVER, FIRST, SECOND_CHILD = 4711, 4720, 4731
SHIM, BACKEND, LIBC, OLLAMA = "fe:1:77", "fe:1:99", "fe:1:12", "fe:1:5"
SHIM_PATH = "/opt/vgpu/lib/libvgpu-cuda.so.1"
BACKEND_PATH = "/usr/local/lib/ollama/cuda_v12/libggml-cuda.so"


def at(seconds: float) -> int:
    """A moment, in seconds after the observation began."""
    return START + int(seconds * SECOND)


def session() -> list[AnyEvent]:
    """Who looks, and what is not permitted."""
    rights = [
        Capability(name="count-calls", state="yes", how="uprobe_multi links (bpf)"),
        Capability(name="process-births", state="yes", how="perf records"),
        Capability(
            name="open-files", state="partly", how="polling every 50 ms", why="no tracepoints here",
            lost="files open for less than 50 ms", grant="sudo mount -t tracefs nodev /sys/kernel/tracing",
        ),
    ]  # fmt: skip
    return [
        SessionStarted(
            at=START, version="0.1.0", wall=WALL, host="gpu-vm", kernel="6.18.0", uid=0, target="ollama",
            collector=9000, capabilities=rights,
        ),
        LimitNoted(at=at(0.01), what="opens of other users' files", why="no tracepoints here", grant="sudo mount ..."),
    ]  # fmt: skip


def server() -> list[AnyEvent]:
    """The long-lived server with the shim preloaded."""
    environment = {
        "LD_PRELOAD": SHIM_PATH,
        "LD_LIBRARY_PATH": "/opt/vgpu/lib:/usr/local/lib/ollama",
        "OLLAMA_DEBUG": "1",
    }
    return [
        ProcessStarted(at=at(0.02), pid=SERVER, ppid=1, started=START - 600 * SECOND, origin="attach", comm="ollama"),
        ProcessExec(
            at=at(0.02), pid=SERVER, argv=["/usr/local/bin/ollama", "serve"], exe="/usr/local/bin/ollama", file=OLLAMA,
            cwd="/", uid=998, environment=environment, other_keys=11, unit="ollama.service",
            interpreter="/lib64/ld-linux-x86-64.so.2", elf_class=64, secure=False, static=False,
        ),
        *mappings(SERVER, 0.03),
        DescriptorsRead(
            at=at(0.05), pid=SERVER,
            descriptors=[
                Descriptor(fd=1, target="/dev/null", kind="null"),
                Descriptor(fd=2, target="/tmp/ollama_stderr.log", kind="file", writable=True),
            ],
        ),
        Vitals(at=at(1), pid=SERVER, cpu=0.3, rss=47_185_920, threads=14, state="S"),
        GpuRead(at=at(0.04), devices=[DeviceNode(path="/dev/nvidia0", present=False)], pci=["0000:00:05.0 10de:2331"]),
    ]  # fmt: skip


def mappings(pid: int, moment: float) -> list[AnyEvent]:
    """What each process of the tree maps."""
    return [
        LibraryMapped(
            at=at(moment), pid=pid, path=SHIM_PATH, base=0x7F10AA000000, file=SHIM, size=1_310_720, route="preload",
            route_by="LD_PRELOAD", links=["/opt/vgpu/lib/libcuda.so.1", SHIM_PATH], order=1,
            mtime=WALL - 600 * SECOND,
        ),
        LibraryMapped(
            at=at(moment), pid=pid, path="/lib/x86_64-linux-gnu/libc.so.6", base=0x7F10BB000000, file=LIBC,
            size=1_900_000, route="needed", route_by="/usr/local/bin/ollama", order=2,
        ),
    ]  # fmt: skip


def images() -> list[AnyEvent]:
    """What the shim, libc and the backend say about themselves."""
    names = ["cuInit", "cuDeviceGetCount", "cuDeviceGet", "cuDriverGetVersion", "cuGetProcAddress_v2", "cuMemAlloc_v2"]
    offered = [Export(name=name, address=0x1000 + 64 * place, size=60) for place, name in enumerate(names)]
    return [
        ImageRead(
            at=at(0.06), file=SHIM, path=SHIM_PATH, soname="libcuda.so.1", needed=["libc.so.6"], build_id="ab12cd34ef",
            exports=[*offered, Export(name="dlopen", address=0x9000, size=80)], exports_total=447,
            overrides=["dlopen", "dlsym", "open"],
        ),
        ImageRead(
            at=at(0.06), file=LIBC, path="/lib/x86_64-linux-gnu/libc.so.6", soname="libc.so.6", build_id="77aa00bb",
            has_version_table=True, version_nodes=["GLIBC_2.2.5", "GLIBC_2.34"], exports_total=2_900,
        ),
        ImageRead(
            at=at(0.06), file=BACKEND, path=BACKEND_PATH, soname="libggml-cuda.so", needed=["libcublas.so.12"],
            undefined=[Need(name="cuDeviceGetCount"), Need(name="cublasCreate_v2", version="libcublas.so.12")],
            dlopen_names=["libcuda.so.1"], imports_lookup=True,
        ),
    ]  # fmt: skip


def watched() -> list[AnyEvent]:
    """Counting of the shim's functions, and the server's own constructor that calls one of them."""
    functions = [
        WatchedFunction(id=1, api="cuda-driver", name="cuInit", library=SHIM_PATH, file=SHIM, returns=True),
        WatchedFunction(id=2, api="cuda-driver", name="cuDeviceGetCount", library=SHIM_PATH, file=SHIM, returns=True),
        WatchedFunction(id=3, api="cuda-driver", name="cuMemAlloc_v2", library=SHIM_PATH, file=SHIM, returns=True),
    ]
    return [FunctionsWatched(at=at(0.1), functions=functions)]


def child(pid: int, born: float, lived: float, code: int) -> list[AnyEvent]:
    """A discovery child: it maps the shim, its backend cannot load, it ends."""
    port = "41227" if pid == FIRST else "38811"
    argv = ["/usr/local/bin/ollama", "runner", "--ollama-engine", "--port", port]
    environment = {
        "LD_LIBRARY_PATH": "/usr/local/lib/ollama:/usr/local/lib/ollama/cuda_v12",
        "OLLAMA_DEBUG": "1",
        "OLLAMA_LIBRARY_PATH": "/usr/local/lib/ollama:/usr/local/lib/ollama/cuda_v12",
    }
    words = "libcublas.so.12: cannot open shared object file: No such file or directory"
    return [
        ProcessStarted(at=at(born), pid=pid, ppid=SERVER, started=at(born), origin="fork", comm="ollama"),
        ProcessExec(
            at=at(born + 0.001), pid=pid, argv=argv, exe="/usr/local/bin/ollama", file=OLLAMA, cwd="/", uid=998,
            environment=environment, environment_source="exec", other_keys=11, unit="ollama.service",
            elf_class=64,
        ),
        *mappings(pid, born + 0.004),
        LoadPredicted(at=at(born + 0.02), pid=pid, name=BACKEND_PATH, ok=False, words=words),
        NeverExecuted(
            at=at(born + 0.03), pid=pid, path=SHIM_PATH, file=SHIM, base=0x7F10AA000000, since=at(born),
            functions=["cuMemAlloc_v2"], proven=400, total=447,
        ),
        ProcessEnded(at=at(born + lived), pid=pid, code=code),
    ]  # fmt: skip


def logs() -> list[AnyEvent]:
    """The server's log, which is silent about why."""
    texts = [
        'time=2026-01-02T03:04:07.000Z level=INFO source=runner.go:67 msg="discovering available GPUs..."',
        "[libvgpu-cuda] LOADED (pid=4720)",
        'time=2026-01-02T03:04:07.900Z level=DEBUG source=runner.go:437 msg="bootstrap discovery took" duration=301ms',
        'time=2026-01-02T03:04:08.000Z level=INFO source=types.go:60 msg="inference compute" id=cpu library=cpu'
        ' total_vram="0 B"',
    ]
    lines = [LogLine(number=number, text=text) for number, text in enumerate(texts)]
    found = LogFound(
        at=at(0.05), source=1, name="/tmp/ollama_stderr.log", kind="file", why="fd 2", pids=[SERVER], size=400
    )
    return [found, LogRead(at=at(3), source=1, lines=lines, lines_total=4, bytes_total=400)]


def called() -> list[AnyEvent]:
    """cuInit was called, by the shim's own constructor only."""
    return [
        CallsCounted(at=at(2.1), counts=[CallCount(pid=FIRST, function=1, count=1, first=at(2.01), last=at(2.01))]),
        OutcomesCounted(
            at=at(2.1),
            outcomes=[CallOutcome(pid=FIRST, function=1, caller=SHIM_PATH, own=True, result=100, count=1)],
        ),
        CallReturned(
            at=at(2.011), pid=FIRST, tid=FIRST, function=1, entered=at(2.01), caller=SHIM_PATH, own=True,
            constructor=True, result=100, arguments={"flags": 0},
        ),
    ]  # fmt: skip


def main_question() -> list[AnyEvent]:
    """All of it in order of time."""
    events = [
        *session(), *server(), *images(), *watched(), *child(FIRST, 2.0, 0.31, 0), *called(),
        *child(SECOND_CHILD, 2.5, 0.24, 2), *logs(),
    ]  # fmt: skip
    return sorted(events, key=lambda event: event.at)
