"""What happens to the broker when Redis is frozen, killed, or cuts the line."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from cluster.redis_server import RedisServer
from cluster.waiting import eventually
from conformance.test_broker import Broker, conversation, event, redis_broker
from conftest import serving
from pytake.application.connection_ports import Viewer
from pytake.broker import redis_feed
from pytake.broker.redis import RedisCommands, RedisEventPublisher, parse_address
from pytake.domain.errors import Unavailable
from pytake.domain.ids import UserId

pytestmark = pytest.mark.integration


@pytest.fixture
def own_redis(server_folder: Path) -> Iterator[RedisServer]:
    """A Redis that this test may break."""
    server = RedisServer(server_folder)
    with serving(server):
        yield server


@pytest.fixture
async def broker(own_redis: RedisServer, monkeypatch: Any) -> AsyncIterator[Broker]:
    monkeypatch.setattr(redis_feed, "CANARY_SECONDS", 0.3)
    async with AsyncExitStack() as stack:
        yield await redis_broker(own_redis.url, stack)


class LoopLag:
    """The longest time that the event loop did not turn."""

    async def __aenter__(self) -> LoopLag:
        self.longest = 0.0
        self._task = asyncio.create_task(self._watch())
        return self

    async def _watch(self) -> None:
        while True:
            before = time.monotonic()
            await asyncio.sleep(0.01)
            self.longest = max(self.longest, time.monotonic() - before - 0.01)

    async def __aexit__(self, *error: object) -> None:
        self._task.cancel()


async def test_commands_of_one_turn_leave_in_one_write(own_redis: RedisServer) -> None:
    commands = RedisCommands(parse_address(own_redis.url))
    await commands.start()
    with own_redis.client() as redis:
        before = redis.info("stats")["total_reads_processed"]

        replies = await asyncio.gather(*(commands.call("ECHO", n) for n in range(200)))

        reads = redis.info("stats")["total_reads_processed"] - before
    await commands.stop()
    assert [int(reply) for reply in replies] == list(range(200))
    assert reads < 20


async def test_an_empty_pipeline_takes_nobodys_reply(own_redis: RedisServer) -> None:
    commands = RedisCommands(parse_address(own_redis.url))
    await commands.start()

    nothing, mine = await asyncio.gather(commands.calls([]), commands.call("ECHO", "mine"))

    await commands.stop()
    assert nothing == []
    assert mine == b"mine"


async def test_a_frozen_redis_holds_a_publisher_up_once_and_never_the_loop(
    own_redis: RedisServer,
) -> None:
    commands = RedisCommands(parse_address(own_redis.url))
    await commands.start()
    publisher = RedisEventPublisher(commands)
    chosen = conversation()
    await publisher.publish([event(chosen, 1)])

    own_redis.freeze()
    waits = []
    async with LoopLag() as lag:
        for seq in range(2, 12):
            started = time.monotonic()
            with pytest.raises(Unavailable):
                await publisher.publish([event(chosen, seq)])
            waits.append(time.monotonic() - started)
    own_redis.thaw()

    assert 0.2 < waits[0] < 0.6
    assert max(waits[1:]) < 0.05
    assert lag.longest < 0.2
    await eventually(lambda: commands.is_up, "the link is back")
    await publisher.publish([event(chosen, 12)])
    await commands.stop()


async def test_a_feed_whose_line_was_cut_subscribes_again_and_says_so(
    own_redis: RedisServer, broker: Broker
) -> None:
    here = await broker.pod("here0000")
    many = [conversation() for _ in range(1200)]
    for each in many:
        here.feed._wanted.add(each)
    await here.feed.subscribe(many[0])

    with own_redis.client() as client:
        client.execute_command("CLIENT", "KILL", "TYPE", "pubsub")

    await eventually(lambda: here.interruptions == 1, "the pod was told")
    await broker.publisher.publish([event(many[-1], 1)])
    await eventually(lambda: here.seqs() == [1], "the last conversation is heard again")


async def test_a_feed_that_hears_nothing_is_made_anew(
    own_redis: RedisServer, broker: Broker
) -> None:
    here = await broker.pod("here0000")
    await here.feed.subscribe(conversation())

    here.feed._link.write([["UNSUBSCRIBE"]])

    await eventually(lambda: not here.feed.is_healthy, "the silence is noticed")
    await eventually(lambda: here.feed.is_healthy, "the feed is up again")
    assert here.interruptions == 1


async def test_a_feed_on_another_redis_than_its_canary_is_deaf_until_it_hears_it(
    own_redis: RedisServer, redis_url: str, broker: Broker
) -> None:
    here = await broker.pod("here0000")
    address = here.feed._address

    here.feed._address = parse_address(redis_url)
    here.feed.renew("it is led astray")

    await eventually(lambda: here.feed.is_deaf, "subscribing alone is not hearing", 15)
    assert not here.feed.is_healthy
    here.feed._address = address
    await eventually(lambda: here.feed.is_healthy, "the canary is heard", 15)
    assert not here.feed.is_deaf


async def test_a_redis_that_came_back_empty_is_used_again(
    own_redis: RedisServer, broker: Broker
) -> None:
    here = await broker.pod("here0000")
    chosen = conversation()
    await here.feed.subscribe(chosen)

    own_redis.kill()
    with pytest.raises(Unavailable):
        await eventually(lambda: broker.publisher.publish([event(chosen, 1)]), "never")
    own_redis.start()

    await eventually(lambda: here.feed.is_healthy, "the feed is up again", 15)
    await eventually(lambda: here.interruptions == 1, "the pod was told")
    # Feed and commands come back each in its own time; what is refused until then, the relay sends.
    await eventually(broker.is_up, "the publisher is up again", 15)
    await broker.publisher.publish([event(chosen, 2)])
    await eventually(lambda: here.seqs() == [2], "events flow again")


async def test_viewers_elsewhere_are_unknown_while_redis_is_away(
    own_redis: RedisServer, broker: Broker
) -> None:
    here, there, chosen = await broker.pod("here0000"), await broker.pod("there000"), conversation()
    ana = Viewer(UserId("ana"), "Ana")
    await there.board.show(chosen, [ana])
    assert await here.board.others(chosen) == {"there000": (ana,)}

    own_redis.kill()

    assert await here.board.others(chosen) is None
    await here.board.show(chosen, [ana])


async def test_strangers_on_a_channel_are_ignored(own_redis: RedisServer, broker: Broker) -> None:
    here = await broker.pod("here0000")
    chosen = conversation()
    await here.feed.subscribe(chosen)

    with own_redis.client() as client:
        for body in (b"", b"no json", b"{}\n{}", b'{"s":1}', b"\xff\n", b'{"viewers":3}'):
            client.publish(f"pytake:conversation:{chosen}", body)
    await broker.publisher.publish([event(chosen, 1)])

    await eventually(lambda: here.seqs() == [1], "only ours")


async def test_a_process_starts_while_redis_is_away(own_redis: RedisServer) -> None:
    own_redis.kill()
    commands = RedisCommands(parse_address(own_redis.url))

    await commands.start()
    with pytest.raises(Unavailable):
        await commands.call("PING")
    own_redis.start()

    await eventually(lambda: commands.is_up, "the link is up", 15)
    assert await commands.call("PING") == b"PONG"
    await commands.stop()
