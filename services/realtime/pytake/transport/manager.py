"""The in-process client manager: python-socketio's, on the room index.

It keeps every public method of `socketio.AsyncManager` and adds what a product with its
own routing needs: delivery to the members of this process only, with a packet that was
encoded once.
"""

import asyncio
import inspect
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import socketio

from pytake.transport.codec import DEFAULT_CODEC, JsonCodec
from pytake.transport.frames import PreparedPacket, encode_event
from pytake.transport.peer import Peer
from pytake.transport.rooms import (
    CONNECTED,
    CONNECTING,
    LEAVING,
    FanOut,
    Room,
    RoomIndex,
    peers_of,
)
from pytake.transport.stats import TransportStats

if TYPE_CHECKING:
    from pytake.transport.server import AsyncServer


class AsyncManager(socketio.AsyncManager):  # type: ignore[misc]
    """Rooms and delivery within this process."""

    server: "AsyncServer | None"
    callbacks: dict[str, dict[int, Any]]

    def __init__(self) -> None:
        self._index = RoomIndex()
        self._fan_out = FanOut(TransportStats(), 1024)
        self._codec: JsonCodec = DEFAULT_CODEC
        super().__init__()

    def set_server(self, server: "AsyncServer") -> None:
        super().set_server(server)
        self._codec = server.codec
        self._fan_out = FanOut(server.stats, server.websocket_threshold)

    @property
    def stats(self) -> TransportStats:
        """The counters of the server."""
        return self.server.stats if self.server is not None else TransportStats()

    @property
    def rooms(self) -> dict[str, dict[Any, dict[str, str]]]:
        """The rooms as python-socketio lays them out, built anew at each access."""
        layout: dict[str, dict[Any, dict[str, str]]] = {}
        for namespace, members in self._index.namespaces.items():
            layout[namespace] = {None: {sid: each.peer.sid for sid, each in members.items()}}
            for sid, each in members.items():
                layout[namespace][sid] = {sid: each.peer.sid}
            for name, room in self._index.rooms(namespace).items():
                layout[namespace][name] = dict(self._participants(room))
        return layout

    @rooms.setter
    def rooms(self, value: Mapping[str, Any]) -> None:
        """python-socketio's constructor assigns an empty dictionary; the index stays."""

    # --- Delivery ------------------------------------------------------------------------

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
        namespace = namespace or "/"
        room = to or room
        if namespace not in self._index.namespaces:
            return
        if callback is None:
            packet = encode_event(event, data, namespace, codec=self._codec)
            await self._deliver(packet, namespace, room, skip_sid)
            return
        skipped = self._skipped(skip_sid, namespace) or frozenset()
        for peer in self._targets(namespace, room):
            member = peer.member_of(namespace)
            if member is not None and peer not in skipped:
                ack_id = self._generate_ack_id(member.sid, callback)
                peer.send(encode_event(event, data, namespace, ack_id=ack_id, codec=self._codec))

    async def emit_local(
        self,
        event: str | PreparedPacket,
        data: Any = None,
        namespace: str = "/",
        *,
        room: Any = None,
        skip_sid: Any = None,
        ephemeral: bool = False,
    ) -> int:
        """Deliver to the connections of this process only.

        Args:
            event: The name of an event, or a packet from `encode_event`; `data` is then
                ignored.
            data: As in `emit`.
            namespace: The namespace of the recipients.
            room: A room, a sid, a list of them, or None for the whole namespace.
            skip_sid: A sid, or several, to leave out.
            ephemeral: The frame may be dropped for a client that reads slowly.

        Returns:
            How many connections took it (those that will read it later included).
        """
        if isinstance(event, str):
            event = encode_event(event, data, namespace, codec=self._codec)
        return await self._deliver(event, namespace, room, skip_sid, ephemeral=ephemeral)

    def send_to(
        self, sid: str, packet: PreparedPacket, namespace: str = "/", *, ephemeral: bool = False
    ) -> bool:
        """Send a packet to one local client, at once; False if it is not here."""
        member = self._index.member(sid, namespace)
        return member is not None and member.peer.send(packet, ephemeral=ephemeral)

    def send_to_all(
        self, peers: Iterable[Peer], packet: PreparedPacket, *, ephemeral: bool = False
    ) -> int:
        """Send a packet to these local clients at once; returns how many took it."""
        return self._fan_out.write(peers, packet, ephemeral=ephemeral)

    async def drained(self, sid: str, namespace: str = "/") -> bool:
        """Wait until nothing is buffered for a local client; False if it is gone."""
        member = self._index.member(sid, namespace)
        if member is None:
            return False
        wait = getattr(member.peer, "drained", None)
        return bool(await wait()) if wait is not None else not member.peer.closed

    async def _deliver(
        self,
        packet: PreparedPacket,
        namespace: str,
        room: Any,
        skip_sid: Any,
        *,
        ephemeral: bool = False,
    ) -> int:
        skip = self._skipped(skip_sid, namespace) if skip_sid else None
        if isinstance(room, str):
            found = self._index.room(room, namespace)
            if found is not None:
                return await self._fan_out.to_room(found, packet, skip, ephemeral=ephemeral)
        targets = self._targets(namespace, room)
        return self._fan_out.write(targets, packet, skip, ephemeral=ephemeral)

    def _targets(self, namespace: str, room: Any) -> Iterable[Peer]:
        if room is None:
            return list(peers_of(self._index.namespaces.get(namespace, {}).values()))
        if isinstance(room, str) or not hasattr(room, "__iter__"):
            return self._in_room(namespace, room)
        return dict.fromkeys(
            itertools.chain.from_iterable(self._in_room(namespace, each) for each in room)
        )

    def _in_room(self, namespace: str, room: Any) -> list[Peer]:
        member = self._index.member(room, namespace)
        if member is not None:
            return [member.peer]
        return self._index.peers(room, namespace)

    def _skipped(self, skip_sid: Any, namespace: str) -> frozenset[Peer] | None:
        sids = skip_sid if isinstance(skip_sid, list | tuple | set | frozenset) else [skip_sid]
        members = (self._index.member(sid, namespace) for sid in sids)
        return frozenset(member.peer for member in members if member is not None)

    # --- Who is where ----------------------------------------------------------------------

    def room_names(self, namespace: str = "/") -> list[Any]:
        """Return the names of the rooms that have local members."""
        return list(self._index.rooms(namespace))

    def room_members(self, room: str, namespace: str = "/") -> list[str]:
        """Return the sids of the local members of a room."""
        found = self._index.room(room, namespace)
        return [sid for sid, _ in self._participants(found)] if found is not None else []

    def room_size(self, room: str, namespace: str = "/") -> int:
        """Return how many local members a room has."""
        found = self._index.room(room, namespace)
        return len(found.members) if found is not None else 0

    def peer(self, sid: str, namespace: str = "/") -> Peer | None:
        """Return what carries a local client."""
        member = self._index.member(sid, namespace)
        return member.peer if member is not None else None

    def get_namespaces(self) -> Iterable[str]:
        return self._index.namespaces.keys()

    def get_participants(self, namespace: str, room: Any) -> Iterator[tuple[str, str]]:
        for peer in self._targets(namespace, room):
            member = peer.member_of(namespace)
            if member is not None:
                yield member.sid, peer.sid

    def _participants(self, room: Room) -> Iterator[tuple[str, str]]:
        for peer in room.members:
            member = peer.member_of(room.namespace)
            if member is not None:
                yield member.sid, peer.sid

    def get_rooms(self, sid: str, namespace: str) -> list[Any]:
        member = self._index.member(sid, namespace)
        return [sid, *(room.name for room in member.rooms)] if member is not None else []

    def is_sid_room(self, namespace: str, room: Any) -> bool:
        return self._index.member(room, namespace) is not None

    # --- Coming and going --------------------------------------------------------------------

    async def pre_connect(self, eio_sid: str, namespace: str) -> str | None:
        server = self.server
        peer = server.peer(eio_sid) if server is not None else None
        if server is None or peer is None or peer.closed:
            return None
        sid = server.eio.generate_id()
        return sid if self._index.add(sid, namespace, peer) is not None else None

    async def connect(self, sid: str, namespace: str) -> str | None:
        member = self._index.member(sid, namespace)
        if member is None:
            # A complete connection in one step: `sid` is the Engine.IO sid then.
            connected = await self.pre_connect(sid, namespace)
            return await self.connect(connected, namespace) if connected else None
        if member.state == CONNECTING:
            member.state = CONNECTED
        return sid

    def is_pre_connected(self, sid: str, namespace: str) -> bool:
        member = self._index.member(sid, namespace)
        return member is not None and member.state == CONNECTING

    def is_connected(self, sid: str, namespace: str) -> bool:
        member = self._index.member(sid, namespace)
        return member is not None and member.state == CONNECTED

    def sid_from_eio_sid(self, eio_sid: str, namespace: str) -> str | None:
        peer = self.server.peer(eio_sid) if self.server is not None else None
        member = peer.member_of(namespace) if peer is not None else None
        return member.sid if member is not None else None

    def eio_sid_from_sid(self, sid: str, namespace: str) -> str | None:
        member = self._index.member(sid, namespace)
        return member.peer.sid if member is not None else None

    def pre_disconnect(self, sid: str, namespace: str) -> str | None:
        member = self._index.member(sid, namespace)
        if member is None:
            return None
        member.state = LEAVING
        return member.peer.sid

    def basic_disconnect(self, sid: str, namespace: str, **kwargs: Any) -> None:
        member = self._index.member(sid, namespace)
        self.callbacks.pop(sid, None)
        if member is None:
            return
        for room in self._index.remove(member):
            self.room_emptied(room)
        peer = member.peer
        if peer.main is None and not peer.others:
            peer.expect_connect()

    def basic_enter_room(
        self, sid: str, namespace: str, room: Any, eio_sid: str | None = None
    ) -> None:
        member = self._index.member(sid, namespace)
        if member is None:
            raise ValueError("sid is not connected to requested namespace")
        if sid == room:
            return
        if self.is_sid_room(namespace, room):
            raise ValueError("cannot enter a sid room")
        joined, created = self._index.join(member, room)
        if created:
            self.room_opened(joined)

    async def enter_rooms(self, sid: str, namespace: str, rooms: Iterable[Any]) -> None:
        """Put a local client into several rooms, waiting for all of them at once."""
        for room in rooms:
            self.basic_enter_room(sid, namespace, room)

    def basic_leave_room(self, sid: str, namespace: str, room: Any) -> None:
        member = self._index.member(sid, namespace)
        found = self._index.room(room, namespace)
        if member is None or found is None or found not in member.rooms:
            return
        if self._index.leave(member, found):
            self.room_emptied(found)

    def basic_close_room(self, room: Any, namespace: str) -> None:
        if self.is_sid_room(namespace, room):
            raise ValueError("cannot close a sid room")
        for sid in self.room_members(room, namespace):
            self.basic_leave_room(sid, namespace, room)

    async def stop(self) -> None:
        """Let go of what the manager holds open."""

    def room_opened(self, room: Room) -> None:
        """The first local member joined a room."""

    def room_emptied(self, room: Room) -> None:
        """The last local member left a room."""

    async def trigger_callback(self, sid: str, id: int, data: list[Any]) -> None:
        """Hand a client's acknowledgement to who asked for it; an unknown one is ignored."""
        callback = self.callbacks.get(sid, {}).pop(id, None) if id else None
        if callback is None:
            return
        answer = callback(*data)
        if inspect.isawaitable(answer):
            try:
                await answer
            except asyncio.CancelledError:
                if (task := asyncio.current_task()) is not None and task.cancelling():
                    raise
