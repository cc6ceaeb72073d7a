"""Engine.IO 4 over direct sockets: sessions, handshakes, heartbeats.

`DirectEngine` is a python-engineio server whose sockets are `Session` objects. It
answers every request itself, because the stock one differs from the specification on
unknown transports, wrong methods, duplicate polls, heartbeats of polling clients, late
probes and fractional ping intervals.
"""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import engineio

from pytake.transport import polling
from pytake.transport.backpressure import SendBudget
from pytake.transport.codec import DEFAULT_CODEC
from pytake.transport.fault_log import FaultLog
from pytake.transport.frames import PreparedPacket, from_engineio
from pytake.transport.handshake import Headers, Request
from pytake.transport.ping_wheel import PingWheel
from pytake.transport.session import Session
from pytake.transport.stats import TransportStats

if TYPE_CHECKING:
    from pytake.transport.connection import Connection
    from pytake.transport.server import AsyncServer

logger = logging.getLogger("pytake.transport")

Refusal = tuple[int, Headers, bytes]
# Called with an ASGI scope before any work is done for a new session.
Admission = Callable[[dict[str, Any]], Refusal | None]

SID_RANDOM_BYTES = 12
POD_ID_LENGTH = 8

# The errors of Engine.IO, as its reference implementation words them.
UNKNOWN_TRANSPORT, UNKNOWN_SESSION, BAD_METHOD, BAD_REQUEST, FORBIDDEN, BAD_VERSION = range(6)
_ERRORS = {
    UNKNOWN_TRANSPORT: (400, "Transport unknown"),
    UNKNOWN_SESSION: (400, "Session ID unknown"),
    BAD_METHOD: (400, "Bad handshake method"),
    BAD_REQUEST: (400, "Bad request"),
    FORBIDDEN: (403, "Forbidden"),
    BAD_VERSION: (400, "Unsupported protocol version"),
}


def new_pod_id() -> str:
    """Return a name for this process that fits into session ids."""
    return secrets.token_urlsafe(6)


def new_sid(pod_id: str) -> str:
    """Return an unguessable id that tells which pod holds the session."""
    return f"{pod_id}.{secrets.token_urlsafe(SID_RANDOM_BYTES)}"


def pod_of(sid: object) -> str | None:
    """Return the pod named in a session id; None for anything else (a room's name)."""
    if isinstance(sid, str) and len(sid) == 25 and sid[POD_ID_LENGTH] == ".":
        return sid[:POD_ID_LENGTH]
    return None


