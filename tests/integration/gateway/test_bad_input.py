"""Whatever a client sends is answered with a code of the list; the connection stays."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import zlib
from typing import Any

import aiohttp
import psutil
import pytest

from attackers.raw_socket import KINDS
from cluster.waiting import eventually
from integration.gateway.pods import Cluster, Pod
from pytake.gateway.pod import Options
from pytake.limits.addresses import TrustedProxies
from pytake.limits.memory import MemoryEventRates
from running_transport import masked

pytestmark = pytest.mark.integration

A_UUID = "c0000000-0000-4000-8000-00000000beef"


@pytest.mark.parametrize(
    ("event", "payload", "code"),
    [
        ("join_conversation", None, "invalid_payload"),
        ("join_conversation", {}, "invalid_payload"),
        ("join_conversation", [], "invalid_payload"),
        ("join_conversation", "text", "invalid_payload"),
        ("join_conversation", 7, "invalid_payload"),
        ("join_conversation", {"conversation_id": None}, "invalid_payload"),
        ("join_conversation", {"conversation_id": 7}, "invalid_payload"),
        ("join_conversation", {"conversation_id": "no uuid"}, "invalid_payload"),
        ("join_conversation", {"conversation_id": A_UUID}, "not_found"),
        ("join_conversation", {"conversation_id": A_UUID, "last_seq": -1}, "invalid_payload"),
        ("join_conversation", {"conversation_id": A_UUID, "last_seq": "1"}, "invalid_payload"),
        ("join_conversation", {"conversation_id": A_UUID, "last_seq": 1.5}, "invalid_payload"),
        ("join_conversation", {"conversation_id": A_UUID, "last_seq": True}, "invalid_payload"),
        ("join_conversation", {"conversation_id": A_UUID, "epoch": 1}, "invalid_payload"),
        ("join_conversations", {"conversations": {}}, "invalid_payload"),
        (
            "join_conversations",
            {"conversations": [{"conversation_id": A_UUID}] * 201},
            "invalid_payload",
        ),
        ("leave_conversation", {"conversation_id": "x"}, "invalid_payload"),
        ("typing_start", {"conversation_id": A_UUID}, "not_joined"),
        ("typing_stop", {"conversation_id": A_UUID}, "not_joined"),
        ("mark_read", {"conversation_id": A_UUID}, "invalid_payload"),
        ("mark_read", {"conversation_id": A_UUID, "seq": 1}, "not_found"),
        ("message:receipt", {"items": 3, "t": 1}, "invalid_payload"),
        ("auth:refresh", {"token": "no token"}, "invalid_token"),
        ("auth:refresh", {}, "invalid_payload"),
        ("no such event", {}, "unknown_event"),
        ("half a pair: \ud800", {}, "unknown_event"),
        ("message:new", {}, "unknown_event"),
        ("", {}, "unknown_event"),
    ],
)
async def test_a_bad_event_gets_its_code(
    pod: Pod, connect: Any, event: str, payload: Any, code: str
) -> None:
    ana = await connect(pod)

    answer = await ana.call(event, payload)

    assert answer["ok"] is False
    assert answer["error"]["code"] == code
    assert answer["error"]["event"] == (event or "other")
    assert (await ana.next("error"))["code"] == code
    assert (await ana.call("ping"))["ok"]


async def test_the_same_refusal_is_told_once_a_second_and_always_acknowledged(
    pod: Pod, connect: Any
) -> None:
    ana = await connect(pod)

    answers = [await ana.call("mark_read", {}) for _ in range(5)]
    await ana.call("ping")

    assert [answer["error"]["code"] for answer in answers] == ["invalid_payload"] * 5
    assert len(ana.all("error")) == 1


async def test_an_event_that_is_too_large_is_refused_and_the_connection_stays(
    pod: Pod, connect: Any
) -> None:
    ana = await connect(pod)

    answer = await ana.call("ping", {"t": "x" * 70_000})

    assert answer["error"]["code"] == "payload_too_large"
    assert (await ana.call("ping"))["ok"]


@pytest.mark.parametrize(
    "frame", ["4", "4x", "42", "42{}", "42[]", "42[1]", "4[", "499", '42["ping",' + "[" * 9000]
)
async def test_what_is_no_socket_io_ends_the_connection_and_nothing_else(
    pod: Pod, cluster: Cluster, connect: Any, frame: str
) -> None:
    bruno = await connect(pod, "bruno")
    url = f"{pod.url}/socket.io/?EIO=4&transport=websocket"
    async with aiohttp.ClientSession() as session, session.ws_connect(url) as socket:
        await socket.receive()
        await socket.send_str('40{"token":"' + cluster.token() + '"}')
        await socket.receive()
        await socket.send_str(frame)
        await eventually(lambda: _closed(socket), "the server closes")

    assert (await bruno.call("ping"))["ok"]
    await eventually(lambda: len(pod.gateway.registry) == 1, "only bruno is left")


async def _closed(socket: aiohttp.ClientWebSocketResponse) -> bool:
    message = await socket.receive()
    return message.type in (
        aiohttp.WSMsgType.CLOSE,
        aiohttp.WSMsgType.CLOSED,
        aiohttp.WSMsgType.CLOSING,
        aiohttp.WSMsgType.ERROR,
    )


async def test_who_is_refused_a_hundred_times_in_a_minute_is_closed(
    cluster: Cluster, connect: Any
) -> None:
    pod = await cluster.pod()
    ana = await connect(pod)

    for _ in range(120):
        await ana.send("mark_read", {})

    await ana.wait_closed()
    await eventually(lambda: len(pod.gateway.registry) == 0, "ana is out")


async def test_weighted_events_are_limited_and_joins_at_first_are_free(
    cluster: Cluster, connect: Any
) -> None:
    pod = await cluster.pod(rates=MemoryEventRates(3, 60.0))
    conversation = await cluster.conversation()
    ana = await connect(pod)
    for _ in range(20):
        await ana.join(conversation)

    answers = [await ana.call("typing_start", {"conversation_id": conversation}) for _ in range(4)]

    assert [answer["ok"] for answer in answers] == [True, True, True, False]
    assert answers[-1]["error"]["code"] == "rate_limited"
    assert answers[-1]["error"]["retry_after_ms"] > 1000


async def test_light_events_are_held_to_fifty_in_five_seconds(
    cluster: Cluster, connect: Any
) -> None:
    pod = await cluster.pod()
    ana = await connect(pod)

    answers = [await ana.call("ping") for _ in range(51)]

    assert all(answer["ok"] for answer in answers[:50])
    assert answers[50]["error"]["code"] == "rate_limited"


async def test_two_hundred_rooms_are_enough(cluster: Cluster, connect: Any) -> None:
    pod = await cluster.pod()
    known = [await cluster.conversation(f"+5511900001{n:03}") for n in range(201)]
    ana = await connect(pod)
    asked = [{"conversation_id": each} for each in known[:200]]
    answer = await ana.call("join_conversations", {"conversations": asked})
    assert all(each["ok"] for each in answer["conversations"])

    answer = await ana.call("join_conversation", {"conversation_id": known[200]})

    assert answer["error"]["code"] == "too_many_rooms"


async def test_a_polling_body_without_end_is_refused(pod: Pod) -> None:
    async with aiohttp.ClientSession() as session:
        url = f"{pod.url}/socket.io/?EIO=4&transport=polling"
        opened = await (await session.get(url)).text()
        sid = opened.split('"sid":"')[1].split('"')[0]
        answer = await session.post(f"{url}&sid={sid}", data=io.BytesIO(b"4" * 17 * 65_536))

    assert answer.status in (400, 413)


async def test_a_full_pod_refuses_handshakes_with_a_time_to_come_back(cluster: Cluster) -> None:
    pod = await cluster.pod(Options(max_connections=1, handshake_rate=2))

    async with aiohttp.ClientSession() as session:
        url = f"{pod.url}/socket.io/?EIO=4&transport=polling"
        statuses = [(await session.get(url)) for _ in range(6)]

    refused = [answer for answer in statuses if answer.status == 503]
    assert refused
    assert all(int(answer.headers["Retry-After"]) >= 1 for answer in refused)


@pytest.mark.parametrize("kind", KINDS)
async def test_an_event_with_attachments_is_refused_and_none_of_them_is_kept(
    pod: Pod, cluster: Cluster, kind: str
) -> None:
    async with aiohttp.ClientSession() as http:
        socket = KINDS[kind](http, pod.url)
        await socket.open()
        await socket.send('0{"token":"' + cluster.token() + '"}')
        await socket.until(1, '2["connected"')

        await socket.send('52-7["ping",{"t":{"_placeholder":true,"num":0}}]')
        refusal = await socket.answer(7)
        await socket.send_binary(b"\0" * 1000, b"\1" * 1000)
        await socket.send('51-["typing_start"]')
        await socket.send_binary(b"\2")
        await socket.send('28["ping",{}]')

        assert refusal["error"]["code"] == "invalid_payload"
        assert refusal["error"]["event"] == "ping"
        assert (await socket.answer(8))["ok"], "the connection goes on"
        await socket.close()


async def test_an_attachment_that_never_comes_holds_nothing_and_text_in_its_place_ends_it(
    pod: Pod, cluster: Cluster
) -> None:
    async with aiohttp.ClientSession() as http:
        socket = KINDS["websocket"](http, pod.url)
        await socket.open()
        await socket.send('0{"token":"' + cluster.token() + '"}')
        await socket.until(1, '2["connected"')
        await socket.send('51-7["ping",{}]', '28["ping",{}]')
        await socket.until_closed()

    await eventually(lambda: len(pod.gateway.registry) == 0, "it is out")


@pytest.mark.parametrize("kind", KINDS)
async def test_who_is_nobody_yet_may_not_send_much_at_once(cluster: Cluster, kind: str) -> None:
    """Ten thousand strangers could else fill the memory before one has shown a token."""
    pod = await cluster.pod()
    async with aiohttp.ClientSession() as http:
        stranger, ana = KINDS[kind](http, pod.url), KINDS[kind](http, pod.url)
        for socket in (stranger, ana):
            await socket.open()
        await stranger.send('0{"token":"' + "x" * 40_000 + '"}')
        await stranger.until_closed()
        await ana.send('0{"token":"' + cluster.token() + '"}')
        await ana.until(1, '2["connected"')
        await ana.send('27["ping",{"t":"' + "x" * 60_000 + '"}]')

        assert stranger.packets == []
        assert (await ana.answer(7))["ok"]
        await ana.close()


@pytest.mark.parametrize("depth", [200, 900, 20_000])
async def test_nesting_is_refused_before_it_is_followed(
    pod: Pod, cluster: Cluster, depth: int
) -> None:
    async with aiohttp.ClientSession() as http:
        socket = KINDS["websocket"](http, pod.url)
        await socket.open()
        await socket.send('0{"token":"' + cluster.token() + '"}')
        await socket.until(1, '2["connected"')

        await socket.send('27["ping",{"t":' + "[" * depth + "]" * depth + "}]")

        if depth < 1000:
            assert (await socket.answer(7))["error"]["code"] == "invalid_payload"
            await socket.send('28["ping",{}]')
            assert (await socket.answer(8))["ok"]
        else:
            # Not even JSON to any parser: it ends this connection alone.
            await socket.until_closed()
        await socket.close()


async def test_a_bomb_is_not_inflated_beyond_what_a_message_may_have(
    cluster: Cluster, connect: Any
) -> None:
    """A gigabyte of zeros in a frame of a megabyte, before and after the handshake."""
    pod = await cluster.pod()
    bomb = zlib.compressobj(9, zlib.DEFLATED, -15)
    parts = [bomb.compress(b"0" * 1_000_000) for _ in range(200)]
    data = b"".join(parts) + bomb.flush(zlib.Z_SYNC_FLUSH)[:-4]
    ana = await connect(pod)
    before = psutil.Process().memory_info().rss
    for first in (b"", b'40{"token":"' + cluster.token("bruno").encode() + b'"}'):
        reader, writer = await asyncio.open_connection("127.0.0.1", int(pod.url.rsplit(":")[-1]))
        writer.write(
            b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\n"
            b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
            b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
        )
        assert b"permessage-deflate" in await reader.readuntil(b"\r\n\r\n")
        if first:
            writer.write(masked(first))
            await eventually(lambda: len(pod.gateway.registry) == 2, "bruno is in")
        writer.write(masked(data, first=0xC1))

        async with asyncio.timeout(5):
            await reader.readuntil((1009).to_bytes(2, "big"))
        writer.close()

    assert psutil.Process().memory_info().rss - before < 50_000_000
    assert (await ana.call("ping"))["ok"]


async def test_a_frame_that_never_ends_ends_with_the_time_to_authenticate(
    cluster: Cluster,
) -> None:
    pod = await cluster.pod()
    assert pod.gateway.server.eio.connect_timeout == 10
    pod.gateway.server.eio.connect_timeout = 0.3
    reader, writer = await asyncio.open_connection("127.0.0.1", int(pod.url.rsplit(":")[-1]))
    writer.write(
        b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\n"
        b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    await reader.readuntil(b"\r\n\r\n")
    writer.write(masked(b'40{"token":"' + b"x" * 1000)[:500])

    async def trickle() -> None:
        with contextlib.suppress(ConnectionError):
            while True:
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.02)

    trickling = asyncio.create_task(trickle())
    async with asyncio.timeout(20):
        with contextlib.suppress(ConnectionError):
            await reader.read()
    await eventually(lambda: not pod.gateway.server.eio.sockets, "nothing is left of it")
    trickling.cancel()
    writer.close()


async def test_who_fails_again_and_again_is_known_by_his_address_and_not_by_his_port(
    cluster: Cluster,
) -> None:
    pod = await cluster.pod(address_of=TrustedProxies(["127.0.0.0/8"]).budget_of)
    codes = []
    for port in range(31):
        told = {"X-Forwarded-For": f"203.0.113.7:{51_000 + port}"}
        async with aiohttp.ClientSession(headers=told) as http:
            socket = KINDS["websocket"](http, pod.url)
            await socket.open()
            await socket.send('0{"token":"no token"}')
            [refusal] = await socket.until(1, "4")
            codes.append(json.loads(refusal[1:])["data"]["code"])
            await socket.close()

    assert codes == ["invalid_token"] * 30 + ["rate_limited"]


async def test_who_fails_again_and_again_is_told_to_wait_and_the_office_around_it_works_on(
    cluster: Cluster, connect: Any
) -> None:
    pod = await cluster.pod()
    metrics = pod.gateway.metrics
    codes = []
    async with aiohttp.ClientSession() as http:
        for _ in range(32):
            socket = KINDS["websocket"](http, pod.url)
            await socket.open()
            await socket.send('0{"token":"no token"}')
            [refusal] = await socket.until(1, "4")
            codes.append(json.loads(refusal[1:])["data"])
            await socket.close()

    assert [each["code"] for each in codes] == ["invalid_token"] * 30 + ["rate_limited"] * 2
    assert all(1000 < each["retry_after_ms"] <= 60_000 for each in codes[30:])
    assert metrics.connections_rejected.cell("invalid_token").value == 30
    assert metrics.rate_limited.cell("handshake").value == 2
    ana = await connect(pod)
    assert (await ana.call("ping"))["ok"]


async def test_strangers_count_as_connections_of_the_pod_and_every_refusal_is_counted(
    cluster: Cluster,
) -> None:
    pod = await cluster.pod(Options(max_connections=2, cors_allowed_origins=("https://ours.test",)))
    rejected = pod.gateway.metrics.connections_rejected
    async with aiohttp.ClientSession() as http:
        url = f"{pod.url}/socket.io/?EIO=4&transport=polling"
        opened = [(await http.get(url)).status for _ in range(3)]
        foreign = await http.get(url, headers={"Origin": "https://evil.test"})
        old = await http.get(url.replace("EIO=4", "EIO=3"))

    assert opened == [200, 200, 503]
    assert (foreign.status, old.status) == (403, 400)
    counted = {each: rejected.cell(each).value for each in ("overloaded", "origin", "other")}
    assert counted == {"overloaded": 1, "origin": 1, "other": 1}


async def test_refusals_for_going_too_fast_are_counted_by_whose_budget_it_was(
    cluster: Cluster, connect: Any
) -> None:
    pod = await cluster.pod(rates=MemoryEventRates(1, 60.0))
    ana = await connect(pod)
    for _ in range(51):
        await ana.call("ping")
    for _ in range(2):
        await ana.call("typing_start", {"conversation_id": A_UUID})

    limited = pod.gateway.metrics.rate_limited
    assert (limited.cell("connection").value, limited.cell("user").value) == (1, 1)
