"""How the map of a Redis Cluster is learnt when nodes hang or say little."""

import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from cluster.redis_cluster import RedisCluster
from pytake.transport import redis_cluster
from pytake.transport.redis_address import parse_address
from pytake.transport.redis_cluster import ClusterBus, slot_of
from pytake.transport.redis_link import Server
from running_transport import until

pytestmark = pytest.mark.integration


@pytest.fixture
def cluster(server_folder: Path) -> Iterator[RedisCluster]:
    with RedisCluster(server_folder) as cluster:
        yield cluster


@contextlib.asynccontextmanager
async def a_bus(cluster: RedisCluster) -> AsyncIterator[ClusterBus]:
    bus = ClusterBus(parse_address(cluster.url))
    bus.start([])
    try:
        yield bus
    finally:
        await bus.stop()


async def assert_heard(bus: ClusterBus, channel: bytes) -> None:
    heard: list[bytes] = []
    bus.on_message = lambda channel, payload: heard.append(payload)
    bus.want(channel)
    assert await bus.wait_confirmed(channel, 15)
    assert await bus.publish(channel, b"hello")
    await until(lambda: heard == [b"hello"], "the message")


async def test_a_node_that_hangs_does_not_hide_the_others(cluster: RedisCluster) -> None:
    hanging = cluster.nodes[0]
    for node in cluster.nodes:
        with node.client() as client:
            client.config_set("cluster-require-full-coverage", "no")
    channel = next(
        name
        for name in (f"room {number}".encode() for number in range(100))
        if cluster.owner_of(slot_of(name)) is not hanging
    )
    hanging.freeze()
    try:
        async with a_bus(cluster) as bus:
            await assert_heard(bus, channel)
    finally:
        hanging.thaw()


async def test_an_answer_that_makes_no_sense_ends_nothing(
    cluster: RedisCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_cluster, "REFRESH_SECONDS", 0.1)
    true_map, answers = redis_cluster._masters_of, [TypeError("an odd reply")]

    async def masters_of(server: Server) -> redis_cluster.Masters:
        if answers:
            raise answers.pop()
        return await true_map(server)

    monkeypatch.setattr(redis_cluster, "_masters_of", masters_of)
    async with a_bus(cluster) as bus:
        await assert_heard(bus, b"room")


async def test_nodes_that_do_not_say_their_own_host_are_found(cluster: RedisCluster) -> None:
    for node in cluster.nodes:
        with node.client() as client:
            client.config_set("cluster-preferred-endpoint-type", "unknown-endpoint")

    async with a_bus(cluster) as bus:
        await assert_heard(bus, b"room")
