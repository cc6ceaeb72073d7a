"""What clients say to a server: to ours, or to the peers of tests/load/peers.

A dialect holds everything that was prepared before the load (tokens, rooms), so that load processes
only put packets together.
"""

import json
import time
from dataclasses import dataclass, field
from typing import Protocol

from pytake.bench.swarm import LAST_SEQ, Address, Speech, Swarm

_FILLER = "lorem ipsum dolor sit amet "

_MESSAGE = '42["message:new"'
OURS = Speech(joined="431[", delivered=_MESSAGE, answered="437[")
THEIRS = Speech(joined='42["joined_conversation"', delivered=_MESSAGE, answered="437[")


@dataclass(frozen=True)
class Room:
    """A conversation, and who may write to it."""

    conversation_id: str
    organization_id: str = ""
    head: int = 0
    writers: tuple[str, ...] = ()
    """Tokens of bots, taken in turns, so that no one exceeds a bot's rate."""


@dataclass(frozen=True)
class Seat:
    """A client: its token, and the room that it joins."""

    token: str
    room: int
    connects_with: str = ""
    joins_with: str = ""
    seen: int = 0
    """The `seq` that the client has seen before it joins."""


class Dialect(Protocol):
    """How a kind of server is spoken to."""

    rooms: list[Room]
    speech: Speech
    question: str

    def publish(self, swarm: Swarm, room: int, content: str, author: str = "") -> bool:
        """Have a message appear in the room; False if nothing could be sent now.

        Args:
            author: The token of who writes; empty: one of the room's bots.
        """


def stamped(shard: int, size: int) -> str:
    """Return a text of this size that carries when it was written, and by which process."""
    stamp = f"@T{shard}.{time.monotonic_ns()}@ "
    rest = max(0, size - len(stamp))
    return stamp + (_FILLER * (rest // len(_FILLER) + 1))[:rest]


@dataclass
class Product:
    """PyTake: joins with an acknowledgement; messages are posted, as agents and bots do."""

    address: Address
    rooms: list[Room]
    speech: Speech = OURS
    question: str = '427["ping",{}]'
    _written: dict[int, int] = field(default_factory=dict)

    @staticmethod
    def connects_with(token: str) -> str:
        """The CONNECT packet."""
        return "40" + json.dumps({"token": token})

    @staticmethod
    def joins_with(room: Room) -> str:
        """The join of a client that has seen everything so far, now and whenever it comes back."""
        asked = f'{{"conversation_id":"{room.conversation_id}","last_seq":{LAST_SEQ}}}'
        return f'421["join_conversation",{asked}]'

    def publish(self, swarm: Swarm, room: int, content: str, author: str = "") -> bool:
        place, turn = self.rooms[room], self._written.get(room, 0)
        token = author or place.writers[turn % len(place.writers)]
        path = f"/api/v1/conversations/{place.conversation_id}/messages"
        body = {"message_type": "text", "content": {"text": content}}
        if not swarm.request(http_request(self.address, "POST", path, token, body)):
            return False
        self._written[room] = turn + 1
        return True


@dataclass
class Peer:
    """The smallest chat server of tests/load/peers: one member of a room asks for the message."""

    rooms: list[Room]
    members: dict[int, int] = field(default_factory=dict)
    """Room → a seat of this process that sits in it."""
    speech: Speech = THEIRS
    question: str = '427["ping",{}]'

    def publish(self, swarm: Swarm, room: int, content: str, author: str = "") -> bool:
        asked = {"conversation_id": self.rooms[room].conversation_id, "content": content}
        packet = "42" + json.dumps(["bench:send", asked])
        return swarm.say(self.members[room], packet)

    @staticmethod
    def joins_with(room: Room) -> str:
        """The join, without acknowledgement."""
        return "42" + json.dumps(["join_conversation", {"conversation_id": room.conversation_id}])


def http_request(
    address: Address, method: str, path: str, token: str, body: object = None
) -> bytes:
    """Return the bytes of a request over a connection that stays open."""
    content = b"" if body is None else json.dumps(body).encode()
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: {address.authority}\r\n"
        f"Authorization: Bearer {token}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content
