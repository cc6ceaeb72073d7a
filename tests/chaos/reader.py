"""A client that follows conversations through every failure, and writes down what it saw.

It behaves as the contract asks of a good client: it resumes by `last_seq`, moves over when its
pod drains, answers pings, joins again what was refused for a moment, backs off with jitter and
never gives up.
"""

from __future__ import annotations

import asyncio
import random
import ssl
import time
from collections.abc import Callable, Iterable
from typing import Any

import aiohttp

from chaos.history import Join, Lost, Outage, ReaderHistory, Sighting
from chaos.inbox_list import InboxList, LoadList
from chaos.link import Connection, Link

EXPECTED_CODES = {"draining", "slow_consumer", "superseded", "unavailable", "overloaded"}
"""Codes that tell a client to come back; anything else is shown to the user."""

FENCE_SECONDS = 12.0
"""A draining pod ends the old connection 5 s after the new one; a frozen machine may be late."""


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
        self._list: InboxList | None = None
        self._links = 0
        self.reads_again_at = 0.0
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
        if self._list is not None:
            await self._list.stop()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def whole(self) -> None:
        """Wait until all conversations are joined and caught up on the present connection."""
        # Links come and go, each with an event of its own: there is no one event to wait for.
        while not self.is_whole:
            await asyncio.sleep(0.02)

    def __str__(self) -> str:
        if self._task is not None and self._task.done():
            return f"{self.history.name} has ended"
        link = "waits before it connects again" if self._link is None else str(self._link)
        return f"{self.history.name}: {link}"

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
                    self._broken_at = self._broken_at or time.monotonic()
                    self._link = None
                    await ended.end()
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
        try:
            await successor.whole_or_ended(within_seconds=20)
        except asyncio.CancelledError:
            await successor.end()
            raise
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
        """Open a second connection after a while, resume there, then leave the first one."""
        if self._drain_notice is not None and not self._drain_notice.done():
            self._drain_notice.set_result(seconds)

    # --- what a link reports ---------------------------------------------------------------

    def draining(self, link: int, seconds: float) -> None:
        """Move over, unless the link that was told is being left already."""
        if link == self._links:
            self.move_after(seconds)

    def connected(self, sid: str) -> None:
        """Remember whose place the next connection takes."""
        self._previous_sid = sid
        self.reload_list()

    def stop_reading_for(self, seconds: float) -> None:
        """Take nothing from the connection for a while, as a machine that thrashes."""
        self.reads_again_at = time.monotonic() + seconds

    def greeted(self, user_id: str) -> None:
        """Remember who we are to the server."""
        self.history.user_id = user_id

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

    def wanted(self) -> Iterable[str]:
        """Return what is to be joined: all of it but what was taken away."""
        gone = {lost.conversation_id for lost in self.history.lost_access}
        return (each for each in self.history.conversations if each not in gone)

    def lost(self, conversation_id: str) -> None:
        """Record that the server took the conversation away."""
        head = self.cursors.get(conversation_id) or 0
        self.history.lost_access.append(Lost(time.monotonic(), conversation_id, head))

    def refused(self, code: str) -> None:
        """Record an error that a user would see; invitations to come back are none."""
        if code not in EXPECTED_CODES:
            self.history.errors.append(code)

    def failed(self, error: Exception) -> None:
        """Record a fault of this reader itself."""
        self.history.errors.append(f"a fault of the reader: {error!r}")

    # --- the inbox list --------------------------------------------------------------------

    @property
    def follows_list(self) -> bool:
        return self._list is not None

    def follow_list(self, load: LoadList) -> None:
        """Keep the inbox list as a page does; the checker compares it at the end."""
        self.history.follows_list = True
        self._list = InboxList(self.history.inbox, load)
        self._list.reload()

    def list_changed(self, event: str, data: dict[str, Any]) -> None:
        """Take in a change of the list."""
        if self._list is not None:
            self._list.changed(event, data)

    def reload_list(self) -> None:
        """Load the list anew: after each connect, and when the server says `resync`."""
        if self._list is not None:
            self._list.reload()
