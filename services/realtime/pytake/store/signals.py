"""Telling the relays that there is something to do, so that they need not only poll.

A NOTIFY serialises commits, so it is never part of a transaction that stores something:
it is sent afterwards, at most once in 20 ms and topic, and nobody minds if it is lost.
LISTEN needs a connection of its own past any pooler.
"""

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import asyncpg

from pytake.domain.errors import Unavailable
from pytake.store.engine import CONNECT_SECONDS, Database, parse_url, postgres_dsn

OUTBOX = "outbox"
WEBHOOKS = "webhooks"
SEND_QUEUE = "send_queue"
"""The topics that relays wait for."""

GATHER_SECONDS = 0.02
LONGEST_PAUSE_SECONDS = 5.0
_LOST = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)


class Signals:
    """Wakes who waits for a topic, in this process at once and in others by NOTIFY.

    Args:
        database: Over which NOTIFY is sent.
        listen_url: A direct connection for LISTEN; without it only this process is heard.
    """

    def __init__(self, database: Database, listen_url: str) -> None:
        self._database = database
        self._listen_url = listen_url
        self._waiting: dict[str, set[asyncio.Event]] = defaultdict(set)
        self._sending: dict[str, asyncio.Task[None]] = {}

    def wake_soon(self, topic: str) -> None:
        """Wake the waiting of this process now and those of others within 20 ms."""
        for event in self._waiting[topic]:
            event.set()
        if self._database.is_postgres and topic not in self._sending:
            self._sending[topic] = asyncio.create_task(self._notify_soon(topic))

    async def close(self) -> None:
        """Send what is to be sent, and wait for it."""
        await asyncio.gather(*self._sending.values())

    async def wake_ups(self, topic: str) -> AsyncIterator[None]:
        """Yield when the topic was woken, and when news of it may have been lost.

        Several wakings at once are one. Ends only with its reader.
        """
        event = asyncio.Event()
        self._waiting[topic].add(event)
        try:
            if self._listen_url:
                async for _ in self._listen(topic, event):
                    yield
            while True:
                await event.wait()
                event.clear()
                yield
        finally:
            self._waiting[topic].discard(event)

    async def _notify_soon(self, topic: str) -> None:
        await asyncio.sleep(GATHER_SECONDS)
        # From here on a new waking needs a new NOTIFY: this one may already be on its way.
        del self._sending[topic]
        with suppress(Unavailable):
            async with self._database.hot() as connection:
                await connection.execute("SELECT pg_notify($1, '')", _channel(topic))

    async def _listen(self, topic: str, event: asyncio.Event) -> AsyncIterator[None]:
        dsn = postgres_dsn(parse_url(self._listen_url))
        pause = 0.1
        while True:
            connection: Any = None
            try:
                connection = await asyncpg.connect(dsn, timeout=CONNECT_SECONDS)
                connection.add_termination_listener(lambda _: event.set())
                await connection.add_listener(_channel(topic), lambda *_: event.set())
                pause = 0.1
                yield  # what was told before we listened is not told again
                while not connection.is_closed():
                    await event.wait()
                    event.clear()
                    yield
            except _LOST:
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
            finally:
                if connection is not None:
                    connection.terminate()
            with suppress(TimeoutError):
                async with asyncio.timeout(random.uniform(0, pause)):  # noqa: S311
                    await event.wait()
                event.clear()
                yield


def _channel(topic: str) -> str:
    return f"pytake_{topic}"
