"""Deliveries that arrive within 5 ms share one insert.

The answer to a webhook waits for its own batch to be durable. While one insert runs the
next batch fills, so a slow store makes batches larger, not the queue of inserts longer.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from pytake.application.channel_ports import WebhookInbox
from pytake.application.ports import Clock
from pytake.domain.errors import ErrorCode, TooMuch, Unavailable

WINDOW_SECONDS = 0.005
MAX_WAITING_BYTES = 64 * 1024 * 1024
MAX_BATCH_BYTES = 8 * 1024 * 1024


@dataclass(slots=True)
class _Waiting:
    body: bytes
    traceparent: str | None
    stored: asyncio.Future[None] = field(default_factory=lambda: asyncio.Future())


class AppendBatch:
    """Collects bodies and appends them together.

    Args:
        inbox: Where they are stored.
        clock: The time of arrival.
        on_appended: Called after each insert, so that a worker in this process starts at once.
    """

    def __init__(
        self,
        inbox: WebhookInbox,
        clock: Clock,
        on_appended: Callable[[], None] = lambda: None,
    ) -> None:
        self._inbox = inbox
        self._clock = clock
        self._on_appended = on_appended
        self._waiting: list[_Waiting] = []
        self._waiting_bytes = 0
        self._arrived = asyncio.Event()

    async def append(self, body: bytes, traceparent: str | None = None) -> None:
        """Return once the body is durable.

        Raises:
            Unavailable: It may not be stored; the provider should deliver it again.
            TooMuch: 64 MiB are waiting already (`overloaded`).
        """
        if self._waiting_bytes + len(body) > MAX_WAITING_BYTES:
            raise TooMuch(ErrorCode.OVERLOADED, "Too many deliveries are waiting.")
        waiting = _Waiting(body, traceparent)
        self._waiting.append(waiting)
        self._waiting_bytes += len(body)
        self._arrived.set()
        await waiting.stored

    async def run(self) -> None:
        """Insert batch after batch until cancelled; what still waits then is refused."""
        try:
            while True:
                await self._arrived.wait()
                await asyncio.sleep(WINDOW_SECONDS)
                await self._insert(self._take())
        finally:
            for waiting in self._waiting:
                if not waiting.stored.done():
                    waiting.stored.set_exception(Unavailable(ErrorCode.DRAINING))

    def _take(self) -> list[_Waiting]:
        size = count = 0
        for waiting in self._waiting:
            if count and size + len(waiting.body) > MAX_BATCH_BYTES:
                break
            size += len(waiting.body)
            count += 1
        batch, self._waiting = self._waiting[:count], self._waiting[count:]
        self._waiting_bytes -= size
        if not self._waiting:
            self._arrived.clear()
        return batch

    async def _insert(self, batch: list[_Waiting]) -> None:
        error: Exception | None = None
        try:
            await self._inbox.append([(w.body, w.traceparent) for w in batch], self._clock())
        except asyncio.CancelledError:
            self._settle(batch, Unavailable(ErrorCode.DRAINING))
            raise
        except Exception as problem:  # told to every waiting request, which answers 5xx
            error = problem
        self._settle(batch, error)
        if error is None:
            self._on_appended()

    @staticmethod
    def _settle(batch: list[_Waiting], error: Exception | None) -> None:
        for waiting in batch:
            if waiting.stored.done():
                continue  # the request went away
            if error is None:
                waiting.stored.set_result(None)
            else:
                waiting.stored.set_exception(error)
