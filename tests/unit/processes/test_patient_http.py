"""Connections that never say what they want."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvicorn

from cluster.waiting import eventually
from pytake.processes.patient_http import PatientHttpProtocol
from pytake.processes.server import bind


class Impatient(PatientHttpProtocol):
    headers_within_seconds = 0.5
    body_grace_seconds = 0.5
    rest_within_seconds = 0.3
    look_at_answer_seconds = 0.5


LARGE = 8_000_000
ended: list[str] = []


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["path"] == "/slow":
        await asyncio.sleep(0.8)
    if scope["path"] == "/large":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"x" * LARGE})
        return
    if scope["path"] == "/read":
        more = True
        while more:
            message = await receive()
            more = message.get("more_body", False)
        if message["type"] == "http.disconnect":
            ended.append("/read")
            return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"done"})


@pytest.fixture
async def server() -> AsyncIterator[uvicorn.Server]:
    bound = bind("127.0.0.1", 0)
    config = uvicorn.Config(
        app, http=Impatient, log_config=None, access_log=False, lifespan="off", ws="none"
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server._serve([bound]))
    await eventually(lambda: server.started, "it serves")
    yield server
    server.should_exit = True
    await serving


@pytest.fixture
def address(server: uvicorn.Server) -> Any:
    return server.servers[0].sockets[0].getsockname()[:2]


@pytest.mark.parametrize("sent", [b"", b"G", b"GET / HTTP/1.1\r\nHost: x\r\nX-A: "])
async def test_headers_that_do_not_come_end_the_connection(address: Any, sent: bytes) -> None:
    reader, writer = await asyncio.open_connection(*address)
    writer.write(sent)

    async with asyncio.timeout(5):
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)
    writer.close()


async def test_a_request_may_take_longer_than_its_headers_and_the_next_one_as_well(
    address: Any,
) -> None:
    reader, writer = await asyncio.open_connection(*address)

    for path in (b"/slow", b"/slow"):
        writer.write(b"GET " + path + b" HTTP/1.1\r\nHost: x\r\n\r\n")
        async with asyncio.timeout(5):
            assert await reader.readuntil(b"done")

    writer.close()


async def test_the_second_request_of_a_connection_has_a_deadline_too(address: Any) -> None:
    reader, writer = await asyncio.open_connection(*address)
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    async with asyncio.timeout(5):
        await reader.readuntil(b"done")
    writer.write(b"GET / HTTP/1.1\r\n")

    async with asyncio.timeout(5):
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await reader.readexactly(20)
    writer.close()


async def test_headers_without_end_are_not_kept(
    address: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Impatient, "headers_within_seconds", 60)
    _, writer = await asyncio.open_connection(*address)
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nX-A: ")

    async def pour() -> None:
        while True:
            writer.write(b"x" * 8192)
            await writer.drain()

    async with asyncio.timeout(10):
        with pytest.raises(ConnectionError):
            await pour()
    writer.close()


async def closed(reader: asyncio.StreamReader) -> bytes:
    """Return what came before the connection ended."""
    received = b""
    async with asyncio.timeout(5):
        with contextlib.suppress(ConnectionError):
            while more := await reader.read(65_536):
                received += more
    return received


@pytest.mark.parametrize("path", [b"/read", b"/"])
async def test_a_body_that_comes_byte_by_byte_ends_the_connection(
    address: Any, path: bytes
) -> None:
    """Whether somebody waits for it, or it was answered before it came."""
    ended.clear()
    reader, writer = await asyncio.open_connection(*address)
    writer.write(b"POST " + path + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n")

    async def trickle() -> None:
        with contextlib.suppress(ConnectionError):
            while True:
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.05)

    trickling = asyncio.create_task(trickle())
    answer = await closed(reader)

    assert (b"done" in answer) == (path == b"/")
    assert ended == (["/read"] if path == b"/read" else [])
    trickling.cancel()
    writer.close()


async def test_a_body_may_take_its_time_as_long_as_it_gets_on(address: Any) -> None:
    reader, writer = await asyncio.open_connection(*address)
    size = 40 * 1024
    head = f"POST /read HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n"
    writer.write(head.encode())

    for _ in range(20):
        writer.write(b"x" * (size // 20))
        await writer.drain()
        await asyncio.sleep(0.05)

    async with asyncio.timeout(5):
        assert await reader.readuntil(b"done")
    writer.close()


async def test_an_early_answer_reaches_who_still_sends_and_the_connection_goes_on(
    address: Any,
) -> None:
    reader, writer = await asyncio.open_connection(*address)
    writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345")
    async with asyncio.timeout(5):
        await reader.readuntil(b"done")

    writer.write(b"67890GET / HTTP/1.1\r\nHost: x\r\n\r\n")

    async with asyncio.timeout(5):
        assert await reader.readuntil(b"done")
    writer.close()


async def test_an_answer_that_is_not_taken_ends_the_connection(
    server: uvicorn.Server, address: Any
) -> None:
    reader, writer = await asyncio.open_connection(*address, limit=1024)
    writer.write(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
    await eventually(lambda: server.server_state.connections, "it is connected")

    await eventually(lambda: not server.server_state.connections, "the connection is let go")

    assert len(await closed(reader)) < LARGE
    writer.close()


async def test_a_large_answer_may_take_its_time_as_long_as_it_is_taken(address: Any) -> None:
    """A phone on a slow line: several looks pass before the file is through."""
    reader, writer = await asyncio.open_connection(*address, limit=1024)
    writer.write(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")

    received = 0
    async with asyncio.timeout(20):
        while received < LARGE:
            received += len(await reader.read(100_000))
            await asyncio.sleep(0.02)

    writer.close()
