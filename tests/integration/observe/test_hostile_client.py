"""A hostile client cannot create a series, a log line without bound, or a span attribute."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest
from oteltap import OtelTapHttpProtobufReceiver, OtelTapHttpProtobufReceiverSettings

from cluster.cluster import Cluster
from cluster.pods import Pod
from cluster.postgres_server import PostgresServer
from cluster.programs import free_port
from cluster.python_client import PythonClient
from cluster.waiting import eventually, scaled
from pytake.observability.labels import CLIENT_EVENTS, CODES
from pytake.observability.metrics import Metrics
from pytake.observability.tracing import ATTRIBUTES, MAX_ATTRIBUTE_LENGTH

pytestmark = pytest.mark.integration

MARK = "h0stile"
LINES_AT_MOST = 200
BYTES_A_LINE = 4000
ROUNDS = 60


@pytest.fixture
def collector_port() -> int:
    return free_port()


@pytest.fixture
async def spans(collector_port: int) -> AsyncIterator[OtelTapHttpProtobufReceiver]:
    settings = OtelTapHttpProtobufReceiverSettings(http_port=collector_port)
    async with OtelTapHttpProtobufReceiver(settings) as receiver:
        yield receiver


@pytest.fixture
def target(collector_port: int, spans: Any, postgres_server: PostgresServer) -> Iterator[Cluster]:
    settings = {
        "PYTAKE_OTLP_ENDPOINT": f"http://127.0.0.1:{collector_port}",
        "PYTAKE_TRACE_SAMPLE_RATIO": "1",
        "OTEL_BSP_SCHEDULE_DELAY": "100",
        "PYTAKE_WHATSAPP_APP_SECRET": "the app secret of this test",
    }
    with Cluster(gateways=1, relays=0, settings=settings, postgres=postgres_server) as cluster:
        yield cluster


def series_of(pod: Pod) -> set[str]:
    """The names and label sets that Prometheus would store."""
    lines = pod.metrics().splitlines()
    return {line.rsplit(" ", 1)[0] for line in lines if line and not line.startswith("#")}


def declared() -> set[str]:
    lines = Metrics("dev").exposition().splitlines()
    return {line.rsplit(" ", 1)[0] for line in lines if not line.startswith("#")}


async def test_nothing_that_a_client_sends_becomes_a_series_a_flood_of_lines_or_an_attribute(
    target: Cluster, spans: OtelTapHttpProtobufReceiver
) -> None:
    pods = [*target.gateways, *target.apis]
    conversation = await asyncio.to_thread(target.create_conversation)
    before = {pod.name: series_of(pod) for pod in pods}
    lines_before = {pod.name: len(pod.log_lines()) for pod in pods}
    seen: list[Any] = []
    reading = asyncio.create_task(_collect(spans, seen))

    for number in range(ROUNDS):
        await _handshakes(target, number)
        await _requests(target, conversation["id"], number)
    await _events(target, conversation["id"])
    await asyncio.to_thread(target.send, conversation["id"], MARK)
    await eventually(
        lambda: [span for span in seen if span.name == "store.append_message"], "spans", 20
    )
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)

    allowed = declared()
    for pod in pods:
        new = series_of(pod) - before[pod.name]
        assert new <= allowed, sorted(new - allowed)[:5]
        assert len(before[pod.name] | new) < 1500
        lines = pod.log_lines()[lines_before[pod.name] :]
        assert len(lines) < LINES_AT_MOST, [line["event"] for line in lines[-10:]]
        surprises = [line for line in lines if line["level"] == "error"]
        assert not surprises, "a refusal is no surprise"
        assert "refused" in " ".join(line["event"] for line in lines)
        assert all(line.get("reason", "internal") in CODES for line in lines)
        assert max(map(len, pod.log.read_bytes().splitlines())) < BYTES_A_LINE
        assert MARK.encode() not in pod.log.read_bytes()
    assert seen
    for span in seen:
        assert MARK not in str(span)
        attributes = {each.key: str(each.value) for each in span.attributes}
        assert attributes.keys() <= ATTRIBUTES, attributes
        assert max(map(len, attributes.values()), default=0) < MAX_ATTRIBUTE_LENGTH + 40
    assert len({span.name for span in seen}) < 40


async def _handshakes(target: Cluster, number: int) -> None:
    """Tokens that are none, and words of the client's own in every field of a good one."""
    bad = {"client": {"name": f"{MARK}-{number}", "version": MARK * 50}}
    for token in (f"{MARK}.{number}.x", target.token(MARK, lifetime_seconds=-number - 60)):
        with contextlib.suppress(Exception):
            async with PythonClient(target.gateways[0].address, token, auth=bad):
                pass
    auth = {
        "client": {"name": f"{MARK}-{number}", "version": MARK},
        "features": [f"{MARK}{number}"],
        "resume": {"previous_sid": MARK, "cause": f"{MARK}-{number}"},
    }
    async with PythonClient(
        target.gateways[0].address, target.token(f"user-{number}"), auth=auth
    ) as client:
        await client.next("connected")


async def _events(target: Cluster, conversation: str) -> None:
    """Names, payloads and sizes that the contract does not know, until it is shown out."""
    token = target.token("talker")
    async with PythonClient(target.gateways[0].address, token) as client:
        with contextlib.suppress(Exception):
            for number in range(200):
                await client.call(f"{MARK}-{number}-{'x' * 500}", {MARK: MARK})
                name = CLIENT_EVENTS[number % len(CLIENT_EVENTS)]
                await client.call(name, {"conversation_id": MARK, "seq": MARK, "token": MARK})
                await client.call("join_conversation", {"conversation_id": str(uuid4())})
        assert not client.connected, "it was shown out"
    assert conversation


async def _requests(target: Cluster, conversation: str, number: int) -> None:
    """Routes, methods, headers and bodies of the client's own."""
    headers = {
        "traceparent": f"00-{MARK}-{number}-01",
        "tracestate": f"{MARK}=1",
        "baggage": f"{MARK}={number}",
        "user-agent": f"{MARK}/{number}",
        "x-request-id": MARK,
    }
    good = headers | {"authorization": f"Bearer {target.token('talker')}"}
    async with httpx.AsyncClient(timeout=scaled(5)) as client:
        api, gateway = target.apis[0].address, target.gateways[0].address
        for method, url, sent in (
            ("GET", f"{api}/api/v1/{MARK}/{number}", good),
            (f"{MARK.upper()}{number}", f"{api}/api/v1/conversations", good),
            ("GET", f"{api}/api/v1/conversations/{MARK}{number}", good),
            ("GET", f"{api}/{MARK}/{number}", headers),
            ("POST", f"{api}/api/v1/auth/login", headers),
            ("POST", f"{api}/api/v1/conversations/{conversation}/messages", good),
            ("POST", f"{api}/api/v1/webhooks/whatsapp", headers),
            (MARK.upper(), f"{gateway}/socket.io/?EIO=4&transport=polling", headers),
            ("GET", f"{gateway}/socket.io/?EIO=4&transport={MARK}{number}", headers),
            ("GET", f"{gateway}/socket.io/?EIO=4&transport=polling&sid={MARK}{number}", headers),
        ):
            body = f'{{"content": "{MARK}{number}", "{MARK}": 1}}'
            answer = await client.request(
                method, url, headers=sent, content=body if method == "POST" else None
            )
            assert answer.status_code < 500


async def _collect(spans: OtelTapHttpProtobufReceiver, seen: list[Any]) -> None:
    async for span in spans.stream_traces():
        seen.append(span)
