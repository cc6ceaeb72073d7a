"""The official JavaScript client, on each transport and across the upgrade."""

import asyncio
from typing import Any

import pytest

from cluster.js_client import JsClient, JsClients
from pytake.transport import AsyncServer
from running_transport import running

pytestmark = pytest.mark.integration


def make_server(*, direct: bool) -> AsyncServer:
    sio = AsyncServer(direct=direct, cors_allowed_origins="*")

    @sio.on("connect")
    async def connect(sid: str, environ: dict[str, Any], auth: Any) -> None:
        await sio.enter_room(sid, "r")
        await sio.emit("connected", {"sid": sid}, to=sid)

    @sio.on("echo")
    async def echo(sid: str, data: Any) -> dict[str, Any]:
        return {"ok": True, "data": data}

    @sio.on("say")
    async def say(sid: str, number: int) -> None:
        await sio.emit("said", number, room="r")

    return sio


@pytest.mark.parametrize("direct", [True, False], ids=["direct", "stock"])
@pytest.mark.parametrize(
    "transports",
    [["websocket"], ["polling"], ["polling", "websocket"]],
    ids=["websocket", "polling", "upgrade"],
)
async def test_the_official_client_sends_and_receives(direct: bool, transports: list[str]) -> None:
    sio = make_server(direct=direct)
    async with running(sio) as pod, JsClients(pod.url) as javascript:
        clients = [await javascript.connect("t", transports=transports) for _ in range(2)]
        for client in clients:
            await client.next("$connect")
            await client.next("connected")
        if len(transports) == 2:
            await asyncio.gather(*(client.next("$upgrade") for client in clients))

        assert await clients[0].call("echo", {"text": "olá \U0001f600"}) == {
            "ok": True,
            "data": {"text": "olá \U0001f600"},
        }
        for number in range(50):
            await sio.emit("n", number, room="r")
        for number in range(10):
            await clients[1].call("echo", number)

        for client in clients:
            numbers = [await client.next("n") for _ in range(50)]
            assert numbers == list(range(50))
        assert (await clients[0].state())["transport"] == transports[-1]
        await asyncio.gather(*(client.disconnect() for client in clients))


async def test_events_during_the_upgrade_are_neither_lost_nor_reordered() -> None:
    sio = make_server(direct=True)
    async with running(sio) as pod, JsClients(pod.url) as javascript:
        client = await javascript.connect("t", transports=["polling", "websocket"])
        await client.next("$connect")
        sent = 0
        while "$upgrade" not in [name for name, _ in client.events.received] or sent < 200:
            await sio.emit("n", sent, room="r")
            sent += 1
            await asyncio.sleep(0.001)
        await sio.emit("n", "end", room="r")

        await client.next("n", where=lambda data: data == "end")
        assert client.events.of("n") == [*range(sent), "end"]
        assert sio.stats.upgrades == 1
        await client.disconnect()


async def told(client: JsClient, event: str) -> str:
    [value, *_] = await client.next(event)
    return str(value)


async def test_a_closed_transport_brings_the_official_client_back() -> None:
    sio = make_server(direct=True)
    async with running(sio) as pod, JsClients(pod.url) as javascript:
        client = await javascript.connect("t", transports=["websocket"], reconnectionDelay=10)
        await client.next("$connect")
        first = (await client.next("connected"))["sid"]

        await sio.close_transport(first, "draining")

        assert await told(client, "$disconnect") == "transport close"
        await client.next("$connect")
        second = (await client.next("connected"))["sid"]
        await sio.disconnect(second)
        assert await told(client, "$disconnect") == "io server disconnect"
        assert not (await client.state())["active"]
