"""Histograms say the same as the latencies they were made of, within their resolution."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytake.bench.histogram import Histogram, bucket_of, milliseconds_of


@given(st.integers(min_value=0, max_value=10**9))
def test_a_bucket_is_at_most_1_6_percent_wide(microseconds: int) -> None:
    floor = milliseconds_of(bucket_of(microseconds)) * 1000

    assert floor <= microseconds + 1e-6
    assert microseconds - floor <= max(0, microseconds / 63)


def test_quantiles_are_those_of_the_values() -> None:
    dice = random.Random(1)
    values = [dice.lognormvariate(1, 1) for _ in range(5000)]

    histogram = Histogram.of_milliseconds(values)

    for share in (0.5, 0.9, 0.99):
        exact = sorted(values)[int(share * len(values))]
        assert histogram.quantile(share) == pytest.approx(exact, rel=0.03)


def test_a_sum_counts_everything_and_a_difference_what_came_since() -> None:
    first, second = Histogram.of_milliseconds([1, 2, 3]), Histogram.of_milliseconds([3, 4])
    both = Histogram(first)
    both.update(second)

    assert both.total() == 5
    assert both.since(first) == second


def test_an_empty_one_has_no_quantiles() -> None:
    assert Histogram().quantile(0.5) is None
