"""A stock Socket.IO client that remembers what it was sent."""

from __future__ import annotations

import asyncio
from typing import Any

import socketio

from cluster.waiting import scaled


class Client:
    """One connection of one user, over python-socketio's own client."""

    def __init__(
        self,
        url: str,
        token: str | None,
        *,
        transports: tuple[str, ...] = ("websocket",),
        features: tuple[str, ...] = (),
        previous_sid: str | None = None,
        auth: Any = None,
        reconnection: bool = False,
    ) -> None:
        self.url = url
        self.transports = list(transports)
        self.auth = auth if auth is not None else {"token": token, "features": list(features)}
        if previous_sid is not None:
            self.auth["resume"] = {"previous_sid": previous_sid}
        self.received: list[tuple[str, Any]] = []
        self.refused: list[Any] = []
        self.ended = asyncio.Event()
        self.end_reason: str | None = None
        self._news = asyncio.Condition()
        self.sio = socketio.AsyncClient(reconnection=reconnection)
        self.sio.on("*", self._on_event)
        self.sio.on("connect_error", self._on_refused)
        self.sio.on("disconnect", self._on_disconnect)

    async def _on_event(self, event: str, data: Any = None) -> None:
        async with self._news:
            self.received.append((event, data))
            self._news.notify_all()

    async def _on_refused(self, data: Any) -> None:
        self.refused.append(data)

    async def _on_disconnect(self, reason: str = "") -> None:
        self.end_reason = reason
        self.ended.set()

    async def connect(self) -> None:
        await self.sio.connect(
            self.url, auth=self.auth, transports=self.transports, wait_timeout=scaled(5)
        )
        await self.next("connected")

    @property
    def sid(self) -> str:
        return str(self.sio.get_sid())

    async def call(self, event: str, data: Any = None) -> Any:
        """Emit and wait for the acknowledgement."""
        return await self.sio.call(event, data, timeout=scaled(5))

    async def send(self, event: str, data: Any = None) -> None:
        await self.sio.emit(event, data)

    async def join(self, conversation_id: str, **more: Any) -> Any:
        answer = await self.call("join_conversation", {"conversation_id": conversation_id, **more})
        assert answer["ok"], answer
        return answer

    def all(self, *events: str) -> list[Any]:
        """Return the data of every such event so far."""
        return [data for event, data in self.received if event in events]

    async def next(self, event: str, within_seconds: float = 5, *, after: int = 0) -> Any:
        """Return the data of the event number `after` of this name, once it is here."""
        await self.until(lambda: len(self.all(event)) > after, event, within_seconds)
        return self.all(event)[after]

    async def until(self, condition: Any, what: str, within_seconds: float = 5) -> None:
        """Wait until a condition on what was received holds."""
        try:
            async with asyncio.timeout(scaled(within_seconds)), self._news:
                await self._news.wait_for(condition)
        except TimeoutError:
            lately = str(self.received[-5:])[:1000]
            raise TimeoutError(f"not within {within_seconds} s: {what}; {lately}") from None

    def seqs(self) -> list[int]:
        """Return the `seq` of every durable event, in the order of arrival."""
        seqs: list[int] = []
        for event, data in self.received:
            if event == "message:status_batch":
                seqs += [update["seq"] for update in data["updates"]]
            elif event in ("message:new", "message:status", "conversation:updated"):
                seqs.append(data["seq"])
        return seqs

    async def wait_closed(self, within_seconds: float = 5) -> None:
        async with asyncio.timeout(scaled(within_seconds)):
            await self.ended.wait()

    async def close(self) -> None:
        if self.sio.connected:
            await self.sio.disconnect()
        await self.sio.shutdown()
