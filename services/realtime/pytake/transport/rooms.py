"""Who is in which room of this process.

A room holds the peers themselves, so a broadcast walks one dictionary and touches no
session table. Each member knows its rooms, so leaving all of them costs as much as it
had rooms, however many there are in the process: a mass disconnect stays linear.
A client's own sid is a room to python-socketio; here it is looked up, not stored.
"""

import asyncio
from collections.abc import Iterable, Iterator, Sized
from typing import Any

from pytake.transport.frames import PreparedPacket
from pytake.transport.peer import Peer
from pytake.transport.stats import TransportStats

# Recipients written to between two yields to the loop: about 4 ms.
CHUNK = 1000

# Up to this size, frames of a turn's second broadcast wait for the end of the turn: in a room
# of a conversation the system calls cost more than all else, and events come in bursts. The
# first goes at once, since mostly it is the only one.
SMALL_ROOM = 64

# "a\x1fb" names those members of room a who are in room b, too: a name to emit to, which costs
# no memory, and never one to join.
WITHIN = "\x1f"

CONNECTING, CONNECTED, LEAVING = range(3)


class Member:
    """One peer in one namespace: a Socket.IO client."""

    __slots__ = ("namespace", "peer", "rooms", "sid", "state")

    def __init__(self, sid: str, namespace: str, peer: Peer) -> None:
        self.sid = sid
        self.namespace = namespace
        self.peer = peer
        self.rooms: set[Room] = set()
        self.state = CONNECTING


class Room:
    """The peers in one room of one namespace, in the order in which they joined.

    `members` maps each peer to the number of its join, so that a broadcast that yields
    can tell a member of its snapshot from one who left and came back meanwhile.
    """

    __slots__ = ("joins", "leaves", "members", "name", "namespace", "tail")

    def __init__(self, name: Any, namespace: str) -> None:
        self.name = name
        self.namespace = namespace
        self.members: dict[Peer, int] = {}
        self.joins = 0
        self.leaves = 0
        # The end of the queue of broadcasts that are being written in chunks.
        self.tail: asyncio.Future[None] | None = None

    def add(self, peer: Peer) -> None:
        if peer not in self.members:
            self.joins += 1
            self.members[peer] = self.joins

    def discard(self, peer: Peer) -> None:
        if self.members.pop(peer, None) is not None:
            self.leaves += 1


class RoomIndex:
    """All rooms and members of this process."""

    def __init__(self) -> None:
        self.namespaces: dict[str, dict[str, Member]] = {}
        self._rooms: dict[str, dict[Any, Room]] = {}

    # --- Members -------------------------------------------------------------------------

    def add(self, sid: str, namespace: str, peer: Peer) -> Member | None:
        """Enter a peer into a namespace; None if it is there already."""
        if peer.member_of(namespace) is not None:
            return None
        member = Member(sid, namespace, peer)
        if namespace == "/":
            peer.main = member
        else:
            if peer.others is None:
                peer.others = {}
            peer.others[namespace] = member
        self.namespaces.setdefault(namespace, {})[sid] = member
        return member

    def remove(self, member: Member) -> list[Room]:
        """Take a member out of everything; returns the rooms that are empty now."""
        emptied = [room for room in list(member.rooms) if self.leave(member, room)]
        peer = member.peer
        if peer.main is member:
            peer.main = None
        elif peer.others is not None and peer.others.get(member.namespace) is member:
            del peer.others[member.namespace]
        members = self.namespaces.get(member.namespace, {})
        members.pop(member.sid, None)
        if not members:
            self.namespaces.pop(member.namespace, None)
        return emptied

    def member(self, sid: Any, namespace: str) -> Member | None:
        members = self.namespaces.get(namespace)
        return members.get(sid) if members else None

    # --- Rooms ---------------------------------------------------------------------------

    def room(self, name: Any, namespace: str) -> Room | None:
        rooms = self._rooms.get(namespace)
        return rooms.get(name) if rooms else None

    def peers(self, name: Any, namespace: str) -> list[Peer]:
        """Return the peers in a room, or in both rooms of a name with `WITHIN`."""
        if isinstance(name, str) and WITHIN in name:
            name, _, other = name.partition(WITHIN)
            within = self.room(other, namespace)
            among = within.members if within is not None else {}
            return [peer for peer in self.peers(name, namespace) if peer in among]
        found = self.room(name, namespace)
        return list(found.members) if found is not None else []

    def rooms(self, namespace: str) -> dict[Any, Room]:
        return self._rooms.get(namespace, {})

    def join(self, member: Member, name: Any) -> tuple[Room, bool]:
        """Put a member into a room; the flag tells that the room is new."""
        rooms = self._rooms.setdefault(member.namespace, {})
        room = rooms.get(name)
        created = room is None
        if room is None:
            room = rooms[name] = Room(name, member.namespace)
        room.add(member.peer)
        member.rooms.add(room)
        return room, created

    def leave(self, member: Member, room: Room) -> bool:
        """Take a member out of a room; True if the room is empty now."""
        room.discard(member.peer)
        member.rooms.discard(room)
        if room.members:
            return False
        rooms = self._rooms.get(room.namespace)
        if rooms is not None and rooms.get(room.name) is room:
            del rooms[room.name]
            if not rooms:
                del self._rooms[room.namespace]
        return True


