"""A release that cannot reach its database or its Redis: never ready, and its pods say why.

The chart's own startup probe decides how long a pod may wait; `terminationMessagePolicy` then shows
the end of the log in the pod's status and its events.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.pods import Pod, PodKind, run_pytake
from cluster.redis_server import RedisServer
from cluster.waiting import wait_until
from conftest import left_out_if_missing, serving
from deploy.chart import LEAST, of_kind, render
from deploy.rollout.orders import COMPONENTS, orders_of

pytestmark = pytest.mark.integration

NOWHERE = "127.0.0.1:1"


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    with left_out_if_missing():
        server = RedisServer(tmp_path)
    with serving(server):
        yield server


def warned(pod: Pod, event: str) -> str | None:
    """The reason in the first line of the log that warns of this."""
    return next((line["reason"] for line in pod.log_lines() if line.get("event") == event), None)


@pytest.mark.parametrize("kind", COMPONENTS)
def test_without_a_database_no_pod_ever_listens(
    kind: PodKind, redis: RedisServer, tmp_path: Path
) -> None:
    settings = {
        "PYTAKE_DATABASE_URL": f"postgresql+asyncpg://pytake@{NOWHERE}/pytake",
        "PYTAKE_REDIS_URL": redis.url,
        "PYTAKE_JWT_SECRET": "k" * 32,
    }
    pod = Pod(kind, kind, tmp_path, settings)
    pod.start()

    reason = wait_until(lambda: warned(pod, "waiting for the database"), "the log says why", 15)

    assert "database" in reason
    assert not pod.has_named_ports()
    assert pod.stop() != 0, "its status shows the log's end only if it did not end well"


def test_without_redis_a_gateway_is_not_ready_and_says_why(tmp_path: Path) -> None:
    settings = {
        "PYTAKE_DATABASE_URL": f"sqlite+aiosqlite:///{tmp_path / 'pytake.db'}",
        "PYTAKE_REDIS_URL": f"redis://{NOWHERE}/0",
        "PYTAKE_JWT_SECRET": "k" * 32,
    }
    run_pytake("migrate", settings=settings, folder=tmp_path)
    pod = Pod("gateway", "gateway", tmp_path, settings)
    pod.start()
    wait_until(pod.has_named_ports, "it listens", 20)

    wait_until(lambda: warned(pod, "redis cannot be reached"), "the log says why", 15)

    assert pod.probe("/readyz") == 503
    assert pod.probe("/livez") == 200, "a restart would not bring Redis back"
    pod.kill()


def test_the_chart_waits_for_neighbours_and_shows_the_end_of_the_log() -> None:
    objects = render(LEAST)

    for orders in orders_of(objects).values():
        assert orders.startup.period_seconds * orders.startup.failures >= 60
    for deployment in of_kind(objects, "Deployment"):
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        assert container["terminationMessagePolicy"] == "FallbackToLogsOnError"
