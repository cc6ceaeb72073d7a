"""A connection of a reader ends when it is told to, also while frames arrive."""

import asyncio
import random
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest

from chaos.link import Connection, Link
from chaos.reader import Reader


class Frames:
    """What aiohttp would give: a session whose one connection carries what is put into it."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[SimpleNamespace] = asyncio.Queue()
        self.closed = False

    async def ws_connect(self, *_: Any, **__: Any) -> "Frames":
        return self

    async def receive(self) -> SimpleNamespace:
        return await self.queue.get()

    async def close(self) -> None:
        self.closed = True

    def arrive(self) -> None:
        self.queue.put_nowait(SimpleNamespace(type=aiohttp.WSMsgType.TEXT, data="3probe"))


@pytest.mark.parametrize("turns", range(4))
async def test_a_frame_that_arrives_with_the_order_to_end_does_not_keep_it_alive(
    turns: int,
) -> None:
    frames: Any = Frames()
    reader = Reader(
        "ana", "", (), token=str, session=frames, tls=None, dice=random.Random(1)
    )  # fmt: skip
    connection = Connection(Link(reader, 1, None))
    while frames.queue.qsize() == 0 and not frames.queue._getters:
        await asyncio.sleep(0)

    frames.arrive()
    for _ in range(turns):
        await asyncio.sleep(0)
    async with asyncio.timeout(2):
        await connection.end()

    assert frames.closed
