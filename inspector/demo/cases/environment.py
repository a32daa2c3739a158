"""Cases in which the setting does not reach the process that matters, or its loader does not honour it."""

import os
import shutil
from pathlib import Path

from msgspec.structs import replace

from ..case import Case, Launch
from ..case_directory import Stage
from ..parts import (
    DIRECT,
    LOADED,
    OFFLOADED,
    SERVER,
    VIEW,
    ServerTree,
    device,
    put_program,
    put_shims,
    server_launch,
    server_tree,
    shim_folder,
)  # fmt: skip

_NOBODY = 65534


def _needs_root() -> str:
    return "" if os.geteuid() == 0 else "needs root: it makes a program set-user-id or a mount namespace"


def _preload_missing(stage: Stage) -> Launch:
    tree = server_tree(stage)
    tree.preload(f"{tree.shims}/{stage.note('entry', f'lib{stage.word()}-syscall.so')}")
    return server_launch(tree)


def _preload_wrong_class(stage: Stage) -> Launch:
    tree = server_tree(stage)
    shim, _ = put_shims(tree)
    image = bytearray((stage.directory / shim).read_bytes())
    image[4] = 1  # ELFCLASS32
    (stage.directory / shim).write_bytes(image)
    stage.note("entry", Path(shim).name)
    tree.preload(shim)
    return server_launch(tree)


def _preload_not_elf(stage: Stage) -> Launch:
    tree = server_tree(stage)
    shim = f"{tree.shims}/{stage.note('entry', f'lib{stage.word()}-cuda.so')}"
    stage.write(shim, f"/* GNU ld script */\nINPUT({stage.word()})\n" * stage.random.randrange(3, 90))
    tree.preload(shim)
    return server_launch(tree)


def _one_of_two_missing(stage: Stage) -> Launch:
    tree = server_tree(stage)
    cuda, nvml = put_shims(tree)
    tree.preload(cuda, nvml, f"{tree.shims}/{stage.note('entry', f'lib{stage.word()}-exec.so')}")
    return server_launch(tree, LOADED, DEMO_LAYERS="29/29", **device(stage))


def _lost_in_children(stage: Stage) -> Launch:
    tree = server_tree(stage)
    tree.preload(*put_shims(tree))
    return server_launch(tree, DEMO_STRIP="LD_PRELOAD")


def _lost_in_wrapper(stage: Stage) -> Launch:
    program = put_program(stage, DIRECT)
    wrapper = stage.write(
        f"opt/{stage.word()}/start", f"#!/bin/sh\nunset LD_LIBRARY_PATH\n{program}\necho $?\n", mode=0o755
    )
    return Launch([str(wrapper)], {"LD_LIBRARY_PATH": shim_folder(stage)}, ready=OFFLOADED)


def _set_user_id(stage: Stage) -> Launch:
    program = put_program(stage, DIRECT)
    os.chown(program, _NOBODY, -1)
    Path(program).chmod(0o4755)
    for folder in Path(program).parents[: len(Path(program).relative_to(stage.directory).parts)]:
        folder.chmod(0o755)
    return Launch([program], {"LD_LIBRARY_PATH": shim_folder(stage)}, ready=OFFLOADED)


def _static(stage: Stage) -> Launch:
    tree = server_tree(stage, server=replace(SERVER, flags=("-static", "-Wl,-w")))
    tree.preload(*put_shims(tree))
    return server_launch(tree)


def _global_preload(stage: Stage) -> Launch:
    tree = server_tree(stage)
    cuda, _ = put_shims(tree)
    for name in ("ld.so.cache", "passwd", "nsswitch.conf"):
        if Path("/etc", name).exists():
            stage.write(f"etc/{name}", Path("/etc", name).read_bytes())
    stage.write("etc/ld.so.preload", stage.path(cuda) + "\n")
    view = put_program(stage, VIEW)
    launch = server_launch(tree, LOADED, DEMO_LAYERS="29/29", **device(stage))
    return replace(launch, argv=[view, "etc", stage.path("etc"), *launch.argv])


def _hidden_device(value: str, tree: ServerTree) -> Launch:
    tree.preload(*put_shims(tree))
    return server_launch(tree, CUDA_VISIBLE_DEVICES=value)


