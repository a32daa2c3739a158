"""What the inspector says about NVIDIA's own packages over the shims: equal, call by call, to the shim's own log."""

import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from inspector.model.diagnosis import diagnose
from inspector.model.state import Process, State
from inspector.report.builder import report

from .conftest import LoggedCall, logged_calls
from .watching import counted, results, sampled, watch

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("real")]
LOOK_UPS = {"runtime": 419, "bindings": 526}
_HELD = """
import os, time
while not os.path.exists(os.environ["DEMO_HOLD"]):
    time.sleep(0.02)
"""
_NVML = """
import pynvml
pynvml.nvmlInit()
handle = pynvml.nvmlDeviceGetHandleByIndex(0)
pynvml.nvmlDeviceGetName(handle), pynvml.nvmlDeviceGetMemoryInfo(handle)
print(pynvml.nvmlDeviceGetCount(), "devices", flush=True)
"""
_BINDINGS = """
from cuda.bindings import driver
driver.cuInit(0), driver.cuDeviceGetCount(), driver.cuDeviceGetName(64, 0), driver.cuDeviceGet(7)
print("asked", flush=True)
"""
_STAY = "import time; time.sleep(30)"
LIBRARY = {"runtime": "libcuda.so.1", "bindings": "libcuda.so.1", "nvml": "libnvidia-ml.so.1"}


@dataclass(frozen=True)
class Observed:
    """One program as the inspector saw it, beside what the shim under it wrote down."""

    state: State
    process: Process
    logged: list[LoggedCall]


Observe = Callable[[str], Observed]


@pytest.fixture(scope="module")
def observe(
    package: Callable[..., Path], shims: Path, runtime_program: Path, tmp_path_factory: pytest.TempPathFactory
) -> Observe:
    """Each program from its birth on, once."""

    @cache
    def observed(name: str) -> Observed:
        log = tmp_path_factory.mktemp("observed") / "log"
        environment = {"LD_LIBRARY_PATH": str(shims), "SHIM_LOG": str(log)}
        if name == "runtime":
            state = watch([str(runtime_program)], environment, "cudaMalloc 500")
        elif name == "nvml":
            environment["PYTHONPATH"] = str(package("nvidia-ml-py==13.615.71", "--no-deps"))
            state = watch([sys.executable, "-c", _HELD + _NVML + _STAY], environment, "1 devices")
        else:
            environment["PYTHONPATH"] = str(package("cuda-bindings==13.5.0"))
            state = watch([sys.executable, "-c", _HELD + _BINDINGS + _STAY], environment, "asked")
        return Observed(state, state.processes[0], logged_calls(log))

    return observed


@pytest.fixture(scope="module")
def runtime(observe: Observe) -> Observed:
    """The program on NVIDIA's runtime, from its birth to its end."""
    return observe("runtime")


@pytest.mark.parametrize("name", LIBRARY)
def test_every_call_is_counted_as_the_shim_wrote_it_down(observe: Observe, name: str) -> None:
    seen = observe(name)
    assert counted(seen.state, seen.process, LIBRARY[name]) == Counter(one.function for one in seen.logged)


@pytest.mark.parametrize("name", LIBRARY)
def test_every_result_is_the_one_that_the_shim_wrote_down(observe: Observe, name: str) -> None:
    seen = observe(name)
    assert seen.logged
    for function in {one.function for one in seen.logged}:
        logged = Counter(one.result for one in seen.logged if one.function == function)
        assert results(seen.state, seen.process, function) == logged, function


@pytest.mark.parametrize("name", LIBRARY)
def test_the_calls_come_in_the_order_of_the_shims_log(observe: Observe, name: str) -> None:
    """All calls that are told one by one: the first ones of each function."""
    seen = observe(name)
    told = sampled(seen.state, seen.process, LIBRARY[name])
    kept, taken = Counter(function for function, _ in told), Counter[str]()
    logged = []
    for one in seen.logged:
        taken[one.function] += 1
        if taken[one.function] <= kept[one.function]:
            logged.append((one.function, one.result))
    assert told == logged
    assert {function for function, _ in told} == {one.function for one in seen.logged}


