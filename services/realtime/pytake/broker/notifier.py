"""Events without `seq` to rooms of the cluster, from processes that have no connections.

Each room has a channel of its own, which only pods with members hear; the pods take the
packet as it is and write it on. A Redis Cluster keeps no order between channels, and who
is given a conversation must hear `inbox:removed` before `inbox:updated`: there everything
goes over the one channel that all pods hear.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any

from pytake.transport import AsyncRedisManager, encode_event

PATIENCE_SECONDS = 0.25
PAUSE_SECONDS = 1.0
"""After Redis took nothing for so long, nobody waits for it again for so long."""


class RedisRoomNotifier:
    """Port `RoomNotifier`.

    Args:
        url: `PYTAKE_REDIS_URL`.
        channel: `PYTAKE_REDIS_CHANNEL`.
        has_shards: Whether it is a Redis Cluster.
    """

    def __init__(self, url: str, channel: str = "socketio", *, has_shards: bool = False) -> None:
        make_manager: Any = AsyncRedisManager
        self._manager: AsyncRedisManager = make_manager(url, channel, write_only=True)
        self._has_shards = has_shards
        self._not_before = 0.0
        self.lost = 0

    def start(self) -> None:
        """Connect in the background."""
        self._manager.start()

    async def stop(self) -> None:
        """Let go of the connection."""
        await self._manager.stop()

    async def emit(self, rooms: Sequence[str], event: str, data: Mapping[str, Any]) -> None:
        """Send to every connection in the rooms; who is in two of them may hear it twice.

        Best effort: while Redis is away nothing is sent, and pods follow with `resync`.
        """
        if time.monotonic() < self._not_before:
            self.lost += 1
            return
        packet = encode_event(event, data)
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                if self._has_shards:
                    await self._manager.publish(packet, room=list(rooms))
                    return
                for room in rooms:
                    await self._manager.publish(packet, room=room)
        except TimeoutError:
            self.lost += 1
            self._not_before = time.monotonic() + PAUSE_SECONDS