def _visible_empty(stage: Stage) -> Launch:
    return _hidden_device("", server_tree(stage))


def _visible_minus_one(stage: Stage) -> Launch:
    program = put_program(stage, DIRECT)
    return Launch([program], {"LD_LIBRARY_PATH": shim_folder(stage), "CUDA_VISIBLE_DEVICES": "-1"}, ready=OFFLOADED)


def _visible_foreign(stage: Stage) -> Launch:
    other = f"GPU-{stage.random.randrange(16**8):08x}-1111-2222-3333-444444444444"
    return _hidden_device(stage.note("other", other), server_tree(stage))


def _has_static_libc() -> str:
    return (
        "" if any(Path("/usr").glob("lib*/**/libc.a")) or shutil.which("musl-gcc") else "needs a static libc (libc.a)"
    )


CASES = (
    Case(
        name="preload-missing",
        story="LD_PRELOAD names a shim that is not there; the loader ignores it and goes on",
        family="environment",
        stage=_preload_missing,
        rule="preload-entry-unusable",
        mode="cpu",
        sentence="{entry}",
    ),
    Case(
        name="preload-wrong-class",
        story="the preloaded shim is a 32-bit library",
        family="environment",
        stage=_preload_wrong_class,
        rule="preload-entry-unusable",
        mode="cpu",
        sentence="{entry}",
    ),
    Case(
        name="preload-not-elf",
        story="the preloaded shim is a linker script, no library",
        family="environment",
        stage=_preload_not_elf,
        rule="preload-entry-unusable",
        mode="cpu",
        sentence="{entry}",
    ),
    Case(
        name="preload-one-missing",
        story="one of three preloaded libraries is not there, and the GPU is used all the same",
        family="environment",
        stage=_one_of_two_missing,
        rule="gpu-in-use",
        mode="cuda",
        sentence="",
        also=("preload-entry-unusable",),
    ),
    Case(
        name="lost-in-children",
        story="the server has LD_PRELOAD, the children that look for the GPU do not",
        family="environment",
        stage=_lost_in_children,
        rule="environment-lost",
        mode="cpu",
        sentence="LD_PRELOAD",
    ),
    Case(
        name="lost-in-wrapper",
        story="a shell wrapper unsets LD_LIBRARY_PATH before it starts the program",
        family="environment",
        stage=_lost_in_wrapper,
        rule="environment-lost",
        mode="cpu",
        sentence="LD_LIBRARY_PATH",
    ),
    Case(
        name="set-user-id",
        story="the program is set-user-id: its loader ignores LD_LIBRARY_PATH",
        family="environment",
        stage=_set_user_id,
        rule="loader-ignores-environment",
        mode="cpu",
        sentence="LD_LIBRARY_PATH",
        needs=_needs_root,
    ),
    Case(
        name="static-program",
        story="the server is a static program: nothing is ever preloaded into it",
        family="environment",
        stage=_static,
        rule="static-binary",
        mode="cpu",
        sentence="static",
        needs=_has_static_libc,
    ),
    Case(
        name="global-preload",
        story="the shim stands in /etc/ld.so.preload (of a mount namespace of its own): every new process carries it",
        family="environment",
        stage=_global_preload,
        rule="global-preload",
        mode="cuda",
        sentence="ld.so.preload",
        needs=_needs_root,
    ),
    Case(
        name="visible-devices-empty",
        story="CUDA_VISIBLE_DEVICES is set and empty: a healthy driver returns 100, no device",
        family="environment",
        stage=_visible_empty,
        rule="visible-devices-hidden",
        mode="cpu",
        sentence="CUDA_VISIBLE_DEVICES",
    ),
    Case(
        name="visible-devices-none",
        story="CUDA_VISIBLE_DEVICES=-1 hides all devices of a healthy driver",
        family="environment",
        stage=_visible_minus_one,
        rule="visible-devices-hidden",
        mode="cpu",
        sentence="CUDA_VISIBLE_DEVICES",
    ),
    Case(
        name="visible-devices-foreign",
        story="CUDA_VISIBLE_DEVICES names a GPU of another machine",
        family="environment",
        stage=_visible_foreign,
        rule="visible-devices-hidden",
        mode="cpu",
        sentence="{other}",
    ),
)
