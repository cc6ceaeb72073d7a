"""`pytake gateway` as an operator runs it: probes, drain, signals, and Redis that is away."""

import asyncio
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest

from cluster.pods import Pod, run_pytake
from cluster.redis_server import RedisServer
from cluster.waiting import eventually, wait_until
from integration.gateway.clients import Client

pytestmark = pytest.mark.integration

SECRET = "process-test-secret-of-enough-bytes"
ORGANIZATION = "6a1f0a3e-0000-4000-8000-00000000000a"
ANA = "6a1f0a3e-0000-4000-8000-0000000000aa"


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path)
    server.start()
    server.wait_until_serving()
    yield server
    if server.is_running:
        server.kill()


@pytest.fixture
def pod(tmp_path: Path, redis: RedisServer) -> Iterator[Pod]:
    settings = {
        "PYTAKE_DATABASE_URL": f"sqlite+aiosqlite:///{tmp_path / 'gateway.db'}",
        "PYTAKE_REDIS_URL": redis.url,
        "PYTAKE_JWT_SECRET": SECRET,
        "PYTAKE_DRAIN_SECONDS": "1",
    }
    run_pytake("migrate", settings=settings, folder=tmp_path)
    pod = Pod("gateway", "gateway", tmp_path, settings)
    yield pod
    if pod.is_running:
        pod.kill()


@pytest.fixture
def serving_pod(pod: Pod) -> Pod:
    pod.start()
    pod.wait_until_serving()
    return pod


def token(**claims: Any) -> str:
    everything = {
        "sub": ANA,
        "organization_id": ORGANIZATION,
        "role": "agent",
        "exp": int(time.time()) + 600,
    }
    return jwt.encode(everything | claims, SECRET)


def inner(pod: Pod, path: str) -> httpx.Response:
    return httpx.get(f"{pod.inner_address}{path}", timeout=5)


async def test_the_inner_port_tells_who_is_connected(serving_pod: Pod) -> None:
    client = Client(serving_pod.address, token())
    await client.connect()

    items = inner(serving_pod, f"/internal/connections?user={ANA}").json()["items"]

    assert [item["sid"] for item in items] == [client.sid]
    assert (items[0]["role"], items[0]["transport"]) == ("agent", "websocket")
    assert items[0]["bytes_waiting"] == 0
    assert items[0]["open_seconds"] >= 0
    assert inner(serving_pod, "/internal/connections?user=nobody").json()["items"] == []
    assert "websocket_connections 1" in inner(serving_pod, "/metrics").text
    await client.close()


def test_the_public_port_has_no_inner_routes(serving_pod: Pod) -> None:
    for path in ("/metrics", "/readyz", "/internal/drain", "/internal/connections"):
        assert httpx.get(f"{serving_pod.address}{path}").status_code == 404
    answer = httpx.get(f"{serving_pod.address}/health").json()
    assert answer["status"] == "ok"


async def test_sigterm_moves_the_clients_and_ends_with_0(serving_pod: Pod) -> None:
    client = Client(serving_pod.address, token())
    await client.connect()

    serving_pod.send_signal(signal.SIGTERM)

    assert (await client.next("server:draining"))["reconnect_after_ms"] >= 0
    assert (await client.next("error"))["code"] == "draining"
    await client.wait_closed()
    assert serving_pod.wait() == 0
    await client.close()


async def test_a_drain_can_be_asked_for_before_the_signal(serving_pod: Pod) -> None:
    client = Client(serving_pod.address, token())
    await client.connect()

    assert inner(serving_pod, "/internal/drain").status_code == 202

    await client.next("server:draining")
    ready = inner(serving_pod, "/readyz")
    assert ready.status_code == 503
    assert ready.json()["reasons"] == {"drain": "draining"}
    await client.wait_closed()
    serving_pod.send_signal(signal.SIGTERM)
    assert serving_pod.wait() == 0
    await client.close()