@pytest.mark.parametrize("name", LOOK_UPS)
def test_every_question_to_the_driver_is_told_with_its_name_and_answer(observe: Observe, name: str) -> None:
    seen = observe(name)
    asked = Counter[tuple[str, bool]]()
    for one in seen.process.lookups:
        if one.via == "cuGetProcAddress_v2":
            asked[one.name[:60], one.found is True] += one.count
    logged = Counter(
        (one.detail.removeprefix("name=").partition(",")[0], one.result == 0)
        for one in seen.logged
        if one.function == "cuGetProcAddress_v2"
    )
    assert asked == logged
    assert asked.total() == LOOK_UPS[name]


@pytest.mark.parametrize("name", LIBRARY)
def test_the_report_shows_all_of_it(observe: Observe, name: str) -> None:
    seen = observe(name)
    told = report(seen.state, diagnose(seen.state), [])
    pid, library = seen.process.pid, LIBRARY[name]
    calls = {one.function: one.count for one in told.calls if one.pid == pid and one.library.endswith(library)}
    assert calls == Counter(one.function for one in seen.logged)
    asked = sum(one.count for one in told.lookups if one.pid == pid and one.via == "cuGetProcAddress_v2")
    assert asked == LOOK_UPS.get(name, 0)


def test_the_tree_is_one_program_that_ended_in_order(runtime: Observed, runtime_program: Path) -> None:
    process = runtime.process
    assert process.program is not None
    assert process.program.argv == [str(runtime_program)]
    assert process.end is not None
    assert process.end.code == 0


def test_the_runtime_is_needed_and_the_driver_is_opened_by_it(
    runtime: Observed,
) -> None:
    routes = {Path(one.path).name: one.route for one in runtime.process.libraries.values()}
    assert routes["libcudart.so.12"] == "needed"
    assert routes["libcuda.so.1"] == "dlopen"


def test_there_is_one_dlsym_and_419_questions_to_the_driver(
    runtime: Observed,
) -> None:
    process = runtime.process
    asked = Counter[str]()
    for one in process.lookups:
        if Path(one.requester).name == "libcudart.so.12":
            asked[one.via.removesuffix("_v2")] += one.count
    assert asked["dlsym"] == 1
    assert asked["cuGetProcAddress"] == LOOK_UPS["runtime"]


def test_the_refused_private_tables_are_told_by_their_ids(
    runtime: Observed,
) -> None:
    process, calls = runtime.process, runtime.logged
    refused = [one.name[:8].upper() for one in process.lookups if one.via == "cuGetExportTable" and one.found is False]
    logged = [one.detail.removeprefix("table=") for one in calls if one.function == "cuGetExportTable" and one.result]
    assert refused == logged == ["F8CFF951", "263E8860", "D4082055"]


def test_the_answer_is_the_refusal_and_not_the_loading(runtime: Observed) -> None:
    answer = diagnose(runtime.state)
    assert answer.findings[0].rule in ("export-table-refused", "api-error")
    assert " 500 (" in answer.findings[0].title
    assert answer.mode.verdict != "cuda"


def test_a_program_that_only_asks_nvml_is_blamed_for_nothing(observe: Observe) -> None:
    answer = diagnose(observe("nvml").state)
    assert [one.rule for one in answer.findings if one.severity == "error"] == []
    assert (answer.mode.verdict, answer.mode.confidence) == ("cpu", "likely")
    assert answer.findings[0].rule == "management-only"


@pytest.mark.longer
def test_an_ordinal_that_does_not_exist_is_no_work_and_no_proof(observe: Observe) -> None:
    assert diagnose(observe("bindings").state).mode.verdict != "cuda"
