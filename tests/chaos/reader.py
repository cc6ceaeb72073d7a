"""A client that follows conversations through every failure, and writes down what it saw.

It speaks Engine.IO 4 over WebSocket by itself, because a run holds thousands of them in
one process. It behaves as the contract asks of a good client: it resumes by `last_seq`, moves
over when its pod drains, answers pings, backs off with jitter and never gives up.
"""

from __future__ import annotations

import asyncio
import random
import ssl
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import aiohttp
import orjson

from chaos.history import Join, Lost, Outage, ReaderHistory, Sighting

DURABLE = {"message:new", "message:status", "conversation:updated", "message:status_batch"}
EXPECTED_CODES = {"draining", "slow_consumer", "superseded", "unavailable", "overloaded"}
"""Codes that tell a client to come back; anything else is shown to the user."""

LIST_NEWS = '42["inbox:updated"'

CONNECT_SECONDS = 10.0
JOIN_SECONDS = 15.0
FENCE_SECONDS = 12.0
"""A draining pod ends the old connection 5 s after the new one; a frozen machine may be late."""


class Closed(Exception):
    """The connection ended; `code` says why, where the server said it."""

    def __init__(self, code: str = "") -> None:
        self.code = code
        super().__init__(code)


class Link:
    """One connection: handshake, join of all conversations, then what comes."""

    def __init__(self, reader: Reader, number: int, previous_sid: str | None) -> None:
        self.reader = reader
        self.number = number
        self.previous_sid = previous_sid
        self.sid = ""
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
            await self._read()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise Closed from error
        finally:
            await self.close()
        raise Closed

    async def close(self) -> None:
        """End the connection from our side."""
        if self._socket is not None and not self._socket.closed:
            await self._socket.close()

    async def _read(self) -> None:
        assert self._socket is not None
        while True:
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
        elif packet.startswith(LIST_NEWS) and self.reader.load_list is None:
            return  # every agent hears of every unassigned row: not decoded for who looks away
        elif packet.startswith("42"):
            event, *arguments = orjson.loads(packet[packet.index("[") :])
            await self._event(event, arguments[0] if arguments else {})
        elif packet.startswith("40"):
            self.sid = orjson.loads(packet[2:])["sid"]
            self.reader.connected(self.sid)
            await self._join()
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

    async def _join(self) -> None:
        assert self._socket is not None
        wanted = []
        for conversation_id in self.reader.history.conversations:
            ask: dict[str, Any] = {"conversation_id": conversation_id}
            if (cursor := self.reader.cursors.get(conversation_id)) is not None:
                ask["last_seq"] = cursor
            wanted.append(ask)
            self._waiting[conversation_id] = -1
        payload = orjson.dumps(["join_conversations", {"conversations": wanted}]).decode()
        await self._socket.send_str("42" + payload)

    async def _event(self, event: str, data: dict[str, Any]) -> None:
        if event in DURABLE:
            self.reader.saw(self.number, event, data)
            self._progress(data["conversation_id"])
        elif event == "joined_conversation":
            self.reader.joined(self.number, data)
            self._waiting[data["conversation_id"]] = data["seq"]
            self._progress(data["conversation_id"])
        elif event == "left_conversation" and data.get("reason") == "forbidden":
            self.reader.lost(data["conversation_id"])
            self._waiting.pop(data["conversation_id"], None)
        elif event in ("inbox:updated", "inbox:removed"):
            self.reader.list_changed(event, data)
        elif event == "resync":
            self.reader.reload_list()
        elif event == "server:draining":
            self.reader.move_after(data["reconnect_after_ms"] / 1000)
        elif event == "error":
            self.reader.refused(data["code"])

    def _progress(self, conversation_id: str) -> None:
        """Note that a conversation has caught up; the link is whole when all have."""
        awaited = self._waiting.get(conversation_id)
        if awaited is not None and 0 <= awaited <= (self.reader.cursors.get(conversation_id) or 0):
            del self._waiting[conversation_id]
        if not self._waiting:
            self.is_whole.set()