async def test_asked_to_wait_it_leaves_first_and_moves_nobody_yet(serving_pod: Pod) -> None:
    client = Client(serving_pod.address, token())
    await client.connect()
    hook = asyncio.create_task(asyncio.to_thread(inner, serving_pod, "/internal/drain?wait=2"))

    await eventually(lambda: inner(serving_pod, "/readyz").status_code == 503, "it is not ready")

    handshake = f"{serving_pod.address}/socket.io/?EIO=4&transport=polling"
    refused = await asyncio.to_thread(httpx.get, handshake)
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    assert (await client.call("ping"))["ok"], "who is here is served on"
    assert "server:draining" not in [event for event, _ in client.received]
    assert not hook.done()
    assert (await hook).status_code == 202
    await client.next("server:draining")
    await client.close()


@pytest.mark.parametrize("wait", ["-1", "soon", "nan", "1e9"])
def test_a_wait_that_is_none_is_refused_and_drains_nothing(serving_pod: Pod, wait: str) -> None:
    assert inner(serving_pod, f"/internal/drain?wait={wait}").status_code == 400
    assert inner(serving_pod, "/readyz").status_code == 200


def test_a_second_signal_ends_it_at_once(serving_pod: Pod) -> None:
    serving_pod.send_signal(signal.SIGTERM)
    serving_pod.send_signal(signal.SIGTERM)

    wait_until(lambda: not serving_pod.is_running, "the process has ended", 5)


def test_a_pod_that_never_reached_redis_asks_for_no_clients(pod: Pod, redis: RedisServer) -> None:
    redis.kill()
    pod.start()
    wait_until(lambda: _answers(pod), "the inner port answers")

    assert inner(pod, "/readyz").json()["reasons"] == {"redis": "was never reached by this pod"}
    redis.start()

    wait_until(lambda: inner(pod, "/readyz").status_code == 200, "it is ready", 15)


def _answers(pod: Pod) -> bool:
    # `is_serving` reads the addresses from the log; it is never true here.
    pod.is_serving()
    try:
        return inner(pod, "/livez").status_code == 200
    except (httpx.HTTPError, KeyError):
        return False


def shared_limits(pod: Pod) -> dict[str, float]:
    found = re.findall(r'pytake_limits_shared\{limit="(\w+)"\} (\S+)', pod.metrics())
    return {limit: float(value) for limit, value in found}


async def test_while_redis_is_frozen_the_pod_stays_ready_and_lets_users_in(
    serving_pod: Pod, redis: RedisServer
) -> None:
    redis.freeze()
    started = time.monotonic()
    client = Client(serving_pod.address, token())
    await client.connect()
    took = time.monotonic() - started

    await eventually(
        lambda: "redis" in inner(serving_pod, "/readyz").json().get("notes", {}), "a note says so"
    )
    assert inner(serving_pod, "/readyz").status_code == 200
    assert (await client.call("ping"))["ok"]
    assert took < 2
    assert shared_limits(serving_pod) == {"connections": 0, "events": 0}
    redis.thaw()
    await eventually(
        lambda: "notes" not in inner(serving_pod, "/readyz").json(), "it is well again", 20
    )
    await eventually(
        lambda: shared_limits(serving_pod) == {"connections": 1, "events": 1},
        "limits hold for the cluster again",
        20,
    )
    await client.close()


async def test_no_token_is_ever_logged(serving_pod: Pod) -> None:
    good, bad = token(), token(exp=1)
    client = Client(serving_pod.address, good)
    await client.connect()
    await client.call("auth:refresh", {"token": bad})
    await client.send("no such event", {"token": good})
    await client.call("ping")
    await client.close()
    serving_pod.send_signal(signal.SIGTERM)
    serving_pod.wait()

    log = serving_pod.log.read_text()

    assert "listening" in log
    for each in (good, bad):
        assert each not in log
        assert each.split(".")[1] not in log
