"""A Socket.IO connection that sends whatever it is told, on a websocket or by polling."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import aiohttp

from cluster.waiting import scaled

PATH = "/socket.io/?EIO=4&transport="
SEPARATOR = "\x1e"


class RawSocket:
    """An Engine.IO session; `packets` are the Socket.IO packets that came, without the 4."""

    def __init__(self, http: aiohttp.ClientSession, url: str, query: str = "") -> None:
        self._http = http
        self._url = url
        self._query = query
        self.packets: list[str] = []
        self.is_closed = False

    async def open(self) -> None:
        raise NotImplementedError

    async def send(self, *packets: str) -> None:
        """Send Socket.IO packets as one."""
        raise NotImplementedError

    async def send_binary(self, *attachments: bytes) -> None:
        """Send attachments of the packet before."""
        raise NotImplementedError

    async def read(self) -> None:
        """Take what comes next; `is_closed` once nothing will."""
        raise NotImplementedError

    async def close(self) -> None:
        raise NotImplementedError

    async def until(self, count: int, beginning: str = "") -> list[str]:
        """Read until so many packets begin like this, or it is closed; return all so far."""
        async with asyncio.timeout(scaled(10)):
            while not self.is_closed and len(self.of(beginning)) < count:
                await self.read()
        return self.packets

    async def until_closed(self) -> list[str]:
        async with asyncio.timeout(scaled(10)):
            while not self.is_closed:
                await self.read()
        return self.packets

    async def answer(self, number: int) -> Any:
        """Return what an event was acknowledged with."""
        beginning = f"3{number}["
        await self.until(1, beginning)
        found = self.of(beginning)
        assert found, f"closed without an answer to {number}: {self.packets}"
        return json.loads(found[0][len(beginning) - 1 :])[0]

    def of(self, beginning: str) -> list[str]:
        return [packet for packet in self.packets if packet.startswith(beginning)]

    def events(self, name: str) -> list[Any]:
        beginning = f'2["{name}",'
        return [json.loads(packet[1:])[1] for packet in self.of(beginning)]

    def _take(self, packet: str) -> None:
        if packet.startswith("4"):
            self.packets.append(packet[1:])
        elif packet == "1":
            self.is_closed = True


class WebsocketSocket(RawSocket):
    """The session on a websocket."""

    async def open(self) -> None:
        self._socket = await self._http.ws_connect(f"{self._url}{PATH}websocket{self._query}")
        await self._socket.receive()

    async def send(self, *packets: str) -> None:
        for packet in packets:
            if not self._socket.closed:
                await self._socket.send_str("4" + packet)

    async def send_binary(self, *attachments: bytes) -> None:
        for attachment in attachments:
            await self._socket.send_bytes(attachment)

    async def read(self) -> None:
        message = await self._socket.receive()
        if message.type is not aiohttp.WSMsgType.TEXT:
            self.is_closed = True
        elif message.data == "2":
            await self._socket.send_str("3")
        else:
            self._take(message.data)

    async def close(self) -> None:
        await self._socket.close()


class PollingSocket(RawSocket):
    """The session over HTTP alone."""

    async def open(self) -> None:
        address = f"{self._url}{PATH}polling{self._query}"
        async with self._http.get(address) as answer:
            opened = await answer.text()
        self._address = f"{address}&sid={json.loads(opened[1:])['sid']}"

    async def send(self, *packets: str) -> None:
        await self._post(SEPARATOR.join("4" + packet for packet in packets))

    async def send_binary(self, *attachments: bytes) -> None:
        coded = (base64.b64encode(attachment).decode() for attachment in attachments)
        await self._post(SEPARATOR.join("b" + each for each in coded))

    async def _post(self, body: str) -> None:
        async with self._http.post(self._address, data=body) as answer:
            if answer.status != 200:
                self.is_closed = True

    async def read(self) -> None:
        async with self._http.get(self._address) as answer:
            if answer.status != 200:
                self.is_closed = True
                return
            for packet in (await answer.text()).split(SEPARATOR):
                self._take(packet)

    async def close(self) -> None:
        if not self.is_closed:
            async with self._http.post(self._address, data="1"):
                pass


KINDS: dict[str, type[RawSocket]] = {"websocket": WebsocketSocket, "polling": PollingSocket}
