"""Brings the counts of all pods together in Redis, in the background."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import structlog
from redis.exceptions import RedisError

from pytake.limits.window_counts import WindowCounts

log = structlog.get_logger(__name__)

SHARE_EVERY_SECONDS = 0.5
TIMEOUT_SECONDS = 1.0
MAX_KEYS_AT_ONCE = 1000
PREFIX = "pytake:http:"


class SharedCounts:
    """Exchanges counts with Redis twice a second until cancelled.

    Args:
        counts: What this pod counts.
        redis: An asynchronous client of redis-py, for one server or a cluster.
        on_away: Told True when Redis goes away and each pod limits alone, False when it
            is back.
    """

    def __init__(
        self,
        counts: WindowCounts,
        redis: Any,
        *,
        on_away: Callable[[bool], None] = lambda is_away: None,
    ) -> None:
        self._counts = counts
        self._redis = redis
        self._on_away = on_away
        self._is_away = False

    async def run(self) -> None:
        """Exchange until cancelled; never ends because Redis is away."""
        while True:
            await self.exchange()
            await asyncio.sleep(SHARE_EVERY_SECONDS)

    async def exchange(self) -> None:
        """Tell what was counted here, and learn what all have counted."""
        unshared = self._counts.take_unshared()
        names = list(unshared)
        try:
            for start in range(0, len(names), MAX_KEYS_AT_ONCE):
                part = names[start : start + MAX_KEYS_AT_ONCE]
                totals = await self._add({name: unshared[name] for name in part})
                for name in part:
                    del unshared[name]
                self._counts.learn(totals)
        except (RedisError, OSError, TimeoutError) as error:
            # What Redis took before it failed is counted twice at worst: the careful side.
            self._counts.put_back(unshared)
            self._note(is_away=True, reason=type(error).__name__)
        else:
            if names:
                self._note(is_away=False)

    async def _add(self, part: Mapping[str, tuple[int, float]]) -> dict[str, int]:
        pipeline = self._redis.pipeline(transaction=False)
        for name, (count, seconds) in part.items():
            pipeline.incrby(PREFIX + name, count)
            pipeline.pexpire(PREFIX + name, max(1, int(seconds * 1000)))
        async with asyncio.timeout(TIMEOUT_SECONDS):
            answers = await pipeline.execute()
        return dict(zip(part, (int(total) for total in answers[::2]), strict=True))

    def _note(self, *, is_away: bool, reason: str = "") -> None:
        if is_away == self._is_away:
            return
        self._is_away = is_away
        self._on_away(is_away)
        if is_away:
            log.warning("http limits are kept per pod", reason=reason)
        else:
            log.info("http limits are shared again")
