"""Two pods that share a real Redis behave like one."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import pytest

from cluster.waiting import eventually
from integration.gateway.clients import Client
from integration.gateway.pods import CAP, ORGANIZATION, Cluster, Pod, user_id
from pytake.domain.errors import Unavailable
from pytake.gateway import viewers
from pytake.limits.redis import places_key

pytestmark = pytest.mark.integration


@pytest.fixture
async def pods(cluster: Cluster, redis_url: str) -> tuple[Pod, Pod]:
    return await cluster.redis_pod(redis_url), await cluster.redis_pod(redis_url)


async def test_a_message_reaches_clients_on_both(
    pods: tuple[Pod, Pod], cluster: Cluster, connect: Any
) -> None:
    conversation = await cluster.conversation()
    clients = [await connect(pods[0], "ana"), await connect(pods[1], "bruno")]
    for client in clients:
        await client.join(conversation)

    seqs = [(await cluster.write(conversation, str(n))).events[-1].seq for n in range(20)]

    for client in clients:
        await client.until(lambda client=client: len(client.seqs()) == 20, "all messages")
        assert client.seqs() == seqs


async def test_typing_and_viewers_are_seen_on_the_other_pod(
    pods: tuple[Pod, Pod], cluster: Cluster, connect: Any
) -> None:
    conversation = await cluster.conversation()
    ana, bruno = await connect(pods[0], "ana"), await connect(pods[1], "bruno")
    await ana.join(conversation)
    await bruno.join(conversation)

    await ana.call("typing_start", {"conversation_id": conversation})

    assert (await bruno.next("user_typing"))["user_id"] == user_id("ana")
    for client in (ana, bruno):
        await client.until(
            lambda client=client: any(
                update["count"] == 2 for update in client.all("presence:update")
            ),
            "two viewers",
        )
    assert ana.all("user_typing") == []


EMIT = """
import asyncio, sys, socketio
async def main():
    manager = socketio.AsyncRedisManager(sys.argv[1], write_only=True)
    await manager.emit("greeting", {"from": "outside"}, room=sys.argv[2])
