"""Client packets in, handler calls out, in order.

What a client sends is decoded and checked when it arrives, since a malformed packet must
close the connection at once, and handled in the order of arrival by a task that exists
only while there is something to handle. Acknowledgements do not queue: a handler may be
waiting for one.
"""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from socketio import packet as sio_packet

from pytake.transport.peer import Peer

if TYPE_CHECKING:
    from pytake.transport.server import AsyncServer, RefusedEventHook

logger = logging.getLogger("pytake.transport")

# A client with this many unhandled packets is not read from until they are done.
MAX_PENDING_PACKETS = 64
MAX_ATTACHMENTS = 100
# No application may receive these from a client; two of them would call the handlers
# of the connection's own life.
_RESERVED = frozenset(
    {"connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"}
)

Work = Callable[[], Awaitable[Any]]
# Namespace, event, arguments, id of the acknowledgement.
Event = tuple[str, str, list[Any], int | None]


class InvalidPacket(ValueError):
    """The client sent something that is no Socket.IO packet."""


class Partial:
    """A binary packet and the attachments that have arrived."""

    __slots__ = ("packet", "size")

    def __init__(self, packet: Any, size: int) -> None:
        self.packet = packet
        self.size = size

    def add(self, data: bytes) -> bool:
        """Take one attachment; True if it was the last."""
        whole: bool = self.packet.add_attachment(data)
        return whole


class Unwanted(Partial):
    """A binary packet that was refused: its attachments are counted and thrown away."""

    __slots__ = ("_expected",)

    def __init__(self, packet: Any, size: int) -> None:
        super().__init__(packet, size)
        self._expected: int = packet.attachment_count

    def add(self, data: bytes) -> bool:
        self._expected -= 1
        return self._expected == 0


