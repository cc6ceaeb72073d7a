"""A websocket that owns its transport: the protocol class given to uvicorn.

uvicorn parses the HTTP request and hands the upgrade to this class. A request for the
Socket.IO path is answered here, without ASGI, and from then on the object does nothing
but read frames for its session; writing goes past it, straight to the transport. Any
other path goes to uvicorn's own websocket implementation, so the application beside
Socket.IO keeps its websockets.
"""

import asyncio
import socket
import struct
from typing import TYPE_CHECKING, Any, cast

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from pytake.transport.backpressure import HIGH_WATER_BYTES, KERNEL_SEND_BUFFER_BYTES
from pytake.transport.frames import BINARY, CLOSE, PING, PONG, TEXT, frame
from pytake.transport.handshake import (
    Request,
    plain_response,
    switching_response,
    websocket_fault,
)
from pytake.transport.parser import TOO_LARGE, FrameReader, Message
from pytake.transport.session import CLOSE_SECONDS

if TYPE_CHECKING:
    from pytake.transport.engine import DirectEngine, Refusal
    from pytake.transport.session import Session

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Connection(asyncio.Protocol):
    """One websocket of an Engine.IO client.

    Its life: a request arrives (`session` is None); it becomes the transport of a new
    session, or probes for an upgrade of a polling one (`probing`); it closes
    (`closing`: nothing is read any more but the client's close frame).
    """

    __slots__ = (
        "_close_timer",
        "_delegate",
        "_head",
        "_reader",
        "_uvicorn",
        "closing",
        "deflates",
        "engine",
        "paused",
        "probed",
        "probing",
        "session",
        "transport",
    )

    transport: asyncio.Transport

    def __init__(self, engine: "DirectEngine", uvicorn_arguments: dict[str, Any]) -> None:
        self.engine = engine
        self.session: Session | None = None
        self.paused = False
        self.probing = self.probed = False
        self.closing = False
        self.deflates = False
        self._reader: FrameReader | None = None
        self._uvicorn = uvicorn_arguments
        self._head = b""
        self._delegate: Any = None
        self._close_timer: asyncio.TimerHandle | None = None

    # --- The life of the transport -----------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        # uvicorn leaves its HTTP protocol in a reference cycle with its parser. With the
        # collector slowed down, that would be kilobytes per connection for minutes.
        http: Any = self.transport.get_protocol()
        if getattr(http, "parser", None) is not None:
            http.parser = None

    def connection_lost(self, exc: Exception | None) -> None:
        if self._delegate is not None:
            self._delegate.connection_lost(exc)
            return
        self._connections.discard(self)
        if self._close_timer is not None:
            self._close_timer.cancel()
            self._close_timer = None
        session, self.session = self.session, None
        if session is None:
            return
        if self.probing:
            self._probe_failed(session)
        else:
            session.end(self.engine.reason.TRANSPORT_CLOSE)

    def eof_received(self) -> bool:
        return False

    def pause_writing(self) -> None:
        if self._delegate is not None:
            self._delegate.pause_writing()
            return
        self.paused = True
        if self.session is not None:
            self.session.write = None

    def resume_writing(self) -> None:
        if self._delegate is not None:
            self._delegate.resume_writing()
            return
        self.paused = False
        if self.session is not None and not self.probing:
            self.session.flush()

    def shutdown(self) -> None:
        """uvicorn stops: the client should come back elsewhere."""
        if self.session is not None and not self.probing:
            self.session.shut("server shutdown", code=1012, patience_seconds=1.0)
        self.close(1012, patience_seconds=1.0)

    @property
    def _connections(self) -> set[Any]:
        connections: set[Any] = self._uvicorn["server_state"].connections
        return connections

    # --- Reading -----------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        reader = self._reader
        if reader is None:
            if self._delegate is not None:
                self._delegate.data_received(data)
            else:
                self._handshake(data)
            return
        text = reader.feed_text(data)
        if text is not None and not self.closing and not self.probing:
            if self.session is not None:
                self.session.receive(text)
            return
        for message in reader.feed(data):
            if message.opcode == TEXT and not self.closing and not self.probing:
                session = self.session
                if session is not None:
                    session.receive(message.payload)
            else:
                self._on_message(message)
        if reader.failure is not None and not self.closing:
            code = reader.failure.code
            self._fail(code, "payload too large" if code == TOO_LARGE else "parse error")

    def _on_message(self, message: Message) -> None:
        opcode, payload = message
        if self.closing:
            if opcode == CLOSE:
                self.transport.close()
        elif opcode == PING:
            self.transport.write(frame(payload, PONG))
        elif opcode == CLOSE:
            self._on_close(payload)
        elif opcode == PONG:
            pass
        elif self.probing:
            self._on_probe(payload)
        elif opcode == BINARY and self.session is not None:
            self.session.receive_binary(payload)

    def _on_close(self, payload: bytes) -> None:
        self.closing = True
        self.transport.write(frame(payload[:2], CLOSE))
        self.transport.close()
        if self.session is not None and not self.probing:
            self.session.end(self.engine.reason.TRANSPORT_CLOSE)

    def _fail(self, code: int, reason: str) -> None:
        if self.session is not None and not self.probing:
            self.session.shut(reason, code=code)
        self.close(code)

    def pause_reading(self) -> None:
        if not self.transport.is_closing():
            self.transport.pause_reading()

    def resume_reading(self) -> None:
        if not self.transport.is_closing():
            self.transport.resume_reading()

    # --- Opening -----------------------------------------------------------------------

    def _handshake(self, data: bytes) -> None:
        info = self.transport.get_extra_info
        scheme = "https" if info("sslcontext") else "http"
        request = Request(
            data.removesuffix(b"\r\n\r\n"),
            _address(info("peername")),
            _address(info("sockname")),
            scheme,
        )
        if request.target[0].rstrip("/") != self.engine.path:
            self._hand_over(data)
            return
        fault = websocket_fault(request)
        if fault is not None:
            self.refuse(self.engine.bad_request(fault))
            return
        self.engine.open_websocket(request, self)

    def _hand_over(self, data: bytes) -> None:
        """Leave this request to uvicorn. It sets us as protocol after this call returns,
        so ours forwards until the loop has put the other in place."""
        self._delegate = WebSocketsSansIOProtocol(**self._uvicorn)
        self._delegate.connection_made(self.transport)
        self._delegate.data_received(data)
        loop = asyncio.get_running_loop()
        loop.call_soon(self.transport.set_protocol, self._delegate)

    def refuse(self, refusal: "Refusal") -> None:
        """Answer the handshake with an HTTP error."""
        status, headers, body = refusal
        self.closing = True
        self.transport.write(plain_response(status, headers, body))
        self.transport.close()

    def accept(self, request: Request, first: bytes = b"") -> None:
        """Answer 101, and send the first frame with it."""
        response, self.deflates = switching_response(
            request, allow_compression=self.engine.websocket_compression
        )
        self._reader = FrameReader(self.engine.max_unconnected_bytes, compression=self.deflates)
        self._connections.add(self)
        self.transport.set_write_buffer_limits(high=HIGH_WATER_BYTES)
        channel = self.transport.get_extra_info("socket")
        if channel is not None:
            channel.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_SEND_BUFFER_BYTES)
        self.transport.write(response + first)

    def allow(self, max_bytes: int) -> None:
        """Take messages of this size from now on."""
        if self._reader is not None:
            self._reader.max_bytes = max_bytes

    # --- Upgrading a polling session -----------------------------------------------------

    def start_probe(self, session: "Session") -> None:
        """Wait for the client's probe; its session keeps polling meanwhile."""
        self.session = session
        self.probing = True
        session.probe = self
        self._close_timer = asyncio.get_running_loop().call_later(
            self.engine.upgrade_timeout, self._probe_late
        )

    def _probe_late(self) -> None:
        self._close_timer = None
        self.close(1000)

    def _on_probe(self, payload: bytes) -> None:
        session = self.session
        if session is None or session.closed:
            self.close(1000)
        elif payload == b"2probe":
            self.transport.write(frame(b"3probe"))
            self.probed = True
            session.release_poll()
        elif payload == b"5" and self.probed:
            self.probing = False
            if self._close_timer is not None:
                self._close_timer.cancel()
                self._close_timer = None
            self.engine.stats.upgrades += 1
            session.attach(self)
        else:
            self.close(1002)

    def _probe_failed(self, session: "Session") -> None:
        self.engine.stats.failed_upgrades += 1
        if session.probe is self:
            session.probe = None

    # --- Closing -----------------------------------------------------------------------

    def close(self, code: int, last: bytes = b"", patience_seconds: float = CLOSE_SECONDS) -> None:
        """Write the last frames and a close frame, then wait a bounded time for the
        client's. A client that reads nothing is reset."""
        if self.closing:
            return
        self.closing = True
        session = self.session
        if session is not None and self.probing:
            self._probe_failed(session)
            self.session = None
        if self._close_timer is not None:
            self._close_timer.cancel()
        if self.transport.is_closing():
            return
        self.transport.write(last + frame(struct.pack("!H", code), CLOSE))
        self._close_timer = asyncio.get_running_loop().call_later(patience_seconds, self.reset)

    def reset(self) -> None:
        """Drop the connection and what the kernel still holds for it, so that the client
        notices at once instead of finding a half-open socket."""
        channel = self.transport.get_extra_info("socket")
        if channel is not None and not self.transport.is_closing():
            channel.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self.transport.abort()


def _address(info: Any) -> tuple[str, int] | None:
    return (str(info[0]), int(info[1])) if isinstance(info, tuple) else None
