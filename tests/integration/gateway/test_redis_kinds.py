"""Pods over Redis behind sentinels and over a Redis Cluster; and what a failover costs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cluster.redis_cluster import RedisCluster
from cluster.redis_sentinel import SentinelRedis
from cluster.waiting import eventually
from integration.gateway.pods import Cluster

pytestmark = pytest.mark.integration


@pytest.fixture
def sentinel_redis(server_folder: Path) -> Iterator[SentinelRedis]:
    with SentinelRedis(server_folder) as server:
        yield server


@pytest.fixture
def cluster_redis(server_folder: Path) -> Iterator[RedisCluster]:
    with RedisCluster(server_folder) as server:
        yield server


@pytest.mark.parametrize("kind", ["sentinel_redis", "cluster_redis"])
async def test_a_message_reaches_both_pods(
    kind: str, request: pytest.FixtureRequest, cluster: Cluster, connect: Any
) -> None:
    url = request.getfixturevalue(kind).url
    pods = [await cluster.redis_pod(url), await cluster.redis_pod(url)]
    conversation = await cluster.conversation()
    clients = [await connect(pods[0], "ana"), await connect(pods[1], "bruno")]
    for client in clients:
        await client.join(conversation)

    seqs = [(await cluster.write(conversation)).events[-1].seq for _ in range(5)]
    await clients[0].call("typing_start", {"conversation_id": conversation})

    for client in clients:
        await client.until(lambda client=client: client.seqs() == seqs, "all messages")
    await clients[1].next("user_typing")
    assert [pod.gateway.rooms.heads_healed for pod in pods] == [0, 0]


async def test_after_a_failover_events_come_over_the_new_master(
    sentinel_redis: SentinelRedis, cluster: Cluster, connect: Any
) -> None:
    pod = await cluster.redis_pod(sentinel_redis.url)
    conversation = await cluster.conversation()
    ana = await connect(pod)
    await ana.join(conversation)
    master = sentinel_redis.master()
    assert master is not None

    master.kill()
    lost = (await cluster.store_text(conversation)).events[-1].seq

    await ana.until(lambda: ana.seqs() == [lost], "the store gives what Redis cannot", 15)
    await eventually(lambda: pod.feed.is_healthy, "the feed is on the new master", 30)
    await eventually(lambda: cluster.publisher_is_up(), "the publisher is, too", 30)
    seq = (await cluster.write(conversation)).events[-1].seq
    await ana.until(lambda: ana.seqs() == [lost, seq], "events flow again")
