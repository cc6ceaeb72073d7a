"""Budgets of events in memory, by a clock that the test holds."""

from pytake.limits.memory import SWEEP_ABOVE, Gcra


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_budgets_of_users_who_left_in_the_middle_are_not_kept_for_ever() -> None:
    clock = Clock()
    budgets = Gcra(10, 5.0, clock)

    for day in range(20):
        for number in range(SWEEP_ABOVE):
            budgets.take(f"{day}/{number}")
            budgets.forget_if_whole(f"{day}/{number}")
        clock.now += 60

    assert len(budgets.full_at) <= 2 * SWEEP_ABOVE


def test_a_sweep_gives_nobody_more_than_his_budget() -> None:
    clock = Clock()
    budgets = Gcra(2, 60.0, clock)
    taken = [budgets.take("ana") for _ in range(2)]

    for number in range(3 * SWEEP_ABOVE):
        budgets.take(str(number))

    assert taken == [0.0, 0.0]
    assert budgets.take("ana") > 0
