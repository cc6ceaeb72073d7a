"""Sockets of unmodified python-socketio (`PYTAKE_TRANSPORT=stock`), with bounds.

Stock Engine.IO queues have no end. Ours count bytes: at the limit what is ephemeral goes
first; when that does not help, the connection is a slow consumer and its owner is told.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import engineio
from engineio import packet as eio_packet
from engineio import payload as eio_payload

from pytake.gateway.emitter import Frame, RoomSender, event_text

NAMESPACE = "/"
OVERHEAD_BYTES = 64
"""What a queued packet costs beside its text; empty packets would be free otherwise."""

LOW_WATER_BYTES = 32_768
PACKETS_PER_POLL = 16
"""What a stock Python client takes from one polling answer; it fails on more."""

# A stock client sends everything it has to say in one polling request, 200 joins among it.
eio_payload.Payload.max_decode_packets = 512


class _Sheddable(eio_packet.Packet):  # type: ignore[misc]
    """A packet that may be dropped for a reader that is too slow."""


class _Budget:
    """Bytes queued in all connections of the pod."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0


class _ByteQueue(asyncio.Queue[Any]):
    """The send queue of one connection, which knows how many bytes it holds."""

    def __init__(self, limit: int, budget: _Budget) -> None:
        super().__init__()
        self.limit = limit
        self.bytes = 0
        self._budget = budget
        self._taken_in_a_row = 0
        self._drained: asyncio.Event | None = None

    def _put(self, item: Any) -> None:
        super()._put(item)
        self._count(_size(item))

    def _get(self) -> Any:
        item = super()._get()
        self._count(-_size(item))
        if self._drained is not None and self.bytes <= LOW_WATER_BYTES:
            self._drained.set()
            self._drained = None
        return item

    async def get(self) -> Any:
        self._taken_in_a_row = 0
        return await super().get()

    def get_nowait(self) -> Any:
        # Engine.IO takes the first packet of a poll with get() and the others from here.
        self._taken_in_a_row += 1
        if self._taken_in_a_row >= PACKETS_PER_POLL and not self.empty():
            self._taken_in_a_row = 0
            raise asyncio.QueueEmpty
        return super().get_nowait()

    def _count(self, size: int) -> None:
        self.bytes += size
        self._budget.used += size

    @property
    def is_over(self) -> bool:
        return self.bytes > self.limit

    @property
    def pod_is_over(self) -> bool:
        return self._budget.used > self._budget.limit

    def shed(self) -> None:
        """Drop what is ephemeral."""
        queue = self._queue  # type: ignore[attr-defined]
        kept = [item for item in queue if not isinstance(item, _Sheddable)]
        for item in queue:
            if isinstance(item, _Sheddable):
                self._count(-_size(item))
                self.task_done()
        queue.clear()
        queue.extend(kept)

    def forget(self) -> None:
        """Drop everything: nobody will read it."""
        queue = self._queue  # type: ignore[attr-defined]
        for item in queue:
            self._count(-_size(item))
            self.task_done()
        queue.clear()

    async def wait_until_drained(self) -> None:
        if self.bytes <= LOW_WATER_BYTES:
            return
        if self._drained is None:
            self._drained = asyncio.Event()
        await self._drained.wait()


def _size(item: Any) -> int:
    data = getattr(item, "data", None)
    return OVERHEAD_BYTES + (len(data) if isinstance(data, str | bytes) else 0)


def engineio_class(base: type[Any], pod_id: str, limit: int, total: int) -> type[Any]:
    """Return an Engine.IO server whose queues are bounded and whose ids name the pod."""
    budget = _Budget(total)

    class BoundedEngine(base):  # type: ignore[misc]
        def create_queue(self, *args: Any, **kwargs: Any) -> _ByteQueue:
            return _ByteQueue(limit, budget)

        def generate_id(self) -> str:
            return f"{pod_id}{super().generate_id()}"

    return BoundedEngine


class StockEmitter:
    """Writes to stock sockets by their queues.

    Args:
        server: The Socket.IO server, whose manager knows the connections.
        rooms: Sends to rooms of the whole cluster.
        on_slow: Told the sid of a connection that does not read fast enough.
    """

    def __init__(self, server: Any, rooms: RoomSender, on_slow: Callable[[str], None]) -> None:
        self._manager = server.manager
        self._eio: engineio.AsyncServer = server.eio
        self._server = server
        self._rooms = rooms
        self._on_slow = on_slow

    def frame(self, event: str, data: bytes, *, sheddable: bool = False) -> Frame:
        kind = _Sheddable if sheddable else eio_packet.Packet
        return kind(eio_packet.MESSAGE, event_text(event, data))

    def send(self, sid: str, frame: Frame) -> None:
        self.send_many((sid,), frame)

    def send_many(self, sids: Iterable[str], frame: Frame) -> int:
        connected = self._manager.rooms.get(NAMESPACE, {}).get(None, {})
        sockets = self._eio.sockets
        reached = 0
        for sid in sids:
            socket = sockets.get(connected.get(sid))
            if socket is None or socket.closing or socket.closed:
                continue
            reached += 1
            queue: _ByteQueue = socket.queue
            queue.put_nowait(frame)
            if queue.is_over or queue.pod_is_over:
                self._relieve(sid, queue)
        return reached

    def _relieve(self, sid: str, queue: _ByteQueue) -> None:
        queue.shed()
        if queue.is_over:
            self._on_slow(sid)
        elif queue.pod_is_over:
            self._on_slow(self._largest_debtor() or sid)

    def _largest_debtor(self) -> str | None:
        sockets = [each for each in self._eio.sockets.values() if not each.closing]
        if not sockets:
            return None
        largest = max(sockets, key=lambda socket: socket.queue.bytes)
        sid: str | None = self._manager.sid_from_eio_sid(largest.sid, NAMESPACE)
        return sid

    async def to_rooms(
        self,
        rooms: list[str],
        event: str,
        data: Mapping[str, Any],
        *,
        skip_sid: str | None = None,
    ) -> None:
        await self._rooms(rooms, event, data, skip_sid=skip_sid)

    def _socket(self, sid: str) -> Any:
        eio_sid = self._manager.eio_sid_from_sid(sid, NAMESPACE)
        return self._eio.sockets.get(eio_sid)

    async def enter_room(self, sid: str, room: str) -> None:
        if self._manager.is_connected(sid, NAMESPACE):
            await self._server.enter_room(sid, room)

    def leave_room(self, sid: str, room: str) -> None:
        self._manager.basic_leave_room(sid, NAMESPACE, room)

    async def drained(self, sid: str) -> None:
        if (socket := self._socket(sid)) is not None:
            await socket.queue.wait_until_drained()

    async def disconnect(self, sid: str) -> None:
        await self._server.disconnect(sid, ignore_queue=True)

    async def close_transport(self, sid: str) -> None:
        """Forget what waits, say CLOSE, and let the writer end the connection."""
        socket = self._socket(sid)
        if socket is None:
            return
        await socket.close(wait=False)
        socket.queue.put_nowait(None)

    def forget(self, sid: str) -> None:
        """Drop what waits for a connection that does not read."""
        if (socket := self._socket(sid)) is not None:
            socket.queue.forget()
