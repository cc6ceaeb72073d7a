"""The same seed gives the same run."""

import pytest

from pytake.simulator.faults import Dice, Faults


def test_the_dice_depend_on_the_seed_and_the_thing_and_not_on_the_order() -> None:
    first, second = Dice(7), Dice(7)
    forwards = [first.roll("drop", number) for number in range(100)]
    backwards = [second.roll("drop", number) for number in reversed(range(100))]

    assert forwards == backwards[::-1]
    assert forwards != [Dice(8).roll("drop", number) for number in range(100)]


def test_a_fault_happens_about_as_often_as_it_should() -> None:
    dice = Dice(1)

    happened = sum(dice.happens(0.05, "drop", number) for number in range(20_000))

    assert 900 < happened < 1100


def test_every_fault_can_be_switched_on_at_once() -> None:
    faults = Faults.all_at(0.05)

    assert faults.duplicate == faults.echo == faults.lost_response == 0.05
    assert faults.reorder_window == Faults().reorder_window


def test_a_fault_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="no fault 'gravity'"):
        Faults().changed({"gravity": 1})
