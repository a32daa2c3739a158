"""A program that nobody here wrote, under observation from its first instruction on."""

from collections import Counter
from pathlib import Path

from inspector.demo.case import Case, Launch
from inspector.demo.observe import observe
from inspector.model.profiles import builtin_profiles
from inspector.model.state import Process, State


def watch(argv: list[str], environment: dict[str, str], ready: str) -> State:
    """What is known once `ready` is in the output of the program."""
    launch = Launch(argv, environment, ready=ready)
    case = Case("real", "", "healthy", lambda stage: launch, rule="", mode="undecided", sentence="")
    return observe(case, 0, builtin_profiles())[0]


def counted(state: State, process: Process, library: str) -> Counter[str]:
    """Calls of one library in one process as the kernel counted them: function -> how often."""
    return Counter(
        {
            state.functions[one.function].name: one.count
            for one in process.counts.values()
            if Path(state.functions[one.function].library).name == library and one.count
        }
    )


def results(state: State, process: Process, function: str) -> Counter[int]:
    """Results of one function in one process: code -> how often."""
    found: Counter[int] = Counter()
    for one in process.outcomes.values():
        if state.functions[one.function].name == function:
            found[one.result] += one.count
    return found


def sampled(state: State, process: Process, library: str) -> list[tuple[str, int]]:
    """Function and result of all calls of one library that are told one by one, in the order of their returns."""
    calls = sorted(process.calls, key=lambda one: one.at)
    functions = ((state.functions[one.function], one.result) for one in calls)
    return [(function.name, result) for function, result in functions if Path(function.library).name == library]
