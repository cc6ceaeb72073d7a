"""Receipts over real sockets: stock clients acknowledge what asks for it, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from cluster.waiting import eventually
from integration.gateway.pods import Cluster, Pod
from pytake.gateway.emitter import MAX_UNANSWERED
from pytake.gateway.observe import FOLLOW_ONE_IN

pytestmark = pytest.mark.integration


async def test_a_sampled_broadcast_is_confirmed_and_in_its_place(
    pod: Pod, cluster: Cluster, connect: Any
) -> None:
    conversation = await cluster.conversation()
    able = await connect(pod, "ana", features=("receipts",))
    plain = await connect(pod, "bruno")
    await able.join(conversation)
    await plain.join(conversation)

    for number in range(FOLLOW_ONE_IN):
        await cluster.write(conversation, f"text {number}")

    for client in (able, plain):
        await client.next("message:new", after=FOLLOW_ONE_IN - 1)
        first = client.seqs()[0]
        assert client.seqs() == list(range(first, first + FOLLOW_ONE_IN))
    figures = pod.gateway.metrics
    receipts = figures.message_receipt_seconds.cell("message:new")
    await eventually(lambda: receipts.count == 1, "one in sixteen is confirmed")
    assert figures.sampled_events.value() == 1
    deliveries = figures.message_delivery_seconds.cell("message:new", "remote")
    assert deliveries.count == 2 * FOLLOW_ONE_IN
    assert deliveries.sum / deliveries.count < 1


async def test_clients_without_the_feature_are_never_asked(
    pod: Pod, cluster: Cluster, connect: Any
) -> None:
    conversation = await cluster.conversation()
    client = await connect(pod, "ana")
    await client.join(conversation)

    for number in range(2 * FOLLOW_ONE_IN):
        await cluster.write(conversation, f"text {number}")
    await client.next("message:new", after=2 * FOLLOW_ONE_IN - 1)

    assert pod.gateway.metrics.sampled_events.value() == 0
    assert not pod.gateway.server.manager.callbacks.get(client.sid)


async def test_a_client_that_never_answers_holds_little(
    pod: Pod, cluster: Cluster, connect: Any
) -> None:
    client = await connect(pod, "ana", features=("receipts",))
    manager = pod.gateway.server.manager

    for number in range(5 * MAX_UNANSWERED):
        pod.gateway.emitter.ask(
            client.sid, "message:new", b'{"seq":%d}' % number, lambda *answer: None
        )
    assert len(manager.callbacks[client.sid]) <= MAX_UNANSWERED + 2, "with the counter"

    sid = client.sid
    await client.close()
    await eventually(lambda: sid not in manager.callbacks, "all is forgotten")
