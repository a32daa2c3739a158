"""Cases in which the device was found and then not used."""

from msgspec.structs import replace

from ..case import Case, Launch
from ..case_directory import Stage
from ..parts import BACKEND, LOADED, put_inference, put_shims, server_launch, server_tree, shim_folder


def _not_offloaded(stage: Stage) -> Launch:
    tree = server_tree(stage)
    tree.preload(*put_shims(tree))
    return server_launch(tree, LOADED, DEMO_LAYERS="0/29")


def _dropped(stage: Stage) -> Launch:
    architecture = stage.random.choice((750, 800, 890))
    tree = server_tree(stage, backend=replace(BACKEND, defines=(f"ARCHITECTURE={architecture}",)))
    tree.preload(*put_shims(tree))
    return server_launch(tree, OLLAMA_DEBUG="1")


def _stub(stage: Stage) -> Launch:
    """As the healthy program, but no byte ever goes to a device."""
    environment = {"LD_LIBRARY_PATH": shim_folder(stage), "SHIM_LOG": "none", "SHIM_TOY": "1"}
    return Launch([put_inference(stage)], environment, ready="offloaded 17/17")


CASES = (
    Case(
        name="not-offloaded",
        story="the GPU is found, and the model is placed on the CPU all the same: 0 of 29 layers",
        family="used",
        stage=_not_offloaded,
        rule="not-offloaded",
        mode="cpu",
        sentence="0/29",
    ),
    Case(
        name="device-dropped",
        story="the first pass finds the device, the child of the second pass aborts: no code for this architecture",
        family="used",
        stage=_dropped,
        rule="device-dropped",
        mode="cpu",
        sentence="",
    ),
    Case(
        name="success-without-work",
        story="allocations and launches all return 0, and nothing behind them does anything",
        family="used",
        stage=_stub,
        rule="success-without-work",
        mode="cuda",
        sentence="",
        seconds=1.0,
    ),
)
