"""Engine.IO protocol 4, as its specification says it, on direct sockets and on stock ones.

Where python-engineio's own sockets differ, `STOCK_DIFFERS` says how; the transport cannot
change that without changing them.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from pytake.transport import AsyncServer
from running_transport import Pod, polling, running, until

PING_INTERVAL_SECONDS, PING_TIMEOUT_SECONDS = 0.3, 0.2

STOCK_DIFFERS = {
    "test_a_polling_handshake_tells_all_parameters": "fractions of the ping interval are cut off",
    "test_a_websocket_handshake_tells_all_parameters": "fractions of the interval are cut off",
    "test_a_handshake_without_a_transport_is_refused": "polling is assumed",
    "test_a_handshake_by_another_method_is_refused": "PUT is answered 405",
    "test_a_post_is_answered_ok": "it is answered OK, in capitals",
    "test_a_malformed_packet_ends_a_polling_session": "it is logged, and answered OK",
    "test_a_second_poll_ends_the_session": "both polls wait for the same queue",
    "test_a_cancelled_poll_ends_the_session": "the hang-up is not noticed",
    "test_a_polling_client_that_misses_its_pong_is_gone": "checked at the next send only",
    "test_a_polling_client_may_close": "its outstanding poll is not answered",
    "test_an_upgrade_moves_the_session": "UPGRADE is echoed with a NOOP on the websocket",
    "test_a_second_websocket_is_closed": "refused with 403 before the websocket opens",
    "test_a_probe_that_comes_to_nothing_leaves_the_session_alone": "polls get only NOOP meanwhile",
    "test_errors_carry_the_code_of_the_reference_implementation": "plain texts",
    "test_a_body_that_is_too_large_is_answered_413": "answered 400",
}


@pytest.fixture(params=["direct", "stock"])
async def pod(request: pytest.FixtureRequest) -> AsyncIterator[Pod]:
    if request.param == "stock" and (cause := STOCK_DIFFERS.get(request.node.originalname)):
        request.applymarker(pytest.mark.xfail(reason=cause, strict=True))
    sio = AsyncServer(
        direct=request.param == "direct",
        ping_interval=PING_INTERVAL_SECONDS,
        ping_timeout=PING_TIMEOUT_SECONDS,
        connect_timeout=0,
        cors_allowed_origins="*",
        max_http_buffer_size=100_000,
    )

    async def echo(sid: str, data: Any) -> None:
        await sio.eio.send(sid, data)

    sio.eio.on("message", echo)
    async with running(sio, socketio_path="engine.io") as pod:
        yield pod


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(timeout=5) as client:
        yield client


def address(pod: Pod, query: str = "EIO=4&transport=polling") -> str:
    return f"{pod.url}{pod.path}?{query}"


def check_handshake(text: str, upgrades: list[str]) -> None:
    assert text[0] == "0"
    handshake = json.loads(text[1:])
    assert isinstance(handshake.pop("sid"), str)
    assert handshake == {
        "upgrades": upgrades,
        "pingInterval": 300,
        "pingTimeout": 200,
        "maxPayload": 100_000,
    }


# --- Handshake ---------------------------------------------------------------------------


async def test_a_polling_handshake_tells_all_parameters(pod: Pod, http: httpx.AsyncClient) -> None:
    response = await http.get(address(pod))

    assert response.status_code == 200
    check_handshake(response.text, ["websocket"])


async def test_a_websocket_handshake_tells_all_parameters(pod: Pod) -> None:
    async with pod.websocket() as websocket:
        check_handshake(str(await websocket.recv()), [])


@pytest.mark.parametrize("query", ["transport=polling", "EIO=3&transport=polling"])
async def test_another_protocol_version_is_refused(
    pod: Pod, http: httpx.AsyncClient, query: str
) -> None:
    assert (await http.get(address(pod, query))).status_code == 400


@pytest.mark.parametrize("query", ["EIO=4&transport=carrier-pigeon"])
async def test_an_unknown_transport_is_refused(
    pod: Pod, http: httpx.AsyncClient, query: str
) -> None:
    assert (await http.get(address(pod, query))).status_code == 400


async def test_a_handshake_without_a_transport_is_refused(
    pod: Pod, http: httpx.AsyncClient
) -> None:
    assert (await http.get(address(pod, "EIO=4"))).status_code == 400


async def test_a_handshake_by_another_method_is_refused(pod: Pod, http: httpx.AsyncClient) -> None:
    assert (await http.post(address(pod))).status_code == 400
    assert (await http.put(address(pod))).status_code == 400


async def test_an_unknown_session_is_refused(pod: Pod, http: httpx.AsyncClient) -> None:
    assert (await http.get(address(pod) + "&sid=unknown")).status_code == 400
    assert (await http.post(address(pod) + "&sid=unknown", content="4x")).status_code == 400


async def test_errors_carry_the_code_of_the_reference_implementation(
    pod: Pod, http: httpx.AsyncClient
) -> None:
    unknown = await http.get(address(pod) + "&sid=unknown")
    method = await http.post(address(pod))

    assert unknown.json() == {"code": 1, "message": "Session ID unknown"}
    assert method.json() == {"code": 2, "message": "Bad handshake method"}


# --- Messages by polling -----------------------------------------------------------------


async def test_a_post_is_answered_ok(pod: Pod) -> None:
    async with polling(pod) as (http, session):
        assert (await http.post(session, content="4hello")).text == "ok"


@pytest.mark.parametrize("body", ["4hello", "4one\x1e4two\x1e4three", "4hello\x1ebAQIDBA=="])
async def test_packets_come_back_in_order(pod: Pod, body: str) -> None:
    async with polling(pod) as (http, session):
        assert (await http.post(session, content=body)).status_code == 200

        assert (await http.get(session)).text == body


async def test_a_malformed_packet_ends_a_polling_session(pod: Pod) -> None:
    async with polling(pod) as (http, session):
        assert (await http.post(session, content="abc")).status_code == 400

        assert (await http.get(session)).status_code == 400


async def test_a_second_poll_ends_the_session(pod: Pod) -> None:
    async with polling(pod) as (http, session):
        first = asyncio.create_task(http.get(session))
        await asyncio.sleep(0.05)
        second = await http.get(session)

        assert second.status_code == 400
        assert (await first).text == "1"
        assert (await http.get(session)).status_code == 400


async def test_a_cancelled_poll_ends_the_session(pod: Pod) -> None:
    async with polling(pod) as (http, session):
        first = asyncio.create_task(http.get(session))
        await asyncio.sleep(0.05)
        first.cancel()

        await until(lambda: not pod.sio.eio.sockets, "the session is gone", 0.15)
        assert (await http.get(session)).status_code == 400


async def test_a_body_that_is_too_large_is_answered_413(pod: Pod) -> None:
    async with polling(pod) as (http, session):
        response = await http.post(session, content="4" + "x" * 100_000)

        assert response.status_code == 413


# --- Messages by websocket ---------------------------------------------------------------


@pytest.mark.parametrize("packet", ["4hello", b"\x01\x02\x03\x04"])
async def test_a_packet_comes_back_on_a_websocket(pod: Pod, packet: str | bytes) -> None:
    async with pod.websocket() as websocket:
        await websocket.recv()
        await websocket.send(packet)

        assert await websocket.recv() == packet


async def test_a_malformed_packet_ends_a_websocket_session(pod: Pod) -> None:
    async with pod.websocket() as websocket:
        await websocket.recv()
        await websocket.send("abc")

        await asyncio.wait_for(websocket.wait_closed(), 0.25)


# --- Heartbeat ---------------------------------------------------------------------------


async def test_a_polling_client_is_pinged(pod: Pod) -> None:
    async with polling(pod) as (http, session):
        for _ in range(3):
            assert (await http.get(session)).text == "2"
            assert (await http.post(session, content="3")).status_code == 200


async def test_a_websocket_client_is_pinged(pod: Pod) -> None:
    async with pod.websocket() as websocket:
        await websocket.recv()
        for _ in range(3):
            assert await websocket.recv() == "2"
            await websocket.send("3")


async def test_a_polling_client_that_misses_its_pong_is_gone(pod: Pod) -> None:
    async with polling(pod) as (http, session):
        await asyncio.sleep(PING_INTERVAL_SECONDS + PING_TIMEOUT_SECONDS)

        assert (await http.get(session)).status_code == 400


async def test_a_websocket_client_that_misses_its_pong_is_closed(pod: Pod) -> None:
    async with pod.websocket() as websocket:
        await asyncio.wait_for(websocket.wait_closed(), 2)


# --- Closing -----------------------------------------------------------------------------


async def test_a_polling_client_may_close(pod: Pod) -> None:
    async with polling(pod) as (http, session):
        poll = asyncio.create_task(http.get(session))
        await asyncio.sleep(0.05)
        assert (await http.post(session, content="1")).status_code == 200

        assert (await asyncio.wait_for(poll, 0.2)).text == "6"
        assert (await http.get(session)).status_code == 400


async def test_a_websocket_client_may_close(pod: Pod) -> None:
    async with pod.websocket() as websocket:
        await websocket.recv()
        await websocket.send("1")

        await asyncio.wait_for(websocket.wait_closed(), 2)


# --- Upgrade -----------------------------------------------------------------------------


def sid_of(session: str) -> str:
    return "&sid=" + session.rsplit("=", 1)[1]


async def test_an_upgrade_moves_the_session(pod: Pod) -> None:
    async with polling(pod) as (http, session), pod.websocket(sid_of(session)) as websocket:
        await websocket.send("2probe")
        assert await websocket.recv() == "3probe"
        assert (await http.get(session)).text == "6"

        await websocket.send("5")
        await websocket.send("4hello")

        assert await websocket.recv() == "4hello"


async def test_nothing_is_lost_or_reordered_by_an_upgrade(pod: Pod) -> None:
    async with polling(pod) as (http, session), pod.websocket(sid_of(session)) as websocket:
        sid = sid_of(session).removeprefix("&sid=")
        await websocket.send("2probe")
        assert await websocket.recv() == "3probe"
        for number in range(5):
            await pod.sio.eio.send(sid, f"m{number}")
        received = [each for each in (await http.get(session)).text.split("\x1e") if each != "6"]
        for number in range(5, 10):
            await pod.sio.eio.send(sid, f"m{number}")
        await websocket.send("5")

        while len(received) < 10:
            packet = str(await asyncio.wait_for(websocket.recv(), 2))
            if packet.startswith("4"):
                received.append(packet)

        assert received == [f"4m{number}" for number in range(10)]


async def test_after_an_upgrade_polls_are_refused(pod: Pod) -> None:
    async with polling(pod) as (http, session), pod.websocket(sid_of(session)) as websocket:
        await websocket.send("2probe")
        await websocket.recv()
        await websocket.send("5")
        await asyncio.sleep(0.05)

        assert (await http.get(session)).status_code == 400
        await websocket.send("4hello")
        assert await websocket.recv() in ("4hello", "6")


async def test_a_second_websocket_is_closed(pod: Pod) -> None:
    async with polling(pod) as (_, session), pod.websocket(sid_of(session)) as websocket:
        await websocket.send("2probe")
        await websocket.recv()
        await websocket.send("5")

        async with pod.websocket(sid_of(session)) as second:
            await asyncio.wait_for(second.wait_closed(), 2)
        await websocket.send("4hello")
        assert await websocket.recv() == "4hello"


async def test_a_probe_that_comes_to_nothing_leaves_the_session_alone(pod: Pod) -> None:
    async with polling(pod) as (http, session):
        async with pod.websocket(sid_of(session)) as websocket:
            poll = asyncio.create_task(http.get(session))
            await asyncio.sleep(0.05)
            await http.post(session, content="4while opening")
            assert (await poll).text == "4while opening"
            await websocket.send("2probe")
            await websocket.recv()

        await http.post(session, content="4later")
        assert (await http.get(session)).text == "4later"


async def test_a_late_probe_is_closed() -> None:
    sio = AsyncServer(upgrade_timeout=0.1, cors_allowed_origins="*")
    async with running(sio) as pod, polling(pod) as (http, session):
        async with pod.websocket(sid_of(session)) as websocket:
            await asyncio.wait_for(websocket.wait_closed(), 2)

        assert sio.stats.failed_upgrades == 1
        assert (await http.post(session, content="40")).status_code == 200
