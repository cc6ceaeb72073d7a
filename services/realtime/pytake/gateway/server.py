"""The Socket.IO server, bent to our order of things, and nothing else.

Everything that needs the inside of python-socketio is here and in the emitters; the rest
of the gateway sees `SocketEvents` and `Emitter`. Three things differ from stock: events
are handed over synchronously with their acknowledgement as a callable, so that a handler
may answer first and send afterwards; the connection is greeted after its CONNECT packet;
and who does not authenticate within 10 s is closed.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

import engineio
import socketio
from socketio import packet as sio_packet

from pytake.contract.error_codes import error_object
from pytake.domain.errors import PytakeError, Unavailable
from pytake.gateway.connection import Acknowledge
from pytake.gateway.stock import NAMESPACE, engineio_class

AUTHENTICATION_SECONDS = 10.0
MAX_EVENT_NAME = 64
REFUSED_LINGER_SECONDS = 2.0
"""How long a client that was refused may take to leave by itself."""


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

    def receive(
        self,
        sid: str,
        event: Any,
        arguments: list[Any],
        acknowledge: Acknowledge | None,
        size: int,
    ) -> None:
        """Take one event of so many bytes; must not block."""
        ...

    async def leave(self, sid: str, reason: str) -> None:
        """Forget a connection that has ended."""
        ...


def refusal_arguments(error: PytakeError) -> tuple[str, dict[str, Any]]:
    """Return message and data of the CONNECT_ERROR packet."""
    answer = error_object(error)
    return answer.pop("message"), answer


def make_server(
    base: type[Any],
    events: SocketEvents,
    *,
    pod_id: str,
    send_buffer_bytes: int,
    send_buffer_total_bytes: int,
    **options: Any,
) -> Any:
    """Return a Socket.IO server of the given class that reports to `events`."""
    engine = engineio_class(
        engineio.AsyncServer, pod_id, send_buffer_bytes, send_buffer_total_bytes
    )

    class Server(_ReportingServer, base):  # type: ignore[misc]
        def _engineio_server_class(self) -> type[Any]:
            return engine

    server = Server(async_mode="asgi", namespaces=[NAMESPACE], **options)
    server.report_to(events)
    return server


class _ReportingServer:
    """Overrides of `socketio.AsyncServer`, each pinned by a test."""

    _events: SocketEvents
    eio: Any
    manager: Any
    environ: dict[str, Any]
    packet_class: Any
    _trigger_event: Callable[..., Any]
    _send_packet: Callable[..., Any]

    def report_to(self, events: SocketEvents) -> None:
        self._events = events
        self._deadlines: dict[str, asyncio.TimerHandle] = {}
        self.on("connect", self._on_connect)  # type: ignore[attr-defined]
        self.on("disconnect", self._on_disconnect)  # type: ignore[attr-defined]

    async def _on_connect(self, sid: str, environ: dict[str, Any], auth: Any = None) -> None:
        try:
            await self._events.connect(sid, environ, auth)
        except Unavailable:
            # Worth retrying: closing the transport is what makes stock clients come back.
            eio_sid = self.manager.eio_sid_from_sid(sid, NAMESPACE)
            if (socket := self.eio.sockets.get(eio_sid)) is not None:
                await _close(socket)
            raise socketio.exceptions.ConnectionRefusedError("unavailable") from None
        except PytakeError as error:
            raise socketio.exceptions.ConnectionRefusedError(*refusal_arguments(error)) from None

    async def _on_disconnect(self, sid: str, reason: str = "") -> None:
        await self._events.leave(sid, reason)

    async def _handle_eio_connect(self, eio_sid: str, environ: dict[str, Any]) -> None:
        await super()._handle_eio_connect(eio_sid, environ)  # type: ignore[misc]
        self._close_after(AUTHENTICATION_SECONDS, eio_sid)

    def _close_after(self, seconds: float, eio_sid: str) -> None:
        loop = asyncio.get_running_loop()
        if (timer := self._deadlines.pop(eio_sid, None)) is not None:
            timer.cancel()
        self._deadlines[eio_sid] = loop.call_later(seconds, self._close_unauthenticated, eio_sid)

    def _close_unauthenticated(self, eio_sid: str) -> None:
        self._deadlines.pop(eio_sid, None)
        socket = self.eio.sockets.get(eio_sid)
        if socket is not None:
            self.eio.start_background_task(_close, socket)

    async def _handle_connect(self, eio_sid: str, namespace: str | None, data: Any) -> None:
        await super()._handle_connect(eio_sid, namespace, data)  # type: ignore[misc]
        sid = self.manager.sid_from_eio_sid(eio_sid, NAMESPACE)
        socket = self.eio.sockets.get(eio_sid)
        if socket is None or socket.closed:
            # It went away while it was being admitted; stock would keep it for ever.
            await self._handle_disconnect(  # type: ignore[attr-defined]
                eio_sid, NAMESPACE, "transport close"
            )
        elif sid is not None and self.manager.is_connected(sid, NAMESPACE):
            if (timer := self._deadlines.pop(eio_sid, None)) is not None:
                timer.cancel()
            await self._events.welcome(sid)
        else:
            self._close_after(REFUSED_LINGER_SECONDS, eio_sid)

    async def _handle_eio_disconnect(self, eio_sid: str, reason: str) -> None:
        if (timer := self._deadlines.pop(eio_sid, None)) is not None:
            timer.cancel()
        await super()._handle_eio_disconnect(eio_sid, reason)  # type: ignore[misc]
        if (socket := self.eio.sockets.get(eio_sid)) is not None:
            # Stock leaves an open long poll waiting until the next ping would be due.
            socket.queue.put_nowait(None)

    async def _handle_eio_message(self, eio_sid: str, data: Any) -> None:
        """Take a packet; one that is no Socket.IO ends the connection, quietly.

        Binary attachments are refused: no event of ours has any.
        """
        if isinstance(data, bytes | bytearray):
            self._close_unauthenticated(eio_sid)
            return
        try:
            packet = self.packet_class(encoded_packet=data)
        except (ValueError, TypeError, IndexError, KeyError, RecursionError, AttributeError):
            self._close_unauthenticated(eio_sid)
            return
        await self._dispatch(eio_sid, packet, len(data))

    async def _dispatch(self, eio_sid: str, packet: Any, size: int) -> None:
        kind = packet.packet_type
        if kind == sio_packet.CONNECT:
            await self._handle_connect(eio_sid, packet.namespace, packet.data)
        elif kind == sio_packet.DISCONNECT:
            await self._handle_disconnect(  # type: ignore[attr-defined]
                eio_sid, packet.namespace, "client disconnect"
            )
        elif kind == sio_packet.EVENT and isinstance(packet.data, list) and packet.data:
            self._hand_over(eio_sid, packet, size)
        elif kind == sio_packet.ACK:
            pass  # We ask for none.
        else:
            self._close_unauthenticated(eio_sid)

    def _hand_over(self, eio_sid: str, packet: Any, size: int) -> None:
        sid = self.manager.sid_from_eio_sid(eio_sid, packet.namespace or NAMESPACE)
        if sid is None or not self.manager.is_connected(sid, NAMESPACE):
            return
        acknowledge = None if packet.id is None else self._acknowledge(eio_sid, packet.id)
        self._events.receive(sid, packet.data[0], packet.data[1:], acknowledge, size)

    def _acknowledge(self, eio_sid: str, id: int) -> Acknowledge:
        def acknowledge(answer: dict[str, Any]) -> None:
            packet = self.packet_class(sio_packet.ACK, namespace=NAMESPACE, id=id, data=[answer])
            socket = self.eio.sockets.get(eio_sid)
            if socket is not None and not socket.closing and not socket.closed:
                message = engineio.packet.Packet(engineio.packet.MESSAGE, packet.encode())
                socket.queue.put_nowait(message)

        return acknowledge


async def _close(socket: Any) -> None:
    await socket.close(wait=False)
    socket.queue.put_nowait(None)
