"""Sends ephemeral events and list changes to rooms of the whole cluster.

Here at once and in order; to other pods in Socket.IO's own format, from a bounded queue
by one task, so that a broker that is away holds up neither a handler nor a POST.
"""

import asyncio
from collections import deque
from collections.abc import Mapping
from typing import Any

import structlog

from pytake.gateway.emitter import NAMESPACE, Emitter, json_bytes, prepare
from pytake.gateway.tasks import Tasks

log = structlog.get_logger()

MAX_WAITING = 2000
"""At the bound the oldest is dropped: what is ephemeral is replaced by the next."""

PUBLISH_SECONDS = 1.0


class ClusterRooms:
    """Port `RoomNotifier`, and the emitter's way to rooms.

    Args:
        server: Its manager knows the local rooms and the channel to other pods.
    """

    def __init__(self, server: Any, emitter: Emitter, tasks: Tasks) -> None:
        self._emitter = emitter
        self._manager = server.manager
        self._publish: Any = getattr(server.manager, "_publish", None)
        self._tasks = tasks
        self._waiting: deque[dict[str, Any]] = deque(maxlen=MAX_WAITING)
        self._is_sending = False
        self.dropped = 0

    async def __call__(
        self,
        rooms: list[str],
        event: str,
        data: Mapping[str, Any],
        *,
        skip_sid: str | None = None,
    ) -> None:
        """Send to everybody who is in at least one of the rooms, once."""
        packet = prepare(event, json_bytes(data))
        await self._emitter.to_rooms_here(rooms, packet, skip_sid=skip_sid)
        if self._publish is None:
            return
        if len(self._waiting) == MAX_WAITING:
            self.dropped += 1
        self._waiting.append(self._message(rooms, event, data, skip_sid))
        if not self._is_sending:
            self._is_sending = True
            self._tasks.start(self._send_on(), "send to other pods")

    async def emit(self, rooms: list[str], event: str, data: Mapping[str, Any]) -> None:
        """Send to rooms of the whole cluster, best effort."""
        await self(list(rooms), event, data)

    def _message(
        self, rooms: list[str], event: str, data: Mapping[str, Any], skip_sid: str | None
    ) -> dict[str, Any]:
        return {
            "method": "emit",
            "event": event,
            "data": [data],
            "binary": False,
            "namespace": NAMESPACE,
            "room": rooms[0] if len(rooms) == 1 else rooms,
            "skip_sid": skip_sid,
            "callback": None,
            "host_id": self._manager.host_id,
        }

    async def _send_on(self) -> None:
        try:
            while self._waiting:
                try:
                    async with asyncio.timeout(PUBLISH_SECONDS):
                        await self._publish(self._waiting.popleft())
                except TimeoutError:
                    self.dropped += 1
        finally:
            self._is_sending = False
