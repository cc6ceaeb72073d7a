"""The floor for Python: raw uvloop protocols, and one write of a prepared frame per recipient.

It speaks just enough HTTP, WebSocket, Engine.IO and Socket.IO for `pytake bench`, and checks
nothing but the token. No server in Python that writes each frame at once can cost less.
Environment: SECRET, PORT.
"""

import asyncio
import base64
import hashlib
import json
import os
import time
import uuid
from typing import Any

import jwt
import uvloop

SECRET = os.environ["SECRET"]
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_KEY = b"sec-websocket-key:"

rooms: dict[str, dict["Peer", asyncio.Transport]] = {}


def frame(payload: bytes) -> bytes:
    size = len(payload)
    return (bytes((0x81, size)) if size < 126 else b"\x81\x7e" + size.to_bytes(2, "big")) + payload


def unmasked(mask: bytes, payload: bytes) -> bytes:
    size = len(payload)
    pad = int.from_bytes((mask * (size // 4 + 1))[:size], "big")
    return (int.from_bytes(payload, "big") ^ pad).to_bytes(size, "big")


class Peer(asyncio.Protocol):
    """One connection."""

    __slots__ = ("buffer", "is_upgraded", "transport")

    def connection_made(self, transport: Any) -> None:
        self.transport, self.is_upgraded, self.buffer = transport, False, b""

    def connection_lost(self, exc: Exception | None) -> None:
        for room in rooms.values():
            room.pop(self, None)

    def data_received(self, data: bytes) -> None:
        data = self.buffer + data if self.buffer else data
        if not self.is_upgraded:
            if b"\r\n\r\n" not in data:
                self.buffer = data
                return
            data = self.upgrade(data)
        while len(data) >= 6:
            size, head = data[1] & 127, 2
            if size == 126:
                size, head = int.from_bytes(data[2:4], "big"), 4
            if len(data) < head + 4 + size:
                break
            start = head + 4
            self.take(unmasked(data[head:start], data[start : start + size]))
            data = data[start + size :]
        self.buffer = data

    def upgrade(self, data: bytes) -> bytes:
        at = data.lower().index(_KEY) + len(_KEY)
        key = data[at : data.index(b"\r\n", at)].strip()
        accept = base64.b64encode(hashlib.sha1(key + _GUID).digest())  # noqa: S324
        opened = {
            "sid": uuid.uuid4().hex,
            "upgrades": [],
            "pingTimeout": 20000,
            "pingInterval": 25000,
            "maxPayload": 1000000,
        }
        self.transport.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
            + frame(b"0" + json.dumps(opened).encode())
        )  # fmt: skip
        self.is_upgraded = True
        return data[data.index(b"\r\n\r\n") + 4 :]

    def take(self, packet: bytes) -> None:
        if packet.startswith(b"40"):
            jwt.decode(json.loads(packet[2:])["token"], SECRET, algorithms=["HS256"])
            self.transport.write(frame(b'40{"sid":"' + uuid.uuid4().hex.encode() + b'"}'))
        elif packet.startswith(b"42"):
            start = packet.index(b"[")
            event, data = json.loads(packet[start:])
            if event == "join_conversation":
                rooms.setdefault(data["conversation_id"], {})[self] = self.transport
                self.transport.write(frame(b'42["joined_conversation",{}]'))
            elif event == "ping":
                answer = b"43" + packet[2:start] + b'[{"timestamp":%f}]' % time.time()
                self.transport.write(frame(answer))
            elif event == "bench:send":
                self.broadcast(data["conversation_id"], data["content"])

    def broadcast(self, conversation_id: str, content: str) -> None:
        message = {
            "id": str(uuid.uuid4()),
            "conversation_id": conversation_id,
            "direction": "inbound",
            "type": "text",
            "content": content,
            "sender_id": "6ae9ebac-0000-4000-8000-000000000001",
            "status": "received",
            "created_at": "2026-01-01T00:00:00.000Z",
        }
        packet = json.dumps(["message:new", message], separators=(",", ":"))
        prepared = frame(b"42" + packet.encode())
        for transport in rooms[conversation_id].values():
            transport.write(prepared)


async def main() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Peer, "127.0.0.1", int(os.environ["PORT"]), backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
