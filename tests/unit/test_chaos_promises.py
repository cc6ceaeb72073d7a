"""The figures that `make chaos` judges, from deliveries that are made up."""

from chaos.checker import Delivery, Report
from chaos.promises import CAUGHT_UP, MOVED_UNNOTICED, WHOLE_AGAIN


def test_a_restart_adds_what_it_takes_longer_than_an_undisturbed_median() -> None:
    quiet = [Delivery(at, at + 0.02) for at in range(10)]
    moved = [Delivery(at, at + 0.82) for at in range(10, 20)]
    report = Report(
        deliveries=quiet + moved, marks={"restart begins": 10.0, "restart is over": 20.0}
    )

    figure = MOVED_UNNOTICED.measure(report)

    assert figure is not None
    assert round(figure, 2) == 0.8


def test_all_has_caught_up_with_the_last_delivery_that_was_late() -> None:
    report = Report(marks={"redis is back": 100.0})
    report.deliveries = [
        Delivery(90.0, 91.5),  # late, but before the return
        Delivery(99.0, 102.5),
        Delivery(101.9, 102.9),
        Delivery(104.0, 104.1),  # not late
    ]

    assert round(CAUGHT_UP.measure(report) or 0, 2) == 2.9


def test_a_bound_that_is_passed_is_broken_and_nothing_to_measure_is_not_kept() -> None:
    assert WHOLE_AGAIN.verdict(Report(recoveries=[1.0, 2.0]))[0]
    assert not WHOLE_AGAIN.verdict(Report(recoveries=[1.0, 4.0]))[0]
    assert not WHOLE_AGAIN.verdict(Report())[0]