asyncio.run(main())
"""


async def test_a_stock_manager_of_another_process_can_emit_into_a_room(
    pods: tuple[Pod, Pod], cluster: Cluster, connect: Any, redis_url: str
) -> None:
    conversation = await cluster.conversation()
    clients = [await connect(pods[0], "ana"), await connect(pods[1], "bruno")]
    for client in clients:
        await client.join(conversation)

    emitter = await asyncio.create_subprocess_exec(
        sys.executable, "-c", EMIT, redis_url, f"conversation:{conversation}"
    )
    assert await emitter.wait() == 0

    for client in clients:
        assert await client.next("greeting") == {"from": "outside"}


async def test_the_oldest_connection_gives_way_on_whatever_pod_it_is(
    pods: tuple[Pod, Pod], connect: Any
) -> None:
    clients = [await connect(pods[number % 2]) for number in range(CAP)]

    newest = await connect(pods[1])

    assert (await clients[0].next("error"))["code"] == "connection_cap"
    await clients[0].wait_closed()
    assert (await newest.call("ping"))["ok"]
    assert all(client.sio.connected for client in clients[1:])


async def test_fifty_connects_at_once_leave_exactly_the_cap(
    pods: tuple[Pod, Pod], cluster: Cluster
) -> None:
    token = cluster.token("ana")
    clients = [Client(pods[number % 2].url, token) for number in range(50)]

    await asyncio.gather(*(client.connect() for client in clients), return_exceptions=True)

    def left() -> int:
        return sum(len(pod.gateway.registry) for pod in pods)

    # A pod whose Redis seems silent for a moment (a starved machine) falls back to a cap of its
    # own; as soon as it hears of Redis again it asserts its places, and the cluster's cap holds.
    await eventually(lambda: left() == CAP, "exactly the cap is left", 25)
    await asyncio.gather(*(client.close() for client in clients))


async def test_who_comes_back_takes_the_place_of_the_old_connection(
    pods: tuple[Pod, Pod], cluster: Cluster, connect: Any
) -> None:
    old = await connect(pods[0])
    others = [await connect(pods[0]) for _ in range(CAP - 1)]

    await connect(pods[1], previous_sid=old.sid)

    assert (await old.next("error"))["code"] == "superseded"
    await old.wait_closed()
    assert all(client.sio.connected for client in others)


async def test_a_foreign_previous_sid_does_nothing(
    pods: tuple[Pod, Pod], cluster: Cluster, connect: Any
) -> None:
    bruno = await connect(pods[0], "bruno")

    await connect(pods[1], "ana", previous_sid=bruno.sid)
    await connect(pods[1], "ana", previous_sid="no such sid")

    assert (await bruno.call("ping"))["ok"]


@pytest.mark.parametrize("previous", ["", "x" * 65, "\ud800", 7, True, {"sid": "x"}, ["x"]])
async def test_a_previous_sid_that_can_name_nothing_is_ignored(
    pods: tuple[Pod, Pod], connect: Any, previous: Any
) -> None:
    ana = await connect(pods[0], "ana", previous_sid=previous)

    assert (await ana.call("ping"))["ok"]


async def test_a_draining_pod_keeps_the_old_connection_until_the_new_one_has_joined(
    pods: tuple[Pod, Pod], cluster: Cluster, connect: Any
) -> None:
    conversation = await cluster.conversation()
    old = await connect(pods[0])
    await old.join(conversation)
    draining = asyncio.create_task(pods[0].gateway.drain())
    await old.next("server:draining")

    new = await connect(pods[1], previous_sid=old.sid)
    assert old.sio.connected
    await new.join(conversation, last_seq=0)

    assert (await old.next("error"))["code"] == "superseded"
    async with asyncio.timeout(5):
        await draining


async def test_who_waits_for_his_successor_to_join_costs_no_older_one_his_place(
    pods: tuple[Pod, Pod], cluster: Cluster, connect: Any
) -> None:
    oldest, old = await connect(pods[1]), await connect(pods[0])
    others = [await connect(pods[1]) for _ in range(CAP - 2)]
    draining = asyncio.create_task(pods[0].gateway.drain())
    await old.next("server:draining")
    await connect(pods[1], previous_sid=old.sid)
    waiting: Any = pods[0].gateway.registry.get(old.sid)
    await eventually(lambda: "successor" in waiting.timers, "it waits")

    gateway = pods[0].gateway
    gave_way = await gateway._ports.places.assert_all(gateway.upkeep._ages())

    assert not gave_way
    assert all(client.sio.connected for client in (oldest, *others))
    draining.cancel()


async def test_the_budget_of_a_user_is_shared_by_both_pods(
    pods: tuple[Pod, Pod], cluster: Cluster, connect: Any
) -> None:
    conversation = await cluster.conversation()
    clients = [await connect(pods[0]), await connect(pods[1])]
    for client in clients:
        await client.join(conversation)

    answers = [
        await clients[number % 2].call("typing_start", {"conversation_id": conversation})
        for number in range(20)
    ]

    granted = sum(answer["ok"] for answer in answers)
    assert 10 <= granted <= 13
    refused = next(answer["error"] for answer in answers if not answer["ok"])
    assert refused["code"] == "rate_limited"
    assert refused["retry_after_ms"] > 0


class Away:
    """A Redis that is away for one part of a pod."""

    asked = 0

    async def calls(self, commands: Any) -> list[Any]:
        self.asked += 1
        raise Unavailable()


async def test_a_cap_that_each_pod_kept_alone_holds_for_both_once_redis_is_back(
    pods: tuple[Pod, Pod], connect: Any
) -> None:
    """Each pod let in its own three; the six become three again, wherever they are."""
    links = []
    for pod in pods:
        places: Any = pod.gateway._ports.places
        links.append((places, places._commands))
        places._commands = places._script._commands = Away()
    clients = [await connect(pod) for pod in pods for _ in range(CAP)]
    assert all(client.sio.connected for client in clients)

    for places, commands in links:
        places._commands = places._script._commands = commands

    def left() -> int:
        return sum(len(pod.gateway.registry) for pod in pods)

    await eventually(lambda: left() == CAP, "exactly the cap is left", 15)
    assert all(
        client.all("error")[0]["code"] == "connection_cap"
        for client in clients
        if not client.sio.connected
    )


async def test_places_that_are_refused_are_not_asserted_without_end(
    cluster: Cluster, redis_url: str, connect: Any
) -> None:
    pod = await cluster.redis_pod(redis_url)
    await connect(pod)
    places: Any = pod.gateway._ports.places
    await places._commands.calls([["SET", places_key(user_id("ana")), "no hash"]])
    calls = await _calls_of_scripts(places)

    pod.gateway.upkeep.assert_soon()
    await eventually(lambda: not places.is_shared, "it is refused")
    pod.gateway.upkeep.assert_soon()
    begun = places._seen_at
    await eventually(lambda: places._seen_at > begun + 2, "two seconds have passed")

    assert await _calls_of_scripts(places) - calls < 9


async def _calls_of_scripts(places: Any) -> int:
    (text,) = await places._commands.calls([["INFO", "commandstats"]])
    line = next(line for line in text.decode().split() if line.startswith("cmdstat_evalsha:"))
    return int(line.partition("calls=")[2].partition(",")[0])


async def test_a_revocation_ends_connections_on_both_pods_and_one_token_alone(
    pods: tuple[Pod, Pod], cluster: Cluster, connect: Any
) -> None:
    await cluster.make_user("ana")
    kept = [await connect(pod, claims={"jti": "kept", "iat": 1}) for pod in pods]
    stolen = await connect(pods[1], claims={"jti": "stolen", "iat": 1})

    await cluster.store.rights.revoke(ORGANIZATION, user_id("ana"), "stolen")
    await cluster.rights.load()

    assert (await stolen.next("error"))["code"] == "token_revoked"
    await stolen.wait_closed()
    for client in kept:
        assert (await client.call("ping"))["ok"]

    await cluster.store.rights.revoke(ORGANIZATION, user_id("ana"), None)
    await cluster.rights.load()

    for client in kept:
        assert (await client.next("error"))["code"] == "token_revoked"
        await client.wait_closed()


async def test_viewers_stay_as_they_were_while_redis_is_away(
    monkeypatch: pytest.MonkeyPatch, cluster: Cluster, redis_url: str, connect: Any
) -> None:
    there = await cluster.redis_pod(redis_url)
    monkeypatch.setattr(viewers, "SHOW_AGAIN_SECONDS", 0.1)
    here = await cluster.redis_pod(redis_url)
    conversation = await cluster.conversation()
    ana, bruno = await connect(here, "ana"), await connect(there, "bruno")
    await ana.join(conversation)
    await bruno.join(conversation)
    await ana.until(lambda: _viewers(ana) == 2, "two viewers")
    board: Any = here.gateway._ports.viewers
    away = board._keyed = Away()

    await eventually(lambda: away.asked >= 4, "the board is asked again and again")
    clara = await connect(here, "clara")
    await clara.join(conversation)

    await ana.until(lambda: _viewers(ana) != 2, "one more viewer")
    assert _viewers(ana) == 3


def _viewers(client: Any) -> int:
    updates = client.all("presence:update")
    return int(updates[-1]["count"]) if updates else 0
