"""Rooms and delivery over several processes, through Redis.

python-socketio sends every event to every process on one channel, and each decodes all
of them (about 155 µs an event) before it looks whether anybody is interested. Here each
room has a channel of its own, subscribed while it has local members, so a pod receives
what its rooms need and nothing else. The name of the pod is part of each session id:
what is meant for one client goes to the channel of its pod, and what is meant for a
local one never leaves the process. The stock channel stays subscribed, so a stock
`socketio.AsyncRedisManager(write_only=True)` elsewhere can still emit to our clients.

While Redis is away, local delivery goes on, and what is for other pods is lost and
counted.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import orjson
import socketio

from pytake.transport import redis_wire
from pytake.transport.engine import new_pod_id, pod_of
from pytake.transport.frames import PreparedPacket, encode_event
from pytake.transport.manager import AsyncManager
from pytake.transport.redis_address import parse_address
from pytake.transport.redis_bus import Bus, SingleBus
from pytake.transport.redis_cluster import ClusterBus
from pytake.transport.redis_wire import Delivery
from pytake.transport.rooms import WITHIN, Room

if TYPE_CHECKING:
    from pytake.transport.server import AsyncServer

logger = logging.getLogger("pytake.transport")

JOIN_WAIT_SECONDS = 0.5
LINGER_SECONDS = 5.0
MAX_UNREAD_MESSAGES = 10_000
_TO_A_SID = ("disconnect", "enter_room", "leave_room")


class AsyncRedisManager(socketio.AsyncRedisManager, AsyncManager):  # type: ignore[misc]
    """A client manager over Redis; takes what `socketio.AsyncRedisManager` takes.

    Args:
        url: `redis://`, `rediss://`, `unix://`, `redis+sentinel://`, or
            `redis+cluster://` for sharded channels on a Redis Cluster.
        compatible: Publish everything in the stock format on the stock channel, while
            pods of stock python-socketio serve the same clients.
        join_wait_seconds: How long entering a room waits until events of other pods
            will arrive.
        linger_seconds: How long a room without members stays subscribed.

    Attributes:
        on_gap: Called after an interruption during which events of other pods may have
            been lost.
        on_unsubscribed: Called with namespace and room when its subscription ended.
    """

    host_id: str
    channel: str

    def __init__(
        self,
        url: str = "redis://localhost:6379/0",
        channel: str = "socketio",
        write_only: bool = False,
        logger: Any = None,
        json: Any = None,
        redis_options: dict[str, Any] | None = None,
        *,
        compatible: bool = False,
        join_wait_seconds: float = JOIN_WAIT_SECONDS,
        linger_seconds: float = LINGER_SECONDS,
    ) -> None:
        super().__init__(  # type: ignore[call-arg]
            url, channel, write_only, logger, json, redis_options
        )
        self.compatible = compatible
        self.on_gap: Callable[[], None] | None = None
        self.on_unsubscribed: Callable[[str, Any], None] | None = None
        self.host_id = new_pod_id()
        address = parse_address(url, redis_options)
        is_cluster = address.kind == "cluster"
        self._bus: Bus = ClusterBus(address) if is_cluster else SingleBus(address)
        self._bus.on_message = self._on_message
        self._bus.on_gap = self._on_bus_gap
        self._started = False
        self._join_wait_seconds = join_wait_seconds
        self._linger_seconds = linger_seconds
        self._lingering: dict[bytes, asyncio.TimerHandle] = {}
        self._inbox: asyncio.Queue[bytes] = asyncio.Queue()
        self._reader: asyncio.Task[None] | None = None
        # What could not be published, what arrived faster than it could be delivered,
        # and joins that were not confirmed in time.
        self.lost_publishes = 0
        self.lost_messages = 0
        self.received_messages = 0
        self.unconfirmed_joins = 0

    def set_server(self, server: "AsyncServer") -> None:
        super().set_server(server)
        self.host_id = server.pod_id

    def initialize(self) -> None:
        self.start()

    def start(self) -> None:
        """Connect to Redis. Happens with the first client, if nobody asks for it."""
        if self._started:
            return
        self._started = True
        if self.write_only:
            self._bus.start([])
            return
        self._reader = asyncio.get_running_loop().create_task(self._read())
        self._bus.start([self._stock_channel])
        self._bus.want(self._pod_channel(self.host_id))
        self._bus.want(self._all_channel)

    async def stop(self) -> None:
        """Disconnect from Redis."""
        for timer in self._lingering.values():
            timer.cancel()
        self._lingering.clear()
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)
        if self._started:
            self._started = False
            await self._bus.stop()

    async def ready(self, seconds: float) -> bool:
        """Wait until this pod hears what others publish."""
        self.start()
        return await self._bus.wait_confirmed(self._all_channel, seconds)

    # --- Channels ----------------------------------------------------------------------

    @property
    def _stock_channel(self) -> bytes:
        return self.channel.encode()

    @property
    def _all_channel(self) -> bytes:
        return f"{self.channel}#all".encode()

    def _pod_channel(self, pod_id: str) -> bytes:
        return f"{self.channel}#pod#{pod_id}".encode()

    def _room_channel(self, namespace: str, room: Any) -> bytes:
        return f"{self.channel}#room#{namespace}#{room}".encode()

    # --- Emitting ------------------------------------------------------------------------

    async def emit(
        self,
        event: str,
        data: Any,
        namespace: str | None = None,
        room: Any = None,
        skip_sid: Any = None,
        callback: Callable[..., Any] | None = None,
        to: Any = None,
        **kwargs: Any,
    ) -> None:
        namespace, room = namespace or "/", to or room
        if self.compatible or callback is not None or kwargs.get("ignore_queue"):
            if callback is not None and isinstance(room, str) and self._is_local(room, namespace):
                kwargs["ignore_queue"] = True
            await super().emit(event, data, namespace, room, skip_sid, callback, None, **kwargs)
            return
        packet = encode_event(event, data, namespace, codec=self._codec)
        await self._deliver(packet, namespace, room, skip_sid)
        await self.publish(packet, namespace, room, skip_sid)

    async def publish(
        self,
        packet: PreparedPacket,
        namespace: str = "/",
        room: Any = None,
        skip_sid: Any = None,
        *,
        ephemeral: bool = False,
    ) -> None:
        """Send a packet to the members of a room on other pods only."""
        self.start()
        skip = skip_sid if isinstance(skip_sid, list | tuple | set) else [skip_sid]
        channel = self._channel_for(namespace, room)
        if channel is None:
            return
        delivery = Delivery(
            self.host_id,
            namespace,
            list(room) if isinstance(room, list | tuple | set) else room,
            [sid for sid in skip if sid],
            ephemeral,
            packet,
        )
        if not await self._bus.publish(channel, redis_wire.encode(delivery)):
            self.lost_publishes += 1

    def _channel_for(self, namespace: str, room: Any) -> bytes | None:
        """Return where the members of a room listen; None if no other pod has any."""
        if isinstance(room, str):
            if self._is_local(room, namespace):
                return None
            pod_id = pod_of(room)
            if pod_id is None:
                return self._room_channel(namespace, room.partition(WITHIN)[0])
            return self._pod_channel(pod_id) if pod_id != self.host_id else None
        # Members of several rooms must get it once: the pods sort that out.
        return self._all_channel

    def _is_local(self, sid: str, namespace: str) -> bool:
        return self._index.member(sid, namespace) is not None

    async def _publish(self, data: dict[str, Any]) -> None:
        """Send one of python-socketio's dictionaries to whom it concerns."""
        self.start()
        channel, plain = self._stock_channel, True
        if not self.compatible:
            pod_id = None
            if data["method"] in _TO_A_SID:
                pod_id = pod_of(data.get("sid"))
            elif data["method"] == "callback":
                pod_id = data["host_id"] if len(data["host_id"]) == len(self.host_id) else None
            elif data["method"] == "emit":
                pod_id = pod_of(data.get("room"))
            if pod_id == self.host_id:
                return
            if pod_id is not None:
                channel, plain = self._pod_channel(pod_id), False
        message = self.json.dumps(data).encode()
        if not await self._bus.publish(channel, message, plain=plain):
            self.lost_publishes += 1

    # --- Rooms ---------------------------------------------------------------------------

    async def enter_room(
        self, sid: str, namespace: str, room: Any, eio_sid: str | None = None
    ) -> None:
        await super().enter_room(sid, namespace, room, eio_sid=eio_sid)
        if not self.compatible and self._started and self._is_local(sid, namespace):
            await self._wait_subscribed(namespace, [room])

    async def enter_rooms(self, sid: str, namespace: str, rooms: Iterable[Any]) -> None:
        rooms = list(rooms)
        await super().enter_rooms(sid, namespace, rooms)
        if not self.compatible and self._started:
            await self._wait_subscribed(namespace, rooms)

    async def _wait_subscribed(self, namespace: str, rooms: Iterable[Any]) -> None:
        """Wait for the subscriptions that are under way, all of them within one time."""
        deadline = 0.0
        for room in rooms:
            channel = self._room_channel(namespace, room)
            if self._bus.is_confirmed(channel):
                continue
            now = asyncio.get_running_loop().time()
            deadline = deadline or now + self._join_wait_seconds
            if not await self._bus.wait_confirmed(channel, max(0.0, deadline - now)):
                self.unconfirmed_joins += 1

    def is_subscribed(self, room: Any, namespace: str = "/") -> bool:
        """Tell whether events of other pods for this room arrive now."""
        return self._bus.is_confirmed(self._room_channel(namespace, room))

    def room_opened(self, room: Room) -> None:
        if self.compatible:
            return
        channel = self._room_channel(room.namespace, room.name)
        timer = self._lingering.pop(channel, None)
        if timer is not None:
            timer.cancel()
        self._bus.want(channel)

    def room_emptied(self, room: Room) -> None:
        if self.compatible or not self._started:
            return
        channel = self._room_channel(room.namespace, room.name)
        self._lingering[channel] = asyncio.get_running_loop().call_later(
            self._linger_seconds, self._unsubscribe, channel, room.namespace, room.name
        )

    def _unsubscribe(self, channel: bytes, namespace: str, room: Any) -> None:
        self._lingering.pop(channel, None)
        self._bus.unwant(channel)
        if self.on_unsubscribed is not None:
            self.on_unsubscribed(namespace, room)

    # --- Receiving -----------------------------------------------------------------------

    def _on_message(self, channel: bytes, payload: bytes) -> None:
        self.received_messages += 1
        if self._inbox.qsize() < MAX_UNREAD_MESSAGES:
            self._inbox.put_nowait(payload)
        else:
            self.lost_messages += 1

    async def _read(self) -> None:
        """Handle what arrives, one after another: the order of a channel is kept."""
        while True:
            payload = await self._inbox.get()
            try:
                if redis_wire.is_delivery(payload):
                    await self._take_delivery(redis_wire.decode(payload))
                else:
                    await self._take_stock(orjson.loads(payload))
            except ValueError:
                logger.warning("unreadable message from Redis")
            except Exception:
                logger.exception("handling a message from Redis failed")

    async def _take_delivery(self, delivery: Delivery) -> None:
        if delivery.pod_id != self.host_id:
            await self._deliver(
                delivery.packet,
                delivery.namespace,
                delivery.room,
                delivery.skip,
                ephemeral=delivery.ephemeral,
            )

    async def _take_stock(self, message: Any) -> None:
        if not isinstance(message, dict):
            return
        method = message.get("method")
        if method == "callback":
            await self._handle_callback(message)
        elif message.get("host_id") != self.host_id and method in (
            "emit", "disconnect", "enter_room", "leave_room", "close_room",
        ):  # fmt: skip
            await getattr(self, f"_handle_{method}")(message)

    def _on_bus_gap(self) -> None:
        if self.on_gap is not None:
            self.on_gap()
