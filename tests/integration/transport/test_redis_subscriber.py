"""What a subscriber remembers while its connection comes and goes."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from cluster.redis_server import RedisServer
from pytake.transport.redis_bus import Subscriber
from pytake.transport.redis_link import Server
from running_transport import until

pytestmark = pytest.mark.integration


class Door:
    """Says where Redis is, when the test lets it."""

    def __init__(self) -> None:
        self.places: asyncio.Queue[Server] = asyncio.Queue()

    async def resolve(self) -> Server:
        return await self.places.get()


@contextlib.asynccontextmanager
async def subscribing(
    door: Door, on_gap: Callable[[], None] | None = None
) -> AsyncIterator[Subscriber]:
    def on_message(channel: bytes, payload: bytes) -> None:
        pass

    subscriber = Subscriber("a test", door.resolve, on_message, on_gap=on_gap)
    task = asyncio.create_task(subscriber.keeper.run())
    try:
        yield subscriber
    finally:
        task.cancel()
        await asyncio.wait({task}, timeout=5)


@contextlib.asynccontextmanager
async def a_server_that_never_answers() -> AsyncIterator[tuple[Server, list[Any]]]:
    writers: list[Any] = []
    server = await asyncio.start_server(lambda _, writer: writers.append(writer), "127.0.0.1", 0)
    async with server:
        host, port = server.sockets[0].getsockname()
        yield Server(host, port), writers
        for writer in writers:
            writer.transport.abort()


async def test_a_gap_is_told_although_a_channel_was_left_between_two_losses(
    redis_server: RedisServer,
) -> None:
    door, gaps = Door(), []
    redis = Server("127.0.0.1", redis_server.port)
    async with (
        a_server_that_never_answers() as (mute, writers),
        subscribing(door, lambda: gaps.append("gap")) as subscriber,
    ):
        subscriber.want(b"stays")
        subscriber.want(b"leaves")
        door.places.put_nowait(redis)
        assert await subscriber.wait_confirmed(b"leaves", 5)

        subscriber.keeper.drop()
        door.places.put_nowait(mute)
        await until(lambda: writers and subscriber.keeper.link, "the link leads nowhere")
        writers[0].transport.abort()
        await until(lambda: subscriber.keeper.link is None, "it is lost again")
        subscriber.unwant(b"leaves")
        door.places.put_nowait(redis)

        assert await subscriber.wait_confirmed(b"stays", 5)
        assert gaps == ["gap"]


async def test_a_gap_is_told_although_the_last_channel_is_left_unanswered() -> None:
    door, gaps = Door(), []
    async with (
        a_server_that_never_answers() as (mute, writers),
        subscribing(door, lambda: gaps.append("gap")) as subscriber,
    ):
        subscriber.want(b"moves")
        door.places.put_nowait(mute)
        await until(lambda: writers and subscriber.keeper.link, "open")
        subscriber.keeper.drop()
        door.places.put_nowait(mute)
        await until(lambda: len(writers) == 2 and subscriber.keeper.link, "open again")

        # A cluster answers MOVED, not a confirmation.
        subscriber.unwant(b"moves")

        assert gaps == ["gap"]


async def test_rooms_that_were_joined_while_redis_is_away_leave_nothing_behind() -> None:
    async with subscribing(Door()) as subscriber:
        subscriber.want(b"too late")
        subscriber.want(b"given up")

        assert not await subscriber.wait_confirmed(b"too late", 0.01)
        joining = asyncio.create_task(subscriber.wait_confirmed(b"given up", 5))
        await asyncio.sleep(0)
        joining.cancel()
        await asyncio.wait({joining})
        subscriber.unwant(b"too late")
        subscriber.unwant(b"given up")

        assert subscriber._channels == {}


async def test_a_room_that_is_left_while_somebody_waits_for_it_leaves_nothing_behind() -> None:
    async with subscribing(Door()) as subscriber:
        subscriber.want(b"room")
        joining = asyncio.create_task(subscriber.wait_confirmed(b"room", 0.05))
        await asyncio.sleep(0)

        subscriber.unwant(b"room")

        assert not await joining
        assert subscriber._channels == {}
