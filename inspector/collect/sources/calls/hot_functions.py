"""What is called so often that it must go before more is asked of a file that runs already.

The kernel takes its time to let a probe go: some 10 ms until it costs nothing, and while the exits of a function in a
loop of 100,000 calls a second are probed, that loop runs at a third of its speed.
"""

from collections.abc import Mapping

from ...elf.exits import Exits
from ...kernel.file_watch import Function

HEAT_SECONDS = 0.02
"""How long is looked at how often functions are called."""
MOST_RESULTS = 1000.0
"""Calls a second: exits that are passed more often would cost a per cent and more while their probes are taken away."""


def too_hot(rates: Mapping[int, float], functions: Mapping[int, Function], percent: float) -> dict[int, float]:
    """Functions, by number with their rates, that alone take the whole budget of so many per cent of a CPU.

    What is no part of hot loops may take it thrice: a discovery is a burst.
    """
    going = {}
    for number, rate in rates.items():
        share = rate * functions[number].cost / 1e7
        if share > percent * (1 if functions[number].hot else 3):
            going[number] = rate
    return going


def too_busy(rates: Mapping[int, float]) -> dict[int, Exits]:
    """Functions whose results are not read, with the reason in the place of their exits."""
    return {
        number: Exits((), unproven=f"it is called {rate:,.0f} times a second: reading results would slow that down")
        for number, rate in rates.items()
        if rate > MOST_RESULTS
    }
