"""What must go before more is asked of a file that runs already, from rates alone."""

from inspector.collect.kernel.file_watch import Function
from inspector.collect.sources.calls.hot_functions import MOST_RESULTS, too_busy, too_hot

FUNCTIONS = {1: Function(0, 500, hot=True), 2: Function(8, 500), 3: Function(16, 16_000, hot=True)}


def test_a_function_of_hot_loops_goes_when_it_takes_the_budget_and_another_when_it_takes_it_thrice() -> None:
    assert too_hot({1: 19_000, 2: 59_000, 3: 600}, FUNCTIONS, 1.0) == {}
    assert too_hot({1: 21_000, 2: 61_000, 3: 700}, FUNCTIONS, 1.0) == {1: 21_000, 2: 61_000, 3: 700}
    assert too_hot({1: 21_000, 2: 61_000}, FUNCTIONS, 5.0) == {}


def test_results_of_what_is_called_often_are_not_read_and_the_reason_says_how_often() -> None:
    found = too_busy({1: MOST_RESULTS, 2: 145_000.4})
    assert list(found) == [2]
    assert "145,000 times a second" in found[2].unproven
