"""The real cluster under a real Prometheus: every query is answered, no alert fires under
load, and when something breaks, the right one does and no unrelated one pages.

Prometheus scrapes every second and has the rules with a thirtieth of their durations; the
expressions and thresholds are those that we ship.
"""

from __future__ import annotations

import asyncio
import contextlib
import html
import math
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from cluster.cluster import Cluster
from cluster.pods import Pod
from cluster.postgres_server import PostgresServer
from cluster.programs import ProgramMissing
from cluster.prometheus_server import PrometheusServer
from cluster.python_client import PythonClient
from cluster.waiting import eventually, scaled
from deploy.dashboards.queries import (
    EXTERNAL,
    annotation_queries,
    boards,
    panel_queries,
    panels,
    selectors,
)
from integration.observe.channel import ChannelTraffic, Simulated
from integration.observe.traffic import Traffic, reconnect

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

ROUTING = Path(__file__).parents[3] / "grafana/alertmanager.yaml"
RATE_INTERVAL = "15s"
SERIES_BUDGET = 1500
OF_THE_MACHINE = {"PytakeEventLoopLag"}
"""True, and no news, where tests share few cores; promtool has its firing and silence."""

ANSWERED_WITHIN_SECONDS = 90
SILENT_FOR_SECONDS = 10
FIRES_WITHIN_SECONDS = 60
GOES_ON_FOR_SECONDS = 6
SILENT_WITHIN_SECONDS = 90

WITHOUT_FIGURE = re.compile(r"garbage")
"""NaN is the honest answer: the older generations are not collected within the window."""


@pytest.fixture(scope="module")
def watched(
    postgres_server: PostgresServer,
) -> Iterator[tuple[Cluster, PrometheusServer, Pod]]:
    whatsapp = Simulated()
    settings = {
        "PYTAKE_OTLP_ENDPOINT": "http://127.0.0.1:9",
        "PYTAKE_TRACE_SAMPLE_RATIO": "0.2",
        "PYTAKE_SEND_BUFFER_BYTES": "65536",
        "PYTAKE_PING_INTERVAL": "2",
        **whatsapp.settings,
    }
    with (
        Cluster(settings=settings, postgres=postgres_server) as cluster,
        whatsapp.running(cluster) as simulator,
    ):
        try:
            prometheus = PrometheusServer(cluster.folder, cluster.pods)
        except ProgramMissing as missing:
            pytest.skip(str(missing))
        prometheus.start()
        prometheus.wait_until_serving()
        try:
            yield cluster, prometheus, simulator
        finally:
            prometheus.kill()


@pytest.fixture
async def loaded(watched: Any) -> AsyncIterator[tuple[Cluster, PrometheusServer]]:
    """The cluster with people on it, once nothing fires."""
    cluster, prometheus, simulator = watched
    conversations = [(await asyncio.to_thread(cluster.create_conversation))["id"] for _ in range(3)]
    async with Traffic(cluster, conversations), ChannelTraffic(cluster, simulator):
        await silent(prometheus)
        yield cluster, prometheus


async def silent(prometheus: PrometheusServer) -> None:
    """Wait for a while in which nothing fires; what was broken before may ring on at first.

    Raises:
        AssertionError: It does not become silent; the message has the labels of what fired last.
    """
    since = time.monotonic()
    fired_last: list[dict[str, str]] = []

    def look() -> None:
        nonlocal since
        if prometheus.firing().keys() - OF_THE_MACHINE:
            since = time.monotonic()
            found = prometheus.query('ALERTS{alertstate="firing"}')
            fired_last[:] = [each["metric"] for each in found]

    async def is_silent() -> bool:
        # In a thread: the traffic lives in this loop. Not all the time: it needs the machine, too.
        await asyncio.to_thread(look)
        await asyncio.sleep(0.5)
        return time.monotonic() - since > SILENT_FOR_SECONDS

    try:
        await eventually(is_silent, "a while without an alert", SILENT_WITHIN_SECONDS)
    except TimeoutError:
        raise AssertionError(fired_last) from None


async def test_every_query_is_answered_and_no_alert_fires_under_load(
    loaded: tuple[Cluster, PrometheusServer],
) -> None:
    _, prometheus = loaded
    unanswered: list[str] = []

    async def all_are_answered() -> bool:
        # In a thread: the traffic lives in this loop. Not all the time: it needs the machine, too.
        await asyncio.sleep(2)
        unanswered[:] = await asyncio.to_thread(_unanswered, prometheus)
        return not unanswered

    with contextlib.suppress(TimeoutError):
        await eventually(all_are_answered, "every query has an answer", ANSWERED_WITHIN_SECONDS)
    assert not unanswered, unanswered
    for query in annotation_queries():
        prometheus.query(query.filled(RATE_INTERVAL))
    await silent(prometheus)

    assert prometheus.figure("sum(pytake_undeclared_labels_total)") == 0
    assert prometheus.figure("sum(pytake_unhandled_errors_total)") == 0
    assert prometheus.exemplars("pytake_message_delivery_seconds_bucket", 60), (
        "sampled deliveries lead to their traces"
    )
    receipts = prometheus.figure("sum(pytake_message_receipt_seconds_sum)")
    parts = prometheus.figure("sum(pytake_delivery_stage_seconds_sum)")
    assert receipts > 0
    assert parts == pytest.approx(receipts, rel=1e-3), "the stages add up to the receipts"
    series = prometheus.query('count by (pod) ({job="pytake",pod!=""})')
    most = max(float(each["value"][1]) for each in series)
    assert len(series) == 4
    assert most < SERIES_BUDGET, series


