"""Writes to the connections of this pod: at once, in order, without a task each.

The only module beside `server` that knows Socket.IO from inside. What is written is put
straight into the connection's own queue, so that two events for one connection can never
change places, and so that a check and the write that depends on it are one turn of the
loop. Frames are encoded once and shared by all who get them.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import orjson

Frame = Any
"""An encoded packet; what it is, only the emitter that made it knows."""


class RoomSender(Protocol):
    """Sends to rooms of the whole cluster; who is in several gets it once."""

    async def __call__(
        self, rooms: list[str], event: str, data: Mapping[str, Any], *, skip_sid: str | None
    ) -> None: ...


class Emitter(Protocol):
    """What handlers need to talk to connections."""

    def frame(self, event: str, data: bytes, *, sheddable: bool = False) -> Frame:
        """Encode an event whose data is JSON already. A sheddable one is dropped when a
        connection reads too slowly; any other one that does not fit closes it."""
        ...

    def send(self, sid: str, frame: Frame) -> None:
        """Write to one connection; nothing happens if it is gone."""
        ...

    def send_many(self, sids: Iterable[str], frame: Frame) -> int:
        """Write to many connections; return how many were still there."""
        ...

    async def to_rooms(
        self,
        rooms: list[str],
        event: str,
        data: Mapping[str, Any],
        *,
        skip_sid: str | None = None,
    ) -> None:
        """Send to rooms of the whole cluster, best effort and sheddable."""
        ...

    async def enter_room(self, sid: str, room: str) -> None:
        """Put a connection into a Socket.IO room, for events without `seq`."""
        ...

    def leave_room(self, sid: str, room: str) -> None:
        """Take a connection out of a Socket.IO room, at once."""
        ...

    async def drained(self, sid: str) -> None:
        """Wait until the connection has taken most of what was written to it."""
        ...

    def forget(self, sid: str) -> None:
        """Drop what waits for a connection that does not read."""
        ...

    async def disconnect(self, sid: str) -> None:
        """End with a Socket.IO DISCONNECT: stock clients stay away."""
        ...

    async def close_transport(self, sid: str) -> None:
        """Close the Engine.IO transport: stock clients come back."""
        ...


def json_bytes(data: Mapping[str, Any]) -> bytes:
    """Return the JSON of an event's data."""
    return orjson.dumps(data)


def event_text(event: str, data: bytes) -> str:
    """Return the Socket.IO packet of an event in the default namespace, data spliced in."""
    return f'2["{event}",{data.decode()}]'
