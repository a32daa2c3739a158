"""Functions that no profile lists are counted as well, with their results where the API says what they answer."""

import subprocess
from pathlib import Path

import pytest

from inspector.collect.sources.calls.call_plans import NamedFunctions
from inspector.model.profiles import builtin_profiles
from inspector.stream.calls import CallReturned, FunctionsWatched
from inspector.stream.requests import ApiPlan, FunctionPlan, Plan
from tests.calls.conftest import live as live
from tests.collect.collector import Collector

PLAN = Plan(
    apis=[
        ApiPlan(api="gpu", sonames=["libgpu.so.1"], prefixes=["gpu"], answers=["!gpuName", "gpu*"],
                functions=[FunctionPlan(name="gpuInit", decides=True)])
    ]
)  # fmt: skip
_SHIM = """
int gpuInit(void) { return 0; }
int gpuOdd(int number) { return number % 2 ? 801 : 0; }
const char *gpuName(void) { return "odd"; }
int other(void) { return 1; }
"""
_PROGRAM = """
#include <unistd.h>
int gpuInit(void), gpuOdd(int), other(void); const char *gpuName(void);
int main(void) { gpuInit(); for (int i = 0; i < 40; i++) { usleep(100000); gpuOdd(i); gpuName(); other(); } return 0; }
"""


@pytest.mark.longer
@pytest.mark.usefixtures("live")
def test_all_functions_of_the_api_are_counted_and_those_that_answer_a_status_with_it(tmp_path: Path) -> None:
    (tmp_path / "shim.c").write_text(_SHIM)
    (tmp_path / "program.c").write_text(_PROGRAM)
    library = f"{tmp_path}/libgpu.so.1"
    shared = ["-shared", "-fPIC", "-Wl,-soname,libgpu.so.1", "-o", library, f"{tmp_path}/shim.c"]
    subprocess.run(["gcc", "-O1", *shared], check=True)
    subprocess.run(
        ["gcc", "-O1", "-o", f"{tmp_path}/program", f"{tmp_path}/program.c", library, f"-Wl,-rpath,{tmp_path}"],
        check=True,
    )
    with Collector("--run-output", "null", "--", f"{tmp_path}/program", plan=PLAN) as collector:
        collector.finish()
    watched = {one.name: one for event in collector.all(FunctionsWatched) for one in event.functions}
    assert set(watched) == {"gpuInit", "gpuOdd", "gpuName"}
    assert (watched["gpuOdd"].returns, watched["gpuName"].returns) == (True, False)
    odd = [call.result for call in collector.all(CallReturned) if call.function == watched["gpuOdd"].id]
    assert set(odd) == {0, 801}


def test_what_compilers_call_is_not_counted_unless_a_profile_lists_it() -> None:
    functions = NamedFunctions(builtin_profiles().plan())
    assert functions.is_counted("__cudaRegisterFatBinary")
    assert not functions.is_counted("__cudaRegisterVar") and not functions.is_counted("__cudaPushCallConfiguration")


@pytest.mark.parametrize(
    ("name", "answers"),
    [("cuStreamIsCapturing", True), ("cudaGetErrorString", False), ("clCreateContext", False), ("vkCmdDraw", False),
     ("vkQueuePresentKHR", True), ("hsa_signal_load_relaxed", False), ("nvmlDeviceGetFanSpeed_v2", True),
     ("cublasSgemm", False), ("cublasDgemm_v2", True), ("cudnnGetErrorString", False), ("cudnnSetTensor", True)],
)  # fmt: skip
def test_profiles_say_which_functions_answer_a_status(name: str, answers: bool) -> None:
    functions = NamedFunctions(builtin_profiles().plan())
    known = functions.get(name)
    assert known is not None and functions.is_counted(name)
    assert known.plan.returns == answers
