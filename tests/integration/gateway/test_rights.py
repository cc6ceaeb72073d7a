"""Who loses the right to a conversation hears nothing of it any more, live or by replay."""

from __future__ import annotations

from typing import Any

import pytest
import socketio

from cluster.waiting import eventually
from integration.gateway.pods import ORGANIZATION, Cluster, Pod, user_id
from pytake.domain.errors import ErrorCode
from pytake.domain.principal import Role

pytestmark = pytest.mark.integration

ANOTHER = "0d9f6f1e-0000-4000-8000-0000000000ff"


@pytest.fixture
async def pod(cluster: Cluster) -> Pod:
    return await cluster.pod()


async def test_a_reassignment_shows_the_former_assignee_out(
    pod: Pod, cluster: Cluster, connect: Any
) -> None:
    conversation = await cluster.conversation()
    ana, bruno = await connect(pod, "ana"), await connect(pod, "bruno")
    admin = await connect(pod, "root", claims={"role": "admin"})
    for client in (ana, bruno, admin):
        await client.join(conversation)

    await cluster.assign(conversation, "bruno")
    await cluster.write(conversation, "only bruno's", user="bruno")

    assert (await bruno.next("message:new"))["content"]["text"] == "only bruno's"
    assert (await admin.next("message:new"))["content"]["text"] == "only bruno's"
    assert (await ana.next("error"))["code"] == "forbidden"
    left = await ana.next("left_conversation")
    assert left == {"conversation_id": conversation, "reason": "forbidden"}
    await ana.call("ping")
    assert ana.seqs() == []
    answer = await ana.call("join_conversation", {"conversation_id": conversation, "last_seq": 0})
    assert answer["error"]["code"] == "not_found"


async def test_an_event_that_overtakes_the_news_of_the_change_does_not_reach_who_lost(
    pod: Pod, cluster: Cluster, connect: Any
) -> None:
    conversation = await cluster.conversation()
    ana, bruno = await connect(pod, "ana"), await connect(pod, "bruno")
    for client in (ana, bruno):
        await client.join(conversation)

    await cluster.assign(conversation, "bruno", publish=False)
    await cluster.write(conversation, "secret", user="bruno")

    await bruno.next("message:new")
    await ana.next("left_conversation")
    await ana.call("ping")
    assert ana.seqs() == []


async def test_a_typing_notice_does_not_reach_who_was_shown_out(
    pod: Pod, cluster: Cluster, connect: Any
) -> None:
    conversation = await cluster.conversation()
    ana, bruno = await connect(pod, "ana"), await connect(pod, "bruno")
    for client in (ana, bruno):
        await client.join(conversation)
    await cluster.assign(conversation, "bruno")
    await ana.next("left_conversation")

    await bruno.call("typing_start", {"conversation_id": conversation})

    await ana.call("ping")
    assert ana.all("user_typing") == []


@pytest.mark.parametrize(
    "claims", [{"organization": ANOTHER}, {"organization": ANOTHER, "role": "admin"}]
)
async def test_a_foreign_conversation_answers_like_one_that_does_not_exist(
    pod: Pod, cluster: Cluster, connect: Any, claims: dict[str, str]
) -> None:
    conversation = await cluster.conversation()
    stranger = await connect(pod, "eve", claims=claims)
    missing = "c0000000-0000-4000-8000-00000000dead"

    foreign = await stranger.call("join_conversation", {"conversation_id": conversation})
    unknown = await stranger.call("join_conversation", {"conversation_id": missing})

    assert foreign == unknown
    assert foreign["error"]["code"] == "not_found"


async def test_a_revoked_user_is_closed_and_stays_out(
    pod: Pod, cluster: Cluster, connect: Any
) -> None:
    await cluster.make_user("ana")
    ana = await connect(pod, "ana")

    await cluster.store.rights.revoke(ORGANIZATION, user_id("ana"), None)
    await cluster.rights.load()

    assert (await ana.next("error"))["code"] == "token_revoked"
    await ana.wait_closed()
    with pytest.raises(socketio.exceptions.ConnectionError):
        await connect(pod, "ana", token=cluster.token("ana", iat=1))


async def test_a_role_that_was_taken_away_takes_conversations_with_it(
    pod: Pod, cluster: Cluster, connect: Any
) -> None:
    conversation = await cluster.conversation()
    await cluster.assign(conversation, "bruno")
    await cluster.make_user("root", Role.ADMIN)
    ana = await connect(pod, "root", claims={"role": "admin"})
    await ana.join(conversation)

    await cluster.store.users.change_user(
        ORGANIZATION, user_id("root"), name=None, role=Role.AGENT, is_active=None
    )
    await cluster.rights.load()

    assert (await ana.next("left_conversation"))["reason"] == "forbidden"
    assert await ana.next("resync") == {"scope": "inbox"}
    await cluster.write(conversation, "not for ana", user="bruno")
    await ana.call("ping")
    assert ana.all("message:new") == []


async def test_an_expired_connection_is_warned_and_closed_within_thirty_seconds(
    pod: Pod, cluster: Cluster, connect: Any
) -> None:
    """With the times that users get; a fresh token resets them, and one a minute ahead warns."""
    ana = await connect(pod, "ana", claims={"seconds": 1})
    bruno = await connect(pod, "bruno", claims={"seconds": 1})
    answer = await bruno.call("auth:refresh", {"token": cluster.token("bruno", seconds=61)})
    assert answer["ok"]

    await ana.wait_closed(30)

    assert (await ana.next("error"))["code"] == ErrorCode.TOKEN_EXPIRED
    assert ana.end_reason == "server disconnect"
    assert len(ana.all("token:expiring")) == 1
    assert len(bruno.all("token:expiring")) == 2, "once for each of its tokens"
    assert (await bruno.call("ping"))["ok"]


async def test_a_token_that_ran_out_ends_the_connection(
    pod: Pod, cluster: Cluster, connect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pytake.gateway.lifetime.GRACE_SECONDS", 0.1)
    ana = await connect(pod, "ana", claims={"seconds": 1})

    assert "expires_at" in await ana.next("token:expiring")
    assert (await ana.next("error"))["code"] == ErrorCode.TOKEN_EXPIRED
    await ana.wait_closed()
    await eventually(lambda: len(pod.gateway.registry) == 0, "nobody is left")
