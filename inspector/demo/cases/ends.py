"""Cases in which a process dies or hangs, and nobody says where."""

from ..build import BuildSpec
from ..case import Case, Launch
from ..case_directory import Stage
from ..parts import (
    MONITOR,
    NVML,
    put_inference,
    put_program,
    put_shims,
    server_launch,
    server_tree,
    shim_folder,
)

_FAULTY = BuildSpec(("override.c",), defines=("FAULTY",))


def _crash_in_child(stage: Stage) -> Launch:
    function = stage.note(
        "function", stage.random.choice(("cuDeviceGetCount", "cuDeviceTotalMem_v2", "cuDeviceGetName"))
    )
    tree = server_tree(stage)
    tree.preload(*put_shims(tree))
    return server_launch(tree, SHIM_CRASH=function)


def _crash_blamed(stage: Stage) -> Launch:
    shims = shim_folder(stage, nvml=NVML)
    return Launch([put_program(stage, MONITOR)], {"LD_LIBRARY_PATH": shims, "SHIM_CRASH": "nvmlInit_v2"}, ready="fopen")


def _status_two(stage: Stage) -> Launch:
    environment = {"LD_LIBRARY_PATH": shim_folder(stage), "SHIM_CRASH": "cuLibraryLoadData", "INFER_SIGNALS": "1"}
    return Launch([put_inference(stage)], environment, ready="fopen")


def _null_pointer(stage: Stage) -> Launch:
    environment = {"LD_LIBRARY_PATH": shim_folder(stage), "SHIM_NULL": "cuCtxSynchronize"}
    return Launch([put_inference(stage)], environment, ready="cuLaunchKernel()")


def _wrapper_dies(stage: Stage) -> Launch:
    hook = stage.put(_FAULTY, f"opt/vgpu/lib/{stage.note('hook', f'lib{stage.word()}-syscall.so')}")
    program = put_inference(stage)
    wrapper = stage.write(
        f"opt/{stage.word()}/start", f"#!/bin/sh\nread -r line < /etc/hostname\nexec {program}\n", 0o755
    )
    return Launch([str(wrapper)], {"LD_PRELOAD": str(hook), "LD_LIBRARY_PATH": shim_folder(stage)})


def _blocked(stage: Stage) -> Launch:
    environment = {"LD_LIBRARY_PATH": shim_folder(stage), "SHIM_BLOCK": "cuMemAlloc_v2=60"}
    return Launch([put_inference(stage)], environment, ready="cuMemAlloc_v2() CALLED")


def _timeout(stage: Stage) -> Launch:
    tree = server_tree(stage)
    tree.preload(*put_shims(tree))
    return server_launch(tree, SHIM_BLOCK="cuInit=60", DEMO_LIMIT="1")


CASES = (
    Case(
        name="child-crashed",
        story="the discovery child dies by SIGSEGV inside the shim",
        family="end of a process",
        stage=_crash_in_child,
        rule="child-crashed",
        mode="cpu",
        sentence="{function}",
    ),
    Case(
        name="crash-blamed-on-neighbour",
        story="the last line of the log says fopen; the fault is in nvmlInit_v2",
        family="end of a process",
        stage=_crash_blamed,
        rule="child-crashed",
        mode="cpu",
        sentence="nvmlInit_v2",
    ),
    Case(
        name="exit-status-two",
        story="a fault in the shim is turned into the plain exit status 2",
        family="end of a process",
        stage=_status_two,
        rule="child-crashed",
        mode="cpu",
        sentence="cuLibraryLoadData",
    ),
    Case(
        name="null-success",
        story="cuGetProcAddress succeeds with a NULL pointer; the runtime jumps to address 0",
        family="end of a process",
        stage=_null_pointer,
        rule="child-crashed",
        mode="cpu",
        sentence="0x0",
    ),
    Case(
        name="wrapper-dies",
        story="the shell wrapper dies under the preload, the program itself is never started",
        family="end of a process",
        stage=_wrapper_dies,
        rule="child-crashed",
        mode="cpu",
        sentence="sh start",
    ),
    Case(
        name="call-blocked",
        story="cuMemAlloc_v2 never returns",
        family="end of a process",
        stage=_blocked,
        rule="call-blocked",
        mode="undecided",
        sentence="has not returned",
        seconds=1.5,
    ),
    Case(
        name="discovery-timeout",
        story="cuInit waits for a device that does not answer until discovery gives up",
        family="end of a process",
        stage=_timeout,
        rule="discovery-timeout",
        mode="cpu",
        sentence="inside cu",
    ),
)
