"""The short form of the load: what arrives is counted, how long it took is not judged."""

from __future__ import annotations

import pytest

from cluster.cluster import Cluster
from load.cluster_latency import Load, measure

pytestmark = pytest.mark.integration


async def test_every_agent_sees_every_message_once_and_in_order(cluster: Cluster) -> None:
    load = Load(agents=40, conversations=10, messages_per_second=50, seconds=5)

    figures = await measure(cluster, load)

    print(figures)
    assert figures.expected == 250 * 4
    assert figures.is_complete
