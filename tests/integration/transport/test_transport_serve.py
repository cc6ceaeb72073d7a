"""The process: limits from outside, and an end that is clean."""

import asyncio
import signal
import sys
from typing import Any

import httpx
import pytest

from pytake.transport import AsyncServer
from running_transport import RawWebsocket, connected, polling, running, until

PROGRAM = """
import logging
logging.basicConfig(level=logging.INFO)
from pytake.transport import AsyncServer, serve
async def app(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"beside"})
    elif scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
serve(AsyncServer(), app, port=0)
print("returned")
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_the_process_with_status_0(number: signal.Signals) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROGRAM,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stderr is not None
    try:
        line = b""
        while b"running on" not in line:
            line = await asyncio.wait_for(process.stderr.readline(), 20)
            assert line, "ended before it listened"
        url = line.split(b"running on ")[1].split()[0].decode()
        async with httpx.AsyncClient() as http:
            assert (await http.get(url)).text == "beside"
            address = f"{url}/socket.io/?EIO=4&transport=polling"
            sid = (await http.get(address)).text.split('"sid":"')[1].split('"')[0]
            poll = asyncio.create_task(http.get(f"{address}&sid={sid}", timeout=20))
            await asyncio.sleep(0.1)

            process.send_signal(number)
            output, _ = await asyncio.wait_for(process.communicate(), 10)

            assert (await poll).status_code == 200
        assert process.returncode == 0
        assert output == b"returned\n"
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_an_event_that_is_too_large_is_answered_and_not_handled() -> None:
    refused: list[tuple[str | None, int]] = []

    async def on_oversized(sid: str, event: str | None, size: int) -> Any:
        refused.append((event, size))
        return {"ok": False}

    sio = AsyncServer(
        max_event_bytes=1000,
        max_http_buffer_size=16_000,
        on_oversized_event=on_oversized,
        cors_allowed_origins="*",
    )
    handled: list[str] = []
    sio.on("note", lambda sid, text: handled.append(text))
    async with running(sio) as pod, connected(pod) as [ana]:
        assert await ana.sio.call("note", "x" * 2000, timeout=5) == {"ok": False}
        assert await ana.sio.call("note", b"x" * 2000, timeout=5) == {"ok": False}
        await ana.sio.call("note", "small", timeout=5)

        assert [event for event, _ in refused] == ["note", "note"]
        assert handled == ["small"]
        assert sio.stats.oversized_events == 2


async def test_a_message_that_is_too_large_closes_1009_or_413() -> None:
    sio = AsyncServer(max_http_buffer_size=16_000, cors_allowed_origins="*")
    async with running(sio) as pod:
        client = await RawWebsocket.open(pod)
        client.send(b"40" + b"x" * 16_000)
        assert await client.close_code() == 1009
        await client.close()

        async with polling(pod) as (http, session):
            assert (await http.post(session, content="4" * 16_001)).status_code == 413
        await until(lambda: sio.stats.closed["payload too large"] == 2, "both counted")


async def test_a_foreign_origin_is_refused_on_both_transports() -> None:
    sio = AsyncServer(cors_allowed_origins=["https://ours.example"])
    async with running(sio) as pod, httpx.AsyncClient() as http:
        address = f"{pod.url}/socket.io/?EIO=4&transport=polling"
        foreign = await http.get(address, headers={"Origin": "https://theirs.example"})
        ours = await http.get(address, headers={"Origin": "https://ours.example"})
        with pytest.raises(Exception, match="403"):
            async with pod.websocket(origin="https://theirs.example"):
                pass

        assert foreign.status_code == 403
        assert ours.headers["access-control-allow-origin"] == "https://ours.example"
        async with pod.websocket(origin="https://ours.example") as websocket:
            assert str(await websocket.recv()).startswith("0{")


async def test_large_polling_answers_are_compressed_for_who_can_read_them() -> None:
    sio = AsyncServer(cors_allowed_origins="*")
    sio.on("connect", lambda sid, environ, auth: None)
    async with running(sio) as pod, polling(pod) as (http, session):
        await http.post(session, content="40")
        await until(lambda: "/" in sio.manager.get_namespaces(), "connected")
        await sio.emit("n", "x" * 5000)

        response = await http.get(session)

        assert response.headers["content-encoding"] == "gzip"
        assert "x" * 5000 in response.text


async def test_a_pong_that_is_late_is_measured_and_one_that_is_missing_ends_the_session() -> None:
    sio = AsyncServer(ping_interval=0.2, ping_timeout=0.2, cors_allowed_origins="*")
    async with running(sio) as pod, pod.websocket() as websocket:
        await websocket.recv()
        assert await websocket.recv() == "2"
        await websocket.send("3")
        await until(lambda: sio.stats.ping_rtt_count == 1, "the round trip is measured")

        await until(lambda: sio.stats.closed["ping timeout"] == 1, "gone", 2)
        assert sum(sio.stats.ping_rtt_buckets) == 1
