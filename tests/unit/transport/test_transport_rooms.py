"""Broadcasts that yield: joins and leaves between chunks, and broadcasts behind each other."""

import asyncio
from typing import Any

import pytest

from pytake.contract import rooms
from pytake.transport.frames import PreparedPacket, encode_event
from pytake.transport.peer import Peer
from pytake.transport.rooms import CHUNK, WITHIN, FanOut, Member, Room, RoomIndex
from pytake.transport.stats import TransportStats


class RecordingPeer(Peer):
    """Keeps the frames that are written to it."""

    __slots__ = ("frames",)

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.frames: list[bytes] = []
        self.write = self.frames.append

    def send(self, packet: PreparedPacket, *, ephemeral: bool = False) -> bool:
        return False

    def uncork(self) -> None:
        cork, self.cork = self.cork or [], None
        self.write = self.frames.append
        self.frames.append(b"".join(cork))


class World:
    """A room with members, and a fan-out."""

    def __init__(self, size: int) -> None:
        self.index = RoomIndex()
        self.stats = TransportStats()
        self.fan_out = FanOut(self.stats, 1024)
        self.peers = [RecordingPeer(f"p{number}") for number in range(size)]
        self.members = [self.enter(peer) for peer in self.peers]
        room = self.index.room("r", "/")
        assert room is not None
        self.room: Room = room

    def enter(self, peer: Peer) -> Member:
        member = self.index.add(peer.sid, "/", peer)
        assert member is not None
        self.index.join(member, "r")
        return member

    def leave(self, number: int) -> None:
        self.index.leave(self.members[number], self.room)

    async def send(self, packet: PreparedPacket, **options: Any) -> int:
        return await self.fan_out.to_room(self.room, packet, **options)


ONE, TWO, THREE = (encode_event("n", number) for number in (1, 2, 3))


async def test_a_broadcast_that_fits_into_one_turn_does_not_yield() -> None:
    world = World(10)

    sending = world.send(ONE, skip=frozenset({world.peers[3]}))
    with pytest.raises(StopIteration) as result:
        sending.send(None)

    assert result.value.value == 9
    await asyncio.sleep(0)
    assert [len(peer.frames) for peer in world.peers] == [1, 1, 1, 0, 1, 1, 1, 1, 1, 1]
    assert world.stats.frames_out == 9
    assert world.stats.broadcasts == 1


async def test_the_first_broadcast_of_a_turn_goes_at_once_and_the_others_in_one_write() -> None:
    world = World(3)

    for packet in (ONE, TWO, THREE):
        await world.send(packet)
    write = world.peers[0].write
    assert write is not None
    write(b"an answer")
    at_once = [list(peer.frames) for peer in world.peers]
    await asyncio.sleep(0)
    await world.send(ONE)

    assert at_once == [[ONE.frame]] * 3
    assert world.peers[0].frames == [
        ONE.frame,
        TWO.frame + THREE.frame + b"an answer",
        ONE.frame,
    ]
    assert world.peers[1].frames == [ONE.frame, TWO.frame + THREE.frame, ONE.frame]


async def test_who_leaves_between_chunks_is_left_out_and_who_joins_waits_for_the_next() -> None:
    world = World(3 * CHUNK)
    sending = asyncio.create_task(world.send(ONE))
    await asyncio.sleep(0)

    world.leave(0)
    world.leave(CHUNK + 1)
    newcomer = RecordingPeer("newcomer")
    world.enter(newcomer)

    assert await sending == 3 * CHUNK - 1
    assert world.peers[0].frames == [ONE.frame]
    assert world.peers[CHUNK + 1].frames == []
    assert newcomer.frames == []
    others = [p for n, p in enumerate(world.peers) if n != CHUNK + 1]
    assert all(peer.frames == [ONE.frame] for peer in others)


