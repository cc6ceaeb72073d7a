"""What API pods share over a real Redis: HTTP budgets, and who is online."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest

from cluster.redis_server import RedisServer
from pytake.broker.redis import RedisCommands, parse_address
from pytake.domain.ids import ConnectionId, UserId
from pytake.limits.online import RedisOnlineUsers
from pytake.limits.redis import RedisPlaces
from pytake.limits.shared_counts import SharedCounts
from pytake.limits.window_counts import WindowCounts
from pytake.processes.redis_client import connect_redis

pytestmark = pytest.mark.integration

A_DAY = 86_400


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Any]:
    client = connect_redis(redis_url)
    yield client
    await client.aclose()


def hits(counts: WindowCounts, key: str, tries: int) -> int:
    return sum(counts.acquire_sliding_window_entry(key, 10, A_DAY) for _ in range(tries))


async def test_two_pods_share_one_budget_after_an_exchange(redis: Any) -> None:
    key = str(uuid4())
    here, there = WindowCounts(), WindowCounts()
    pods = [SharedCounts(counts, redis) for counts in (here, there)]
    assert hits(here, key, 6) == 6
    assert hits(there, key, 3) == 3

    for pod in (*pods, *pods):
        await pod.exchange()
    # What nobody has told since is not asked for: the first pod learns with its next request.
    assert hits(here, key, 1) == 1
    await pods[0].exchange()

    assert hits(here, key, 20) == 0
    assert hits(there, key, 20) <= 1


async def test_while_redis_is_frozen_the_loop_runs_and_each_pod_limits_alone(
    tmp_path: Any,
) -> None:
    server = RedisServer(tmp_path)
    server.start()
    server.wait_until_serving()
    client = connect_redis(server.url)
    told: list[bool] = []
    counts = WindowCounts()
    shared = SharedCounts(counts, client, on_away=told.append)
    await shared.exchange()
    hits(counts, "k", 4)
    server.freeze()
    try:
        exchange = asyncio.ensure_future(shared.exchange())
        longest = 0.0
        while not exchange.done():
            before = time.perf_counter()
            hits(counts, "k", 1)
            await asyncio.sleep(0.001)
            longest = max(longest, time.perf_counter() - before)
        assert longest < 0.25
        assert hits(counts, "k", 20) == 0
    finally:
        server.send_signal(signal.SIGCONT)

    async with asyncio.timeout(10):
        while told != [True, False]:
            hits(counts, str(uuid4()), 1)
            await shared.exchange()
    await client.aclose()
    server.kill()


async def test_who_has_a_place_is_online_and_who_left_is_not(redis: Any, redis_url: str) -> None:
    commands = RedisCommands(parse_address(redis_url))
    await commands.start()
    ana, bruno, nobody = (UserId(str(uuid4())) for _ in range(3))
    places = RedisPlaces(commands, f"pod-{os.getpid()}", 3)
    await places.beat()
    for user_id in (ana, bruno):
        await places.take(user_id, ConnectionId(f"{user_id}-1"))
    await places.release(bruno, ConnectionId(f"{bruno}-1"))

    online = await RedisOnlineUsers(redis)([ana, bruno, nobody])

    assert online == {ana}
    assert await RedisOnlineUsers(redis)([]) == frozenset()
    await commands.stop()


async def test_without_redis_nobody_is_known_to_be_online() -> None:
    client = connect_redis("redis://127.0.0.1:1/0")

    assert await RedisOnlineUsers(client)([UserId("ana")]) == frozenset()

    await client.aclose()
