"""Cases in which the log says less, or something else, than what happened."""

from ..case import Case, Launch
from ..case_directory import Stage
from ..parts import (
    OFFLOADED,
    device,
    put_inference,
    put_shims,
    server_launch,
    server_tree,
    shim_folder,
)

_OLD_RUN = """\
time=2025-02-26T10:00:00.000Z level=INFO source=routes.go:1607 msg="Listening on 127.0.0.1:11434 (version 0.13.5)"
time=2025-02-26T10:00:00.100Z level=INFO source=runner.go:67 msg="discovering available GPUs..."
time=2025-02-26T10:00:00.400Z level=INFO source=types.go:42 msg="inference compute" id=GPU-1 library=CUDA compute=9.0 \
name=CUDA0 description="Demo H100 80GB" driver=12.9 pci_id=0000:00:05.0 type=discrete total="79.6 GiB"
"""


def _discarded(stage: Stage) -> Launch:
    program = put_inference(stage)
    environment = {"LD_LIBRARY_PATH": shim_folder(stage)} | device(stage)
    return Launch(["/bin/sh", "-c", f"{program} >/dev/null 2>&1 & echo started; wait"], environment, ready="started")


def _not_writable(stage: Stage) -> Launch:
    program = put_inference(stage)
    place = stage.path(f"var/log/{stage.note('log', stage.word())}/vgpu-%d.log")
    return Launch(
        [program], {"LD_LIBRARY_PATH": shim_folder(stage), "SHIM_LOG": place} | device(stage), ready=OFFLOADED
    )


def _nul_bytes(stage: Stage) -> Launch:
    tree = server_tree(stage)
    tree.preload(*put_shims(tree))
    return server_launch(tree, SHIM_FAIL="cuInit=100", SHIM_LOG=stage.path("vgpu.log"), SHIM_LOG_NULS="1")


def _earlier_run(stage: Stage) -> Launch:
    stage.write("server.log", _OLD_RUN * stage.random.randrange(1, 4))
    tree = server_tree(stage, leave_out=("blas_lt",))
    tree.preload(*put_shims(tree))
    return server_launch(tree, 'total_vram="0 B"')


CASES = (
    Case(
        name="output-discarded",
        story="a program on the GPU whose shim logs to a stderr that is /dev/null: silence is not absence",
        family="logged",
        stage=_discarded,
        rule="gpu-in-use",
        mode="cuda",
        sentence="",
        also=("output-discarded",),
        seconds=1.5,
    ),
    Case(
        name="log-not-writable",
        story="the shim's log goes to a directory that does not exist",
        family="logged",
        stage=_not_writable,
        rule="gpu-in-use",
        mode="cuda",
        sentence="",
        also=("log-not-writable",),
    ),
    Case(
        name="nul-bytes",
        story="wrong lengths put NUL bytes into the shim's log: grep says binary file and prints nothing",
        family="logged",
        stage=_nul_bytes,
        rule="api-error",
        mode="cpu",
        sentence="= 100 (",
        also=("log-unreadable",),
    ),
    Case(
        name="earlier-run",
        story="the log file still holds lines of an earlier run on the GPU; this run is on the CPU",
        family="logged",
        stage=_earlier_run,
        rule="dependency-missing",
        mode="cpu",
        sentence="libcublasLt.so.12",
        also=("log-of-earlier-run",),
    ),
)
