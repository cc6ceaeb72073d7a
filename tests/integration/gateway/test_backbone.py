"""From the handshake to a live conversation, on a real pod with a stock client."""

from __future__ import annotations

import asyncio
import time
import uuid
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import socketio

from cluster.waiting import eventually
from integration.gateway.clients import Client
from integration.gateway.pods import Cluster, Pod, user_id
from pytake.contract.media_links import MediaLinks

pytestmark = pytest.mark.integration

BOTH_WAYS = pytest.mark.parametrize(
    "transports", [("websocket",), ("polling",), ("polling", "websocket")], ids="-".join
)


@BOTH_WAYS
async def test_a_valid_token_is_greeted(pod: Pod, connect: Any, transports: Any) -> None:
    ana = await connect(pod, "ana", transports=transports)

    greeting = await ana.next("connected")

    assert greeting["user_id"] == user_id("ana")
    assert greeting["sid"] == ana.sid
    assert greeting["server_time"].endswith("Z")
    assert greeting["expires_at"].endswith("Z")


@pytest.mark.parametrize(
    ("auth", "code"),
    [
        ({}, "invalid_token"),
        ({"token": "no token"}, "invalid_token"),
        ({"token": 7}, "invalid_token"),
        ({"token": ""}, "invalid_token"),
    ],
)
async def test_a_bad_token_is_refused_for_good(pod: Pod, auth: Any, code: str) -> None:
    client = Client(pod.url, None, auth=auth)

    with pytest.raises(socketio.exceptions.ConnectionError):
        await client.connect()

    assert client.refused[0]["data"] == {"code": code, "retryable": False}
    await client.close()
    await eventually(lambda: len(pod.gateway.registry) == 0, "nobody is in")


async def test_an_expired_token_is_told_so(pod: Pod, cluster: Cluster) -> None:
    client = Client(pod.url, cluster.token(seconds=-60))

    with pytest.raises(socketio.exceptions.ConnectionError):
        await client.connect()

    assert client.refused[0]["data"]["code"] == "token_expired"
    await client.close()


@BOTH_WAYS
async def test_a_message_reaches_who_has_joined(
    pod: Pod, cluster: Cluster, connect: Any, transports: Any
) -> None:
    conversation = await cluster.conversation()
    ana = await connect(pod, "ana", transports=transports)
    bruno = await connect(pod, "bruno")
    for client in (ana, bruno):
        await client.join(conversation)

    await cluster.write(conversation, "olá")

    for client in (ana, bruno):
        message = await client.next("message:new")
        assert message["content"] == {"text": "olá"}
        assert message["conversation_id"] == conversation


async def test_a_join_is_answered_twice_alike(pod: Pod, cluster: Cluster, connect: Any) -> None:
    conversation = await cluster.conversation()
    head = (await cluster.write(conversation)).events[-1].seq
    ana = await connect(pod)

    answer = await ana.join(conversation)
    joined = await ana.next("joined_conversation")

    assert answer["seq"] == joined["seq"] == head
    assert answer["recovered"] is joined["recovered"] is False
    assert answer["replayed"] == joined["replayed"] == 0
    assert answer["epoch"] == joined["epoch"] != ""


async def test_missed_messages_follow_the_answer_in_order(
    pod: Pod, cluster: Cluster, connect: Any
) -> None:
    conversation = await cluster.conversation()
    seqs = [(await cluster.write(conversation, str(n))).events[-1].seq for n in range(300)]
    ana = await connect(pod)

    answer = await ana.join(conversation, last_seq=seqs[0])
    live = (await cluster.write(conversation, "live")).events[-1].seq
    await ana.until(lambda: live in ana.seqs(), "the live message")

    assert answer["recovered"] is True
    assert answer["replayed"] == 299
    assert ana.seqs() == [*seqs[1:], live]
    events = [event for event, _ in ana.received]
    assert events.index("joined_conversation") < events.index("message:new")


