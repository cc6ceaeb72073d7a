"""Writes to the connections of this pod: at once, in order, without a task each.

The only module beside `server` that knows Socket.IO from inside. What is written goes
through one path per connection, so that two events for one can never change places, and
synchronously, so that a check and the write that depends on it are one turn of the loop.
Packets are encoded and framed once and shared by all who get them.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import structlog

from pytake.transport import AsyncManager, AsyncServer, PreparedPacket
from pytake.transport.codec import DEFAULT_CODEC
from pytake.transport.peer import Peer

log = structlog.get_logger()

NAMESPACE = "/"
MAX_UNANSWERED = 8
"""Questions to one connection that may be open; older ones are forgotten."""

Outlet = Peer
"""What carries one connection."""


def prepare(event: str, data: bytes, ack_id: int | None = None) -> PreparedPacket:
    """Encode an event whose data is JSON already: it is spliced, never parsed."""
    number = b"" if ack_id is None else b"%d" % ack_id
    return PreparedPacket(b'42%b["%b",%b]' % (number, event.encode(), data))


def json_bytes(data: Mapping[str, Any]) -> bytes:
    """Return the JSON of an event's data, which may repeat what a client sent: half a surrogate
    pair has a form in JSON, too."""
    return DEFAULT_CODEC.encode(data)


def tell_emit(event: str, kind_of_room: str, reached: int, *, seq: int | None = None) -> None:
    """Write a debug line about what went out: the kind of room, never which one."""
    log.debug("emit", event_name=event, room=kind_of_room, seq=seq, members=reached)


class Emitter:
    """What handlers need to talk to connections.

    Args:
        server: The Socket.IO server.
    """

    def __init__(self, server: AsyncServer) -> None:
        self._server = server
        self._manager: AsyncManager = server.manager

    def outlet(self, sid: str) -> Outlet | None:
        """Return what carries a connection, or None if it is gone."""
        return self._manager.peer(sid)

    def send(self, sid: str, packet: PreparedPacket) -> None:
        """Write to one connection; nothing happens if it is gone."""
        self._manager.send_to(sid, packet)

    def ask(self, sid: str, event: str, data: bytes, on_answer: Callable[..., None]) -> bool:
        """Write to one connection and ask for an acknowledgement; False if it is gone.

        Who does not answer the next question either is not waited for any more: a client
        that never answers holds one callable.
        """
        # Under 0 python-socketio keeps the counter of the ids.
        open_questions = [each for each in self._manager.callbacks.get(sid, ()) if each]
        for unanswered in open_questions[:-MAX_UNANSWERED]:
            del self._manager.callbacks[sid][unanswered]
        ack_id = self._manager._generate_ack_id(sid, on_answer)
        return self._manager.send_to(sid, prepare(event, data, ack_id))

    def fan_out(
        self, outlets: Iterable[Outlet], packet: PreparedPacket, *, ephemeral: bool = False
    ) -> int:
        """Write to many connections; return how many took it.

        An ephemeral packet is dropped for a connection that reads too slowly; any other
        one that does not fit closes it as `slow_consumer`.
        """
        return self._manager.send_to_all(outlets, packet, ephemeral=ephemeral)

    async def to_rooms_here(
        self, rooms: list[str], packet: PreparedPacket, *, skip_sid: str | None = None
    ) -> int:
        """Write to the members of Socket.IO rooms on this pod; sheddable."""
        return await self._manager.emit_local(packet, room=rooms, skip_sid=skip_sid, ephemeral=True)

    async def enter_rooms(self, sid: str, rooms: Iterable[str]) -> None:
        """Put a connection into Socket.IO rooms, for events without `seq`."""
        if self._manager.is_connected(sid, NAMESPACE):
            await self._manager.enter_rooms(sid, NAMESPACE, rooms)

    def leave_room(self, sid: str, room: str) -> None:
        """Take a connection out of a Socket.IO room, at once."""
        self._manager.basic_leave_room(sid, NAMESPACE, room)

    async def drained(self, sid: str) -> None:
        """Wait until the connection has taken what was written to it, or is gone."""
        await self._manager.drained(sid)

    async def disconnect(self, sid: str) -> None:
        """End with a Socket.IO DISCONNECT: stock clients stay away."""
        await self._server.disconnect(sid, ignore_queue=True)

    async def close_transport(self, sid: str, reason: str) -> None:
        """Close the Engine.IO transport: stock clients come back."""
        await self._server.close_transport(sid, reason)
