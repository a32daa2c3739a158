"""Which functions must go, from counts and costs alone."""

from inspector.collect.kernel.budget import Budget, Load

_TICK = 50_000_000


def test_what_costs_less_than_the_budget_stays_for_ever() -> None:
    budget = Budget(1.0)
    assert all(budget.judge({1: Load(900, 500)}, _TICK) == [] for _ in range(1000))


def test_a_burst_at_the_start_is_forgiven() -> None:
    budget = Budget(1.0)
    assert budget.judge({1: Load(15_000, 500)}, _TICK) == []
    assert budget.judge({1: Load(10, 500)}, _TICK) == []


def test_a_hot_loop_goes_at_the_second_look_and_the_rest_stays() -> None:
    budget = Budget(1.0)
    loads = {1: Load(40_000, 500), 2: Load(10, 500), 3: Load(5, 16_000)}
    looks = [budget.judge(loads, _TICK) for _ in range(2)]
    assert [1] in looks
    assert all(going in ([], [1]) for going in looks)


def test_the_costliest_go_first_until_the_rest_fits() -> None:
    budget = Budget(1.0)
    loads = {1: Load(100_000, 500), 2: Load(10_000, 16_000), 3: Load(500, 500)}
    assert budget.judge(loads, _TICK) == [2, 1]
