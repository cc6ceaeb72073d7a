"""A transport server on a free port, in the loop of the test, and plain clients for it."""

import asyncio
import base64
import contextlib
import os
import struct
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import httpx
import socketio
import websockets

from pytake.transport import AsyncServer, Server, uvicorn_config

DEADLINE_SECONDS = 5.0


@dataclass
class Pod:
    """A running server."""

    sio: AsyncServer
    port: int
    path: str = "/socket.io/"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def websocket(self, query: str = "", **options: Any) -> Any:
        address = f"ws://127.0.0.1:{self.port}{self.path}?EIO=4&transport=websocket{query}"
        return websockets.connect(address, compression=options.pop("compression", None), **options)


@contextlib.asynccontextmanager
async def running(
    sio: AsyncServer, other_asgi_app: Any = None, **options: Any
) -> AsyncIterator[Pod]:
    """Serve until the block ends."""
    config = uvicorn_config(sio, other_asgi_app, port=0, **options)
    server = Server(config, sio)
    task = asyncio.create_task(server.serve())
    try:
        while not server.started:
            await asyncio.sleep(0.005)
            if task.done():
                task.result()
        port = server.servers[0].sockets[0].getsockname()[1]
        yield Pod(sio, port, "/" + options.get("socketio_path", "socket.io").strip("/") + "/")
    finally:
        server.should_exit = True
        await asyncio.wait_for(task, 15)


async def until(
    condition: Callable[[], Any], what: str = "condition", within_seconds: float = DEADLINE_SECONDS
) -> None:
    """Wait until the condition holds, or fail naming it."""
    loop = asyncio.get_running_loop()
    end = loop.time() + within_seconds
    while not condition():
        if loop.time() > end:
            raise AssertionError(f"not within {within_seconds} s: {what}")
        await asyncio.sleep(0.005)


class Client:
    """A python-socketio client that keeps what it receives."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("reconnection", False)
        self.sio = socketio.AsyncClient(**options)
        self.received: list[tuple[Any, ...]] = []
        self.sio.on("*", self._take)
        self.sio.on("*", self._take_from, namespace="*")

    def _take(self, event: str, *args: Any) -> None:
        self.received.append((event, *args))

    def _take_from(self, event: str, namespace: str, *args: Any) -> None:
        self.received.append((event, *args))

    async def connect(self, pod: Pod, **options: Any) -> "Client":
        options.setdefault("transports", ["websocket"])
        await self.sio.connect(pod.url, wait_timeout=DEADLINE_SECONDS, **options)
        return self

    @property
    def sid(self) -> str:
        sid: str = self.sio.get_sid()
        return sid

    def of(self, event: str) -> list[Any]:
        """Return the first argument of each event of this name."""
        return [args[1] if len(args) > 1 else None for args in self.received if args[0] == event]

    def has(self, event: str, count: int = 1) -> bool:
        return len(self.of(event)) >= count


@contextlib.asynccontextmanager
async def connected(pod: Pod, count: int = 1, **options: Any) -> AsyncIterator[list[Client]]:
    """Connect clients, and disconnect them when the block ends."""
    clients = [Client() for _ in range(count)]
    try:
        for client in clients:
            await client.connect(pod, **options)
        yield clients
    finally:
        for client in clients:
            await client.sio.disconnect()


class RawWebsocket:
    """A websocket client that can say anything."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.response = b""

    @classmethod
    async def open(
        cls, pod: Pod, query: str = "", headers: str = "", *, target: str | None = None
    ) -> "RawWebsocket":
        reader, writer = await asyncio.open_connection("127.0.0.1", pod.port)
        client = cls(reader, writer)
        key = base64.b64encode(os.urandom(16)).decode()
        target = target or f"{pod.path}?EIO=4&transport=websocket{query}"
        writer.write(
            f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
            f"Sec-WebSocket-Version: 13\r\n{headers}\r\n".encode()
        )
        client.response = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), DEADLINE_SECONDS)
        return client

    def send(self, payload: bytes, opcode: int = 1, *, first: int | None = None) -> None:
        """Send one masked frame; `first` replaces its first byte."""
        self.writer.write(masked(payload, opcode, first=first))

    async def receive(self) -> tuple[int, bytes]:
        """Return first byte and payload of the next frame."""
        return await asyncio.wait_for(self._frame(), DEADLINE_SECONDS)

    async def _frame(self) -> tuple[int, bytes]:
        first, length = await self.reader.readexactly(2)
        if length == 126:
            (length,) = struct.unpack("!H", await self.reader.readexactly(2))
        elif length == 127:
            (length,) = struct.unpack("!Q", await self.reader.readexactly(8))
        return first, await self.reader.readexactly(length)

    async def close_code(self) -> int | None:
        """Read until the server closes; None if it did so without a close frame."""
        try:
            while True:
                first, payload = await self.receive()
                if first & 0x0F == 8:
                    return int.from_bytes(payload[:2], "big") if payload else 1005
        except (asyncio.IncompleteReadError, ConnectionError):
            return None

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()


def masked(payload: bytes, opcode: int = 1, *, first: int | None = None) -> bytes:
    """Return a frame as clients send them."""
    mask = os.urandom(4)
    head = bytes([0x80 | opcode if first is None else first])
    length = len(payload)
    if length < 126:
        head += bytes([0x80 | length])
    elif length < 65536:
        head += struct.pack("!BH", 0x80 | 126, length)
    else:
        head += struct.pack("!BQ", 0x80 | 127, length)
    repeated = (mask * (length // 4 + 1))[:length]
    number = int.from_bytes(payload, "big") ^ int.from_bytes(repeated, "big")
    return head + mask + number.to_bytes(length, "big")


@contextlib.asynccontextmanager
async def polling(pod: Pod) -> AsyncIterator[tuple[httpx.AsyncClient, str]]:
    """Open a session by polling; yields an HTTP client and the address of the session."""
    async with httpx.AsyncClient(timeout=DEADLINE_SECONDS) as http:
        address = f"{pod.url}{pod.path}?EIO=4&transport=polling"
        opened = await http.get(address)
        sid = opened.text.split('"sid":"')[1].split('"')[0]
        yield http, f"{address}&sid={sid}"
