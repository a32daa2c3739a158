"""What the inspector says about NVIDIA's own packages over the shims: equal, call by call, to the shim's own log."""

import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from inspector.model.diagnosis import diagnose
from inspector.model.state import Process, State

from .conftest import LoggedCall, logged_calls
from .watching import counted, results, watch

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("real")]
LOOK_UPS = 419
_NVML = """
import os, time, pynvml
while not os.path.exists(os.environ["DEMO_HOLD"]):
    time.sleep(0.02)
pynvml.nvmlInit()
print(pynvml.nvmlDeviceGetCount(), "devices", flush=True)
time.sleep(30)
"""


@pytest.fixture(scope="module")
def observed(
    runtime_program: Path, shims: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[State, Process, list[LoggedCall]]:
    """The runtime's program from its birth to its end, and what the shim wrote down of it."""
    log = tmp_path_factory.mktemp("observed") / "log"
    state = watch([str(runtime_program)], {"LD_LIBRARY_PATH": str(shims), "SHIM_LOG": str(log)}, "cudaMalloc 500")
    assert len(state.processes) == 1
    return state, state.processes[0], logged_calls(log)


def test_the_tree_is_one_program_that_ended_in_order(
    observed: tuple[State, Process, list[LoggedCall]], runtime_program: Path
) -> None:
    _, process, _ = observed
    assert process.program is not None
    assert process.program.argv == [str(runtime_program)]
    assert process.end is not None
    assert process.end.code == 0


def test_the_runtime_is_needed_and_the_driver_is_opened_by_it(
    observed: tuple[State, Process, list[LoggedCall]],
) -> None:
    routes = {Path(one.path).name: one.route for one in observed[1].libraries.values()}
    assert routes["libcudart.so.12"] == "needed"
    assert routes["libcuda.so.1"] == "dlopen"


def test_every_call_is_counted_as_the_shim_wrote_it_down(
    observed: tuple[State, Process, list[LoggedCall]],
) -> None:
    state, process, calls = observed
    assert counted(state, process, "libcuda.so.1") == Counter(one.function for one in calls)


def test_every_result_is_the_one_that_the_shim_wrote_down(
    observed: tuple[State, Process, list[LoggedCall]],
) -> None:
    state, process, calls = observed
    for function in ("cuInit", "cuDriverGetVersion", "cuDeviceGetCount", "cuDeviceGetAttribute", "cuGetExportTable"):
        logged = Counter(one.result for one in calls if one.function == function)
        assert results(state, process, function) == logged, function


def test_the_first_calls_come_in_the_order_of_the_shims_log(
    observed: tuple[State, Process, list[LoggedCall]],
) -> None:
    state, process, calls = observed
    seen = dict.fromkeys(
        state.functions[one.function].name
        for one in sorted(process.calls, key=lambda one: one.entered)
        if Path(state.functions[one.function].library).name == "libcuda.so.1"
    )
    logged = [name for name in dict.fromkeys(one.function for one in calls) if name in seen]
    assert list(seen) == logged


def test_there_is_one_dlsym_and_419_questions_to_the_driver(
    observed: tuple[State, Process, list[LoggedCall]],
) -> None:
    _, process, _ = observed
    asked = Counter[str]()
    for one in process.lookups:
        if Path(one.requester).name == "libcudart.so.12":
            asked[one.via.removesuffix("_v2")] += one.count
    assert asked["dlsym"] == 1
    assert asked["cuGetProcAddress"] == LOOK_UPS


def test_the_refused_private_tables_are_told_by_their_ids(
    observed: tuple[State, Process, list[LoggedCall]],
) -> None:
    _, process, calls = observed
    refused = [one.name[:8].upper() for one in process.lookups if one.via == "cuGetExportTable" and one.found is False]
    logged = [one.detail.removeprefix("table=") for one in calls if one.function == "cuGetExportTable" and one.result]
    assert refused == logged == ["F8CFF951", "263E8860", "D4082055"]


def test_the_answer_is_the_refusal_and_not_the_loading(observed: tuple[State, Process, list[LoggedCall]]) -> None:
    answer = diagnose(observed[0])
    assert answer.findings[0].rule in ("export-table-refused", "api-error")
    assert " 500 (" in answer.findings[0].title
    assert answer.mode.verdict != "cuda"


def test_a_program_that_only_asks_nvml_is_blamed_for_nothing(
    package: Callable[..., Path], shims: Path, tmp_path: Path
) -> None:
    packages = package("nvidia-ml-py==13.615.71", "--no-deps")
    log = tmp_path / "log"
    environment = {"LD_LIBRARY_PATH": str(shims), "PYTHONPATH": str(packages), "SHIM_LOG": str(log)}
    state = watch([sys.executable, "-c", _NVML], environment, "1 devices")
    answer = diagnose(state)
    assert counted(state, state.processes[0], "libnvidia-ml.so.1") == Counter(one.function for one in logged_calls(log))
    assert [one.rule for one in answer.findings if one.severity == "error"] == []
    assert answer.mode.verdict == "undecided"
