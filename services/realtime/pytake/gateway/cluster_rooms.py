"""Sends ephemeral events and list changes to rooms of the whole cluster.

Here at once and in order; to the pods that have members from a bounded queue by one task,
so that a broker that is away holds up neither a handler nor a POST.
"""

import asyncio
from collections import deque
from collections.abc import Mapping
from typing import Any

from pytake.gateway.emitter import NAMESPACE, Emitter, json_bytes, prepare, tell_emit
from pytake.gateway.tasks import Tasks
from pytake.observability.logs import writes_debug_lines
from pytake.transport import PreparedPacket

MAX_WAITING = 2000
"""At the bound the oldest is dropped: what is ephemeral is replaced by the next."""

PUBLISH_SECONDS = 1.0


class ClusterRooms:
    """Port `RoomNotifier`, and the way of typing notices.

    Args:
        server: Its manager knows the way to other pods, if there are any.
        emitter: Writes to the connections of this pod.
        tasks: Owner of the task that sends.
    """

    def __init__(self, server: Any, emitter: Emitter, tasks: Tasks) -> None:
        self._emitter = emitter
        self._publish: Any = getattr(server.manager, "publish", None)
        self._tasks = tasks
        self._tells_emits = writes_debug_lines()
        self._waiting: deque[tuple[PreparedPacket, Any, str | None]] = deque(maxlen=MAX_WAITING)
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
        reached = await self._emitter.to_rooms_here(rooms, packet, skip_sid=skip_sid)
        if self._tells_emits:
            tell_emit(event, rooms[0].split(":")[0], reached)
        if self._publish is None:
            return
        if len(self._waiting) == MAX_WAITING:
            self.dropped += 1
        # One room has a channel of its own; several go to every pod, which sorts them out.
        self._waiting.append((packet, rooms[0] if len(rooms) == 1 else rooms, skip_sid))
        if not self._is_sending:
            self._is_sending = True
            self._tasks.start(self._send_on(), "send to other pods")

    async def emit(self, rooms: list[str], event: str, data: Mapping[str, Any]) -> None:
        """Send to rooms of the whole cluster, best effort."""
        await self(list(rooms), event, data)

    async def _send_on(self) -> None:
        try:
            while self._waiting:
                packet, room, skip_sid = self._waiting.popleft()
                try:
                    async with asyncio.timeout(PUBLISH_SECONDS):
                        await self._publish(packet, NAMESPACE, room, skip_sid, ephemeral=True)
                except TimeoutError:
                    self.dropped += 1
        finally:
            self._is_sending = False
