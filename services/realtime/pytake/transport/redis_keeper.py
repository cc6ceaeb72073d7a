"""A connection to Redis that is made again whenever it is lost."""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from typing import Any

import hiredis

from pytake.transport.redis_link import RedisLink, Server

logger = logging.getLogger("pytake.transport")

HEARTBEAT_SECONDS = 2.0
SILENCE_SECONDS = 6.0
MAX_BACKOFF_SECONDS = 5.0

Resolve = Callable[[], Awaitable[Server]]


class LinkKeeper:
    """Keeps one connection open.

    Args:
        name: For the log.
        resolve: Says where to connect, each time anew.
        on_open: Called with each new link, before anything else uses it.
        on_push: What a subscribed link receives. Without it the link is for commands.
        master_only: Leave a server that became a replica.
    """

    def __init__(
        self,
        name: str,
        resolve: Resolve,
        *,
        on_open: Callable[[RedisLink], None] | None = None,
        on_push: Callable[[list[Any]], None] | None = None,
        master_only: bool = False,
    ) -> None:
        self.link: RedisLink | None = None
        self._name = name
        self._resolve = resolve
        self._on_open = on_open
        self._on_push = on_push
        self._master_only = master_only
        self._failures = 0
        self._heard = 0.0
        self._down_since = time.monotonic()
        self._opened = asyncio.Event()
        self._dropped = asyncio.Event()

    async def opened(self, seconds: float) -> bool:
        """Wait for a connection. It is not waited for while it is long gone: callers
        would pile up, and what they have to say would be old."""
        if self.link is not None:
            return True
        if time.monotonic() - self._down_since > seconds:
            return False
        try:
            async with asyncio.timeout(seconds):
                await self._opened.wait()
        except TimeoutError:
            return False
        return True

    async def run(self) -> None:
        """Connect, watch, and connect again until cancelled, whatever goes wrong."""
        self._down_since = time.monotonic()
        while True:
            try:
                await self._connect_and_watch()
            except Exception as error:
                await self._back_off(error)
            else:
                logger.warning("lost the connection to Redis for %s", self._name)

    async def _connect_and_watch(self) -> None:
        """Connect once; return when the connection is lost."""
        lost = self._dropped = asyncio.Event()
        link = await RedisLink.open(
            await self._resolve(), self._push if self._on_push is not None else None, lost.set
        )
        if self._failures:
            logger.warning("Redis is back for %s", self._name)
        self._failures = 0
        self.link = link
        self._heard = time.monotonic()
        self._opened.set()
        try:
            if self._on_open is not None:
                self._on_open(link)
            await self._watch(link, lost)
        finally:
            self.link = None
            self._down_since = time.monotonic()
            self._opened.clear()
            link.close()

    async def _back_off(self, error: Exception) -> None:
        self._failures += 1
        # Full jitter: pods that lost Redis together come back apart.
        bound = min(MAX_BACKOFF_SECONDS, 0.1 * 2 ** min(self._failures, 6))
        if not isinstance(error, OSError):
            # A mistake of ours or of the settings. Nobody awaits this task: were it to end,
            # the pod would be deaf and say nothing.
            logger.error("the connection to Redis for %s failed", self._name, exc_info=error)
            bound = MAX_BACKOFF_SECONDS
        elif self._failures == 1:
            logger.warning("cannot reach Redis for %s: %s", self._name, error)
        await asyncio.sleep(random.uniform(0.01, bound))  # noqa: S311

    def drop(self) -> None:
        """Give up the present connection; another is made at once."""
        if self.link is not None:
            self._dropped.set()

    def _push(self, reply: list[Any]) -> None:
        self._heard = time.monotonic()
        if self._on_push is not None:
            self._on_push(reply)

    async def _watch(self, link: RedisLink, lost: asyncio.Event) -> None:
        """Return when the link is lost, silent, or leads to a replica."""
        while not lost.is_set():
            try:
                if self._on_push is not None:
                    link.send("PING", expect_reply=False)
                    if time.monotonic() - self._heard > SILENCE_SECONDS:
                        return
                else:
                    async with asyncio.timeout(SILENCE_SECONDS):
                        role = await link.call("ROLE")
                    if self._master_only and role[0] != b"master":
                        return
            except hiredis.ReplyError:
                pass  # a server that does not let us ask for its role still answers
            except (OSError, TimeoutError):
                return
            try:
                async with asyncio.timeout(HEARTBEAT_SECONDS):
                    await lost.wait()
            except TimeoutError:
                continue
