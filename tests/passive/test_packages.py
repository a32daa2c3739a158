"""Builds of packages without a part for the GPU, told apart by the files beside a mapped one."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from inspector.collect.sources.libraries.packages import PackagesSource
from inspector.model.profiles import builtin_profiles
from inspector.stream.libraries import PackageRead
from tests.elf.workshop import Workshop

from .session import Bench


class House:
    """A folder of packages, and processes that map one of their files."""

    def __init__(self, folder: Path, workshop: Workshop) -> None:
        self.folder = folder
        self._plain = workshop.library("packages/plain.so", "int plain;")
        cudart = workshop.library("packages/libcudart.so.12", "int cudaInit;", soname="libcudart.so.12")
        self._linked = workshop.library("packages/linked.so", "int linked;", links=[cudart])
        self._cudart = cudart
        self._processes: list[subprocess.Popen[bytes]] = []

    def add(self, path: str, *, linked: bool = False) -> Path:
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((self._linked if linked else self._plain).read_bytes())
        return target

    def look(self, library: Path) -> list[PackageRead]:
        """What is told of a process that maps this file."""
        code = f"import ctypes, time; ctypes.CDLL({str(library)!r}); print(flush=True); time.sleep(600)"
        environment = {"LD_LIBRARY_PATH": str(self._cudart.parent)}
        process = subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE)
        self._processes.append(process)
        assert process.stdout is not None
        process.stdout.readline()
        bench = Bench(builtin_profiles().plan())
        bench.track(process.pid)
        source = PackagesSource(bench.session)
        source.start()
        return bench.sink.of(PackageRead)

    def end(self) -> None:
        for process in self._processes:
            process.kill()
            process.communicate()


@pytest.fixture
def house(tmp_path: Path, workshop: Workshop) -> Iterator[House]:
    house = House(tmp_path, workshop)
    yield house
    house.end()


def test_torch_without_its_part_for_cuda_is_a_build_for_the_cpu(house: House) -> None:
    mark = house.add("site-packages/torch/lib/libtorch_cpu.so")
    (told,) = house.look(mark)
    assert (told.package, told.gpu_part, told.path) == ("torch", False, str(mark))
    assert f"{mark.parent}/libtorch_cuda.so" in told.looked


def test_torch_with_it_is_not(house: House) -> None:
    mark = house.add("site-packages/torch/lib/libtorch_cpu.so")
    part = house.add("site-packages/torch/lib/libtorch_cuda.so")
    (told,) = house.look(mark)
    assert (told.gpu_part, told.found) == (True, [str(part)])


def test_onnxruntime_without_its_cuda_provider_is_a_build_for_the_cpu(house: House) -> None:
    mark = house.add("onnxruntime/capi/onnxruntime_pybind11_state.cpython-311-x86_64-linux-gnu.so")
    assert [told.gpu_part for told in house.look(mark)] == [False]
    house.add("onnxruntime/capi/libonnxruntime_providers_cuda.so")
    assert [told.gpu_part for told in house.look(mark)] == [True]


def test_tensorflow_is_told_by_the_name_under_which_it_was_installed(house: House) -> None:
    mark = house.add("site-packages/tensorflow/libtensorflow_framework.so.2")
    assert [told.gpu_part for told in house.look(mark)] == [None]
    (house.folder / "site-packages/tensorflow_cpu-2.16.1.dist-info").mkdir()
    assert [told.gpu_part for told in house.look(mark)] == [False]


def test_jaxlib_needs_a_plug_in_beside_it(house: House) -> None:
    mark = house.add("site-packages/jaxlib/libjax_common.so")
    assert [told.gpu_part for told in house.look(mark)] == [False]
    (house.folder / "site-packages/jax_cuda12_plugin").mkdir()
    assert [told.gpu_part for told in house.look(mark)] == [True]


def test_ggml_with_a_backend_in_a_folder_below_or_linked_in_has_a_part_for_the_gpu(house: House) -> None:
    mark = house.add("lib/ollama/libggml-base.so")
    assert [told.gpu_part for told in house.look(mark)] == [False]
    house.add("lib/ollama/cuda_v12/libggml-cuda.so")
    assert [told.gpu_part for told in house.look(mark)] == [True]
    linked = house.add("other/libggml.so", linked=True)
    (told,) = house.look(linked)
    assert (told.gpu_part, told.found) == (True, ["libcudart.so.12"])


def test_what_no_profile_names_is_no_package(house: House) -> None:
    assert house.look(house.add("lib/libsomething.so")) == []
