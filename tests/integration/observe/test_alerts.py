"""The real cluster under a real Prometheus: every query is answered, no alert fires under
load, and when something breaks, the right one does and no unrelated one pages.

Prometheus scrapes every second and has the rules with a thirtieth of their durations; the
expressions and thresholds are those that we ship.
"""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from cluster.cluster import Cluster
from cluster.postgres_server import PostgresServer
from cluster.programs import ProgramMissing
from cluster.prometheus_server import PrometheusServer
from cluster.python_client import PythonClient
from cluster.waiting import eventually, scaled
from deploy.dashboards.queries import EXTERNAL, annotation_queries, panel_queries, selectors
from integration.observe.traffic import Traffic, reconnect

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

ROUTING = Path(__file__).parents[3] / "grafana/alertmanager.yaml"
RATE_INTERVAL = "15s"
OF_THE_MACHINE = {"PytakeEventLoopLag"}
"""True, and no news, where tests share few cores; promtool has its firing and silence."""

WARM_UP_SECONDS = 20
FIRES_WITHIN_SECONDS = 60
QUIET_WITHIN_SECONDS = 90


@pytest.fixture(scope="module")
def watched(postgres_server: PostgresServer) -> Iterator[tuple[Cluster, PrometheusServer]]:
    settings = {
        "PYTAKE_OTLP_ENDPOINT": "http://127.0.0.1:9",
        "PYTAKE_TRACE_SAMPLE_RATIO": "0.2",
        "PYTAKE_SEND_BUFFER_BYTES": "65536",
        "PYTAKE_WHATSAPP_APP_SECRET": "the app secret of this test",
        "PYTAKE_WHATSAPP_VERIFY_TOKEN": "verify",
    }
    with Cluster(settings=settings, postgres=postgres_server) as cluster:
        try:
            prometheus = PrometheusServer(cluster.folder, cluster.pods)
        except ProgramMissing as missing:
            pytest.skip(str(missing))
        prometheus.start()
        prometheus.wait_until_serving()
        try:
            yield cluster, prometheus
        finally:
            prometheus.kill()


@pytest.fixture
async def loaded(watched: tuple[Cluster, PrometheusServer]) -> AsyncIterator[Any]:
    """The cluster with people on it, after a while in which nothing fired."""
    cluster, prometheus = watched
    conversations = [(await asyncio.to_thread(cluster.create_conversation))["id"] for _ in range(3)]
    async with Traffic(cluster, conversations):
        await asyncio.sleep(scaled(WARM_UP_SECONDS))
        await quiet(prometheus)
        yield cluster, prometheus


async def quiet(prometheus: PrometheusServer) -> None:
    """Wait until nothing fires.

    Raises:
        AssertionError: Something goes on firing; the message has its labels.
    """
    try:
        await eventually(
            lambda: not prometheus.firing().keys() - OF_THE_MACHINE,
            "nothing fires",
            QUIET_WITHIN_SECONDS,
        )
    except TimeoutError:
        firing = prometheus.query('ALERTS{alertstate="firing"}')
        raise AssertionError([each["metric"] for each in firing]) from None


async def test_every_query_is_answered_and_no_alert_fires_under_load(loaded: Any) -> None:
    _, prometheus = loaded
    empty, without_figure = [], []
    for query in panel_queries():
        if any(selector.metric in EXTERNAL for selector in selectors(query)):
            continue
        samples = prometheus.query(query.filled(RATE_INTERVAL))
        if not samples:
            empty.append(query.where)
        elif all(math.isnan(float(sample["value"][1])) for sample in samples):
            without_figure.append(query.where)
    for query in annotation_queries():
        prometheus.query(query.filled(RATE_INTERVAL))

    assert not empty, f"no data at all: {empty}"
    # No WhatsApp number, no status batch, no garbage for a generation, nobody who joined or was
    # pinged within the window: NaN is the honest answer.
    allowed = re.compile(
        r"pytake-whatsapp|status batches|certificates|garbage|replayed|permission checks|far away"
    )
    odd = [where for where in without_figure if not allowed.search(where)]
    assert not odd, f"nothing but NaN: {odd}"
    assert prometheus.firing().keys() <= OF_THE_MACHINE
    assert prometheus.query("sum(pytake_undeclared_labels_total)")[0]["value"][1] == "0"
    assert prometheus.query("sum(pytake_unhandled_errors_total)")[0]["value"][1] == "0"
    exemplars = prometheus.exemplars("pytake_message_delivery_seconds_bucket", 60)
    assert exemplars, "sampled deliveries lead to their traces"


@pytest.mark.full
async def test_the_right_alert_fires_for_each_thing_that_breaks(loaded: Any) -> None:
    cluster, prometheus = loaded
    for alert, breaking, mend in (
        ("PytakeAuthErrorRatio", bad_tokens, nothing),
        ("PytakeReconnectStorm", storm, nothing),
        ("PytakeStickinessBroken", scattered_polling, nothing),
        ("PytakeWebhookSignatureFailures", forged_webhooks, nothing),
        ("PytakeSlowConsumersDropped", stalled_readers, nothing),
        ("PytakeRelayUnheard", stop_the_relay, start_the_relay),
        ("PytakeBrokerDown", stop_redis, start_redis),
    ):
        await breaks(cluster, prometheus, alert, breaking, mend)


Step = Callable[[Cluster], Awaitable[None]]