async def test_nothing_is_missed_or_doubled_while_others_write(
    pod: Pod, cluster: Cluster, connect: Any
) -> None:
    conversation = await cluster.conversation()
    first = (await cluster.write(conversation)).events[-1].seq
    done = asyncio.Event()
    last = first

    async def write_on() -> None:
        nonlocal last
        for number in range(80):
            last = (await cluster.write(conversation, str(number))).events[-1].seq
        done.set()

    clients: list[Client] = []
    async with asyncio.TaskGroup() as group:
        group.create_task(write_on())
        for number in range(8):
            client = await connect(pod, f"agent {number}")
            clients.append(client)
            await client.join(conversation, last_seq=first)
            await asyncio.sleep(0.02)

    for client in clients:
        await client.until(lambda client=client: last in client.seqs(), f"event {last}")
        assert client.seqs() == list(range(first + 1, last + 1))


@pytest.mark.parametrize(
    "cursor",
    [
        {"last_seq": 10_000},
        {"last_seq": 2**53},
        {"last_seq": 10**30},
        {"last_seq": 1, "epoch": "another life"},
        {},
    ],
)
async def test_a_cursor_that_means_nothing_here_is_not_resumed(
    pod: Pod, cluster: Cluster, connect: Any, cursor: dict[str, Any]
) -> None:
    conversation = await cluster.conversation()
    for _ in range(3):
        await cluster.write(conversation)
    ana = await connect(pod)

    answer = await ana.join(conversation, **cursor)

    assert answer["recovered"] is False
    assert answer["replayed"] == 0


async def test_many_conversations_are_joined_at_once(
    pod: Pod, cluster: Cluster, connect: Any
) -> None:
    known = [await cluster.conversation(f"+55119000001{n:02}") for n in range(20)]
    missing = str(uuid.uuid4())
    ana = await connect(pod)

    asked = [{"conversation_id": each} for each in [*known, missing]]
    answer = await ana.call("join_conversations", {"conversations": asked})

    assert answer["ok"]
    assert [each["ok"] for each in answer["conversations"]] == [True] * 20 + [False]
    assert answer["conversations"][-1]["error"]["code"] == "not_found"
    assert {each["conversation_id"] for each in ana.all("joined_conversation")} == set(known)


async def test_who_has_left_hears_no_more(pod: Pod, cluster: Cluster, connect: Any) -> None:
    conversation = await cluster.conversation()
    ana, bruno = await connect(pod, "ana"), await connect(pod, "bruno")
    for client in (ana, bruno):
        await client.join(conversation)

    answer = await ana.call("leave_conversation", {"conversation_id": conversation})
    await cluster.write(conversation)
    await bruno.next("message:new")
    await ana.call("ping")

    assert answer == {"ok": True, "conversation_id": conversation}
    assert ana.all("left_conversation") == [{"conversation_id": conversation}]
    assert ana.all("message:new") == []


async def test_typing_is_told_to_everybody_else(pod: Pod, cluster: Cluster, connect: Any) -> None:
    conversation = await cluster.conversation()
    ana, bruno = await connect(pod, "ana"), await connect(pod, "bruno")
    for client in (ana, bruno):
        await client.join(conversation)

    assert await ana.call("typing_start", {"conversation_id": conversation}) == {"ok": True}
    assert await ana.call("typing_stop", {"conversation_id": conversation}) == {"ok": True}

    expected = {"conversation_id": conversation, "user_id": user_id("ana")}
    assert await bruno.next("user_typing") == expected | {"typing": True}
    assert await bruno.next("user_typing", after=1) == expected | {"typing": False}
    assert ana.all("user_typing") == []


@pytest.mark.parametrize("ending", ["message", "leave", "disconnect"])
async def test_typing_ends_with_what_ends_it(
    pod: Pod, cluster: Cluster, connect: Any, ending: str
) -> None:
    conversation = await cluster.conversation()
    ana, bruno = await connect(pod, "ana"), await connect(pod, "bruno")
    for client in (ana, bruno):
        await client.join(conversation)
    await ana.call("typing_start", {"conversation_id": conversation})

    if ending == "message":
        await cluster.write(conversation, user="ana")
    elif ending == "leave":
        await ana.call("leave_conversation", {"conversation_id": conversation})
    else:
        await ana.close()

    assert (await bruno.next("user_typing", after=1))["typing"] is False


