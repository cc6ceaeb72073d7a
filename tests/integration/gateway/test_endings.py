"""How connections and pods end, and what clients are told to do about it."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest

from cluster.waiting import eventually
from integration.gateway.clients import Client
from integration.gateway.pods import CAP, ORGANIZATION, Cluster, user_id
from pytake.application.connection_ports import CloseOrder
from pytake.domain.errors import ErrorCode
from pytake.domain.ids import ConnectionId
from pytake.gateway.pod import Options
from pytake.limits.memory import MemoryPlaces, MemoryPlaceTable

pytestmark = pytest.mark.integration


async def test_a_draining_pod_tells_its_clients_and_refuses_new_ones(
    cluster: Cluster, connect: Any
) -> None:
    pod = await cluster.pod(Options(drain_seconds=1))
    clients = [await connect(pod, f"agent {number}") for number in range(5)]
    draining = asyncio.create_task(pod.gateway.drain())

    told = [await client.next("server:draining") for client in clients]
    async with aiohttp.ClientSession() as session:
        url = f"{pod.url}/socket.io/?EIO=4&transport=polling"
        refused = await session.get(url)

    assert all(0 <= each["reconnect_after_ms"] <= 1000 for each in told)
    assert refused.status == 503
    assert int(refused.headers["Retry-After"]) >= 1
    assert "Max-Age=0" in refused.headers["Set-Cookie"]
    assert (await clients[0].call("ping"))["ok"], "known sessions go on"
    async with asyncio.timeout(5):
        await draining
    for client in clients:
        assert (await client.next("error"))["code"] == "draining"
        await client.wait_closed()


async def test_a_pod_whose_clients_have_left_does_not_wait_for_the_window(
    cluster: Cluster, connect: Any
) -> None:
    pod = await cluster.pod(Options(drain_seconds=60))
    ana = await connect(pod)
    draining = asyncio.create_task(pod.gateway.drain())
    await ana.next("server:draining")

    await ana.close()

    async with asyncio.timeout(5):
        await draining


async def test_who_types_is_asked_to_go_last(cluster: Cluster, connect: Any) -> None:
    pod = await cluster.pod(Options(drain_seconds=5))
    conversations = [await cluster.conversation(f"+551190000000{n}") for n in range(3)]
    typist, idle, reader = [await connect(pod, each) for each in ("ana", "bruno", "rui")]
    await typist.join(conversations[0])
    await typist.call("typing_start", {"conversation_id": conversations[0]})
    for conversation in conversations:
        await reader.join(conversation)

    pod.gateway.begin_drain()

    told = [await each.next("server:draining") for each in (idle, reader, typist)]
    waits = [each["reconnect_after_ms"] for each in told]
    assert waits == sorted(waits)


class SlowPlaces(MemoryPlaces):
    """Places that are given when the test says so."""

    def __init__(self, pod_id: str, table: MemoryPlaceTable) -> None:
        super().__init__(pod_id, CAP, table)
        self.gate = asyncio.Event()
        self.asked = asyncio.Event()

    async def take(self, *arguments: Any, **options: Any) -> Any:
        self.asked.set()
        await self.gate.wait()
        return await super().take(*arguments, **options)


async def test_who_is_greeted_while_the_pod_drains_is_asked_to_go_at_once(
    cluster: Cluster,
) -> None:
    places = SlowPlaces("slow0000", cluster.table)
    pod = await cluster.pod(Options(drain_seconds=60), pod_id="slow0000", places=places)
    ana = Client(pod.url, cluster.token("ana"))
    connecting = asyncio.create_task(ana.connect())
    await places.asked.wait()

    pod.gateway.begin_drain()
    await eventually(lambda: pod.gateway.is_draining, "the drain has begun")
    places.gate.set()
    await connecting

    assert (await ana.next("server:draining"))["reconnect_after_ms"] == 0
    await ana.close()


async def test_stock_clients_come_back_from_a_drained_pod_to_another(
    cluster: Cluster, connect: Any
) -> None:
    """The address stays, as behind a proxy; a new pod answers there."""
    pod = await cluster.pod(Options(drain_seconds=0))
    ana = await connect(pod, reconnection=True)

    await pod.gateway.drain()
    pod.gateway.admission.is_draining = False

    await ana.next("connected", 10, after=1)


async def test_who_does_not_authenticate_is_closed(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    pod = await cluster.pod()
    pod.gateway.server.eio.connect_timeout = 0.2
    async with aiohttp.ClientSession() as session:
        url = f"{pod.url}/socket.io/?EIO=4&transport=websocket"
        async with session.ws_connect(url) as socket:
            await socket.receive()
            async with asyncio.timeout(5):
                message = await socket.receive()

    assert message.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED)


async def test_too_old_connections_are_moved_on(
    cluster: Cluster, connect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pytake.gateway.lifetime.MOVE_SECONDS", 0.3)
    pod = await cluster.pod(Options(max_connection_age=0.3))
    ana = await connect(pod)

    assert (await ana.next("server:draining"))["reconnect_after_ms"] == 0
    assert (await ana.next("error"))["code"] == "draining", "a stock client does not move"
    await ana.wait_closed()


async def test_too_old_connections_live_until_their_successors_have_joined(
    cluster: Cluster, connect: Any
) -> None:
    old, new = await cluster.pod(Options(max_connection_age=0.5)), await cluster.pod()
    conversation = await cluster.conversation()
    ana = await connect(old)
    await ana.join(conversation, last_seq=0)
    await ana.next("server:draining")

    moved = await connect(new, previous_sid=ana.sid)

    assert not ana.ended.is_set()
    await moved.join(conversation, last_seq=0)
    assert (await ana.next("error"))["code"] == "superseded"
    await ana.wait_closed()


async def test_nothing_is_left_of_connections_that_have_ended(
    cluster: Cluster, connect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pytake.gateway.rooms.LINGER_SECONDS", 0.05)
    pod = await cluster.pod()
    conversation = await cluster.conversation()
    clients = [await connect(pod, f"agent {number}") for number in range(5)]
    for client in clients:
        await client.join(conversation, last_seq=0)
        await client.call("typing_start", {"conversation_id": conversation})

    await asyncio.gather(*(client.close() for client in clients))

    gateway = pod.gateway
    await eventually(lambda: len(gateway.registry) == 0, "no connection")
    await eventually(lambda: len(gateway.rooms) == 0, "no room")
    await eventually(lambda: not gateway.viewers._seats, "no viewer")
    assert not gateway.typing._ends
    assert not gateway.sessions._admitted
    assert conversation not in pod.feed.subscribed


async def test_nothing_is_left_of_who_went_away_while_being_admitted(cluster: Cluster) -> None:
    verify, entered, go_on = cluster.verify, asyncio.Event(), asyncio.Event()

    async def slow(token: str) -> Any:
        entered.set()
        await go_on.wait()
        return await verify(token)

    cluster.verify = slow  # type: ignore[assignment]
    pod = await cluster.pod()
    async with aiohttp.ClientSession() as session:
        url = f"{pod.url}/socket.io/?EIO=4&transport=websocket"
        async with session.ws_connect(url) as socket:
            await socket.receive()
            await socket.send_str('40{"token":"' + cluster.token() + '"}')
            await entered.wait()

    sockets = pod.gateway.server.eio.sockets
    await eventually(lambda: not sockets, "the transport is gone")
    go_on.set()

    await eventually(lambda: cluster.table.count(user_id("ana")) == 0, "the place is free")
    await eventually(lambda: not pod.gateway.server._admitted, "nothing is remembered")
    assert not pod.gateway.sessions._admitted
    assert len(pod.gateway.registry) == 0


async def test_a_close_order_that_comes_before_the_greeting_is_not_lost(
    cluster: Cluster, connect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pod = await cluster.pod()
    sessions = pod.gateway.sessions
    welcome = sessions.welcome

    async def evicted_first(sid: str) -> None:
        order = CloseOrder(ConnectionId(sid), user_id("ana"), ErrorCode.CONNECTION_CAP)
        sessions.on_close_order(order)
        await welcome(sid)

    monkeypatch.setattr(sessions, "welcome", evicted_first)
    ana = await connect(pod)

    assert (await ana.next("error"))["code"] == "connection_cap"
    await ana.wait_closed()


async def test_a_revocation_during_the_handshake_holds(cluster: Cluster) -> None:
    verify = cluster.verify

    async def revoked_meanwhile(token: str) -> Any:
        principal = await verify(token)
        await cluster.make_user("ana")
        await cluster.store.rights.revoke(ORGANIZATION, user_id("ana"), None)
        await cluster.rights.load()
        return principal

    cluster.verify = revoked_meanwhile  # type: ignore[assignment]
    pod = await cluster.pod()
    ana = Client(pod.url, cluster.token(iat=1))
    await ana.sio.connect(pod.url, auth=ana.auth, transports=ana.transports)

    assert (await ana.next("error"))["code"] == "token_revoked"
    await ana.wait_closed()
    await ana.close()
