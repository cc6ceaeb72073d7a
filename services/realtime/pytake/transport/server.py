"""`AsyncServer`: python-socketio's server, on direct sockets.

It takes what `socketio.AsyncServer` takes and behaves the same to handlers and clients,
with three differences that are meant: events of one connection are handled one after
another (`ordered=False` gives python-socketio's way back), a client whose packets are
malformed is disconnected, and nothing waits without a bound.
"""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from types import CoroutineType
from typing import Any, TypeVar, overload

import socketio
from socketio import packet as sio_packet

from pytake.transport.codec import DEFAULT_CODEC, JsonCodec
from pytake.transport.dispatch import Dispatcher, Event, Work
from pytake.transport.engine import Admission, DirectEngine, new_pod_id
from pytake.transport.frames import (
    PreparedPacket,
    encode_ack,
    encode_control,
    encode_event,
    frame,
    from_encoded,
    from_engineio,
)
from pytake.transport.manager import AsyncManager
from pytake.transport.peer import Peer
from pytake.transport.rooms import CONNECTED, Member
from pytake.transport.session import Session
from pytake.transport.stats import TransportStats
from pytake.transport.stock import StockEngine, StockPeer

F = TypeVar("F", bound=Callable[..., Any])
# Called with the sid of a slow consumer before it is closed; may return a last packet.
SlowConsumerHook = Callable[[str], PreparedPacket | None]
# Called with sid, name (None if unreadable) and size; returns the acknowledgement.
RefusedEventHook = Callable[[str, str | None, int], Awaitable[Any]]


