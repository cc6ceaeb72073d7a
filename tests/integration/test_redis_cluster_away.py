"""A whole Redis Cluster that is away is away, as one server would be."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest

from cluster.redis_cluster import RedisCluster
from cluster.waiting import eventually
from pytake.domain.errors import Unavailable
from pytake.domain.ids import UserId
from pytake.limits.online import RedisOnlineUsers
from pytake.limits.shared_counts import SharedCounts
from pytake.limits.window_counts import WindowCounts
from pytake.processes.redis_client import ClusterCommands, connect_redis

pytestmark = pytest.mark.integration

COMMANDS = [["INCR", "a"], ["INCR", "b"]]


async def test_nothing_breaks_while_it_is_away_and_it_is_used_again(server_folder: Path) -> None:
    with RedisCluster(server_folder) as cluster:
        client, counts = connect_redis(cluster.url), WindowCounts()
        commands, away = ClusterCommands(client), list[bool]()
        shared = SharedCounts(counts, client, on_away=away.append)
        assert await commands.calls(COMMANDS) == [1, 1]

        for node in cluster.nodes:
            node.kill()
        with pytest.raises(Unavailable):
            await commands.calls(COMMANDS)
        assert await RedisOnlineUsers(client)([UserId("ana")]) == frozenset()
        assert counts.acquire_sliding_window_entry(str(uuid4()), 10, 60)
        await shared.exchange()

        assert away == [True]
        for node in cluster.nodes:
            node.start()
            node.wait_until_serving()

        async def is_back() -> bool:
            try:
                return all(isinstance(reply, int) for reply in await commands.calls(COMMANDS))
            except Unavailable:
                return False

        await eventually(is_back, "the cluster is used again", 20)
        await client.aclose()