class Connection:
    """A link together with the task that reads it."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.reading = asyncio.create_task(self._follow())

    async def _follow(self) -> None:
        with suppress(Closed):
            await self.link.run()

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


class Reader:
    """One user's client. `run()` until `stop()`; everything lands in `history`."""

    def __init__(
        self,
        name: str,
        url: str,
        conversations: tuple[str, ...],
        *,
        token: Callable[[], str],
        session: aiohttp.ClientSession,
        tls: ssl.SSLContext | None,
        dice: random.Random,
        features: tuple[str, ...] = (),
    ) -> None:
        self.url = url
        self.token = token
        self.session = session
        self.tls: ssl.SSLContext | bool = tls if tls is not None else True
        self.features = features
        self.history = ReaderHistory(name, conversations)
        self.cursors: dict[str, int | None] = {}
        self._dice = dice
        self._link: Link | None = None
        self.load_list: Callable[[], Awaitable[dict[str, str | None]]] | None = None
        self._list_news: list[tuple[str, dict[str, Any]]] = []
        self._list_seq: dict[str, int] = {}
        self._loading: asyncio.Task[None] | None = None
        self._links = 0
        self._previous_sid: str | None = None
        self._broken_at: float | None = None
        self._task: asyncio.Task[None] | None = None
        self._drain_notice: asyncio.Future[float] | None = None
        self._fences: set[asyncio.Task[None]] = set()

    # --- life ------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to connect, and go on until stopped."""
        self._task = asyncio.create_task(self._run(), name=f"reader {self.history.name}")

    async def stop(self) -> None:
        """End for good."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def whole(self, within_seconds: float = 30) -> None:
        """Wait until all conversations are joined and caught up on the present connection.

        Raises:
            TimeoutError: That has not happened in time.
        """
        async with asyncio.timeout(within_seconds):
            # Links come and go, each with an event of its own: there is no one event to wait for.
            while not self.is_whole:
                await asyncio.sleep(0.02)

    @property
    def is_whole(self) -> bool:
        return self._link is not None and self._link.is_whole.is_set()

    async def _run(self) -> None:
        attempt = 0
        current: Connection | None = None
        try:
            while True:
                current = current or self._open()
                self._link = current.link
                await current.whole_or_ended()
                self._note_recovery(current.link)
                attempt = 0 if self.is_whole else attempt + 1
                ended = current
                current = await self._stay(current)
                if current is not None:
                    self._watch_fence(ended)
                else:
                    await ended.end()
                if current is None:
                    self._broken_at = self._broken_at or time.monotonic()
                    self._link = None
                    await asyncio.sleep(self._dice.random() * min(5.0, 2.0**attempt))
        finally:
            for fence in self._fences:
                fence.cancel()
            await asyncio.gather(*self._fences, return_exceptions=True)
            if current is not None:
                await current.end()

    def _open(self) -> Connection:
        self._links += 1
        self._drain_notice = asyncio.get_running_loop().create_future()
        return Connection(Link(self, self._links, self._previous_sid))

    def _note_recovery(self, link: Link) -> None:
        if link.is_whole.is_set() and self._broken_at is not None:
            self.history.outages.append(Outage(self._broken_at, time.monotonic()))
            self._broken_at = None

    async def _stay(self, connection: Connection) -> Connection | None:
        """Read until the connection ends (None) or a successor has taken over."""
        assert self._drain_notice is not None
        notice = self._drain_notice
        waited: set[asyncio.Future[Any]] = {connection.reading, notice}
        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        if notice.done():
            await asyncio.wait({connection.reading}, timeout=notice.result())
        if connection.reading.done():
            return None
        successor = self._open()
        await successor.whole_or_ended(within_seconds=20)
        if successor.link.is_whole.is_set():
            self.history.superseded[connection.link.number] = time.monotonic()
            return successor
        await successor.end()
        await asyncio.wait({connection.reading})
        return None

    def _watch_fence(self, connection: Connection) -> None:
        """Leave the old connection to the server, which must end it."""
        fence = asyncio.create_task(self._await_fence(connection))
        self._fences.add(fence)
        fence.add_done_callback(self._fences.discard)

    async def _await_fence(self, connection: Connection) -> None:
        try:
            await asyncio.wait({connection.reading}, timeout=FENCE_SECONDS)
            if not connection.reading.done():
                self.history.outlived.append(connection.link.number)
        finally:
            await connection.end()

    def move_after(self, seconds: float) -> None:
        """The pod drains: a second connection is opened first, then the first one left."""
        if self._drain_notice is not None and not self._drain_notice.done():
            self._drain_notice.set_result(seconds)

    # --- what a link reports ---------------------------------------------------------------

    def connected(self, sid: str) -> None:
        """Remember whose place the next connection takes."""
        self._previous_sid = sid
        self.reload_list()

    def saw(self, link: int, event: str, data: dict[str, Any]) -> None:
        """Record a durable event and advance the cursor."""
        now = time.monotonic()
        conversation_id = data["conversation_id"]
        if event == "message:status_batch":
            first = data["first_seq"]
            for update in data["updates"]:
                self._record(now, link, conversation_id, first, "message:status", update)
                first = update["seq"] + 1
            self._advance(conversation_id, data["last_seq"])
            return
        self._record(now, link, conversation_id, data["seq"], event, data)
        self._advance(conversation_id, data["seq"])

    def _record(
        self,
        now: float,
        link: int,
        conversation_id: str,
        first: int,
        event: str,
        data: dict[str, Any],
    ) -> None:
        message_id = data.get("message_id") or (data["id"] if event == "message:new" else None)
        status = data.get("status") if event != "conversation:updated" else None
        self.history.sightings.append(
            Sighting(now, link, conversation_id, first, data["seq"], event, message_id, status)
        )

    def _advance(self, conversation_id: str, seq: int) -> None:
        self.cursors[conversation_id] = max(seq, self.cursors.get(conversation_id) or 0)

    def joined(self, link: int, data: dict[str, Any]) -> None:
        """Record a confirmed join; the first one sets the cursor."""
        conversation_id = data["conversation_id"]
        cursor = self.cursors.get(conversation_id)
        self.history.joins.append(
            Join(time.monotonic(), link, conversation_id, cursor, data["seq"], data["recovered"])
        )
        if cursor is None:
            self.cursors[conversation_id] = data["seq"]
        elif not data["recovered"]:
            self.history.errors.append(f"unrecovered join of {conversation_id}")

    def lost(self, conversation_id: str) -> None:
        """Record that the server took the conversation away."""
        head = self.cursors.get(conversation_id) or 0
        self.history.lost_access.append(Lost(time.monotonic(), conversation_id, head))

    def list_changed(self, event: str, data: dict[str, Any]) -> None:
        """Keep the list as a page would."""
        self._list_news.append((event, data))
        if event == "inbox:removed":
            self._list_seq[data["conversation_id"]] = data["seq"]
            self.history.inbox.pop(data["conversation_id"], None)
            return
        conversation = data["conversation"]
        if conversation["last_seq"] >= self._list_seq.get(conversation["id"], 0):
            self._list_seq[conversation["id"]] = conversation["last_seq"]
            self.history.inbox[conversation["id"]] = conversation["assigned_to"]

    def reload_list(self) -> None:
        """Load the list anew: after each connect, and when the server says `resync`."""
        if self.load_list is not None and (self._loading is None or self._loading.done()):
            self._loading = asyncio.create_task(self._reload(self.load_list))

    async def _reload(self, load: Callable[[], Awaitable[dict[str, str | None]]]) -> None:
        self._list_news.clear()
        self.history.inbox.clear()
        loaded = await load()
        news, self._list_news = self._list_news, []
        self.history.inbox.clear()
        self.history.inbox.update(loaded)
        for event, data in news:
            self.list_changed(event, data)

    def refused(self, code: str) -> None:
        """Record an error that a user would see; invitations to come back are none."""
        if code not in EXPECTED_CODES:
            self.history.errors.append(code)