async def test_who_leaves_and_comes_back_between_chunks_is_not_served_twice() -> None:
    world = World(2 * CHUNK)
    sending = asyncio.create_task(world.send(ONE))
    await asyncio.sleep(0)

    world.leave(2 * CHUNK - 1)
    world.index.join(world.members[-1], "r")
    await sending

    # It came back with what it had read elsewhere; the old broadcast is not for it.
    assert world.peers[-1].frames == []


async def test_broadcasts_to_a_large_room_do_not_overtake() -> None:
    world = World(2 * CHUNK)

    await asyncio.gather(world.send(ONE), world.send(TWO), world.send(THREE))

    assert all(peer.frames == [ONE.frame, TWO.frame, THREE.frame] for peer in world.peers)


async def test_a_room_that_shrank_still_keeps_the_order() -> None:
    world = World(2 * CHUNK)
    first = asyncio.create_task(world.send(ONE))
    await asyncio.sleep(0)
    for number in range(CHUNK):
        world.leave(number)

    await asyncio.gather(first, world.send(TWO))

    assert world.peers[-1].frames == [ONE.frame, TWO.frame]


async def test_the_recipients_are_those_of_the_moment_of_the_call() -> None:
    world = World(2 * CHUNK)
    first = asyncio.create_task(world.send(ONE))
    second = asyncio.create_task(world.send(TWO))
    await asyncio.sleep(0)
    late = RecordingPeer("late")
    world.enter(late)

    await asyncio.gather(first, second)

    assert late.frames == []


async def test_a_cancelled_broadcast_does_not_hold_up_the_others() -> None:
    world = World(2 * CHUNK)
    first = asyncio.create_task(world.send(ONE))
    second = asyncio.create_task(world.send(TWO))
    third = asyncio.create_task(world.send(THREE))
    await asyncio.sleep(0)
    second.cancel()

    await asyncio.wait_for(asyncio.gather(first, third), 2)

    assert all(peer.frames == [ONE.frame, THREE.frame] for peer in world.peers)


async def test_peers_that_agreed_on_compression_share_one_compressed_frame() -> None:
    world = World(3)
    world.peers[1].deflates = True
    large = encode_event("n", "ab" * 2000)

    await world.send(large)

    assert [peer.frames[0] for peer in world.peers] == [large.frame, large.compressed, large.frame]
    assert world.peers[1].frames[0] is large.compressed
    assert world.stats.compressed_frames == 1
    assert world.stats.bytes_out == 2 * large.size + len(large.compressed)


def test_removing_a_member_leaves_nothing_behind() -> None:
    world = World(2)
    world.index.join(world.members[0], "other")

    emptied = world.index.remove(world.members[0])
    world.index.remove(world.members[1])

    assert [room.name for room in emptied] == ["other"]
    assert world.index.namespaces == {}
    assert world.index.rooms("/") == {}
    assert world.peers[0].main is None


def test_the_work_of_leaving_does_not_grow_with_the_rooms_of_others() -> None:
    index = RoomIndex()
    members = []
    for number in range(3000):
        member = index.add(f"s{number}", "/", RecordingPeer(f"e{number}"))
        assert member is not None
        index.join(member, f"room {number}")
        members.append(member)

    # A room that is looked at would have to compare itself.
    class Untouchable(Room):
        __slots__ = ()

        def discard(self, peer: Peer) -> None:
            raise AssertionError("a room of somebody else was touched")

    for room in list(index.rooms("/").values())[1:]:
        room.__class__ = Untouchable

    assert [room.name for room in index.remove(members[0])] == ["room 0"]


def test_members_of_a_room_within_another_are_those_in_both() -> None:
    world = World(3)
    for member in world.members[1:]:
        world.index.join(member, "other")
    world.leave(2)

    assert world.index.peers(f"r{WITHIN}other", "/") == [world.peers[1]]
    assert world.index.peers(f"other{WITHIN}r", "/") == [world.peers[1]]
    assert world.index.peers(f"r{WITHIN}nobody's", "/") == []
    assert world.index.peers(f"nobody's{WITHIN}r", "/") == []


def test_rooms_are_named_alike_by_contract_and_transport() -> None:
    assert rooms.WITHIN == WITHIN
