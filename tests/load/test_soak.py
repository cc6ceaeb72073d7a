"""The short form of the soak: nothing of clients that came and went is left in any pod."""

from __future__ import annotations

import pytest

from cluster.cluster import Cluster
from load.soak import Load, soak
from pytake.bench import report, watch

pytestmark = pytest.mark.integration


def test_everything_returns_to_where_it_began(cluster: Cluster) -> None:
    load = Load(
        seconds=12, connections=40, per_second=10, churn_per_minute=6, every_seconds=1
    )  # every connection breaks about once

    watching, result = soak(cluster, load)

    print(report.table(result), watch.table(watching, allowed_mb_per_hour=1e9), sep="\n\n")
    assert result.repetitions[0].sum_known("broken") > 10
    assert result.repetitions[0].sum_known("connected_at_end") == 40
    assert result.repetitions[0].counts["deliveries"] > 200
    left = [rest for rest in watch.rests(watching) if not rest.has_returned]
    assert not left
