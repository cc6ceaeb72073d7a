"""One connection of a reader: Engine.IO 4 over WebSocket, spoken by hand.

A run holds thousands of them in one process, and must not spend on them the processor time
of what it tests.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Protocol

import aiohttp
import orjson

DURABLE = {"message:new", "message:status", "conversation:updated", "message:status_batch"}
LIST_NEWS = '42["inbox:updated"'

CONNECT_SECONDS = 10.0
JOIN_SECONDS = 15.0
JOIN_AGAIN_SECONDS = 0.3
JOIN_ID = 7
"""Of the acknowledgement that tells which joins were refused."""


class Closed(Exception):
    """The connection ended; `code` says why, where the server said it."""

    def __init__(self, code: str = "") -> None:
        self.code = code
        super().__init__(code)


class Follower(Protocol):
    """Who reads over links: told of everything that they carry."""

    url: str
    session: aiohttp.ClientSession
    tls: ssl.SSLContext | bool
    features: tuple[str, ...]
    cursors: dict[str, int | None]
    reads_again_at: float

    @property
    def follows_list(self) -> bool: ...

    def token(self) -> str: ...
    def wanted(self) -> Iterable[str]: ...
    def connected(self, sid: str) -> None: ...
    def greeted(self, user_id: str) -> None: ...
    def joined(self, link: int, data: dict[str, Any]) -> None: ...
    def saw(self, link: int, event: str, data: dict[str, Any]) -> None: ...
    def lost(self, conversation_id: str) -> None: ...
    def list_changed(self, event: str, data: dict[str, Any]) -> None: ...
    def reload_list(self) -> None: ...
    def draining(self, link: int, seconds: float) -> None: ...
    def refused(self, code: str) -> None: ...
    def failed(self, error: Exception) -> None: ...


class Link:
    """One connection: handshake, join of all conversations, then what comes."""

    def __init__(self, reader: Follower, number: int, previous_sid: str | None) -> None:
        self.reader = reader
        self.number = number
        self.previous_sid = previous_sid
        self.sid = ""
        self.stage = "connecting"
        self.is_whole = asyncio.Event()
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._silence = 60.0
        self._waiting: dict[str, int] = {}

    async def run(self) -> None:
        """Connect and read until the connection ends; always raises `Closed`."""
        reader = self.reader
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                self._socket = await reader.session.ws_connect(
                    f"{reader.url}/socket.io/?EIO=4&transport=websocket",
                    ssl=reader.tls,
                    max_msg_size=0,
                    autoclose=True,
                )
            self.stage = "connected, not greeted"
            await self._read()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise Closed from error
        finally:
            self.stage = "closing"
            await self.close()
            self.stage = "closed"
        raise Closed

    async def close(self) -> None:
        """End the connection from our side."""
        if self._socket is not None and not self._socket.closed:
            await self._socket.close()

    def __str__(self) -> str:
        waits = f", waits for {sorted(self._waiting.items())}" if self._waiting else ""
        return f"connection {self.number} is {self.stage}{waits}"

    async def _read(self) -> None:
        assert self._socket is not None
        while True:
            if (stop := self.reader.reads_again_at - time.monotonic()) > 0:
                await asyncio.sleep(stop)  # aiohttp's buffer fills, then the socket's
            # Not wait_for: that loses a cancellation which meets a frame, and the link lives on.
            async with asyncio.timeout(self._silence):
                frame = await self._socket.receive()
            if frame.type is not aiohttp.WSMsgType.TEXT:
                return
            await self._take(str(frame.data))

    async def _take(self, packet: str) -> None:
        assert self._socket is not None
        if packet == "2":
            await self._socket.send_str("3")
        elif packet.startswith(LIST_NEWS) and not self.reader.follows_list:
            return  # every agent hears of every unassigned row: not decoded for who looks away
        elif packet.startswith("42"):
            event, *arguments = orjson.loads(packet[packet.index("[") :])
            await self._event(event, arguments[0] if arguments else {})
        elif packet.startswith(f"43{JOIN_ID}"):
            self._joins_answered(orjson.loads(packet[packet.index("[") :])[0])
        elif packet.startswith("40"):
            self.sid = orjson.loads(packet[2:])["sid"]
            self.reader.connected(self.sid)
            await self._join(list(self.reader.wanted()))
        elif packet.startswith("44"):
            code = orjson.loads(packet[2:]).get("data", {}).get("code", "")
            self.reader.refused(code)
            raise Closed(code)
        elif packet.startswith("41"):
            raise Closed
        elif packet.startswith("0"):
            opened = orjson.loads(packet[1:])
            self._silence = (opened["pingInterval"] + opened["pingTimeout"]) / 1000 + 1
            auth: dict[str, Any] = {"token": self.reader.token(), "features": self.reader.features}
            if self.previous_sid:
                auth["resume"] = {"previous_sid": self.previous_sid}
            await self._socket.send_str("40" + orjson.dumps(auth).decode())

    async def _join(self, conversations: list[str]) -> None:
        assert self._socket is not None
        if not conversations:
            self._note_whole()
            return
        self.stage = "joining"
        wanted = []
        for conversation_id in conversations:
            ask: dict[str, Any] = {"conversation_id": conversation_id}
            if (cursor := self.reader.cursors.get(conversation_id)) is not None:
                ask["last_seq"] = cursor
            wanted.append(ask)
            self._waiting[conversation_id] = -1
        payload = orjson.dumps(["join_conversations", {"conversations": wanted}]).decode()
        await self._socket.send_str(f"42{JOIN_ID}{payload}")

    def _joins_answered(self, answer: dict[str, Any]) -> None:
        """Ask again where the server said so; take a conversation as lost where it is gone."""
        refused = answer.get("conversations")
        if refused is None:  # the event as a whole was refused
            refused = [answer | {"conversation_id": each} for each in list(self._waiting)]
        again = []
        for each in refused:
            if each["ok"]:
                continue
            if each["error"]["retryable"]:
                again.append(each["conversation_id"])
                continue
            if each["error"]["code"] != "not_found":
                self.reader.refused(each["error"]["code"])
            self._lost(each["conversation_id"])
        if again:
            loop = asyncio.get_running_loop()
            loop.call_later(JOIN_AGAIN_SECONDS, self._join_again, again)

    def _join_again(self, conversations: list[str]) -> None:
        if self._socket is not None and not self._socket.closed:
            self._joining = asyncio.ensure_future(self._join_quietly(conversations))

    async def _join_quietly(self, conversations: list[str]) -> None:
        with suppress(aiohttp.ClientError, OSError):  # then the reading ends, too
            await self._join(conversations)

    def _lost(self, conversation_id: str) -> None:
        self.reader.lost(conversation_id)
        self._waiting.pop(conversation_id, None)
        self._note_whole()

    async def _event(self, event: str, data: dict[str, Any]) -> None:
        if event in DURABLE:
            self.reader.saw(self.number, event, data)
            self._progress(data["conversation_id"])
        elif event == "connected":
            self.reader.greeted(data["user_id"])
        elif event == "joined_conversation":
            self.reader.joined(self.number, data)
            self._waiting[data["conversation_id"]] = data["seq"]
            self._progress(data["conversation_id"])
        elif event == "left_conversation" and data.get("reason") == "forbidden":
            self._lost(data["conversation_id"])
        elif event in ("inbox:updated", "inbox:removed"):
            self.reader.list_changed(event, data)
        elif event == "resync":
            self.reader.reload_list()
        elif event == "server:draining":
            self.reader.draining(self.number, data["reconnect_after_ms"] / 1000)
        elif event == "error" and data.get("event") != "join_conversations":
            self.reader.refused(data["code"])  # refused joins are told by their acknowledgement

    def _progress(self, conversation_id: str) -> None:
        """Note that a conversation has caught up; the link is whole when all have."""
        awaited = self._waiting.get(conversation_id)
        if awaited is not None and 0 <= awaited <= (self.reader.cursors.get(conversation_id) or 0):
            del self._waiting[conversation_id]
        self._note_whole()

    def _note_whole(self) -> None:
        if not self._waiting and not self.is_whole.is_set():
            self.stage = "whole"
            self.is_whole.set()


class Connection:
    """A link together with the task that reads it."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.reading = asyncio.create_task(self._follow(), name=f"link {link.number}")

    async def _follow(self) -> None:
        try:
            await self.link.run()
        except Closed:
            return
        except Exception as error:  # a fault of the reader, which must not pass for a lost link
            self.link.reader.failed(error)

    async def whole_or_ended(self, within_seconds: float = JOIN_SECONDS) -> None:
        """Wait until all is joined and caught up, the connection ended, or time is up."""
        whole = asyncio.create_task(self.link.is_whole.wait())
        try:
            await asyncio.wait(
                {whole, self.reading},
                return_when=asyncio.FIRST_COMPLETED,
                timeout=within_seconds,
            )
        finally:
            whole.cancel()

    async def end(self) -> None:
        """Stop reading and close."""
        self.reading.cancel()
        await asyncio.gather(self.reading, return_exceptions=True)
