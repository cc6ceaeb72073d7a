"""Bodies that arrive together share an insert; each is answered by its own fate."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from pytake.domain.errors import ErrorCode, PytakeError, TooMuch, Unavailable
from pytake.whatsapp import append_batch
from pytake.whatsapp.append_batch import AppendBatch


class MemoryInbox:
    """As much of `WebhookInbox` as is written to, with a store that can be away or slow."""

    def __init__(self) -> None:
        self.inserts: list[list[bytes]] = []
        self.is_away = False

    async def append(
        self, deliveries: Sequence[tuple[bytes, str | None]], received_at: datetime
    ) -> None:
        if self.is_away:
            raise Unavailable
        self.inserts.append([body for body, _ in deliveries])


@asynccontextmanager
async def running(inbox: MemoryInbox) -> AsyncIterator[AppendBatch]:
    batch = AppendBatch(inbox, lambda: datetime.now(UTC))  # type: ignore[arg-type]
    task = asyncio.ensure_future(batch.run())
    try:
        yield batch
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_bodies_that_arrive_together_share_an_insert_in_their_order() -> None:
    inbox = MemoryInbox()
    bodies = [str(number).encode() for number in range(50)]

    async with running(inbox) as batch:
        await asyncio.gather(*(batch.append(body) for body in bodies))

    assert inbox.inserts == [bodies]


async def test_a_store_that_is_away_is_told_to_every_sender_and_the_next_ones_go_on() -> None:
    inbox = MemoryInbox()
    async with running(inbox) as batch:
        inbox.is_away = True
        answers = await asyncio.gather(
            batch.append(b"1"), batch.append(b"2"), return_exceptions=True
        )
        inbox.is_away = False
        await batch.append(b"3")

    assert [type(answer) for answer in answers] == [Unavailable, Unavailable]
    assert inbox.inserts == [[b"3"]]


async def test_more_than_may_wait_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(append_batch, "MAX_WAITING_BYTES", 10)
    async with running(MemoryInbox()) as batch:
        first = asyncio.ensure_future(batch.append(b"12345678"))
        await asyncio.sleep(0)

        with pytest.raises(TooMuch) as refusal:
            await batch.append(b"12345678")

        assert refusal.value.code is ErrorCode.OVERLOADED
        await first


async def test_what_still_waits_at_the_end_is_refused_and_comes_again() -> None:
    batch = AppendBatch(MemoryInbox(), lambda: datetime.now(UTC))  # type: ignore[arg-type]
    task = asyncio.ensure_future(batch.run())
    waiting = asyncio.ensure_future(batch.append(b"late"))
    await asyncio.sleep(0)

    task.cancel()

    with pytest.raises(PytakeError):
        await waiting
    await asyncio.gather(task, return_exceptions=True)
