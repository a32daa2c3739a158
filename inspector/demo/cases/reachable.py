"""Cases in which everything is loaded and exported, and yet nobody is there who could call it."""

from pathlib import Path

from ..case import Case, Launch
from ..case_directory import Stage
from ..parts import (
    BLAS_LT,
    DRIVER,
    OFFLOADED,
    put_inference,
    put_shims,
    server_launch,
    server_tree,
    shim_folder,
)  # fmt: skip


def _the_question(stage: Stage) -> Launch:
    tree = server_tree(stage, leave_out=("blas_lt",))
    tree.preload(*put_shims(tree))
    return server_launch(tree, DEMO_REPEAT="3")


def _runtime_missing(stage: Stage) -> Launch:
    program = put_inference(stage)
    (Path(program).parent / "libcudart.so.12").unlink()
    return Launch([program], {"LD_LIBRARY_PATH": shim_folder(stage)}, ready=OFFLOADED)


def _no_consumer(stage: Stage) -> Launch:
    shim = stage.put(DRIVER, f"opt/vgpu/lib/lib{stage.word()}-cuda.so")
    return Launch(["/bin/sh", "-c", "echo started; sleep 60 & wait"], {"LD_PRELOAD": str(shim)}, ready="started")


def _no_backend(stage: Stage) -> Launch:
    tree = server_tree(stage, leave_out=("backend",))
    stage.put(BLAS_LT, f"{Path(tree.backends).parent}/libggml-cpu.so")
    tree.preload(*put_shims(tree))
    return server_launch(tree)


def _backend_damaged(stage: Stage) -> Launch:
    tree = server_tree(stage)
    backend = stage.directory / tree.backends / "libggml-cuda.so"
    backend.write_bytes(backend.read_bytes()[: stage.random.randrange(100, 800)])
    tree.preload(*put_shims(tree))
    return server_launch(tree)


def _backend_disabled(stage: Stage) -> Launch:
    tree = server_tree(stage)
    tree.preload(*put_shims(tree))
    return server_launch(tree, OLLAMA_LLM_LIBRARY=stage.note("only", f"cuda_v{stage.random.randrange(8, 12)}"))


CASES = (
    Case(
        name="the-question",
        story="CUDA and NVML shims preloaded, mapped and complete, the log is discovering, and still the CPU",
        family="reachable",
        stage=_the_question,
        rule="dependency-missing",
        mode="cpu",
        sentence="libcublasLt.so.12",
    ),
    Case(
        name="runtime-missing",
        story="the backend needs libcudart.so.12, which is not beside it",
        family="reachable",
        stage=_runtime_missing,
        rule="dependency-missing",
        mode="cpu",
        sentence="libcudart.so.12",
    ),
    Case(
        name="no-consumer",
        story="the shim is preloaded into a shell and sleep: nothing there could ever call it",
        family="reachable",
        stage=_no_consumer,
        rule="no-consumer",
        mode="cpu",
        sentence="",
        seconds=1.0,
    ),
    Case(
        name="no-backend",
        story="the server has no GPU backend at all among its libraries",
        family="reachable",
        stage=_no_backend,
        rule="no-consumer",
        mode="cpu",
        sentence="",
    ),
    Case(
        name="backend-damaged",
        story="the backend file was cut short while it was copied",
        family="reachable",
        stage=_backend_damaged,
        rule="backend-load-failed",
        mode="cpu",
        sentence="libggml-cuda.so",
    ),
    Case(
        name="backend-disabled",
        story="OLLAMA_LLM_LIBRARY names a directory that is not there, so none is looked at",
        family="reachable",
        stage=_backend_disabled,
        rule="backend-disabled",
        mode="cpu",
        sentence="{only}",
    ),
)
