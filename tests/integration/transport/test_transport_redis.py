"""Events between pods, over a real Redis that is restarted, paused, failed over and resharded."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import socketio

from cluster.redis_cluster import RedisCluster
from cluster.redis_sentinel import SentinelRedis
from cluster.redis_server import RedisServer
from conftest import serving
from pytake.transport import AsyncRedisManager, AsyncServer, redis_keeper
from pytake.transport.redis_cluster import slot_of
from pytake.transport.redis_keeper import LinkKeeper
from pytake.transport.redis_link import Server
from running_transport import Client, Pod, connected, running, until

pytestmark = pytest.mark.integration


def make_server(url: str, **options: Any) -> AsyncServer:
    sio = AsyncServer(client_manager=AsyncRedisManager(url, **options), cors_allowed_origins="*")

    @sio.on("connect")
    async def connect(sid: str, environ: Any, auth: Any) -> None:
        pass

    @sio.on("join")
    async def join(sid: str, room: str) -> None:
        await sio.enter_room(sid, room)

    return sio


def manager_of(pod: Pod) -> AsyncRedisManager:
    manager = pod.sio.manager
    assert isinstance(manager, AsyncRedisManager)
    return manager


@contextlib.asynccontextmanager
async def two_pods(url: str, **options: Any) -> AsyncIterator[tuple[Pod, Pod]]:
    async with (
        running(make_server(url, **options)) as here,
        running(make_server(url, **options)) as there,
    ):
        assert await manager_of(here).ready(10)
        assert await manager_of(there).ready(10)
        yield here, there


@contextlib.asynccontextmanager
async def one_client_each(
    here: Pod, there: Pod, room: str = "r"
) -> AsyncIterator[tuple[Client, Client]]:
    async with connected(here) as [ana], connected(there) as [rui]:
        for client in (ana, rui):
            await client.sio.call("join", room, timeout=5)
        yield ana, rui


async def test_an_event_reaches_each_member_once_and_in_order(redis_url: str) -> None:
    async with two_pods(redis_url) as (here, there), one_client_each(here, there) as (ana, rui):
        for number in range(300):
            await here.sio.emit("n", number, room="r")
        await here.sio.emit("bytes", {"b": b"\x00\x01"}, room="r", skip_sid=ana.sid)
        await here.sio.emit("rooms", 1, room=["r", rui.sid])

        for client in (ana, rui):
            await until(partial(client.has, "rooms"), "the last event")
            assert client.of("n") == list(range(300))
            assert client.of("rooms") == [1]
        assert ana.of("bytes") == []
        assert rui.of("bytes") == [{"b": b"\x00\x01"}]


async def test_a_pod_without_members_receives_nothing(redis_url: str) -> None:
    async with two_pods(redis_url) as (here, there), connected(here) as [ana]:
        await ana.sio.call("join", "r", timeout=5)
        before = manager_of(there).received_messages

        for number in range(50):
            await here.sio.emit("n", number, room="r")
        await here.sio.emit("to-all", None)

        await until(lambda: manager_of(there).received_messages > before, "the event for all")
        assert manager_of(there).received_messages == before + 1


async def test_what_is_for_a_local_client_never_leaves_the_pod(
    redis_url: str, redis_server: RedisServer
) -> None:
    async with two_pods(redis_url) as (here, _), connected(here) as [ana]:
        with redis_server.client() as redis:
            redis.config_resetstat()
            await here.sio.emit("hello", 1, to=ana.sid)
            await here.sio.manager.emit_local("local", 2, room="r")

            await until(partial(ana.has, "hello"), "the event")
            assert "cmdstat_publish" not in redis.info("commandstats")


async def test_one_client_on_another_pod_is_reached(redis_url: str) -> None:
    async with two_pods(redis_url) as (here, there), connected(there) as [rui]:
        rui.sio.on("question", lambda n: n + 1)

        await here.sio.emit("hello", 1, to=rui.sid)
        answer = await here.sio.call("question", 4, to=rui.sid, timeout=5)
        await here.sio.enter_room(rui.sid, "r2")
        await until(lambda: manager_of(there).is_subscribed("r2"), "entered from afar")
        await here.sio.emit("in-room", 2, room="r2")
        await until(partial(rui.has, "in-room"), "the event of the room")
        await here.sio.disconnect(rui.sid)

        await until(lambda: not rui.sio.connected, "disconnected from afar")
        assert answer == 5
        assert rui.of("hello") == [1]


async def test_a_stock_emitter_reaches_our_clients(redis_url: str) -> None:
    async with two_pods(redis_url) as (here, there), one_client_each(here, there) as (ana, rui):
        emitter = socketio.AsyncRedisManager(redis_url, write_only=True)

        await emitter.emit("from-outside", {"n": 1}, room="r")

        for client in (ana, rui):
            await until(partial(client.has, "from-outside"), "the event")
            assert client.of("from-outside") == [{"n": 1}]
        await emitter.redis.aclose()


async def test_our_emitter_needs_no_server(redis_url: str) -> None:
    async with two_pods(redis_url) as (here, there), one_client_each(here, there) as (ana, rui):
        emitter = AsyncRedisManager(redis_url, write_only=True)

        await emitter.emit("from-outside", {"n": 1}, room="r")

        for client in (ana, rui):
            await until(partial(client.has, "from-outside"), "the event")
        await emitter.stop()


async def test_stock_pods_and_compatible_ones_serve_the_same_room(redis_url: str) -> None:
    async with (
        two_pods(redis_url, compatible=True) as (here, there),
        one_client_each(here, there) as (ana, rui),
    ):
        stock = socketio.AsyncServer(
            async_mode="asgi", client_manager=socketio.AsyncRedisManager(redis_url)
        )
        stock.manager.initialize()
        heard: list[Any] = []
        stock.manager._handle_emit = partial(_remember, heard)
        await asyncio.sleep(0.3)

        await here.sio.emit("n", {"n": 1}, room="r")
        await until(lambda: heard, "the stock pod heard it")
        await stock.emit("n", {"n": 2}, room="r")

        for client in (ana, rui):
            await until(partial(client.has, "n", 2), "both events")
            assert client.of("n") == [{"n": 1}, {"n": 2}]
        stock.manager.thread.cancel()
        await asyncio.gather(stock.manager.thread, return_exceptions=True)
        await stock.manager.redis.aclose()


async def _remember(heard: list[Any], message: Any) -> None:
    heard.append(message)


async def test_after_a_restart_of_redis_events_flow_again(server_folder: Path) -> None:
    server = RedisServer(server_folder)
    with serving(server):
        async with (
            two_pods(server.url) as (here, there),
            one_client_each(here, there) as (ana, rui),
        ):
            gaps: list[str] = []
            manager_of(there).on_gap = lambda: gaps.append("gap")
            await asyncio.to_thread(server.kill)
            await until(lambda: not manager_of(there).is_subscribed("r"), "the loss is noticed")

            await here.sio.emit("n", "local only", room="r")
            await asyncio.to_thread(server.start)
            await until(lambda: manager_of(there).is_subscribed("r"), "subscribed again", 15)
            await asyncio.sleep(0.2)
            await emit_until(here, rui, "back")

            assert ana.of("n")[0] == "local only"
            assert gaps == ["gap"]


async def emit_until(pod: Pod, client: Client, mark: str) -> None:
    """Emit until the client, on another pod, receives it."""
    for number in range(100):
        await pod.sio.emit("n", f"{mark} {number}", room="r")
        await asyncio.sleep(0.1)
        if any(str(each).startswith(mark) for each in client.of("n")):
            return
    raise AssertionError(f"{mark}: nothing arrived in 10 s")


async def test_a_redis_that_hangs_stops_nobody(server_folder: Path) -> None:
    server = RedisServer(server_folder)
    with serving(server):
        async with (
            two_pods(server.url) as (here, there),
            one_client_each(here, there) as (ana, rui),
        ):
            server.freeze()
            try:
                loop = asyncio.get_running_loop()
                start = loop.time()
                for number in range(20):
                    await here.sio.emit("local", number, room="r")
                assert loop.time() - start < 1
                await until(partial(ana.has, "local", 20), "local events")
                await until(
                    lambda: not manager_of(there).is_subscribed("r"), "the silence is noticed", 15
                )
            finally:
                server.thaw()

            await until(lambda: manager_of(there).is_subscribed("r"), "subscribed again", 15)
            await emit_until(here, rui, "back")


async def test_rooms_follow_a_failover_of_sentinel(server_folder: Path) -> None:
    with SentinelRedis(server_folder) as redis:
        async with (
            two_pods(redis.url) as (here, there),
            one_client_each(here, there) as (_, rui),
        ):
            await emit_until(here, rui, "before")
            first = redis.master()
            assert first is not None

            await asyncio.to_thread(first.kill)

            await until(lambda: manager_of(there).is_subscribed("r"), "subscribed again", 30)
            await emit_until(here, rui, "after")


async def test_rooms_follow_a_slot_of_the_cluster(server_folder: Path) -> None:
    with RedisCluster(server_folder) as cluster:
        async with (
            two_pods(cluster.url) as (here, there),
            one_client_each(here, there) as (_ana, rui),
        ):
            for number in range(100):
                await here.sio.emit("n", number, room="r")
            await until(partial(rui.has, "n", 100), "100 events over the cluster")
            assert rui.of("n") == list(range(100))
            slot = slot_of(b"socketio#room#/#r")
            target = next(node for node in cluster.nodes if node is not cluster.owner_of(slot))

            await asyncio.to_thread(cluster.move_slot, slot, target)

            await emit_until(here, rui, "moved")
            await asyncio.sleep(1)
            rui.received.clear()
            for number in range(20):
                await here.sio.emit("n", number, room="r")
            await until(partial(rui.has, "n", 20), "20 events after the move")
            assert rui.of("n") == list(range(20))


async def test_subscribe_unsubscribe_subscribe_is_confirmed_by_the_last(redis_url: str) -> None:
    async with (
        two_pods(redis_url, linger_seconds=0) as (here, there),
        connected(there) as [rui],
    ):
        for _ in range(20):
            await there.sio.enter_room(rui.sid, "r")
            assert manager_of(there).is_subscribed("r")
            await there.sio.leave_room(rui.sid, "r")
            await asyncio.sleep(0)
        await there.sio.enter_room(rui.sid, "r")

        await here.sio.emit("n", 1, room="r")

        await until(partial(rui.has, "n"), "the event")
        assert manager_of(there).unconfirmed_joins == 0


async def test_several_rooms_are_entered_with_one_wait(redis_url: str) -> None:
    rooms = [f"r{number}" for number in range(5)]
    async with two_pods(redis_url) as (here, there), connected(there) as [rui]:
        await manager_of(there).enter_rooms(rui.sid, "/", rooms)
        are_subscribed = [manager_of(there).is_subscribed(room) for room in rooms]
        for room in rooms:
            await here.sio.emit("n", room, room=room)

        await until(lambda: len(rui.of("n")) == 5, "an event of each room")
        assert are_subscribed == [True] * 5
        assert manager_of(there).unconfirmed_joins == 0


async def test_several_rooms_wait_no_longer_than_one_for_a_redis_that_hangs(
    server_folder: Path,
) -> None:
    server = RedisServer(server_folder)
    with serving(server):
        async with running(make_server(server.url, join_wait_seconds=1.0)) as pod:
            assert await manager_of(pod).ready(10)
            async with connected(pod) as [ana]:
                server.freeze()
                try:
                    # Five waits in a row would not end in time.
                    async with asyncio.timeout(4):
                        await manager_of(pod).enter_rooms(ana.sid, "/", list("abcde"))
                finally:
                    server.thaw()

                assert manager_of(pod).unconfirmed_joins == 5
                assert await pod.sio.manager.emit_local("n", 1, room="e") == 1


@pytest.mark.parametrize("turns_later", range(5))
async def test_a_keeper_ends_when_told_to_while_it_loses_its_connection(
    turns_later: int, redis_server: RedisServer
) -> None:
    async def resolve() -> Server:
        return Server("127.0.0.1", redis_server.port)

    keeper = LinkKeeper("a test", resolve, on_push=lambda reply: None)
    running = asyncio.create_task(keeper.run())
    assert await keeper.opened(5)

    keeper.drop()
    for _ in range(turns_later):
        await asyncio.sleep(0)
    running.cancel()

    await asyncio.wait({running}, timeout=2)
    assert running.cancelled()


@pytest.mark.parametrize("mistake", [ValueError("no master"), IndexError("an odd reply")])
async def test_a_keeper_outlives_mistakes_and_says_so(
    mistake: Exception,
    redis_server: RedisServer,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(redis_keeper, "MAX_BACKOFF_SECONDS", 0.1)
    answers: list[Exception | Server] = [mistake, Server("127.0.0.1", redis_server.port)]

    async def resolve() -> Server:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    keeper = LinkKeeper("a test", resolve)
    running = asyncio.create_task(keeper.run())

    assert await keeper.opened(5)
    assert any(record.exc_info and record.exc_info[1] is mistake for record in caplog.records)
    running.cancel()
    await asyncio.wait({running}, timeout=2)
    assert running.cancelled()