async def test_typing_ends_six_seconds_after_the_last_start(
    pod: Pod, cluster: Cluster, connect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pytake.gateway.typing_notices.TYPING_SECONDS", 0.3)
    conversation = await cluster.conversation()
    ana, bruno = await connect(pod, "ana"), await connect(pod, "bruno")
    for client in (ana, bruno):
        await client.join(conversation)

    await ana.call("typing_start", {"conversation_id": conversation})

    assert (await bruno.next("user_typing", after=1))["typing"] is False


async def test_typing_needs_a_join(pod: Pod, cluster: Cluster, connect: Any) -> None:
    conversation = await cluster.conversation()
    ana = await connect(pod)

    answer = await ana.call("typing_start", {"conversation_id": conversation})

    assert answer["ok"] is False
    assert answer["error"]["code"] == "not_joined"
    assert (await ana.next("error"))["event"] == "typing_start"


async def test_viewers_are_told_who_else_is_there(pod: Pod, cluster: Cluster, connect: Any) -> None:
    conversation = await cluster.conversation()
    ana, bruno = await connect(pod, "ana"), await connect(pod, "bruno")
    await ana.join(conversation)
    await bruno.join(conversation)
    await ana.until(
        lambda: any(update["count"] == 2 for update in ana.all("presence:update")), "two viewers"
    )

    await bruno.call("leave_conversation", {"conversation_id": conversation})

    await ana.until(
        lambda: ana.all("presence:update")[-1]["count"] == 1, "bruno is no viewer any more"
    )
    names = [viewer["name"] for viewer in ana.all("presence:update")[-1]["viewers"]]
    assert names == ["ana"]


async def test_reading_is_told_to_all_devices_of_the_user(
    pod: Pod, cluster: Cluster, connect: Any
) -> None:
    conversation = await cluster.conversation()
    head = (await cluster.write(conversation)).events[-1].seq
    desk, phone = await connect(pod, "ana"), await connect(pod, "ana")

    answer = await desk.call("mark_read", {"conversation_id": conversation, "seq": head})

    assert answer["ok"]
    assert answer["seq"] == head
    for client in (desk, phone):
        read = await client.next("conversation:read")
        assert (read["conversation_id"], read["seq"]) == (conversation, head)


async def test_a_ping_is_answered_with_the_time(pod: Pod, connect: Any) -> None:
    ana = await connect(pod)

    answer = await ana.call("ping", {"t": 123})

    assert answer["t"] == 123
    assert (await ana.next("pong")) == {"timestamp": answer["timestamp"], "t": 123}


async def test_a_fresh_token_prolongs_the_connection(
    pod: Pod, cluster: Cluster, connect: Any
) -> None:
    conversation = await cluster.conversation()
    ana = await connect(pod, claims={"seconds": 30})
    await ana.join(conversation)
    await ana.next("token:expiring")

    answer = await ana.call("auth:refresh", {"token": cluster.token("ana", seconds=900)})
    await cluster.write(conversation)

    assert answer["ok"]
    assert answer["expires_at"] > (await ana.next("connected"))["expires_at"]
    await ana.next("message:new")


async def test_a_token_of_somebody_else_is_not_taken(
    pod: Pod, cluster: Cluster, connect: Any
) -> None:
    ana = await connect(pod)

    answer = await ana.call("auth:refresh", {"token": cluster.token("bruno")})

    assert answer["error"]["code"] == "invalid_token"
    assert (await ana.call("ping"))["ok"]


async def test_a_picture_says_where_it_can_be_seen_live_in_a_replay_and_to_who_confirms(
    cluster: Cluster, connect: Any
) -> None:
    """Links are signed when they are sent: the log has the id alone."""
    links = MediaLinks(b"a key of the installation", time.time)
    pod = await cluster.pod(link=links)
    conversation = await cluster.conversation()
    ana, asked = await connect(pod, "ana"), await connect(pod, "bruno", features=("receipts",))
    for client in (ana, asked):
        await client.join(conversation)
    pod.gateway.deliveries._until_next = 1

    committed = await cluster.write(conversation, "olá \U0001f600", media_id="m-1")
    live = [await client.next("message:new") for client in (ana, asked)]
    late = await connect(pod, "rui")
    await late.join(conversation, last_seq=0)
    replayed = await late.next("message:new")

    assert b"media_url" not in committed.events[-1].data
    for message in (*live, replayed):
        content = message["content"]
        assert (content["media_id"], content["caption"]) == ("m-1", "olá \U0001f600")
        url = urlsplit(content["media_url"])
        query = {name: value for name, [value] in parse_qs(url.query).items()}
        assert url.path == "/api/v1/media/m-1"
        assert links.is_good("m-1", query["expires"], query["signature"])
