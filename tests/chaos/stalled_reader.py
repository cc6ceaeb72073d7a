"""Connections that join and then never read again."""

from __future__ import annotations

import asyncio
import re
import socket
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import orjson
from aiohttp import AddrInfoType
from websockets.asyncio.client import ClientConnection, connect

from chaos.workload import Workload
from cluster.waiting import eventually

SMALL_BUFFER = 4096
PAGE_BYTES = 4096
CLOSED = re.compile(
    r'^pytake_connections_closed_total\{[^}]*reason="slow_consumer"[^}]*\} (\S+)', re.MULTILINE
)


def narrow_session() -> aiohttp.ClientSession:
    """A session whose connections take little ahead: who stops reading stops the sender soon."""

    def narrow(address: AddrInfoType) -> socket.socket:
        channel = socket.socket(*address[:3])
        channel.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)
        return channel

    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, socket_factory=narrow))


@dataclass(frozen=True)
class Peak:
    """How the resident memory of all gateways went while readers were stalled, in bytes."""

    before: int
    connected: int
    highest: int
    afterwards: int
    closed: int

    @property
    def growth_bytes(self) -> int:
        """What not reading costs: from all connected to the highest."""
        return self.highest - self.connected

    @property
    def sentence(self) -> str:
        before, connected, highest, afterwards = (
            each >> 20 for each in (self.before, self.connected, self.highest, self.afterwards)
        )
        return (
            f"{self.closed} slow consumers closed; memory of the gateways in MiB: {before} before, "
            f"{connected} with all connected, {highest} at most, {afterwards} afterwards"
        )


class StalledReaders:
    """Many of them, straight at the gateways: a proxy's own buffers would hide the stall."""

    def __init__(self, workload: Workload, *, count: int) -> None:
        self._workload = workload
        self._count = count
        self._connections: list[ClientConnection] = []
        self._before = self.memory_bytes()

    async def __aenter__(self) -> StalledReaders:
        limit = asyncio.Semaphore(20)

        async def one(number: int) -> None:
            async with limit:
                self._connections.append(await self._stall(number))

        await asyncio.gather(*(one(number) for number in range(self._count)))
        return self

    async def __aexit__(self, *_: object) -> None:
        for connection in self._connections:
            connection.transport.abort()

    async def _stall(self, number: int) -> ClientConnection:
        gateways = self._workload.cluster.gateways
        address = urlsplit(gateways[number % len(gateways)].address)
        raw = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)
        raw.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(raw, (address.hostname, address.port))
        connection = await connect(
            f"ws://{address.netloc}/socket.io/?EIO=4&transport=websocket",
            sock=raw,
            compression=None,
            ping_interval=None,
            max_queue=1,
        )
        await connection.recv()
        token = self._workload.cluster.token(f"stalled-{number}", lifetime_seconds=3600)
        await connection.send("40" + orjson.dumps({"token": token}).decode())
        joins = [{"conversation_id": room} for room in self._workload.conversations]
        message = ["join_conversations", {"conversations": joins}]
        await connection.send("42" + orjson.dumps(message).decode())
        connection.transport.pause_reading()
        return connection

    async def watch_until_closed(self, within_seconds: float) -> Peak:
        """Look at the memory of the gateways until they have closed every stalled connection.

        Raises:
            TimeoutError: They left some open.
        """
        connected = highest = self.memory_bytes()

        async def all_closed() -> bool:
            nonlocal highest
            highest = max(highest, self.memory_bytes())
            return await self._closed() >= self._count

        await eventually(all_closed, "all stalled readers are closed", within_seconds)
        await asyncio.sleep(3)
        return Peak(self._before, connected, highest, self.memory_bytes(), await self._closed())

    async def _closed(self) -> int:
        pages = await asyncio.gather(
            *(asyncio.to_thread(pod.metrics) for pod in self._workload.cluster.gateways)
        )
        return sum(int(float(count)) for page in pages for count in CLOSED.findall(page))

    def memory_bytes(self) -> int:
        """Return the resident memory of all gateways together."""
        return sum(_resident(pod.pid) for pod in self._workload.cluster.gateways)


def _resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES
