"""The same server on python-engineio's own sockets.

A way back for the day a fault is found in the direct ones, and for hosts other than
uvicorn. Limits hold here too: the queue of a socket is bounded, handshakes pass the
admission hook, and a client without a namespace is closed.
"""

import asyncio
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import engineio

from pytake.transport.frames import PreparedPacket
from pytake.transport.peer import Peer
from pytake.transport.ping_wheel import PingWheel
from pytake.transport.session import MAX_POLL_PACKETS
from pytake.transport.stats import TransportStats

if TYPE_CHECKING:
    from pytake.transport.engine import Admission
    from pytake.transport.server import AsyncServer

_OVERHEAD_BYTES = 64


class BoundedQueue(asyncio.Queue[Any]):
    """The packet queue of a stock socket; counts bytes, and tells when it is too long."""

    def __init__(self, engine: "StockEngine") -> None:
        super().__init__()
        self._engine = engine
        self._bytes = 0
        self._in_a_row = 0
        self.peer: StockPeer | None = None

    def _put(self, item: Any) -> None:
        super()._put(item)
        self._bytes += _size(item)
        self._engine.stats.buffered_bytes += _size(item)
        engine = self._engine
        if self.peer is None or self.peer.closed or self._bytes == _size(item):
            return  # one packet is let through, however large
        if (
            self._bytes > engine.send_buffer_bytes
            or engine.stats.buffered_bytes > engine.send_buffer_total_bytes
        ):
            engine.overflowed(self.peer)

    def _get(self) -> Any:
        item = super()._get()
        self._bytes -= _size(item)
        self._engine.stats.buffered_bytes -= _size(item)
        return item

    async def get(self) -> Any:
        self._in_a_row = 1
        return await super().get()

    def get_nowait(self) -> Any:
        # A stock socket answers a poll with all that waits, but stock clients in Python
        # read at most 16 packets of one response and give up on a longer one.
        if self._in_a_row >= MAX_POLL_PACKETS:
            self._in_a_row = 0
            raise asyncio.QueueEmpty
        self._in_a_row += 1
        return super().get_nowait()

    def clear(self) -> None:
        """Drop all that waits."""
        while not self.empty():
            self._in_a_row = 0
            self.get_nowait()
            self.task_done()


def _size(packet: Any) -> int:
    data = getattr(packet, "data", None)
    return _OVERHEAD_BYTES + (len(data) if isinstance(data, str | bytes) else 0)


class StockEngine(engineio.AsyncServer):  # type: ignore[misc]
    """python-engineio's server with our limits and session ids."""

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
        admission: "Admission | None",
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.pod_id = pod_id
        self.stats = stats
        self.path = "/socket.io"
        self.connect_timeout = connect_timeout
        self.send_buffer_bytes = send_buffer_bytes
        self.send_buffer_total_bytes = send_buffer_total_bytes
        self.admission = admission
        self.wheel = PingWheel()
        self.last_words: Any = None
        self.background: set[asyncio.Task[Any]] = set()

    def serve_for(self, server: "AsyncServer") -> None:
        """The handlers were registered by python-socketio."""

    def generate_id(self) -> str:
        from pytake.transport.engine import new_sid

        return new_sid(self.pod_id)

    def create_queue(self, *args: Any, **kwargs: Any) -> BoundedQueue:
        return BoundedQueue(self)

    async def handle_request(self, scope: Any, receive: Any, send: Any) -> Any:
        query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
        if self.admission is not None and "sid" not in query:
            refusal = self.admission(scope)
            if refusal is not None:
                self.stats.refused_handshakes += 1
                await _refuse(scope, receive, send, refusal)
                return None
        return await super().handle_request(scope, receive, send)

    async def shutdown(self) -> None:
        self.wheel.stop()
        for task in list(self.background):
            task.cancel()
        await super().shutdown()

    def overflowed(self, peer: "StockPeer") -> None:
        """A client does not read: drop what waits for it and close it."""
        last = self.last_words(peer) if self.last_words is not None else None
        peer.socket.queue.clear()
        if last is not None:
            peer.send(last)
        peer.shut("slow_consumer")


class StockPeer(Peer):
    """A client on a stock socket."""

    __slots__ = ("_connect_deadline", "close_reason", "engine", "socket")

    def __init__(self, engine: StockEngine, socket: Any) -> None:
        super().__init__(socket.sid)
        self.engine = engine
        self.socket = socket
        socket.queue.peer = self
        self.close_reason: str | None = None
        self._connect_deadline = 0.0
        engine.stats.connections += 1
        self.expect_connect()

    def send(self, packet: PreparedPacket, *, ephemeral: bool = False) -> bool:
        if self.closed or (self.close_reason is not None and self.socket.closed):
            return False
        for each in packet.stock_packets():
            self.socket.queue.put_nowait(each)
        self.engine.stats.frames_out += 1
        self.engine.stats.bytes_out += packet.size
        return not self.closed

    def expect_connect(self) -> None:
        if self.engine.connect_timeout and not self.closed:
            now = asyncio.get_running_loop().time()
            self._connect_deadline = now + self.engine.connect_timeout
            self.engine.wheel.schedule(self, self._connect_deadline)

    def stop_expecting_connect(self) -> None:
        self._connect_deadline = 0.0

    def on_deadline(self, now: float) -> None:
        if self._connect_deadline and now >= self._connect_deadline:
            self.shut("connect timeout")

    def shut(self, reason: str, *, code: int = 1000) -> None:
        if self.closed or self.close_reason is not None:
            return
        self.close_reason = reason
        if self.socket.upgraded:
            # Ends the writer, which closes the websocket after what was queued before.
            self.socket.queue.put_nowait(None)
        task = asyncio.ensure_future(self._close(reason))
        self.engine.background.add(task)
        task.add_done_callback(self.engine.background.discard)

    async def _close(self, reason: str) -> None:
        if self.socket.upgraded:
            # The reader ends with the websocket; one that hangs is closed here.
            for _ in range(50):
                await asyncio.sleep(0.1)
                if self.socket.closed:
                    return
        await self.socket.close(wait=False, abort=self.socket.upgraded, reason=reason)
        self.engine.sockets.pop(self.sid, None)


async def _refuse(scope: Any, receive: Any, send: Any, refusal: Any) -> None:
    status, headers, body = refusal
    prefix = "http"
    if scope["type"] == "websocket":
        await receive()
        if "websocket.http.response" not in scope.get("extensions", {}):
            await send({"type": "websocket.close", "code": 1013})
            return
        prefix = "websocket.http"
    await send({"type": f"{prefix}.response.start", "status": status, "headers": headers})
    await send({"type": f"{prefix}.response.body", "body": body})
