"""One trace from POST or webhook through store and broker to the pods and the client's receipt.

Read off a real OTLP receiver, from real processes, with every request sampled.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator

import pytest
from oteltap import OtelTapHttpProtobufReceiver, OtelTapHttpProtobufReceiverSettings

from cluster.cluster import Cluster
from cluster.postgres_server import PostgresServer
from cluster.python_client import PythonClient
from cluster.waiting import scaled
from integration.observe.channel import CUSTOMER, ChannelTraffic, Simulated

pytestmark = pytest.mark.integration

SECRET_TEXT = "meu CPF e 12345678909"
STEPS = {
    "POST /conversations/{id}/messages",
    "store.append_message",
    "broker.publish",
    "broker.receive",
    "deliver message:new",
    "receipt",
}

STEPS_OF_A_WEBHOOK = (STEPS - {"POST /conversations/{id}/messages", "store.append_message"}) | {
    "POST /webhooks/whatsapp",
    "webhook.process",
    "store.receive_message",
}


@pytest.fixture
def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


@pytest.fixture
async def spans(free_port: int) -> AsyncIterator[OtelTapHttpProtobufReceiver]:
    settings = OtelTapHttpProtobufReceiverSettings(http_port=free_port)
    async with OtelTapHttpProtobufReceiver(settings) as receiver:
        yield receiver


@pytest.fixture
def whatsapp() -> Simulated:
    return Simulated()


@pytest.fixture
def traced_cluster(
    free_port: int, postgres_server: PostgresServer, whatsapp: Simulated
) -> Iterator[Cluster]:
    settings = {
        "PYTAKE_OTLP_ENDPOINT": f"http://127.0.0.1:{free_port}",
        "PYTAKE_TRACE_SAMPLE_RATIO": "1",
        "OTEL_BSP_SCHEDULE_DELAY": "100",
    }
    settings |= whatsapp.settings
    with Cluster(gateways=2, apis=1, relays=1, settings=settings, postgres=postgres_server) as made:
        yield made


async def test_one_trace_from_post_to_receipts_over_two_pods(
    spans: OtelTapHttpProtobufReceiver, traced_cluster: Cluster
) -> None:
    cluster = traced_cluster
    conversation = await asyncio.to_thread(cluster.create_conversation)
    here, there = (pod.address for pod in cluster.gateways)
    auth = {"features": ["receipts"]}
    async with (
        PythonClient(here, cluster.token("ana"), auth=auth) as ana,
        PythonClient(there, cluster.token("rui"), auth=auth) as rui,
    ):
        for client in (ana, rui):
            answer = await client.call("join_conversation", {"conversation_id": conversation["id"]})
            assert answer["ok"]
        await asyncio.to_thread(cluster.send, conversation["id"], SECRET_TEXT)

        seen = await _whole_trace(spans, STEPS, pods=2)

    names = [span.name for span in seen]
    assert set(names) >= STEPS
    for name in ("broker.receive", "deliver message:new", "receipt"):
        assert names.count(name) == 2, "once on each of the two pods"
    (root,) = (span for span in seen if span.name.startswith("POST"))
    assert not root.parent_span_id
    assert {span.parent_span_id for span in seen if span is not root} == {root.span_id}
    for span in seen:
        assert span.end_time_unix_nano >= span.start_time_unix_nano
        assert "CPF" not in str(span)
        assert conversation["contact"]["phone"] not in str(span)


async def test_one_trace_from_the_webhook_to_the_receipt(
    spans: OtelTapHttpProtobufReceiver, traced_cluster: Cluster, whatsapp: Simulated
) -> None:
    with whatsapp.running(traced_cluster) as simulator:
        async with ChannelTraffic(traced_cluster, simulator) as channel:
            await channel.customer_writes()
            seen = await _whole_trace(spans, STEPS_OF_A_WEBHOOK, pods=1)

    (root,) = (span for span in seen if span.name.startswith("POST"))
    assert not root.parent_span_id
    assert {span.parent_span_id for span in seen if span is not root} == {root.span_id}
    for span in seen:
        assert "texto" not in str(span)
        assert CUSTOMER not in str(span)


async def _whole_trace(spans: OtelTapHttpProtobufReceiver, steps: set[str], *, pods: int) -> list:
    """Collect until every step of a trace was seen, and a receipt from each pod with members."""
    by_trace: dict[bytes, list] = {}
    try:
        async with asyncio.timeout(scaled(30)):
            async for span in spans.stream_traces():
                found = by_trace.setdefault(span.trace_id, [])
                found.append(span)
                names = [each.name for each in found]
                if set(names) >= steps and names.count("receipt") == pods:
                    return found
    except TimeoutError:
        pass
    names_of = [[span.name for span in found] for found in by_trace.values()]
    raise AssertionError(f"no whole trace among {names_of}")
