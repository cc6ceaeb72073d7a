"""Who is online: whoever has a place that was entered lately, on any pod."""

import asyncio
from collections.abc import Sequence
from typing import Any

from redis.exceptions import RedisError

from pytake.application.connection_ports import PodId
from pytake.domain.ids import UserId
from pytake.limits.redis import places_key

GHOST_MS = 35_000
"""Places are entered again every 10 s; as in `places.lua`, an older one is of nobody."""

TIMEOUT_SECONDS = 0.5


class RedisOnlineUsers:
    """Reads the places that gateways enter (`messages_api.services.OnlineUsers`).

    Args:
        redis: An asynchronous client of redis-py, for one server or a cluster.
    """

    def __init__(self, redis: Any) -> None:
        self._redis = redis

    async def __call__(self, user_ids: Sequence[UserId]) -> frozenset[UserId]:
        """Return which of the users are connected; nobody while Redis is away."""
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                seconds, _ = await self._redis.time()
                pipeline = self._redis.pipeline(transaction=False)
                for user_id in user_ids:
                    pipeline.hvals(places_key(user_id))
                places = await pipeline.execute()
        except (RedisError, OSError, TimeoutError):
            return frozenset()
        oldest = int(seconds) * 1000 - GHOST_MS
        return frozenset(
            user_id
            for user_id, values in zip(user_ids, places, strict=True)
            if any(_entered_at(value) > oldest for value in values)
        )


async def pods_of(redis: Any, user_id: UserId) -> Sequence[PodId]:
    """Return the pod of each connection of a user, in the whole cluster."""
    seconds, _ = await redis.time()
    oldest = int(seconds) * 1000 - GHOST_MS
    values = await redis.hvals(places_key(user_id))
    return sorted(value.split()[0].decode() for value in values if _entered_at(value) > oldest)


def _entered_at(value: bytes) -> int:
    """Return when a place was entered ("pod opened entered"); the counter of older pods is none."""
    parts = value.split()
    return int(parts[2]) if len(parts) == 3 else 0
