"""What a gateway tells the API server of its cluster, against a server with TLS that listens."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from cluster.certificates import Certificates
from cluster.waiting import eventually
from pytake.processes.pod_deletion_cost import PodAddress, PodDeletionCost
from pytake.processes.server import bind

pytestmark = pytest.mark.integration


class ApiServer:
    """Takes patches of pods, and refuses while it is told to."""

    def __init__(self) -> None:
        self.costs: list[str] = []
        self.asked: list[tuple[str, str, str]] = []
        self.status = 200

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = (await receive())["body"]
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        self.asked.append((scope["method"], scope["path"], headers["authorization"]))
        if self.status == 200:
            assert headers["content-type"] == "application/merge-patch+json"
            (cost,) = json.loads(body)["metadata"]["annotations"].values()
            self.costs.append(cost)
        await send({"type": "http.response.start", "status": self.status, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})


@asynccontextmanager
async def listening(app: Any, certificates: Certificates) -> AsyncIterator[int]:
    bound = bind("127.0.0.1", 0)
    files: dict[str, Any] = {
        "ssl_certfile": certificates.certificate,
        "ssl_keyfile": certificates.key,
    }
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off", **files))
    serving = asyncio.create_task(server._serve([bound]))
    try:
        yield bound.getsockname()[1]
    finally:
        server.should_exit = True
        await serving


@pytest.fixture
def account(tmp_path: Path, certificates: Certificates) -> Path:
    (tmp_path / "namespace").write_text("chat\n")
    (tmp_path / "token").write_text("first-token\n")
    shutil.copy(certificates.authority, tmp_path / "ca.crt")
    return tmp_path


async def test_the_cost_follows_the_connections(account: Path, certificates: Certificates) -> None:
    api, connections = ApiServer(), 7
    async with listening(api, certificates) as port:
        found = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(port)}
        address = PodAddress.found(found, "rt-gateway-abc", account)
        assert address is not None
        telling = asyncio.create_task(PodDeletionCost(address, lambda: connections, 0.02).run())
        try:
            await eventually(lambda: api.costs == ["7"], "it is told once")
            api.status = 503
            connections = 9
            await eventually(lambda: len(api.asked) >= 3, "it is refused and tried again")
            (account / "token").write_text("renewed-token\n")
            api.status = 200
            await eventually(lambda: api.costs == ["7", "9"], "it is told when it can be")
        finally:
            telling.cancel()
            await asyncio.gather(telling, return_exceptions=True)

    path = "/api/v1/namespaces/chat/pods/rt-gateway-abc"
    assert api.asked[0] == ("PATCH", path, "Bearer first-token")
    assert api.asked[-1] == ("PATCH", path, "Bearer renewed-token")


def test_outside_of_kubernetes_nobody_is_told(account: Path) -> None:
    inside = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"}

    assert PodAddress.found({}, "a-pod", account) is None
    assert PodAddress.found(inside, "", account) is None
    assert PodAddress.found(inside, "a-pod", account / "nowhere") is None
    six = PodAddress.found(inside | {"KUBERNETES_SERVICE_HOST": "fd00::1"}, "a-pod", account)
    assert six is not None
    assert six.url.startswith("https://[fd00::1]:443/")
