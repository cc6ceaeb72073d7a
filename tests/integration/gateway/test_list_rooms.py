"""List changes over Redis, from a process without connections to those who see the row."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import socketio

from cluster.redis_cluster import RedisCluster
from integration.gateway.pods import ORGANIZATION, Cluster, user_id
from pytake.broker.redis import RedisRoomNotifier
from pytake.contract.rooms import admins_room, list_rooms, unassigned_room, user_room

pytestmark = pytest.mark.integration

ROW = {"conversation": {"id": "c", "last_seq": 1}}


@pytest.fixture
def cluster_redis(server_folder: Path) -> Iterator[RedisCluster]:
    with RedisCluster(server_folder) as server:
        yield server


@pytest.fixture
async def notifier(redis_url: str) -> AsyncIterator[RedisRoomNotifier]:
    made = RedisRoomNotifier(redis_url)
    made.start()
    yield made
    await made.stop()


async def test_a_row_reaches_who_sees_it_once_and_no_pod_without_them(
    cluster: Cluster, connect: Any, redis_url: str, notifier: RedisRoomNotifier
) -> None:
    here, there, elsewhere = [await cluster.redis_pod(redis_url) for _ in range(3)]
    ana = await connect(here, "ana")
    admin = await connect(there, "admin", claims={"role": "admin"})
    stranger = await connect(elsewhere, "eve", claims={"organization": "another"})
    before = elsewhere.gateway.server.manager.received_messages

    for number in range(1, 4):
        row = {"conversation": {"id": "c", "last_seq": number}}
        await notifier.emit(list_rooms(ORGANIZATION, None), "inbox:updated", row)

    for client in (ana, admin):
        await client.until(lambda client=client: _rows(client) == [1, 2, 3], "all of them, once")
    assert elsewhere.gateway.server.manager.received_messages == before
    assert _rows(stranger) == []


@pytest.mark.parametrize("kind", ["one server", "shards"])
async def test_who_is_given_a_conversation_keeps_its_row(
    kind: str,
    request: pytest.FixtureRequest,
    cluster: Cluster,
    connect: Any,
) -> None:
    has_shards = kind == "shards"
    url = (
        request.getfixturevalue("cluster_redis").url
        if has_shards
        else request.getfixturevalue("redis_url")
    )
    pod = await cluster.redis_pod(url)
    ana = await connect(pod, "ana")
    notifier = RedisRoomNotifier(url, has_shards=has_shards)
    notifier.start()
    gone = {"conversation_id": "c", "seq": 1}

    for _ in range(20):
        await notifier.emit([unassigned_room(ORGANIZATION)], "inbox:removed", gone)
        await notifier.emit(list_rooms(ORGANIZATION, user_id("ana")), "inbox:updated", ROW)

    def names() -> list[str]:
        return [name for name, _ in ana.received if name.startswith("inbox:")]

    await ana.until(lambda: len(names()) >= 40, "all changes")
    await notifier.stop()
    assert names() == ["inbox:removed", "inbox:updated"] * 20


async def test_a_redis_that_is_away_holds_nobody_up() -> None:
    gone = RedisRoomNotifier("redis://127.0.0.1:1")
    gone.start()

    await gone.emit([admins_room(ORGANIZATION)], "inbox:updated", ROW)
    lost = gone.lost
    for _ in range(1000):
        await gone.emit([admins_room(ORGANIZATION)], "inbox:updated", ROW)

    await gone.stop()
    assert gone.lost >= lost + 1000, "counted, and not waited for one by one"


def _rows(client: Any) -> list[int]:
    return [
        data["conversation"]["last_seq"]
        for name, data in client.received
        if name == "inbox:updated"
    ]


async def test_one_subject_in_two_organizations_hears_in_each_of_that_one_alone(
    cluster: Cluster, connect: Any, redis_url: str, notifier: RedisRoomNotifier
) -> None:
    pods = [await cluster.redis_pod(redis_url) for _ in range(2)]
    conversation = await cluster.conversation()
    seq = (await cluster.write(conversation)).events[-1].seq
    elsewhere = cluster.token("ana", organization=str(uuid.uuid4()))
    here = [await connect(pod, "ana") for pod in pods]
    there = await connect(pods[1], token=elsewhere)

    await notifier.emit(list_rooms(ORGANIZATION, user_id("ana")), "inbox:updated", ROW)
    for client in here:
        assert await client.next("inbox:updated") == ROW
    moved = {"conversation_id": conversation, "seq": seq}
    assert (await here[0].call("mark_read", moved))["ok"]
    for client in here:
        assert (await client.next("conversation:read"))["seq"] == seq

    outside: Any = socketio.AsyncRedisManager(redis_url, write_only=True)
    await outside.emit("hello", {}, room=user_room(user_id("ana")))
    await outside.redis.aclose()
    for client in (*here, there):
        await client.next("hello")
    assert there.all("inbox:updated", "conversation:read") == []


async def test_a_connection_of_another_organization_is_nobodys_predecessor(
    cluster: Cluster, connect: Any, redis_url: str
) -> None:
    pods = [await cluster.redis_pod(redis_url) for _ in range(2)]
    conversation = await cluster.conversation()
    elsewhere = cluster.token("ana", organization=str(uuid.uuid4()))
    here = await connect(pods[0], "ana")

    there = await connect(pods[1], token=elsewhere, previous_sid=here.sid)
    await there.call("join_conversation", {"conversation_id": conversation})
    again = await connect(pods[0], "ana", previous_sid=there.sid)
    await again.join(conversation)

    for client in (here, there):
        assert (await client.call("ping"))["ok"]