async def test_the_boards_are_pages_of_prometheus_for_who_has_no_grafana(
    loaded: tuple[Cluster, PrometheusServer],
) -> None:
    _, prometheus = loaded
    for uid, board in boards().items():
        page = await asyncio.to_thread(prometheus.page, f"/consoles/{uid}.html")

        for panel in panels(board):
            assert panel["type"] == "heatmap" or html.escape(panel["title"]) in page
        assert "No alert fires." in page or 'class="fires"' in page

    async def all_are_shown() -> bool:
        overview = await asyncio.to_thread(prometheus.page, "/consoles/pytake-overview.html")
        shown = overview.split("How many are connected?")[1].split('class="n">')[1].split("<")[0]
        return float(shown) >= 7

    # One of the clients comes and goes, and Prometheus looks when it looks.
    await eventually(all_are_shown, "everybody is on the page", 30)


def _unanswered(prometheus: PrometheusServer) -> list[str]:
    """The panels without data, or with nothing but NaN where there should be a figure."""
    found = []
    for query in panel_queries():
        if any(selector.metric in EXTERNAL for selector in selectors(query)):
            continue
        samples = prometheus.query(query.filled(RATE_INTERVAL))
        is_nan = all(math.isnan(float(sample["value"][1])) for sample in samples)
        if not samples or (is_nan and not WITHOUT_FIGURE.search(query.where)):
            found.append(query.where)
    return found


Step = Callable[[Cluster], Awaitable[None]]


@dataclass(frozen=True)
class Breakage:
    """What is broken, what fires then, and how it is mended."""

    alert: str
    breaking: Step
    mend: Step


async def breaks(
    cluster: Cluster, prometheus: PrometheusServer, alert: str, breaking: Step, mend: Step
) -> None:
    """Break something until the alert fires and a while longer; nothing else may wake anybody
    meanwhile."""
    severities: dict[str, str] = {}
    doing = asyncio.create_task(_keep_on(cluster, breaking))
    try:

        async def fires() -> bool:
            firing = await asyncio.to_thread(prometheus.firing)
            severities.update(firing)
            return alert in firing

        await eventually(fires, f"{alert} fires", FIRES_WITHIN_SECONDS)
        until = time.monotonic() + GOES_ON_FOR_SECONDS
        while time.monotonic() < until:
            await fires()
            await asyncio.sleep(0.5)
    finally:
        doing.cancel()
        await asyncio.gather(doing, return_exceptions=True)
        await mend(cluster)
    pages = {name for name, severity in severities.items() if severity == "critical"}
    assert pages <= {alert, *muted_by(alert)}, f"{alert} came with unrelated pages"
    await silent(prometheus)


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


async def polling_without_stickiness(cluster: Cluster) -> None:
    """The proxy sends the requests of polling sessions to the pods in turns."""
    if "PYTAKE_NGINX_AFFINITY" not in cluster.nginx.changes:
        await asyncio.to_thread(cluster.stick, False)
    url, query = f"{cluster.url}/socket.io/", {"EIO": "4", "transport": "polling"}
    async with httpx.AsyncClient(timeout=scaled(5), verify=cluster.tls()) as client:
        for _ in range(4):
            opened = await client.get(url, params=query)
            sid = opened.text.split('"sid":"')[1].split('"')[0]
            await client.post(url, params=query | {"sid": sid}, content="40{}")
    await asyncio.sleep(0.5)


async def stick_again(cluster: Cluster) -> None:
    await asyncio.to_thread(cluster.stick, True)


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


BREAKAGES = [
    Breakage("PytakeAuthErrorRatio", bad_tokens, nothing),
    Breakage("PytakeReconnectStorm", storm, nothing),
    Breakage("PytakeStickinessBroken", polling_without_stickiness, stick_again),
    Breakage("PytakeWebhookSignatureFailures", forged_webhooks, nothing),
    Breakage("PytakeSlowConsumersDropped", stalled_readers, nothing),
    Breakage("PytakeRelayUnheard", stop_the_relay, start_the_relay),
    Breakage("PytakeBrokerDown", stop_redis, start_redis),
]


@pytest.mark.full
@pytest.mark.parametrize("breakage", BREAKAGES, ids=lambda breakage: breakage.alert)
async def test_the_right_alert_fires_for_what_breaks(
    loaded: tuple[Cluster, PrometheusServer], breakage: Breakage
) -> None:
    """Kill Redis, cut stickiness, stall readers, flood with bad tokens, stop the relay, storm."""
    cluster, prometheus = loaded
    await breaks(cluster, prometheus, breakage.alert, breakage.breaking, breakage.mend)
