"""What a story must not take longer than. The bounds are those of the issue's *Numbers*."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median, quantiles

from chaos.checker import Report

LATE_SECONDS = 0.25
"""A delivery that takes longer is one of a cluster that still catches up."""


@dataclass(frozen=True)
class Promise:
    """A figure of a report, and what it must stay below."""

    what: str
    below_seconds: float
    measure: Callable[[Report], float | None]

    def verdict(self, report: Report) -> tuple[bool, str]:
        """Return whether it was kept, and a sentence with the figure."""
        figure = self.measure(report)
        is_kept = figure is not None and figure < self.below_seconds
        shown = "nothing to measure" if figure is None else f"{figure:.2f} s"
        return is_kept, f"{self.what}: {shown} (below {self.below_seconds:g} s)"


def _p99(figures: list[float]) -> float | None:
    return quantiles(figures, n=100, method="inclusive")[98] if len(figures) > 1 else None


def whole_again(report: Report) -> float | None:
    """From the loss of a connection until all conversations are complete on another one."""
    return _p99(report.recoveries)


def added_latency(report: Report) -> float | None:
    """What a restart adds to the way of a message, against an undisturbed median."""
    begin, end = report.marks["restart begins"], report.marks["restart is over"]
    before = [each.seconds for each in report.deliveries if each.seen < begin]
    during = [each.seconds for each in report.deliveries if begin <= each.sent < end]
    worst = _p99(during)
    return None if worst is None or not before else worst - median(before)


def caught_up(report: Report) -> float | None:
    """From the return of Redis until the last delivery that was late."""
    back = report.marks["redis is back"]
    after = [each for each in report.deliveries if each.seen >= back]
    if not after:
        return None
    return max((each.seen - back for each in after if each.seconds > LATE_SECONDS), default=0.0)


WHOLE_AGAIN = Promise("whole on another gateway, p99", 3.0, whole_again)
MOVED_UNNOTICED = Promise("added to the way of a message, p99", 1.0, added_latency)
CAUGHT_UP = Promise("caught up after the return of Redis", 5.0, caught_up)