class Dispatcher:
    """Decodes packets of peers and runs their handlers in order.

    Args:
        server: Whose handlers run.
        ordered: If False, the events of one connection run at the same time, each in a
            task of its own, as python-socketio does by default.
    """

    def __init__(self, server: "AsyncServer", *, ordered: bool) -> None:
        self._server = server
        self._ordered = ordered
        self._tasks: set[asyncio.Task[Any]] = set()

    # --- Arrival -----------------------------------------------------------------------

    def receive_text(self, peer: Peer, packet: bytes) -> None:
        """Take an Engine.IO text message (with its leading 4)."""
        try:
            if packet[1:2] == b"2" and peer.partial is None:
                start = packet.find(b"[", 2)
                if start == 2:
                    self._on_plain_event(peer, packet, start, None)
                    return
                if start > 2 and start < 24 and packet[2:start].isdigit():
                    self._on_plain_event(peer, packet, start, int(packet[2:start]))
                    return
            self._on_other(peer, packet)
        except UnicodeDecodeError:
            peer.shut("parse error", code=1007)
        except (ValueError, TypeError, IndexError, KeyError, RecursionError):
            peer.shut("parse error", code=1002)

    def _on_plain_event(self, peer: Peer, packet: bytes, start: int, ack_id: int | None) -> None:
        server = self._server
        limit = server.max_event_bytes
        if limit is not None and len(packet) > limit:
            self._on_oversized(peer, "/", packet[start:], len(packet), ack_id)
            return
        arguments = server.codec.decode(packet[start:])
        self._enqueue_event(peer, "/", arguments, ack_id)

    def _on_other(self, peer: Peer, packet: bytes) -> None:
        if peer.partial is not None:
            raise InvalidPacket("text where an attachment was expected")
        self._on_packet(
            peer, self._server.packet_class(encoded_packet=packet[1:].decode()), len(packet)
        )

    def receive_binary(self, peer: Peer, data: bytes) -> None:
        """Take an attachment (or a whole packet of a binary serializer)."""
        try:
            partial = peer.partial
            if partial is None:
                if self._server.packet_class.uses_binary_events:
                    raise InvalidPacket("attachment without a packet")
                self._on_packet(peer, self._server.packet_class(encoded_packet=data), len(data))
                return
            partial.size += len(data)
            if partial.size > self._server.eio.max_http_buffer_size:
                peer.shut("payload too large", code=1009)
                return
            if partial.add(data):
                peer.partial = None
                if not isinstance(partial, Unwanted):
                    self._on_complete(peer, partial.packet, partial.size)
        except UnicodeDecodeError:
            peer.shut("parse error", code=1007)
        except (ValueError, TypeError, IndexError, KeyError, RecursionError):
            peer.shut("parse error", code=1002)

    def _on_packet(self, peer: Peer, packet: Any, size: int) -> None:
        kind = packet.packet_type
        namespace = packet.namespace or "/"
        if kind in (sio_packet.BINARY_EVENT, sio_packet.BINARY_ACK):
            if peer.member_of(namespace) is None or not isinstance(packet.data, list):
                raise InvalidPacket("unexpected binary packet")
            if packet.attachment_count > MAX_ATTACHMENTS:
                raise InvalidPacket("too many attachments")
            if self._server.on_binary_event is not None:
                self._refuse_binary(peer, namespace, packet, size)
            elif packet.attachment_count:
                peer.partial = Partial(packet, size)
            else:
                self._on_complete(peer, packet, size)
        elif kind == sio_packet.CONNECT:
            if packet.data is not None and not isinstance(packet.data, dict):
                raise InvalidPacket("the payload of CONNECT is an object")
            server = self._server
            if server.knows_namespace(namespace):
                peer.stop_expecting_connect()
            self.in_order(peer, lambda: server._handle_connect(peer.sid, namespace, packet.data))
        elif kind == sio_packet.DISCONNECT:
            server = self._server
            self.in_order(peer, lambda: server._handle_disconnect(peer.sid, namespace))
        else:
            self._on_complete(peer, packet, size)

    def _on_complete(self, peer: Peer, packet: Any, size: int) -> None:
        namespace = packet.namespace or "/"
        limit = self._server.max_event_bytes
        if packet.packet_type in (sio_packet.EVENT, sio_packet.BINARY_EVENT):
            if limit is not None and size > limit:
                name = packet.data[0] if isinstance(packet.data, list) and packet.data else None
                self._refuse_oversized(peer, namespace, name, size, packet.id)
            else:
                self._enqueue_event(peer, namespace, packet.data, packet.id)
        elif packet.packet_type in (sio_packet.ACK, sio_packet.BINARY_ACK):
            if not isinstance(packet.data, list) or packet.id is None:
                raise InvalidPacket("an acknowledgement has an id and a list")
            self._on_ack(peer, namespace, packet.id, packet.data)
        else:
            raise InvalidPacket("unexpected packet type")

    def _enqueue_event(
        self, peer: Peer, namespace: str, arguments: Any, ack_id: int | None
    ) -> None:
        if arguments.__class__ is not list or not arguments:
            raise InvalidPacket("an event is a list that begins with its name")
        name = arguments[0]
        if name.__class__ is not str or name in _RESERVED:
            raise InvalidPacket("bad name of an event")
        self._put(peer, (namespace, name, arguments, ack_id))

    def _on_ack(self, peer: Peer, namespace: str, ack_id: int, data: list[Any]) -> None:
        member = peer.member_of(namespace)
        if member is not None:
            self._own(self._server.manager.trigger_callback(member.sid, ack_id, data))

    # --- Events that are not wanted ------------------------------------------------------

    def _refuse_binary(self, peer: Peer, namespace: str, packet: Any, size: int) -> None:
        """Refuse an event before its attachments come; none of them is kept."""
        server = self._server
        if packet.attachment_count:
            peer.partial = Unwanted(packet, size)
        if packet.packet_type == sio_packet.BINARY_EVENT:
            name = packet.data[0] if packet.data else None
            self._refuse(peer, namespace, name, size, packet.id, server.on_binary_event)

    def _on_oversized(
        self, peer: Peer, namespace: str, body: bytes, size: int, ack_id: int | None
    ) -> None:
        """Name the event without decoding all of it."""
        head = body[1:300].decode(errors="ignore").lstrip()
        try:
            name, _ = json.JSONDecoder().raw_decode(head)
        except ValueError:
            name = None
        self._refuse_oversized(peer, namespace, name, size, ack_id)

    def _refuse_oversized(
        self, peer: Peer, namespace: str, name: Any, size: int, ack_id: int | None
    ) -> None:
        self._server.stats.oversized_events += 1
        self._refuse(peer, namespace, name, size, ack_id, self._server.on_oversized_event)

    def _refuse(
        self,
        peer: Peer,
        namespace: str,
        name: Any,
        size: int,
        ack_id: int | None,
        hook: "RefusedEventHook | None",
    ) -> None:
        """Let the application say what it thinks of an event that it will not see."""

        async def refuse() -> None:
            member = peer.member_of(namespace)
            if member is None or hook is None:
                return
            answer = await hook(member.sid, name if isinstance(name, str) else None, size)
            if ack_id is not None:
                self._server.answer(member, ack_id, answer)

        self.in_order(peer, refuse)

    # --- Handling ------------------------------------------------------------------------

    def in_order(self, peer: Peer, work: Work) -> None:
        """Run this after everything the client sent before."""
        self._put(peer, work)

    def _put(self, peer: Peer, item: "Event | Work") -> None:
        if item.__class__ is tuple and not self._ordered:
            self._own(self._server.handle_event(peer, item))
            return
        inbox = peer.inbox
        if inbox is None:
            peer.inbox = [item]
        else:
            inbox.append(item)
            if len(inbox) == MAX_PENDING_PACKETS:
                peer.pause_reading()
        if peer.worker is None:
            peer.worker = asyncio.get_running_loop().create_task(self._work(peer))

    async def _work(self, peer: Peer) -> None:
        server = self._server
        try:
            while (batch := peer.inbox) is not None:
                peer.inbox = None
                if len(batch) > 1 and peer.cork is None and peer.write is not None:
                    # Their answers leave together.
                    cork: list[bytes] = []
                    peer.cork, peer.write = cork, cork.append
                    asyncio.get_running_loop().call_soon(peer.uncork)
                for item in batch:
                    try:
                        if item.__class__ is tuple:
                            await server.handle_event(peer, item)
                        else:
                            await item()
                    except Exception:
                        server.stats.handler_errors += 1
                        logger.exception("handler failed")
                if len(batch) >= MAX_PENDING_PACKETS:
                    peer.resume_reading()
        finally:
            peer.worker = None

    async def until_handled(self, peer: Peer) -> None:
        """Wait while a client has too much unhandled (the polling counterpart of not
        reading from its socket)."""
        worker = peer.worker
        if worker is not None and peer.inbox and len(peer.inbox) >= MAX_PENDING_PACKETS:
            await asyncio.wait((worker,))

    def _own(self, work: Awaitable[Any]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: "asyncio.Task[Any]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self._server.stats.handler_errors += 1
            logger.error("handler failed", exc_info=task.exception())