async def breaks(
    cluster: Cluster, prometheus: PrometheusServer, alert: str, breaking: Step, mend: Step
) -> None:
    """Break something until the alert fires; nothing else may wake anybody meanwhile."""
    severities: dict[str, str] = {}
    doing = asyncio.create_task(_keep_on(cluster, breaking))
    try:

        async def fires() -> bool:
            firing = await asyncio.to_thread(prometheus.firing)
            severities.update(firing)
            return alert in firing

        await eventually(fires, f"{alert} fires", FIRES_WITHIN_SECONDS)
    finally:
        doing.cancel()
        await asyncio.gather(doing, return_exceptions=True)
        await mend(cluster)
    pages = {name for name, severity in severities.items() if severity == "critical"}
    assert pages <= {alert, *muted_by(alert)}, f"{alert} came with unrelated pages"
    await quiet(prometheus)


def muted_by(alert: str) -> set[str]:
    """Return what the routing example keeps quiet while this alert fires."""
    muted: set[str] = set()
    names = _alert_names()
    for rule in yaml.safe_load(ROUTING.read_text())["inhibit_rules"]:
        if f'alertname="{alert}"' in rule["source_matchers"]:
            (matcher,) = (one for one in rule["target_matchers"] if one.startswith("alertname"))
            pattern = matcher.split('"')[1]
            muted |= {name for name in names if re.fullmatch(pattern, name)}
    return muted


def _alert_names() -> set[str]:
    from grafana.alerts import ALERTS

    return {alert.name for alert in ALERTS}


async def _keep_on(cluster: Cluster, breaking: Step) -> None:
    while True:
        await breaking(cluster)


async def nothing(cluster: Cluster) -> None:
    """What was broken mends itself."""


async def bad_tokens(cluster: Cluster) -> None:
    client = PythonClient(cluster.gateways[0].address, "no.token.at-all")
    try:
        async with client:
            pass
    except Exception:  # noqa: S110 - that it is refused is the point
        pass
    await asyncio.sleep(0.2)


async def storm(cluster: Cluster) -> None:
    await asyncio.gather(
        *(reconnect(cluster, f"storm-{number}") for number in range(6)), return_exceptions=True
    )
    await asyncio.sleep(0.5)


async def scattered_polling(cluster: Cluster) -> None:
    """A polling session whose second request reaches the other pod."""
    here, there = (f"{pod.address}/socket.io/" for pod in cluster.gateways)
    query = {"EIO": "4", "transport": "polling"}
    async with httpx.AsyncClient(timeout=scaled(5)) as client:
        opened = await client.get(here, params=query)
        sid = opened.text.split('"sid":"')[1].split('"')[0]
        for _ in range(4):
            answer = await client.get(there, params=query | {"sid": sid})
            assert answer.status_code == 400
    await asyncio.sleep(0.5)


async def forged_webhooks(cluster: Cluster) -> None:
    url = f"{cluster.apis[0].address}/api/v1/webhooks/whatsapp"
    async with httpx.AsyncClient(timeout=scaled(5)) as client:
        headers = {"X-Hub-Signature-256": "sha256=" + "0" * 64}
        await client.post(url, content=b'{"entry":[]}', headers=headers)
    await asyncio.sleep(0.5)


async def stalled_readers(cluster: Cluster) -> None:
    """Connections that join a conversation, are written much, and read nothing."""
    conversation = (await asyncio.to_thread(cluster.create_conversation))["id"]
    address = httpx.URL(cluster.gateways[0].address)
    readers = [
        await _stall(address, cluster.token(f"stalled-{number}"), conversation)
        for number in range(3)
    ]
    try:
        token = cluster.token("bot", role="bot")
        async with httpx.AsyncClient(
            base_url=f"{cluster.apis[0].address}/api/v1",
            headers={"Authorization": f"Bearer {token}"},
            timeout=scaled(10),
        ) as api:
            text = "x" * 4000
            for _ in range(150):
                body = {"message_type": "text", "content": {"text": text}}
                await api.post(f"/conversations/{conversation}/messages", json=body)
    finally:
        for writer in readers:
            writer.transport.abort()


async def _stall(address: httpx.URL, token: str, conversation: str) -> asyncio.StreamWriter:
    """Open a WebSocket by hand, with small buffers, and never read it again."""
    import json
    import socket

    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.setblocking(False)
    await asyncio.get_running_loop().sock_connect(raw, (address.host, address.port))
    reader, writer = await asyncio.open_connection(sock=raw, limit=4096)
    writer.write(
        b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
        b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    await reader.readuntil(b"\r\n\r\n")
    for packet in (
        "40" + json.dumps({"token": token}),
        "42" + json.dumps(["join_conversation", {"conversation_id": conversation}]),
    ):
        payload = packet.encode()
        head = bytes((0x81, 0x80 | 126)) + len(payload).to_bytes(2, "big") + bytes(4)
        writer.write(head + payload)
        await asyncio.sleep(0.2)
    return writer


async def stop_the_relay(cluster: Cluster) -> None:
    if cluster.relays[0].is_running:
        cluster.relays[0].kill()
    await asyncio.sleep(1)


async def start_the_relay(cluster: Cluster) -> None:
    cluster.relays[0].start()
    await asyncio.to_thread(cluster.relays[0].wait_until_serving)


async def stop_redis(cluster: Cluster) -> None:
    if cluster.redis.is_running:
        cluster.redis.kill()
    await asyncio.sleep(1)


async def start_redis(cluster: Cluster) -> None:
    cluster.redis.start()
    await asyncio.to_thread(cluster.redis.wait_until_serving)
