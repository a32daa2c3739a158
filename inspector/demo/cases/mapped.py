"""Cases in which the file that is mapped is not the file that was meant."""

import os
from collections.abc import Callable
from pathlib import Path

from msgspec.structs import replace

from ..case import Case, Launch
from ..case_directory import Stage
from ..parts import (
    DIRECT,
    DISCOVERED,
    DRIVER,
    LOADED,
    NVML,
    OFFLOADED,
    RUNTIME,
    VENDOR,
    VIEW,
    ServerTree,
    put_inference,
    put_program,
    put_shims,
    server_launch,
    server_tree,
    shim_folder,
)  # fmt: skip


def _running(stage: Stage) -> tuple[ServerTree, Path]:
    tree = server_tree(stage)
    driver, nvml = put_shims(tree)
    tree.preload(driver, nvml)
    tree.environment |= {"SHIM_FAIL": "cuInit=100", "DEMO_LAYERS": "0/29"}
    return tree, stage.directory / driver


def _later(tree: ServerTree, then: Callable[[], object]) -> Launch:
    def change() -> None:
        then()

    return Launch([tree.program], tree.environment, ready=LOADED, then=change, late=True)


def _replaced(stage: Stage) -> Launch:
    tree, driver = _running(stage)
    newer = stage.put(DRIVER, f"{tree.shims}/new.so")
    return _later(tree, lambda: newer.replace(driver))


def _deleted(stage: Stage) -> Launch:
    tree, driver = _running(stage)
    return _later(tree, driver.unlink)


def _modified(stage: Stage) -> Launch:
    tree, driver = _running(stage)

    def write_in_place() -> None:
        with driver.open("ab") as file:
            file.write(b"\0" * 512)
        later = driver.stat().st_mtime + 60
        os.utime(driver, (later, later))

    return _later(tree, write_in_place)


def _other_first(stage: Stage) -> Launch:
    program = put_program(stage, DIRECT)
    vendor, shims = shim_folder(stage, driver=VENDOR), shim_folder(stage)
    stage.note("winner", vendor)
    return Launch([program], {"LD_LIBRARY_PATH": f"{vendor}:{shims}"}, ready=OFFLOADED)


def _no_soname(stage: Stage) -> Launch:
    tree = server_tree(stage)
    tree.preload(*put_shims(tree, driver=replace(DRIVER, soname=""), nvml=replace(NVML, soname="")))
    return server_launch(tree)


def _no_soname_beside_vendor(stage: Stage) -> Launch:
    program = put_program(stage, DIRECT)
    shim = stage.put(replace(DRIVER, soname=""), f"opt/vgpu/lib/{stage.note('shim', f'lib{stage.word()}-cuda.so')}")
    environment = {"LD_PRELOAD": str(shim), "LD_LIBRARY_PATH": shim_folder(stage, driver=VENDOR)}
    return Launch([program], environment, ready=OFFLOADED)


def _two_copies(stage: Stage) -> Launch:
    program = put_program(stage, DIRECT)
    first = stage.put(DRIVER, f"opt/{stage.word()}/libcuda.so.1")
    second = stage.write(f"srv/{stage.word()}/libcuda.so.1", first.read_bytes(), mode=0o755)
    stage.note("second", str(second))
    return Launch([program, "--open", str(first), "--then", str(second)], {}, ready=OFFLOADED)


def _link_bypass(stage: Stage) -> Launch:
    program = put_inference(stage)
    folder = Path(program).parent
    real = f"libcudart.so.12.{stage.random.randrange(3, 9)}.{stage.random.randrange(20, 99)}"
    (folder / "libcudart.so.12").rename(folder / stage.note("real", real))
    (folder / "libcudart.so.12").symlink_to(real)
    shims = shim_folder(stage, driver=VENDOR)
    stage.put(RUNTIME, f"{Path(shims).relative_to(stage.directory)}/libvgpu-cudart.so")
    (Path(shims) / "libcudart.so").symlink_to("libvgpu-cudart.so")
    return Launch([program], {"LD_LIBRARY_PATH": shims}, ready=OFFLOADED)


def _needs_root() -> str:
    return "" if os.geteuid() == 0 else "needs root: it makes a mount namespace"


def _hidden(stage: Stage) -> Launch:
    tree = server_tree(stage)
    driver, nvml = put_shims(tree)
    tree.preload(driver, nvml)
    stage.note("folder", tree.shims)
    launch = server_launch(tree, DISCOVERED)
    view = put_program(stage, VIEW)
    return replace(launch, argv=[view, "hide", stage.path(tree.shims), *launch.argv])


CASES = (
    Case(
        name="replaced-library",
        story="the shim was rebuilt while the server runs: what is mapped is not what is on disk",
        family="mapped",
        stage=_replaced,
        rule="stale-artefact",
        mode="cpu",
        sentence="{shim}-cuda.so",
    ),
    Case(
        name="deleted-library",
        story="the shim was deleted while the server runs",
        family="mapped",
        stage=_deleted,
        rule="stale-artefact",
        mode="cpu",
        sentence="{shim}-cuda.so",
    ),
    Case(
        name="modified-library",
        story="the shim was written over in place while the server runs: same inode, other bytes",
        family="mapped",
        stage=_modified,
        rule="stale-artefact",
        mode="cpu",
        sentence="{shim}-cuda.so",
    ),
    Case(
        name="other-library-first",
        story="two directories hold libcuda.so.1, and the vendor's stands first in LD_LIBRARY_PATH",
        family="mapped",
        stage=_other_first,
        rule="other-library-first",
        mode="cpu",
        sentence="{winner}",
    ),
    Case(
        name="no-soname",
        story="the preloaded shim has no SONAME: the backend's libcuda.so.1 is looked for, and not found",
        family="mapped",
        stage=_no_soname,
        rule="name-mismatch",
        mode="cpu",
        sentence="libcuda.so.1",
    ),
    Case(
        name="no-soname-beside-vendor",
        story="the preloaded shim has no SONAME: dlopen of libcuda.so.1 brings in the vendor's driver beside it",
        family="mapped",
        stage=_no_soname_beside_vendor,
        rule="name-mismatch",
        mode="cpu",
        sentence="{shim}",
    ),
    Case(
        name="two-copies",
        story="cuInit runs in one copy of the shim, cuDeviceGetCount in another that was never initialised",
        family="mapped",
        stage=_two_copies,
        rule="two-copies",
        mode="cpu",
        sentence="{second}",
    ),
    Case(
        name="link-chain-bypass",
        story="libcudart.so.12 beside the program links to the vendor's versioned file, the shim has another name",
        family="mapped",
        stage=_link_bypass,
        rule="link-chain-bypass",
        mode="cpu",
        sentence="{real}",
    ),
    Case(
        name="hidden-by-namespace",
        story="the shim is there, but not in the mount namespace of the server",
        family="mapped",
        stage=_hidden,
        rule="hidden-by-namespace",
        mode="cpu",
        sentence="{folder}",
        needs=_needs_root,
    ),
)