class DirectEngine(engineio.AsyncServer):  # type: ignore[misc]
    """A python-engineio server on direct sockets.

    Attributes:
        path: Where websockets are taken, without a trailing slash.
        wheel: The deadlines of all sessions.
        budget: What waits for slow clients.
    """

    sockets: dict[str, Session]
    handlers: dict[str, Callable[..., Any]]

    def __init__(
        self,
        *,
        pod_id: str,
        stats: TransportStats,
        connect_timeout: float,
        upgrade_timeout: float,
        max_unconnected_bytes: int | None,
        send_buffer_bytes: int,
        send_buffer_total_bytes: int,
        websocket_compression: bool,
        admission: Admission | None,
        **options: Any,
    ) -> None:
        self._server: AsyncServer | None = None
        self._messages_are_ours = False
        self.receive_text: Callable[[Session, bytes], None] = lambda session, packet: None
        super().__init__(monitor_clients=False, **options)
        self.pod_id = pod_id
        self.stats = stats
        self.path = "/socket.io"
        self.connect_timeout = connect_timeout
        self.upgrade_timeout = upgrade_timeout
        self.max_unconnected_bytes = (
            self.max_http_buffer_size
            if max_unconnected_bytes is None
            else min(max_unconnected_bytes, self.max_http_buffer_size)
        )
        self.websocket_compression = websocket_compression
        self.admission = admission
        self.faults = FaultLog()
        self.budget = SendBudget(
            send_buffer_bytes, send_buffer_total_bytes, stats, self._on_overflow
        )
        shortest = min(self.ping_interval, self.ping_timeout)
        self.wheel = PingWheel(min(0.25, max(0.01, shortest / 20)))
        self.last_words: Callable[[Session], PreparedPacket | None] | None = None
        # Sessions that ended, while their disconnect handlers run.
        self.leaving: dict[str, Session] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def serve_for(self, server: "AsyncServer") -> None:
        """Pass messages straight to this Socket.IO server, unless the application put
        handlers of its own in their place (`sio.eio.on`)."""
        self._server = server
        self.receive_text = server.receive_text
        self._look_whose_messages()

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def generate_id(self) -> str:
        return new_sid(self.pod_id)

    def known(self, sid: str) -> Session | None:
        """Return a session, also one whose disconnect handlers are running."""
        return self.sockets.get(sid) or self.leaving.get(sid)

    def _get_socket(self, sid: str) -> Session:
        session = self.known(sid)
        if session is None:
            raise KeyError("Session not found")
        return session

    # --- What python-engineio offers -----------------------------------------------------

    async def send_packet(self, sid: str, pkt: Any) -> None:
        session = self.sockets.get(sid)
        if session is not None:
            session.send(from_engineio(pkt))

    async def disconnect(self, sid: str | None = None) -> None:
        chosen = list(self.sockets.values()) if sid is None else [self.sockets.get(sid)]
        for session in chosen:
            if session is not None:
                await session.close()

    async def shutdown(self) -> None:
        """Stop timers and background work. Connections are closed by their host."""
        self.wheel.stop()
        for task in list(self._tasks):
            task.cancel()

    # --- Requests ------------------------------------------------------------------------

    async def handle_request(
        self, scope: dict[str, Any], receive: polling.Receive, send: polling.Send
    ) -> None:
        if scope["type"] == "websocket":
            logger.error(
                "direct sockets need pytake.transport.serve() or uvicorn_config(); "
                "under any other host create the server with direct=False"
            )
            await receive()
            await send({"type": "websocket.close", "code": 1011})
            return
        await polling.handle(self, scope, receive, send)

    def find_session(self, query: dict[str, list[str]]) -> "Session | Refusal":
        """Return the session that a request names."""
        sid = query["sid"][0]
        session = self.sockets.get(sid)
        if session is None or session.overdue(self.now()):
            self.stats.unknown_sessions += 1
            return self.error(UNKNOWN_SESSION)
        return session

    def refuse_handshake(
        self, request: Request, query: dict[str, list[str]], scope: dict[str, Any] | None = None
    ) -> Refusal | None:
        """Return why a new session is not opened; None to open it."""
        refusal = None
        if request.method != "GET":
            refusal = self._refuse(BAD_METHOD, "other")
        elif query.get("EIO") != ["4"]:
            refusal = self._refuse(BAD_VERSION, "other")
        elif not self._origin_allowed(request):
            refusal = self._refuse(FORBIDDEN, "origin")
        elif self.admission is not None:
            refusal = self.admission(scope if scope is not None else request.scope("websocket"))
        if refusal is not None:
            self.stats.refused_handshakes += 1
        return refusal

    def _refuse(self, code: int, reason: str) -> Refusal:
        self.stats.on_refused(reason)
        return self.error(code)

    def _origin_allowed(self, request: Request) -> bool:
        allowed = self.cors_allowed_origins
        if allowed == [] or allowed == "*":
            return True
        origin = request.header(b"origin")
        if not origin:
            return True
        if isinstance(allowed, list | tuple | set | frozenset):
            return origin in allowed or "*" in allowed
        if isinstance(allowed, str):
            return origin == allowed
        origins = self._cors_allowed_origins(request.environ())
        return origins is None or origin in origins

    def error(self, code: int) -> Refusal:
        """Return the HTTP error that the reference implementation gives for a code."""
        status, message = _ERRORS[code]
        body = DEFAULT_CODEC.encode({"code": code, "message": message})
        return status, [(b"content-type", b"application/json")], body

    def bad_request(self, message: str) -> Refusal:
        body = DEFAULT_CODEC.encode({"code": BAD_REQUEST, "message": message})
        return 400, [(b"content-type", b"application/json")], body

    def open_packet(self, session: Session, upgrades: list[str]) -> PreparedPacket:
        interval = self.ping_interval + self.ping_interval_grace_period
        handshake = {
            "sid": session.sid,
            "upgrades": upgrades,
            "pingTimeout": round(self.ping_timeout * 1000),
            "pingInterval": round(interval * 1000),
            "maxPayload": self.max_http_buffer_size,
        }
        return PreparedPacket(b"0" + DEFAULT_CODEC.encode(handshake))

    def open_session(self, request: Request, transport: str) -> Session:
        """Register a new session; its transport sends the handshake."""
        session = Session(self, self.generate_id(), request, self.now())
        self.sockets[session.sid] = session
        self.stats.connections += 1
        self.stats.opened[transport] += 1
        return session

    # --- Websockets ----------------------------------------------------------------------

    def open_websocket(self, request: Request, connection: "Connection") -> None:
        """Answer a websocket handshake: a new session, or a probe for an old one."""
        query = parse_qs(request.target[1])
        if query.get("transport") != ["websocket"] or "websocket" not in self.transports:
            connection.refuse(self.error(UNKNOWN_TRANSPORT))
        elif "sid" in query:
            self._open_probe(request, connection, query)
        else:
            refusal = self.refuse_handshake(request, query)
            if refusal is not None:
                connection.refuse(refusal)
            elif self._is_ours("connect"):
                self._start_websocket(self.open_session(request, "websocket"), connection)
            else:
                self.own(self._ask_application(request, connection))

    def _open_probe(
        self, request: Request, connection: "Connection", query: dict[str, list[str]]
    ) -> None:
        session = self.find_session(query)
        if not isinstance(session, Session):
            connection.refuse(session)
            return
        connection.accept(request)
        if session.websocket is not None or session.probe is not None or not self.allow_upgrades:
            connection.close(1000)
        else:
            connection.start_probe(session)

    def _start_websocket(self, session: Session, connection: "Connection") -> None:
        packet = self.open_packet(session, [])
        connection.accept(session.request, packet.frame)
        self.stats.frames_out += 1
        self.stats.bytes_out += packet.size
        connection.session = session
        session.attach(connection)
        if self._server is not None and self._is_ours("connect"):
            self._server.peer_arrived(session)

    async def _ask_application(self, request: Request, connection: "Connection") -> None:
        session = self.open_session(request, "websocket")
        refusal = await self.ask_connect_handler(session)
        if refusal is not None:
            connection.refuse(refusal)
        elif not connection.transport.is_closing():
            self._start_websocket(session, connection)
        else:
            session.end(self.reason.TRANSPORT_CLOSE)

    async def ask_connect_handler(self, session: Session) -> Refusal | None:
        """Run the application's own Engine.IO connect handler."""
        if self._is_ours("connect"):
            if self._server is not None:
                self._server.peer_arrived(session)
            return None
        answer = await self._trigger_event(
            "connect", session.sid, session.request.environ(), run_async=False
        )
        if answer is None or answer is True:
            return None
        session.closed = True
        self.sockets.pop(session.sid, None)
        self.stats.connections -= 1
        body = DEFAULT_CODEC.encode(answer or "Unauthorized")
        return 401, [(b"content-type", b"application/json")], body

    # --- Messages ------------------------------------------------------------------------

    def on(self, event: str, handler: Callable[..., Any] | None = None) -> Any:
        """Register a handler of the application at the level of Engine.IO."""
        register = super().on(event, handler)
        if handler is None:

            def register_and_look(handler: Callable[..., Any]) -> Callable[..., Any]:
                register(handler)
                self._look_whose_messages()
                return handler

            return register_and_look
        self._look_whose_messages()
        return None

    def _look_whose_messages(self) -> None:
        self._messages_are_ours = self._is_ours("message")

    def _is_ours(self, event: str) -> bool:
        handler = self.handlers.get(event)
        server = self._server
        return server is not None and handler == getattr(server, f"_handle_eio_{event}")

    def on_message(self, session: Session, packet: bytes) -> None:
        """Take a text message; its leading 4 is still there."""
        stats = self.stats
        transport = "polling" if session.websocket is None else "websocket"
        stats.frames_in[transport] += 1
        stats.bytes_in[transport] += len(packet)
        if self._messages_are_ours:
            self.receive_text(session, packet)
            return
        try:
            data = engineio.packet.Packet(encoded_packet=packet.decode()).data
        except UnicodeDecodeError:
            self.refuse_text(session)
            return
        self._tell_application(session, data)

    def on_binary(self, session: Session, data: bytes) -> None:
        stats = self.stats
        transport = session.transport_name
        stats.frames_in[transport] += 1
        stats.bytes_in[transport] += len(data)
        if self._messages_are_ours and self._server is not None:
            self._server.receive_binary(session, data)
        else:
            self._tell_application(session, data)

    def refuse_text(self, session: Session) -> None:
        """Close a session whose text is not UTF-8."""
        session.shut("parse error", code=1007)

    def _tell_application(self, session: Session, data: Any) -> None:
        if "message" in self.handlers and self._server is not None:
            self._server.in_order(
                session,
                lambda: self._trigger_event("message", session.sid, data, run_async=False),
            )

    async def until_handled(self, session: Session) -> None:
        """Wait while too much that a client sent is unhandled."""
        if self._server is not None:
            await self._server.until_handled(session)

    def forget(self, session: Session, reason: str) -> None:
        """A session ended: forget it and tell whoever should know."""
        self.sockets.pop(session.sid, None)
        self.leaving[session.sid] = session
        self.stats.connections -= 1
        self.stats.closed[reason] += 1
        self.faults.report(reason, session.sid)
        if self._server is None:
            return
        if self._is_ours("disconnect"):
            self._server.peer_gone(session, reason)
        else:
            self._server.in_order(
                session,
                lambda: self._trigger_event("disconnect", session.sid, reason, run_async=False),
            )
        self._server.in_order(session, lambda: self._left(session))

    async def _left(self, session: Session) -> None:
        """Its disconnect handlers are done: nobody asks for it any more."""
        self.leaving.pop(session.sid, None)

    def _on_overflow(self, session: Session) -> None:
        last = self.last_words(session) if self.last_words is not None else None
        session.shut(
            "slow_consumer",
            code=1013,
            last=last.frame if last is not None else b"",
            patience_seconds=1.0,
        )

    def own(self, work: Awaitable[None]) -> None:
        """Run something in a task that `shutdown` cancels."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