class AsyncServer(socketio.AsyncServer):  # type: ignore[misc]
    """A Socket.IO server.

    Args:
        client_manager: `AsyncManager()` (the default) or `AsyncRedisManager(url)`.
        direct: False runs on python-engineio's own sockets: slower, same behaviour.
        pod_id: Eight characters that name this process within session ids.
        ordered: Whether events of one connection are handled one after another.
        connect_timeout: Seconds a client may stay without a namespace; 0 is for ever.
        upgrade_timeout: Seconds a websocket may probe before it takes over.
        max_event_bytes: Larger events are not handled but given to
            `on_oversized_event`. `max_http_buffer_size` is the limit of a message, above
            which the connection closes (1009) or a POST is refused (413).
        max_unconnected_bytes: The limit of a message while the client has not been let into
            a namespace; None for no other than the above. Who is nobody yet costs little.
        send_buffer_bytes: The most that may wait for one client.
        send_buffer_total_bytes: The most that may wait for all of them.
        compression: Whether permessage-deflate is negotiated.
        compression_threshold: Bytes from which messages are compressed.
        admission: Called with the ASGI scope of each new session, before any work is
            done for it. Returns None, or (status, headers, body) to refuse.
        on_slow_consumer: See `SlowConsumerHook`.
        on_oversized_event: See `RefusedEventHook`.
        on_binary_event: See `RefusedEventHook`. Where it is set, no handler gets an event
            with attachments, and none of these is kept in memory.
        options: Everything else that `socketio.AsyncServer` takes. `ping_interval` and
            `ping_timeout` may be fractions of seconds.
    """

    manager: AsyncManager
    handlers: dict[str, dict[str, Callable[..., Any]]]
    packet_class: Any
    manager_initialized: bool

    def __init__(
        self,
        client_manager: Any = None,
        *,
        direct: bool = True,
        pod_id: str | None = None,
        ordered: bool = True,
        connect_timeout: float = 10.0,
        upgrade_timeout: float = 10.0,
        max_event_bytes: int | None = None,
        max_unconnected_bytes: int | None = None,
        send_buffer_bytes: int = 262_144,
        send_buffer_total_bytes: int = 134_217_728,
        compression: bool = True,
        compression_threshold: int = 1024,
        admission: Admission | None = None,
        on_slow_consumer: SlowConsumerHook | None = None,
        on_oversized_event: RefusedEventHook | None = None,
        on_binary_event: RefusedEventHook | None = None,
        **options: Any,
    ) -> None:
        self.direct = direct
        self.pod_id = pod_id or new_pod_id()
        self.stats = TransportStats()
        self.codec = JsonCodec(options["json"]) if options.get("json") else DEFAULT_CODEC
        self.max_event_bytes = max_event_bytes
        self.compression = compression
        self.websocket_threshold = compression_threshold
        self.on_slow_consumer = on_slow_consumer
        self.on_oversized_event = on_oversized_event
        self.on_binary_event = on_binary_event
        self._dispatcher = Dispatcher(self, ordered=ordered)
        self._stock_peers: dict[str, StockPeer] = {}
        options.setdefault("async_mode", "asgi")
        super().__init__(
            client_manager=client_manager if client_manager is not None else AsyncManager(),
            pod_id=self.pod_id,
            stats=self.stats,
            connect_timeout=connect_timeout,
            upgrade_timeout=upgrade_timeout,
            max_unconnected_bytes=max_unconnected_bytes,
            send_buffer_bytes=send_buffer_bytes,
            send_buffer_total_bytes=send_buffer_total_bytes,
            websocket_compression=compression,
            compression_threshold=compression_threshold,
            admission=admission,
            **options,
        )
        self.eio.serve_for(self)
        self.eio.last_words = self._last_words
        if direct:
            self.environ = Environs(self.eio)

    def _engineio_server_class(self) -> type:
        return DirectEngine if self.direct else StockEngine

    # python-socketio has no types; with these, handlers keep theirs.

    def on(
        self,
        event: str,
        handler: Callable[..., Any] | None = None,
        namespace: str | None = None,
    ) -> Callable[[F], F]:
        register: Callable[[F], F] = super().on(event, handler, namespace)
        return register

    @overload
    def event(self, handler: F, /) -> F: ...

    @overload
    def event(self, /, *, namespace: str | None = None) -> Callable[[F], F]: ...

    def event(self, *args: Any, **kwargs: Any) -> Any:
        return super().event(*args, **kwargs)

    # --- Sending -----------------------------------------------------------------------

    def encode_event(self, event: str, data: Any = None, namespace: str = "/") -> PreparedPacket:
        """Encode an event once, for `manager.emit_local` and `manager.send_to`."""
        return encode_event(event, data, namespace, codec=self.codec)

    def answer(self, member: Member, ack_id: int, answer: Any) -> None:
        """Send the acknowledgement of an event."""
        peer = member.peer
        write = peer.write
        if write is not None and member.namespace == "/" and answer.__class__ is dict:
            # The usual case, without the object that other transports would need.
            try:
                data = frame(b"43%d[%b]" % (ack_id, self.codec.encode(answer)))
            except TypeError:
                pass  # binary
            else:
                if len(data) < self.websocket_threshold:
                    write(data)
                    self.stats.frames_out += 1
                    self.stats.bytes_out += len(data)
                    return
        peer.send(encode_ack(ack_id, answer, member.namespace, self.codec))

    async def close_transport(self, sid: str, reason: str, namespace: str = "/") -> bool:
        """Close the Engine.IO connection of a local client, so that it comes back.

        What was sent before is flushed first. Stock clients reconnect after this, while
        they stay away after `disconnect`. Returns False if the client is not here.
        """
        peer = self.manager.peer(sid, namespace)
        if peer is None or peer.closed:
            return False
        peer.shut(reason)
        return True

    def close_all(self, reason: str) -> None:
        """Close the Engine.IO connections of all local clients."""
        for peer in list(self.eio.sockets.values() if self.direct else self._stock_peers.values()):
            peer.shut(reason)

    async def shutdown(self) -> None:
        """Stop timers, background work and the link to other pods."""
        await super().shutdown()
        await self.manager.stop()

    async def _send_packet(self, eio_sid: str, pkt: Any) -> None:
        peer = self.peer(eio_sid)
        if peer is not None:
            peer.send(from_encoded(pkt.encode()))

    async def _send_eio_packet(self, eio_sid: str, eio_pkt: Any) -> None:
        peer = self.peer(eio_sid)
        if peer is not None:
            peer.send(from_engineio(eio_pkt))

    def _last_words(self, peer: Peer) -> PreparedPacket | None:
        if self.on_slow_consumer is None or peer.main is None:
            return None
        return self.on_slow_consumer(peer.main.sid)

    # --- Peers -------------------------------------------------------------------------

    def peer(self, eio_sid: str) -> Peer | None:
        """Return the client with an Engine.IO sid."""
        if self.direct:
            session: Peer | None = self.eio.sockets.get(eio_sid)
            return session
        return self._stock_peers.get(eio_sid)

    def peer_arrived(self, peer: Peer) -> None:
        """A session opened."""
        if not self.manager_initialized:
            self.manager_initialized = True
            self.manager.initialize()

    def peer_gone(self, peer: Peer, reason: str) -> None:
        """A session ended: its handlers hear of it after what the client sent before."""
        if peer.main is not None or peer.others or peer.worker is not None:
            self.in_order(peer, lambda: self._leave_all(peer, reason))

    @property
    def receive_text(self) -> Callable[[Peer, bytes], None]:
        """Takes a text message of a peer (with its leading 4)."""
        return self._dispatcher.receive_text

    def receive_binary(self, peer: Peer, data: bytes) -> None:
        self._dispatcher.receive_binary(peer, data)

    def in_order(self, peer: Peer, work: Work) -> None:
        """Run something after everything the client sent before."""
        self._dispatcher.in_order(peer, work)

    async def until_handled(self, peer: Peer) -> None:
        """Wait while too much that a client sent is unhandled."""
        await self._dispatcher.until_handled(peer)

    async def _leave_all(self, peer: Peer, reason: str) -> None:
        for member in list(peer.members()):
            await self._leave(member, reason)

    async def _leave(self, member: Member, reason: str) -> None:
        sid, namespace = member.sid, member.namespace
        connected = member.state == CONNECTED
        try:
            if connected:
                self.manager.pre_disconnect(sid, namespace)
                await self._trigger_event("disconnect", namespace, sid, reason)
        finally:
            await self.manager.disconnect(sid, namespace, ignore_queue=True)

    # --- Packets -------------------------------------------------------------------------

    def knows_namespace(self, namespace: str) -> bool:
        return (
            namespace in self.handlers
            or namespace in self.namespace_handlers
            or self.namespaces == "*"
            or namespace in self.namespaces
        )

    async def _handle_connect(self, eio_sid: str, namespace: str | None, data: Any) -> None:
        namespace = namespace or "/"
        peer = self.peer(eio_sid)
        if peer is None or peer.closed:
            return
        if not self.knows_namespace(namespace):
            error = {"message": "Invalid namespace"}
            peer.send(encode_control(sio_packet.CONNECT_ERROR, namespace, error))
            return
        await super()._handle_connect(eio_sid, namespace, data)
        member = peer.member_of(namespace)
        if member is not None and member.state == CONNECTED:
            peer.let_in()

    async def _handle_disconnect(
        self, eio_sid: str, namespace: str | None, reason: str | None = None
    ) -> None:
        peer = self.peer(eio_sid)
        member = peer.member_of(namespace or "/") if peer is not None else None
        if member is not None and member.state == CONNECTED:
            await self._leave(member, reason or self.reason.CLIENT_DISCONNECT)

    async def handle_event(self, peer: Peer, event: Event) -> None:
        """Call the handler of an event and answer if the client asked for it."""
        namespace, name, arguments, ack_id = event
        member = peer.member_of(namespace)
        if member is None or member.state != CONNECTED:
            return
        arguments[0] = member.sid
        answer = await self._trigger_event(name, namespace, *arguments)
        if ack_id is not None and answer is not self.not_handled:
            self.answer(member, ack_id, answer)

    async def _trigger_event(self, event: str, namespace: str, *args: Any) -> Any:
        if event in self.reserved_events:
            # These have older signatures, which python-socketio tries in turn.
            return await super()._trigger_event(event, namespace, *args)
        handler, arguments = self._get_event_handler(event, namespace, args)
        if handler is not None:
            answer = handler(*arguments)
            if answer.__class__ is CoroutineType or inspect.isawaitable(answer):
                answer = await answer
            return answer
        handler, arguments = self._get_namespace_handler(namespace, args)
        if handler is not None:
            return await handler.trigger_event(event, *arguments)
        return self.not_handled

    # --- Stock sockets -------------------------------------------------------------------

    async def _handle_eio_connect(self, eio_sid: str, environ: dict[str, Any]) -> None:
        peer = self._stock_peers[eio_sid] = StockPeer(self.eio, self.eio.sockets[eio_sid])
        self.environ[eio_sid] = environ
        upgrade = environ.get("HTTP_UPGRADE", "").lower()
        self.stats.opened["websocket" if upgrade == "websocket" else "polling"] += 1
        self.peer_arrived(peer)

    async def _handle_eio_message(self, eio_sid: str, data: Any) -> None:
        peer = self._stock_peers.get(eio_sid)
        if peer is None:
            return
        transport = self.eio.transport(eio_sid)
        self.stats.frames_in[transport] += 1
        if isinstance(data, bytes):
            self.stats.bytes_in[transport] += len(data)
            self.receive_binary(peer, data)
        else:
            # python-engineio decodes JSON where it finds some; no packet looks like it.
            text = data if isinstance(data, str) else "?"
            packet = b"4" + text.encode(errors="surrogatepass")
            self.stats.bytes_in[transport] += len(packet)
            self.receive_text(peer, packet)
        await self.until_handled(peer)

    async def _handle_eio_disconnect(self, eio_sid: str, reason: str) -> None:
        peer = self._stock_peers.pop(eio_sid, None)
        if peer is None:
            return
        peer.closed = True
        self.stats.connections -= 1
        reason = peer.close_reason or reason
        self.stats.closed[reason] += 1
        self.peer_gone(peer, reason)
        if peer.worker is not None and peer.worker is not asyncio.current_task():
            # The handlers may still ask for the session and the environ.
            await asyncio.wait((peer.worker,))
        self.environ.pop(eio_sid, None)


class Environs(MutableMapping[str, Any]):
    """`sio.environ` of direct sockets: built from the request when somebody asks.

    What an application changes in the dictionary it was given is kept.
    """

    def __init__(self, engine: DirectEngine) -> None:
        self._engine = engine

    def __getitem__(self, eio_sid: str) -> dict[str, Any]:
        session = self._engine.known(eio_sid)
        if session is None:
            raise KeyError(eio_sid)
        if session.environ is not None:
            return session.environ
        return Environ(session)

    def __setitem__(self, eio_sid: str, value: dict[str, Any]) -> None:
        self._engine.sockets[eio_sid].environ = value

    def __delitem__(self, eio_sid: str) -> None:
        self._engine.sockets[eio_sid].environ = None

    def __iter__(self) -> Iterator[str]:
        return iter(self._engine.sockets)

    def __len__(self) -> int:
        return len(self._engine.sockets)


class Environ(dict[str, Any]):
    """An environ that its session keeps as soon as somebody writes to it."""

    def __init__(self, session: Session) -> None:
        super().__init__(session.request.environ())
        self._session = session

    def __setitem__(self, key: str, value: Any) -> None:
        super().__setitem__(key, value)
        self._session.environ = self
