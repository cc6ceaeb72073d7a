"""`pytake api` as an operator runs it: a process, a real Redis, signals, and what it logs."""

import signal
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest

from cluster.pods import Pod, run_pytake
from cluster.redis_server import RedisServer
from cluster.waiting import scaled, wait_until

pytestmark = pytest.mark.integration

SECRET = "process-test-secret-of-enough-bytes"
PASSWORD = "correct horse battery"
ORGANIZATION = "6a1f0a3e-0000-4000-8000-00000000000a"


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
        "PYTAKE_DATABASE_URL": f"sqlite+aiosqlite:///{tmp_path / 'api.db'}",
        "PYTAKE_REDIS_URL": redis.url,
        "PYTAKE_JWT_SECRET": SECRET,
        "PYTAKE_HTTP_RATE_LIMIT": "20/3600",
        "PYTAKE_MEDIA_URL": f"file:{tmp_path / 'media'}",
        "PYTAKE_WHATSAPP_VERIFY_TOKEN": "verify-me",
    }
    run_pytake("migrate", settings=settings, folder=tmp_path)
    pod = Pod("api", "api", tmp_path, settings)
    pod.start()
    pod.wait_until_serving()
    yield pod
    if pod.is_running:
        pod.kill()


def token(user: str = "ana", role: str = "agent", **claims: Any) -> str:
    everything = {
        "sub": user,
        "organization_id": ORGANIZATION,
        "role": role,
        "exp": int(time.time()) + 600,
    }
    return jwt.encode(everything | claims, SECRET)


def call(pod: Pod, method: str, path: str, *, bearer: str | None = None, **given: Any) -> Any:
    headers = {"Authorization": f"Bearer {bearer or token('robot', 'bot')}"}
    return httpx.request(method, pod.address + path, headers=headers, timeout=10, **given)


def test_it_serves_on_two_listeners_and_ends_with_0(pod: Pod) -> None:
    health = httpx.get(f"{pod.address}/health").json()
    inner = {path: pod.probe(path) for path in ("/livez", "/readyz", "/startupz", "/metrics")}
    outer = {
        path: httpx.get(pod.address + path).status_code
        for path in ("/livez", "/readyz", "/startupz", "/metrics", "/internal/drain")
    }
    webhook = httpx.get(
        f"{pod.address}/api/v1/webhooks/whatsapp",
        params={
            "hub.mode": "subscribe",
            "hub.verify_token": "verify-me",
            "hub.challenge": "4711",
        },
    )

    assert health["status"] == "ok"
    assert set(inner.values()) == {200}
    assert set(outer.values()) == {404}
    assert webhook.text == "4711"
    assert call(pod, "GET", "/api/v1/conversations").status_code == 200
    metrics = pod.metrics()
    counted = 'pytake_http_requests_total{method="GET",route="/conversations",code_class="2xx"} 1'
    assert counted in metrics.splitlines()
    pod.send_signal(signal.SIGTERM)
    assert pod.wait(15) == 0


def shares_limits(pod: Pod) -> float:
    name = 'pytake_limits_shared{limit="http"} '
    lines = pod.metrics().splitlines()
    return next(float(line.removeprefix(name)) for line in lines if line.startswith(name))


def test_before_its_end_it_is_not_ready_and_serves_on(pod: Pod) -> None:
    with ThreadPoolExecutor() as pool:
        url = f"{pod.inner_address}/internal/drain?wait=1"
        hook = pool.submit(httpx.get, url, timeout=10)
        wait_until(lambda: pod.probe("/readyz") == 503, "it is not ready")

        assert call(pod, "GET", "/api/v1/conversations").status_code == 200
        assert hook.result().status_code == 202

    connections = httpx.get(f"{pod.inner_address}/internal/connections?user=ana").json()
    assert connections["items"] == []
    assert connections["pod"]
    assert call(pod, "GET", "/api/v1/conversations").status_code == 200
    pod.send_signal(signal.SIGTERM)
    assert pod.wait(15) == 0


