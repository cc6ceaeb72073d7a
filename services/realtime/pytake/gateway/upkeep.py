"""What a pod repeats to stay right: its places under the cap, its figures."""

import asyncio
import time
from contextlib import suppress

import structlog

from pytake.application.connection_ports import CloseOrder, ConnectionPlaces
from pytake.domain.errors import ErrorCode
from pytake.domain.ids import ConnectionId, UserId
from pytake.gateway.audience import Audience
from pytake.gateway.registry import Registry
from pytake.gateway.rooms import Rooms
from pytake.gateway.session import Sessions
from pytake.gateway.tasks import Tasks
from pytake.observability.metrics import Metrics

log = structlog.get_logger()

ASSERT_SECONDS = 10.0
LOOK_SECONDS = 1.0
JUMP_SECONDS = 5.0
"""A pod that was frozen for longer than this has missed what the others decided."""


class Upkeep:
    """Re-asserts the pod's places every 10 s, and at once after its clock has jumped."""

    def __init__(
        self,
        registry: Registry,
        audience: Audience,
        rooms: Rooms,
        places: ConnectionPlaces,
        sessions: Sessions,
        metrics: Metrics,
    ) -> None:
        self._registry = registry
        self._audience = audience
        self._rooms = rooms
        self._places = places
        self._sessions = sessions
        self._metrics = metrics
        self._assert_now = asyncio.Event()

    def start(self, tasks: Tasks) -> None:
        tasks.keep(self._keep_places, "keep places")

    def assert_soon(self) -> None:
        """Enter the places again: the broker came back, perhaps empty."""
        self._assert_now.set()

    async def _keep_places(self) -> None:
        asserted_at = looked_at = time.monotonic()
        wait_seconds = ASSERT_SECONDS
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._assert_now.wait()
            if self._assert_now.is_set():
                self._assert_now.clear()
                # Not at once again: a Redis that refuses a part would be asked without end.
                wait_seconds = LOOK_SECONDS
            now = time.monotonic()
            jumped = now - looked_at > JUMP_SECONDS
            looked_at = now
            if jumped:
                log.warning("this process was stopped for a while")
                await self._rooms.on_interrupted()
            if jumped or now - asserted_at >= wait_seconds:
                asserted_at, wait_seconds = now, ASSERT_SECONDS
                await self.assert_places()

    async def assert_places(self) -> None:
        """Enter every connection again, and close what the answer says must go, here and on
        other pods: they would enter it again."""
        for user_id, place in await self._places.assert_all(self._ages()):
            order = CloseOrder(place.connection_id, user_id, ErrorCode.CONNECTION_CAP)
            self._sessions.send_order(place, order)

    def _ages(self) -> dict[UserId, dict[ConnectionId, float]]:
        now = asyncio.get_running_loop().time()
        ages: dict[UserId, dict[ConnectionId, float]] = {}
        for connection in self._registry:
            # Who only waits for his successor to join has given his place away.
            if "successor" not in connection.timers:
                mine = ages.setdefault(connection.principal.user_id, {})
                mine[ConnectionId(connection.sid)] = now - connection.opened_at
        return ages
