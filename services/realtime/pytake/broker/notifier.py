"""Events without `seq` to rooms of the cluster, from processes that have no connections.

In Socket.IO's own format on the channel that every pod listens to, as a stock write-only
`AsyncRedisManager` does it, over the process's command link.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

import orjson

from pytake.broker.redis_commands import RedisCommands
from pytake.broker.redis_link import ReplyError
from pytake.domain.errors import Unavailable


class RedisRoomNotifier:
    """Port `RoomNotifier`.

    Args:
        commands: The command link of the process.
        channel: `PYTAKE_REDIS_CHANNEL`.
    """

    def __init__(self, commands: RedisCommands, channel: str = "socketio") -> None:
        self._commands = commands
        self._channel = channel
        self._host_id = uuid4().hex
        self.lost = 0

    async def emit(self, rooms: Sequence[str], event: str, data: Mapping[str, Any]) -> None:
        """Send to every connection in at least one of the rooms, once.

        Best effort: while Redis is away nothing is sent, and pods follow with `resync`.
        """
        message = {
            "method": "emit",
            "event": event,
            "data": [data],
            "binary": False,
            "namespace": "/",
            "room": rooms[0] if len(rooms) == 1 else list(rooms),
            "skip_sid": None,
            "callback": None,
            "host_id": self._host_id,
        }
        try:
            await self._commands.call("PUBLISH", self._channel, orjson.dumps(message))
        except (Unavailable, ReplyError):
            self.lost += 1