class FanOut:
    """Writes one packet to many peers.

    Args:
        stats: Counts each broadcast once, with all its deliveries.
        compression_threshold: Frames from this size on go out compressed to the peers
            that negotiated it.
    """

    def __init__(self, stats: TransportStats, compression_threshold: int) -> None:
        self._stats = stats
        self._turn_has_begun = False
        self._corked: list[Peer] = []
        self._threshold = compression_threshold

    async def to_room(
        self,
        room: Room,
        packet: PreparedPacket,
        skip: frozenset[Peer] | None = None,
        *,
        ephemeral: bool = False,
    ) -> int:
        """Write to the members that the room has now; returns how many took it.

        A large room is written in chunks with a yield between them. Broadcasts to one
        room never overtake each other: a later one waits for its turn. Its recipients
        are fixed when it is asked for, and those who left before their chunk are left
        out.
        """
        members = room.members
        if len(members) <= CHUNK and room.tail is None:
            return self.write(members, packet, skip, ephemeral=ephemeral)
        snapshot = list(members)
        joins, leaves = room.joins, room.leaves
        before = room.tail
        turn = room.tail = asyncio.get_running_loop().create_future()
        try:
            if before is not None:
                await asyncio.shield(before)
            count = 0
            for start in range(0, len(snapshot), CHUNK):
                if start:
                    await asyncio.sleep(0)
                chunk = snapshot[start : start + CHUNK]
                if room.leaves != leaves:
                    chunk = [peer for peer in chunk if members.get(peer, joins + 1) <= joins]
                count += self.write(chunk, packet, skip, ephemeral=ephemeral)
            return count
        finally:
            if room.tail is turn:
                room.tail = None
            _finish_after(turn, before)

    def write(
        self,
        peers: Iterable[Peer],
        packet: PreparedPacket,
        skip: frozenset[Peer] | None = None,
        *,
        ephemeral: bool = False,
    ) -> int:
        """Write to these peers at once; returns how many took it."""
        written, size = 0, packet.size
        if skip:
            peers = [peer for peer in peers if peer not in skip]
        compressed_count = 0
        others: list[Peer] = []
        frame = packet.frame
        if size < self._threshold and self._may_wait(peers):
            written = self._write_corked(peers, frame, others)
        elif size < self._threshold:
            for peer in peers:
                write = peer.write
                if write is None:
                    others.append(peer)
                else:
                    write(frame)
                    written += 1
        else:
            for peer in peers:
                write = peer.write
                if write is None:
                    others.append(peer)
                elif peer.deflates:
                    write(packet.compressed)
                    compressed_count += 1
                else:
                    write(frame)
                    written += 1
        stats = self._stats
        stats.broadcasts += 1
        stats.frames_out += written + compressed_count
        stats.bytes_out += written * size
        if compressed_count:
            stats.compressed_frames += compressed_count
            stats.bytes_out += compressed_count * len(packet.compressed)
            stats.compressed_bytes_saved += compressed_count * (size - len(packet.compressed))
        held = sum(peer.send(packet, ephemeral=ephemeral) for peer in others) if others else 0
        return written + compressed_count + held

    def _may_wait(self, peers: Iterable[Peer]) -> bool:
        """Whether this is a broadcast to a few, and not the first of this turn."""
        if not isinstance(peers, Sized) or len(peers) > SMALL_ROOM:
            return False
        if self._turn_has_begun:
            return True
        self._turn_has_begun = True
        asyncio.get_running_loop().call_soon(self._end_turn)
        return False

    def _write_corked(self, peers: Iterable[Peer], frame: bytes, others: list[Peer]) -> int:
        """Keep the frame until the end of this turn of the loop: what else goes to the
        same client in this turn leaves in the same system call."""
        corked = self._corked
        written = 0
        for peer in peers:
            write = peer.write
            if write is None:
                others.append(peer)
                continue
            written += 1
            if peer.cork is None:
                cork = peer.cork = [frame]
                # All that is written directly now lands behind it.
                peer.write = cork.append
                corked.append(peer)
            else:
                write(frame)
        return written

    def _end_turn(self) -> None:
        self._turn_has_begun = False
        corked, self._corked = self._corked, []
        for peer in corked:
            peer.uncork()


def _finish_after(turn: "asyncio.Future[None]", before: "asyncio.Future[None] | None") -> None:
    """Let the next in the queue go on, but not before those ahead of us are done (we may
    have been cancelled while we waited for them)."""

    def finish(_: Any = None) -> None:
        if not turn.done():
            turn.set_result(None)

    if before is None or before.done():
        finish()
    else:
        before.add_done_callback(finish)


def peers_of(members: Iterable[Member]) -> Iterator[Peer]:
    """Yield the peer of each member."""
    for member in members:
        yield member.peer
