"""Compares the heads of this pod's rooms with the store: what finds a lost *last* event.

A hole shows itself by what comes after it; the loss of the newest event shows itself by
nothing. Every 5 s one query asks how far the store is, every second while the broker is
away, so that messages then flow through the store. A head counts as lost only if the
room is still behind a second later: events may be on their way.
"""

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress

import structlog

from pytake.application.ports import EventFeed, EventLog
from pytake.domain.errors import Unavailable
from pytake.domain.ids import ConversationId
from pytake.gateway.rooms import Rooms

log = structlog.get_logger()

COMPARE_SECONDS = 5.0
COMPARE_UNHEALTHY_SECONDS = 1.0
LOST_AFTER_SECONDS = 1.0
QUERY_SECONDS = 5.0

LOSSY_AFTER = 2
"""Comparisons in a row that had to heal: the feed hears, but not where others speak."""


class HeadComparison:
    """The loop that compares, and notices a new life of the database.

    Args:
        rooms: What is compared.
        feed: Whose health says how often.
        event_log: The store.
        on_lossy: Told when events are lost again and again.
        on_new_epoch: Told when the database began a new life.
    """

    def __init__(
        self,
        rooms: Rooms,
        feed: EventFeed,
        event_log: EventLog,
        *,
        on_lossy: Callable[[], None],
        on_new_epoch: Callable[[], None],
    ) -> None:
        self._rooms = rooms
        self._feed = feed
        self._log = event_log
        self._on_lossy = on_lossy
        self._on_new_epoch = on_new_epoch
        self._asked_for = asyncio.Event()
        self._heals_in_a_row = 0

    def soon(self) -> None:
        """Compare at once: the link to the broker was away."""
        self._asked_for.set()

    async def run(self) -> None:
        """Compare until cancelled."""
        while True:
            await self._until_next()
            self._asked_for.clear()
            try:
                await self._watch_epoch()
                await self.compare()
            except (Unavailable, TimeoutError):
                log.info("heads were not compared: the store is away")

    async def _until_next(self) -> None:
        """Wait in steps of a second: a broker that is lost meanwhile must not be waited for."""
        loop = asyncio.get_running_loop()
        end = loop.time() + COMPARE_SECONDS * random.uniform(0.8, 1.2)  # noqa: S311
        while loop.time() < end:
            step = COMPARE_UNHEALTHY_SECONDS * random.uniform(0.8, 1.2)  # noqa: S311
            with suppress(TimeoutError):
                async with asyncio.timeout(min(step, max(0.0, end - loop.time()))):
                    await self._asked_for.wait()
            if self._asked_for.is_set() or not self._feed.is_healthy:
                return

    async def _watch_epoch(self) -> None:
        epoch = await self._log.epoch()
        if epoch != self._rooms.epoch:
            log.warning("the database has a new epoch")
            self._rooms.begin_anew(epoch)
            self._on_new_epoch()

    async def compare(self) -> None:
        """Find rooms that are behind the store, twice, a second apart; heal those.

        Raises:
            Unavailable: The store cannot be asked.
        """
        suspects = await self._behind()
        if not suspects:
            self._heals_in_a_row = 0
            return
        if self._feed.is_healthy:
            await asyncio.sleep(LOST_AFTER_SECONDS)
        healed = sum(self._rooms.heal(each, head) for each, head in suspects.items())
        self._heals_in_a_row = self._heals_in_a_row + 1 if healed else 0
        if healed and self._feed.is_healthy:
            log.warning("events were lost on the way and read from the store", rooms=healed)
            if self._heals_in_a_row >= LOSSY_AFTER:
                self._heals_in_a_row = 0
                self._on_lossy()

    async def _behind(self) -> dict[ConversationId, int]:
        conversations = self._rooms.conversations()
        if not conversations:
            return {}
        async with asyncio.timeout(QUERY_SECONDS):
            heads = await self._log.heads(conversations)
        return {each: head for each, head in heads.items() if self._rooms.is_behind(each, head)}
