"""Settings that decide: variables and options with which a program uses no GPU."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.model.profiles import builtin_profiles
from inspector.model.settings import without_gpu
from inspector.stream.processes import EnvironmentRead

from .build import Story

PROFILES = builtin_profiles()


def told(environment: dict[str, str] | None = None, *arguments: str) -> list[tuple[str, str]]:
    story = Story()
    story.process(812, ["/opt/app/server", *arguments], environment=environment or {})
    return [(setting.text, setting.place) for setting in without_gpu(story.state.processes[0], PROFILES)]


@pytest.mark.parametrize(
    ("environment", "text"),
    [
        ({"CUDA_VISIBLE_DEVICES": ""}, "CUDA_VISIBLE_DEVICES=(empty)"),
        ({"CUDA_VISIBLE_DEVICES": "-1,0"}, "CUDA_VISIBLE_DEVICES=-1,0"),
        ({"JAX_PLATFORMS": "cpu"}, "JAX_PLATFORMS=cpu"),
        ({"HIP_VISIBLE_DEVICES": "-1"}, "HIP_VISIBLE_DEVICES=-1"),
        ({"OLLAMA_LLM_LIBRARY": "cpu_avx2"}, "OLLAMA_LLM_LIBRARY=cpu_avx2"),
        ({"NUMBA_DISABLE_CUDA": "1"}, "NUMBA_DISABLE_CUDA=1"),
        ({"LLAMA_ARG_DEVICE": "none"}, "LLAMA_ARG_DEVICE=none"),
        ({"PJRT_DEVICE": "CPU"}, "PJRT_DEVICE=CPU"),
        ({"GEGL_USE_OPENCL": "no"}, "GEGL_USE_OPENCL=no"),
        ({"APP_DISABLE_GPU": "1"}, "APP_DISABLE_GPU=1"),
    ],
)
def test_a_variable_with_which_no_gpu_is_used_is_told(environment: dict[str, str], text: str) -> None:
    assert told(environment) == [(text, "environment")]


@pytest.mark.parametrize(
    "environment",
    [
        {"CUDA_VISIBLE_DEVICES": "0"}, {"CUDA_VISIBLE_DEVICES": "0,-1"}, {"CUDA_VISIBLE_DEVICES": "GPU-1-2"},
        {"JAX_PLATFORMS": "cuda,cpu"}, {"JAX_PLATFORMS": ""}, {"NUMBA_DISABLE_CUDA": "0"},
        {"PATH": ""}, {"HOME": "cpu"}, {"GEGL_USE_OPENCL": "yes"}, {"APP_DISABLE_GPU": "0"},
    ],
)  # fmt: skip
def test_a_variable_that_leaves_a_gpu_is_not(environment: dict[str, str]) -> None:
    assert told(environment) == []


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["-ngl", "0"], "-ngl 0"),
        (["--n-gpu-layers=0"], "--n-gpu-layers 0"),
        (["serve", "--device", "cpu", "-x"], "--device cpu"),
        (["--no-gpu"], "--no-gpu"),
        (["--conf", "opencl=FALSE"], "opencl=FALSE"),
    ],
)
def test_an_option_with_which_no_gpu_is_used_is_told(arguments: list[str], text: str) -> None:
    assert told({}, *arguments) == [(text, "argument")]


@pytest.mark.parametrize(
    "arguments",
    [["-ngl", "33"], ["--device", "cuda:0"], ["--device"], ["-ngl"], ["-m", "cpu"], ["cuda", "false"], ["gpu=0"]],
)
def test_an_option_that_leaves_a_gpu_is_not(arguments: list[str]) -> None:
    assert told({}, *arguments) == []


def test_a_variable_that_was_set_inside_the_process_is_told_so() -> None:
    story = Story()
    story.process(812, environment={"CUDA_VISIBLE_DEVICES": "0"})
    story.tell(
        EnvironmentRead(at=story.later(), pid=812, why="cuInit refused", environment={"CUDA_VISIBLE_DEVICES": ""})
    )
    (setting,) = without_gpu(story.state.processes[0], PROFILES)
    assert (setting.place, setting.text) == ("memory", "CUDA_VISIBLE_DEVICES=(empty)")


@given(st.text(), st.lists(st.text(), max_size=4))
def test_any_value_is_read_without_harm(value: str, arguments: list[str]) -> None:
    told({"CUDA_VISIBLE_DEVICES": value, "JAX_PLATFORMS": value}, "-ngl", value, *arguments)


def test_a_variable_means_something_to_who_reads_it_only() -> None:
    story = Story()
    story.process(812, environment={"JAX_PLATFORMS": "cpu", "NUMBA_DISABLE_CUDA": "1", "FORCE_CPU": "1"})
    story.image("/usr/lib/libc.so.6")
    story.map(812, "/usr/lib/libc.so.6")
    (process,) = story.state.processes
    assert [one.key for one in without_gpu(process, PROFILES)] == ["FORCE_CPU"]
    story.map(812, "/v/lib/python3.11/site-packages/jaxlib/xla_extension.so")
    assert [one.key for one in without_gpu(process, PROFILES)] == ["JAX_PLATFORMS", "FORCE_CPU"]