def test_without_redis_it_serves_on_and_limits_by_itself(pod: Pod, redis: RedisServer) -> None:
    made = call(
        pod,
        "POST",
        "/api/v1/conversations",
        json={"contact": {"name": "Rui", "phone": "+5511987654321"}},
    ).json()
    path = f"/api/v1/conversations/{made['id']}/messages"
    # Frozen, not closed: connections stay open and nothing answers, the worst of it.
    redis.freeze()
    try:
        slowest = 0.0
        for number in range(20):
            began = time.perf_counter()
            answer = call(pod, "POST", path, json={"content": {"text": str(number)}})
            slowest = max(slowest, time.perf_counter() - began)
            assert answer.status_code == 201
        limited = [call(pod, "GET", "/api/v1/users", bearer=token()) for _ in range(22)]
        assert pod.probe("/readyz") == 200
        wait_until(lambda: shares_limits(pod) == 0, "the metric says that the pod limits alone")
    finally:
        redis.thaw()
    wait_until(lambda: shares_limits(pod) == 1, "limits are shared again")

    # The first one waits for Redis until its deadline of 250 ms; nobody waits for seconds.
    assert slowest < 2
    assert [answer.status_code for answer in limited].count(429) == 2
    lag = [
        line
        for line in pod.metrics().splitlines()
        if line.startswith("pytake_event_loop_lag_seconds_bucket")
    ]
    within_half_a_second = next(float(line.split()[-1]) for line in lag if 'le="0.5"' in line)
    every = next(float(line.split()[-1]) for line in lag if 'le="+Inf"' in line)
    assert every > 0
    assert within_half_a_second == every


def test_no_token_no_password_and_no_address_bar_is_in_any_log_line(
    pod: Pod, tmp_path: Path
) -> None:
    secrets = [SECRET, PASSWORD, "verify-me", "url-token-4711", "refresh-token-4712"]
    good, expired = token(), token(exp=1)
    forged = jwt.encode({"sub": "ana"}, "x" * 32)
    for bearer in (good, expired, forged, "garbage-4713"):
        call(pod, "GET", "/api/v1/conversations", bearer=bearer)
        call(pod, "GET", "/api/v1/conversations/not-a-uuid", bearer=bearer)
        call(pod, "POST", "/api/v1/messages", bearer=bearer, content=f'{{"token": "{bearer}"')
        secrets.append(bearer)
    httpx.get(f"{pod.address}/api/v1/conversations?token=url-token-4711&access_token={good}")
    login = {"email": "ana@example.test", "password": PASSWORD}
    httpx.post(f"{pod.address}/api/v1/auth/login", json=login)
    refresh = {"refresh_token": "refresh-token-4712"}
    httpx.post(f"{pod.address}/api/v1/auth/refresh", json=refresh)
    # What was not foreseen must not tell either: the table is gone, every request fails inside.
    with sqlite3.connect(tmp_path / "api.db") as database:
        database.execute("DROP TABLE users")
    database.close()
    failed = call(pod, "GET", "/api/v1/users", bearer=good)
    assert failed.status_code in (500, 503)

    pod.send_signal(signal.SIGTERM)
    assert pod.wait(15) == 0
    log = pod.log.read_text()

    assert '"listening"' in log
    for secret in secrets:
        assert secret not in log
        assert secret.split(".")[-1] not in log


def test_a_revocation_holds_on_every_pod_also_without_redis(pod: Pod, tmp_path: Path) -> None:
    assert pod.env is not None
    other = Pod("api", "other", tmp_path, {**pod.env, "PYTAKE_REDIS_URL": "redis://127.0.0.1:1/0"})
    other.start()
    other.wait_until_serving()
    try:
        ana = token(sub="6a1f0a3e-0000-4000-8000-000000000001", iat=int(time.time()) - 5)
        admin = token("boss", "admin")
        for each in (pod, other):
            assert call(each, "GET", "/api/v1/conversations", bearer=ana).status_code == 200

        path = "/api/v1/users/6a1f0a3e-0000-4000-8000-000000000001/revoke"
        assert call(pod, "POST", path, bearer=admin).status_code == 204

        revoked_at = time.monotonic()
        assert call(pod, "GET", "/api/v1/conversations", bearer=ana).status_code == 401
        # The other pod has no Redis: the rows alone must be enough.
        while call(other, "GET", "/api/v1/conversations", bearer=ana).status_code != 401:
            assert time.monotonic() - revoked_at < scaled(3)
    finally:
        other.kill()
