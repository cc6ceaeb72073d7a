"""Two gateways and an API as processes: what must hold when one dies, or when Redis does."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
import redis
import socketio

from cluster.pods import Pod, run_pytake
from cluster.redis_server import RedisServer
from cluster.waiting import eventually
from integration.gateway.clients import Client

pytestmark = pytest.mark.integration

SECRET = "process-test-secret-of-enough-bytes"
ORGANIZATION = "6a1f0a3e-0000-4000-8000-00000000000a"
ANA, BRUNO = (f"6a1f0a3e-0000-4000-8000-0000000000{each}" for each in ("aa", "bb"))
CAP = 3


@dataclass
class Platform:
    here: Pod
    there: Pod
    api: Pod
    redis: RedisServer


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    server = RedisServer(tmp_path)
    server.start()
    server.wait_until_serving()
    settings = {
        "PYTAKE_DATABASE_URL": f"sqlite+aiosqlite:///{tmp_path / 'together.db'}",
        "PYTAKE_REDIS_URL": server.url,
        "PYTAKE_JWT_SECRET": SECRET,
        "PYTAKE_DRAIN_SECONDS": "0",
        "PYTAKE_MEDIA_URL": f"file:{tmp_path / 'media'}",
        "PYTAKE_MAX_CONNECTIONS_PER_USER": str(CAP),
    }
    run_pytake("migrate", settings=settings, folder=tmp_path)
    here, there = (Pod("gateway", name, tmp_path, settings) for name in ("here", "there"))
    api = Pod("api", "api", tmp_path, settings)
    pods = (here, there, api)
    for pod in pods:
        pod.start()
    for pod in pods:
        pod.wait_until_serving()
    yield Platform(here, there, api, server)
    for program in (*pods, server):
        if program.is_running:
            program.kill()


def token(user: str, **claims: Any) -> str:
    everything = {
        "sub": user,
        "organization_id": ORGANIZATION,
        "role": "agent",
        "iat": int(time.time()) - 5,
        "exp": int(time.time()) + 600,
    }
    return jwt.encode(everything | claims, SECRET)


async def connected(pod: Pod, user: str) -> Client:
    client = Client(pod.address, token(user))
    await client.connect()
    return client


async def test_ghosts_of_a_dead_pod_cost_no_living_tab_its_place_and_are_gone_in_15_s(
    platform: Platform,
) -> None:
    """Late pods give way before living tabs; after fifteen seconds nothing is left of them."""
    living = [await connected(platform.here, ANA) for _ in range(CAP - 1)]
    ghosts = [await connected(platform.there, user) for user in (ANA, BRUNO, BRUNO, BRUNO)]
    with redis.Redis.from_url(platform.redis.url, decode_responses=True) as store:
        [dead] = {
            value.split()[0] for value in store.hvals(f"pytake:places:{{{BRUNO}}}") if " " in value
        }
        platform.there.kill()

        def silent_for(seconds: float) -> bool:
            beat = store.hget("pytake:pods", dead)
            return int(store.time()[0]) * 1000 - int(str(beat)) > seconds * 1000

        # Five seconds are late; the pod that is here reads heartbeats every two.
        await eventually(lambda: silent_for(7.5), "the dead pod is late", 15)
        living.append(await connected(platform.here, ANA))
        for client in living:
            assert (await client.call("ping"))["ok"], "the ghost gave way, nobody else"

        await eventually(lambda: silent_for(15), "fifteen seconds have passed", 15)
        bruno = await connected(platform.here, BRUNO)
        places = [each for each in store.hkeys(f"pytake:places:{{{BRUNO}}}") if each != "#"]
        assert places == [bruno.sid]
    for client in (*living, *ghosts, bruno):
        await client.close()


async def test_a_revocation_that_was_said_while_redis_is_away_holds_on_every_pod(
    platform: Platform,
) -> None:
    clients = [await connected(pod, ANA) for pod in (platform.here, platform.there)]
    bruno = await connected(platform.there, BRUNO)
    platform.redis.freeze()
    try:
        headers = {"Authorization": f"Bearer {token(BRUNO, role='admin')}"}
        async with httpx.AsyncClient(timeout=10) as http:
            answer = await http.post(
                f"{platform.api.address}/api/v1/users/{ANA}/revoke", headers=headers
            )
        revoked_at = time.monotonic()
        assert answer.status_code == 204
        for client in clients:
            assert (await client.next("error"))["code"] == "token_revoked"
            await client.wait_closed()
        took = time.monotonic() - revoked_at

        for pod in (platform.here, platform.there):
            again = Client(pod.address, token(ANA))
            with pytest.raises(socketio.exceptions.ConnectionError):
                await again.connect()
            assert again.refused[0]["data"]["code"] == "token_revoked"
            await again.close()
        assert (await bruno.call("ping"))["ok"]
        print(f"closed on both pods {took:.2f} s after the answer, Redis away")
    finally:
        platform.redis.thaw()
    for client in (*clients, bruno):
        await client.close()
