"""What a pod shows of itself agrees with what happens to it."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from cluster.waiting import eventually
from integration.gateway.clients import Client
from integration.gateway.pods import Cluster, Pod, user_id
from pytake.domain.errors import ErrorCode
from pytake.gateway.pod import Options

pytestmark = pytest.mark.integration


async def test_connections_users_and_rooms_are_counted_from_the_things(
    pod: Pod, cluster: Cluster, connect: Any
) -> None:
    conversation = await cluster.conversation()
    ana = await connect(pod, "ana")
    await connect(pod, "ana")
    await connect(pod, "boss", claims={"role": "admin"})
    await ana.join(conversation)
    figures = pod.gateway.metrics

    assert figures.websocket_connections.value() == 3
    assert figures.connections.value("websocket", "agent") == 2
    assert figures.users.value("agent") == 1
    assert figures.users.value("admin") == 1
    assert figures.rooms.value("conversation") == 1
    assert figures.rooms.value("user") == 2
    assert figures.rooms.value("admins") == 1
    assert figures.connections_opened.value("websocket", "no") == 3
    assert figures.room_joins.value("ok") == 1
    assert figures.permission_check_duration_seconds.cell("allowed").count == 1
    if pod.gateway.options.direct:  # stock sockets do not tell their bytes
        assert figures.received_bytes.value("websocket") > 0
        assert figures.sent_bytes.value("websocket") > 0
    assert figures.undeclared_labels.value() == 0

    await ana.close()
    await eventually(lambda: figures.websocket_connections.value() == 2, "one is gone")
    assert figures.connections_closed.value("client") == 1
    assert figures.connection_duration_seconds.cell("client").count == 1


async def test_what_the_server_ends_is_counted_once_with_its_code(pod: Pod, connect: Any) -> None:
    client = await connect(pod)

    pod.gateway.registry.end(client.sid, ErrorCode.TOKEN_REVOKED)
    await client.wait_closed()

    figures = pod.gateway.metrics
    await eventually(lambda: figures.websocket_connections.value() == 0, "it is gone")
    assert figures.connections_closed.value("token_revoked") == 1
    assert figures.connections_closed.total() == 1
    assert figures.connection_duration_seconds.cell("server").count == 1


async def test_replays_say_what_could_be_recovered(
    pod: Pod, cluster: Cluster, connect: Any
) -> None:
    conversation = await cluster.conversation()
    for number in range(3):
        await cluster.write(conversation, f"text {number}")
    client = await connect(pod)

    answer = await client.join(conversation, last_seq=0)
    await client.join(conversation, last_seq=answer["seq"])
    await client.join(conversation, last_seq=10_000)
    await client.join(conversation, last_seq=0, epoch="another")
    await client.join(conversation)

    figures = pod.gateway.metrics
    outcomes = {
        name: figures.recovery.value(name) for name in ("full", "empty", "ahead", "other_epoch")
    }
    assert outcomes == dict.fromkeys(outcomes, 1)
    assert figures.recovered_messages.value() >= 3


async def test_a_client_that_had_a_connection_says_why_it_comes_back(
    pod: Pod, cluster: Cluster
) -> None:
    for cause, counted in (("server_drain", "server_drain"), (None, "unknown"), ("x", "other")):
        resume = {"previous_sid": "somewhere-else", **({"cause": cause} if cause else {})}
        auth = {"token": cluster.token(), "resume": resume}
        client = Client(pod.url, None, auth=auth)
        await client.connect()
        assert pod.gateway.metrics.reconnects.value(counted) == 1
        await client.close()


async def test_debug_lines_tell_of_each_emit_and_nothing_private(
    cluster: Cluster, connect: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="pytake")
    pod = await cluster.pod()
    conversation = await cluster.conversation()
    client = await connect(pod)
    await client.join(conversation)
    await cluster.write(conversation, "texto secreto")
    await client.until(lambda: client.seqs() == [1], "the message")

    lines = [record.msg for record in caplog.records if isinstance(record.msg, dict)]
    (emit,) = [line for line in lines if line["event"] == "emit" and line["seq"] == 1]
    assert (emit["event_name"], emit["room"], emit["members"]) == ("message:new", "conversation", 1)
    assert conversation not in str(emit)
    assert "secreto" not in str(lines)


async def test_a_connection_shows_how_far_it_is_in_its_conversations(
    pod: Pod, cluster: Cluster, connect: Any
) -> None:
    conversation = await cluster.conversation()
    await cluster.write(conversation)
    client = await connect(pod)
    await client.join(conversation)
    await cluster.write(conversation)
    await client.until(lambda: client.seqs() == [2], "the second message")

    (shown,) = pod.gateway.connections(user_id("ana"))

    assert shown["conversations"] == [conversation]
    assert shown["sent"] == {conversation: {"up_to": 2, "of": 2}}
    assert (shown["role"], shown["transport"]) == ("agent", "websocket")
    assert shown["bytes_waiting"] == 0
    assert pod.gateway.connections(user_id("nobody")) == []


async def test_a_drain_is_shown_while_it_lasts(cluster: Cluster, connect: Any) -> None:
    pod = await cluster.pod(Options(drain_seconds=0.2))
    client = await connect(pod)
    figures = pod.gateway.metrics
    assert figures.draining.value() == 0

    await pod.gateway.drain()

    await client.wait_closed()
    assert figures.draining.value() == 1
    assert figures.drain_forced_closes.value() == 1
    assert figures.connections_closed.value("draining") == 1
