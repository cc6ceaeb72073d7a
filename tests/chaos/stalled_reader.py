"""Connections that join and then never read again."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from urllib.parse import urlsplit

import orjson
from websockets.asyncio.client import ClientConnection, connect

from chaos.workload import Workload

SMALL_BUFFER = 4096
PAGE_BYTES = 4096


class StalledReaders:
    """Many of them, straight at the gateways: a proxy's own buffers would hide the stall."""

    def __init__(self, workload: Workload, *, count: int) -> None:
        self._workload = workload
        self._count = count
        self._connections: list[ClientConnection] = []

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

    def memory_bytes(self) -> int:
        """Return the resident memory of all gateways together."""
        return sum(_resident(pod.pid) for pod in self._workload.cluster.gateways)


def _resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES
