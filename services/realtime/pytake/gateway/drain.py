"""Ending a pod without anybody noticing: a list, worked off within a window.

1. Not ready: no proxy chooses this pod for new clients. Proxies hear of that late, so
   whoever can wait (`refuse_new`, the chart's preStop hook) does so before the rest.
2. New handshakes are refused with 503; the listener stays open for known sessions, whose
   next polling request would find no session elsewhere.
3. `server:draining` with a time of his own to each client over the window: who is idle
   first, who types last.
4. The client opens its new connection first and resumes there; the old one ends as soon
   as the new one has joined.
5. Who does not know the event (a stock client) has his transport closed a moment after
   his time, and comes back by himself: one after the other, not all at the end. Five
   seconds after the window the pod ends whatever is left.

Draining twice waits for the same drain.
"""

import asyncio
import random
from contextlib import suppress

import structlog

from pytake.domain.errors import ErrorCode
from pytake.gateway.admission import Admission
from pytake.gateway.audience import Audience
from pytake.gateway.connection import Connection
from pytake.gateway.lifetime import Lifetime
from pytake.gateway.registry import Registry
from pytake.gateway.typing_notices import TypingNotices

log = structlog.get_logger()

LAST_SECONDS = 5.0
PATIENCE_SECONDS = 3.0
"""How long after its time a client may take to move by itself."""

MOVE_WITHIN = 0.8
"""Part of the window over which clients are told to go; the rest is for the journey."""


class Drain:
    """Empties the pod once."""

    def __init__(
        self,
        registry: Registry,
        audience: Audience,
        admission: Admission,
        lifetime: Lifetime,
        typing: TypingNotices,
        seconds: float,
    ) -> None:
        self._registry = registry
        self._audience = audience
        self._admission = admission
        self._lifetime = lifetime
        self._typing = typing
        self._seconds = seconds
        self._running: asyncio.Task[None] | None = None
        self.moved = 0
        self.forced = 0

    @property
    def is_draining(self) -> bool:
        return self._admission.is_draining

    async def __call__(self) -> None:
        """Drain, or wait for the drain that is under way."""
        if self._running is None:
            self._running = asyncio.create_task(self._drain(), name="drain")
        await asyncio.shield(self._running)

    def refuse_new(self) -> None:
        """Take no new clients from now on; those who are here stay until the drain."""
        self._admission.is_draining = True
        self._lifetime.is_draining = True

    async def _drain(self) -> None:
        self.refuse_new()
        connections = sorted(self._registry, key=self._liveliness)
        log.info("draining", connections=len(connections), seconds=self._seconds)
        end = asyncio.get_running_loop().time() + self._seconds
        if self._seconds > 0:
            self._tell(connections)
        await self._wait_until_empty(end)
        self.moved = len(connections) - len(self._registry)
        left = list(self._registry)
        self.forced = len(left)
        for connection in left:
            self._registry.end(connection.sid, ErrorCode.DRAINING)
        await self._wait_until_empty(asyncio.get_running_loop().time() + LAST_SECONDS)
        log.info("drained", moved=self.moved, forced=self.forced)

    def _tell(self, connections: list[Connection]) -> None:
        window = self._seconds * MOVE_WITHIN
        for index, connection in enumerate(connections):
            share = (index + random.random()) / len(connections)  # noqa: S311
            delay = int(window * share * 1000)
            self._audience.send(connection, "server:draining", {"reconnect_after_ms": delay})
            last = delay / 1000 + PATIENCE_SECONDS
            # Who would have until the end of the window or longer is ended, and counted, there.
            if last < self._seconds:
                self._lifetime.end_after(connection, last, ErrorCode.DRAINING)

    async def _wait_until_empty(self, end: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout_at(end):
                await self._registry.empty()

    def _liveliness(self, connection: Connection) -> tuple[bool, int, float]:
        """Idle connections first, then those with conversations open, youngest last; who types
        goes after all others."""
        is_typing = self._typing.is_typing(connection.sid)
        return (is_typing, len(connection.joined), connection.opened_at)
