"""Connections that never say what they want."""

import asyncio
from typing import Any

import pytest
import uvicorn

from pytake.processes.patient_http import PatientHttpProtocol
from pytake.processes.server import bind


class Impatient(PatientHttpProtocol):
    headers_within_seconds = 0.5


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["path"] == "/slow":
        await asyncio.sleep(0.8)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"done"})


@pytest.fixture
async def address() -> Any:
    bound = bind("127.0.0.1", 0)
    config = uvicorn.Config(
        app, http=Impatient, log_config=None, access_log=False, lifespan="off", ws="none"
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server._serve([bound]))
    yield bound.getsockname()[:2]
    server.should_exit = True
    await serving


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
