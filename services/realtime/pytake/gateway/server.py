"""The Socket.IO server, bent to our order of things, and nothing else.

The rest of the gateway sees `SocketEvents`. Two things differ from what the transport
does by itself: an event is handed over with its acknowledgement as a callable, so that a
handler may answer first and send afterwards; and a connection is greeted after its
CONNECT packet.
"""

from collections.abc import Callable
from typing import Any, Protocol

import socketio

from pytake.contract.error_codes import error_object
from pytake.domain.errors import ErrorCode, InvalidPayload, PytakeError, Refused, Unavailable
from pytake.transport import AsyncServer
from pytake.transport.dispatch import Event
from pytake.transport.peer import Peer
from pytake.transport.rooms import CONNECTED

Acknowledge = Callable[[dict[str, Any]], None]


class SocketEvents(Protocol):
    """What the gateway does when something happens on a connection."""

    async def connect(self, sid: str, environ: dict[str, Any], auth: Any) -> None:
        """Admit a connection.

        Raises:
            PytakeError: It is refused; the client is told code and retry.
        """
        ...

    async def welcome(self, sid: str) -> None:
        """Greet an admitted connection that has had its CONNECT packet."""
        ...

    async def receive(
        self, sid: str, event: str, arguments: list[Any], acknowledge: Acknowledge | None
    ) -> None:
        """Handle one event; the next one of this connection waits."""
        ...

    async def refuse_unseen(
        self, sid: str, event: str | None, error: PytakeError
    ) -> dict[str, Any]:
        """Return the acknowledgement of an event that nobody will look at."""
        ...

    async def leave(self, sid: str, reason: str) -> None:
        """Forget a connection that has ended."""
        ...


def refusal_arguments(error: PytakeError) -> tuple[str, dict[str, Any]]:
    """Return message and data of the CONNECT_ERROR packet."""
    answer = error_object(error)
    return answer.pop("message"), answer


class GatewayServer(AsyncServer):
    """A server that reports everything to `events`.

    Args:
        events: The gateway.
        options: As of `AsyncServer`.
    """

    def __init__(self, events: SocketEvents, **options: Any) -> None:
        self._events = events
        self._admitted: dict[str, str] = {}
        super().__init__(
            on_oversized_event=self._on_oversized, on_binary_event=self._on_binary, **options
        )
        self.on("connect", self._on_connect)
        self.on("disconnect", self._on_disconnect)

    async def _on_connect(self, sid: str, environ: dict[str, Any], auth: Any = None) -> None:
        eio_sid = self.manager.eio_sid_from_sid(sid, "/")
        try:
            await self._events.connect(sid, environ, auth)
            self._admitted[str(eio_sid)] = sid
        except Unavailable:
            # Worth retrying: closing the transport is what makes stock clients come back.
            await self.close_transport(sid, "unavailable")
            raise socketio.exceptions.ConnectionRefusedError("unavailable") from None
        except PytakeError as error:
            raise socketio.exceptions.ConnectionRefusedError(*refusal_arguments(error)) from None

    async def _on_disconnect(self, sid: str, reason: str = "") -> None:
        await self._events.leave(sid, reason)

    async def _on_oversized(self, sid: str, event: str | None, size: int) -> dict[str, Any]:
        return await self._events.refuse_unseen(sid, event, Refused(ErrorCode.PAYLOAD_TOO_LARGE))

    async def _on_binary(self, sid: str, event: str | None, size: int) -> dict[str, Any]:
        refusal = InvalidPayload(detail="Events have no binary attachments; use POST /media.")
        return await self._events.refuse_unseen(sid, event, refusal)

    async def _handle_connect(self, eio_sid: str, namespace: str | None, data: Any) -> None:
        await super()._handle_connect(eio_sid, namespace, data)
        sid = self._admitted.pop(eio_sid, None)
        if sid is None:
            return
        if self.manager.is_connected(sid, "/"):
            await self._events.welcome(sid)
        else:
            # It went away while it was being admitted: no disconnect will tell of it.
            await self._events.leave(sid, "transport close")

    async def _handle_eio_disconnect(self, eio_sid: str, reason: str) -> None:
        await super()._handle_eio_disconnect(eio_sid, reason)
        if (socket := self.eio.sockets.get(eio_sid)) is not None:
            # Stock sockets leave an open long poll waiting until the next ping would be due.
            socket.queue.put_nowait(None)

    async def handle_event(self, peer: Peer, event: Event) -> None:
        namespace, name, arguments, ack_id = event
        member = peer.member_of(namespace)
        if member is None or member.state != CONNECTED:
            return

        def acknowledge(answer: dict[str, Any]) -> None:
            if ack_id is not None:
                self.answer(member, ack_id, answer)

        await self._events.receive(
            member.sid, name, arguments[1:], None if ack_id is None else acknowledge
        )
