"""What becomes of calls to the Graph API that the network spoils."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from pytake.whatsapp.graph import (
    Accepted,
    GraphClient,
    GraphError,
    Number,
    Unknown,
    Unreachable,
)

NUMBER = Number("1", "token")


@asynccontextmanager
async def graph_server(address: str = "{base}/slow") -> AsyncIterator[str]:
    """Tells the address of any file, gives `/slow` a byte at a time, never answers a message."""
    base = ""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        path = (await reader.readuntil(b"\r\n\r\n")).split()[1]
        try:
            if path.endswith(b"/messages"):
                await reader.read()
            elif path != b"/slow":
                body = json.dumps({"url": address.format(base=base)}).encode()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            else:
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
                while True:
                    writer.write(b"x")
                    await writer.drain()
                    await asyncio.sleep(0.01)
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        base = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield base


@asynccontextmanager
async def always(answer: object) -> AsyncIterator[GraphClient]:
    """Speak with a Graph API that has one answer for everything."""

    async def give(_: Request) -> JSONResponse:
        return JSONResponse(answer)

    app = Starlette(routes=[Route("/{path:path}", give, methods=["GET", "POST"])])
    async with GraphClient.connect("http://graph", "v25.0", httpx.ASGITransport(app)) as graph:
        yield graph


async def test_a_file_that_trickles_is_given_up_in_time() -> None:
    async with (
        graph_server() as base,
        GraphClient.connect(base, "v25.0", download_timeout=0.2) as graph,
    ):
        with pytest.raises(GraphError, match="TimeoutError"):
            await graph.download(NUMBER, "9001")


async def test_an_address_that_is_none_is_an_error_like_any_other() -> None:
    async with (
        graph_server("http://\x01/") as base,
        GraphClient.connect(base, "v25.0") as graph,
    ):
        with pytest.raises(GraphError, match="InvalidURL"):
            await graph.download(NUMBER, "9001")


@pytest.mark.parametrize("contacts", [None, "none", [], [None], [{}], {"wa_id": 1}])
async def test_an_accepted_message_is_accepted_whatever_stands_beside_its_id(
    contacts: object,
) -> None:
    answer = {"messages": [{"id": "wamid.1"}], "contacts": contacts}

    async with always(answer) as graph:
        assert await graph.send(NUMBER, {}) == Accepted("wamid.1", None)


@pytest.mark.parametrize(
    "answer", [{"data": None}, {"data": [None]}, {"paging": "none"}, {"paging": {"next": 1}}]
)
async def test_a_list_of_templates_without_sense_is_empty(answer: object) -> None:
    async with always(answer) as graph:
        assert await graph.templates(NUMBER, "1") == []


async def test_what_finds_no_connection_has_not_left() -> None:
    async with (
        graph_server() as base,
        GraphClient.connect(base, "v25.0", timeout=1.0, max_connections=1) as graph,
    ):
        holder, waiter = (asyncio.ensure_future(graph.send(NUMBER, {})) for _ in range(2))

        assert await waiter == Unreachable("PoolTimeout")
        assert isinstance(await holder, Unknown)
