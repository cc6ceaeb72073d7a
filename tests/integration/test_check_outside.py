"""`pytake check --url`: what it finds at addresses that are well, and at those that are not."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import socketio
import uvicorn

from cluster.certificates import Certificates, create_certificates
from pytake.processes.commands.check_outside import OutsideFailed, outside_checks
from pytake.processes.server import bind

pytestmark = pytest.mark.integration


def pod() -> Any:
    """A stock Socket.IO server with `/health`, as a client would meet ours."""

    async def other(scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        body = b'{"status": "ok", "version": "1.2.3"}'
        await send({"type": "http.response.body", "body": body})

    return socketio.ASGIApp(socketio.AsyncServer(async_mode="asgi"), other)


def forgetful(*pods: Any) -> Any:
    """A proxy without stickiness: each request goes to the next pod."""
    turns = itertools.cycle(pods)

    async def proxy(scope: Any, receive: Any, send: Any) -> None:
        await next(turns)(scope, receive, send)

    return proxy


@asynccontextmanager
async def served(app: Any, **options: Any) -> AsyncIterator[str]:
    bound = bind("127.0.0.1", 0)
    given = {"ws": "websockets-sansio", "log_config": None, "lifespan": "off"} | options
    server = uvicorn.Server(uvicorn.Config(app, **given))
    serving = asyncio.create_task(server._serve([bound]))
    scheme = "https" if "ssl_certfile" in options else "http"
    try:
        yield f"{scheme}://127.0.0.1:{bound.getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving


async def found_at(url: str) -> dict[str, str]:
    """Return by check `ok`, or why it failed."""
    found: dict[str, str] = {}
    for name, check in outside_checks(url):
        try:
            await check()
            found[name] = "ok"
        except OutsideFailed as error:
            found[name] = str(error)
    return found


async def test_at_a_good_address_all_is_well() -> None:
    async with served(pod()) as url:
        assert await found_at(url) == {"health": "ok", "affinity": "ok", "upgrade": "ok"}


async def test_a_proxy_that_forgets_is_found() -> None:
    async with served(forgetful(pod(), pod(), pod())) as url:
        found = await found_at(url)

    assert "another pod" in found["affinity"]
    assert found["health"] == "ok"


async def test_a_proxy_that_does_not_upgrade_is_found() -> None:
    async with served(pod(), ws="none") as url:
        found = await found_at(url)

    assert "Upgrade" in found["upgrade"]
    assert found["affinity"] == "ok"


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return create_certificates(tmp_path)


async def test_a_certificate_is_trusted_or_told_why_not(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {"ssl_certfile": certificates.certificate, "ssl_keyfile": certificates.key}
    async with served(pod(), **files) as url:
        (_, check), *_ = outside_checks(url)
        with pytest.raises(OutsideFailed, match="not trusted"):
            await check()
        monkeypatch.setenv("SSL_CERT_FILE", str(certificates.authority))

        found = await found_at(url)

    assert set(found) == {"tls", "health", "affinity", "upgrade"}
    assert {name: text for name, text in found.items() if name != "tls"} == {
        "health": "ok",
        "affinity": "ok",
        "upgrade": "ok",
    }
    # The test's certificate lives for days only, which is what an operator should be told.
    assert found["tls"] == "ok" or "ends in" in found["tls"]
