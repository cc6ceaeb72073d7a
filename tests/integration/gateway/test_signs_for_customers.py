"""What agents do on the socket, and a customer may see where the number wants it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from cluster.waiting import eventually
from integration.gateway.pods import ORGANIZATION, Cluster, Pod, now
from pytake.application.channel_ports import CustomerSign
from pytake.application.ports import Channel, InboundMessage
from pytake.domain.message import MessageType

pytestmark = pytest.mark.integration


@pytest.fixture
async def pod(cluster: Cluster) -> Pod:
    return await cluster.pod()


async def number_of(cluster: Cluster, *, is_wanted: bool) -> tuple[Channel, str, int]:
    """A number, and a conversation in which its customer has written."""
    await cluster.make_user("ana")
    channel = await cluster.store.channels.create_channel(
        ORGANIZATION,
        name="Loja",
        phone_number_id="1065",
        access_token="token",
        sends_read_marks=is_wanted,
        sends_typing=is_wanted,
    )
    inbound = InboundMessage(
        organization_id=ORGANIZATION,
        channel_id=channel.id,
        identifiers=(("phone", "5511988887777"),),
        profile_name="Clara",
        whatsapp_message_id="wamid.1",
        message_type=MessageType.TEXT,
        content={"text": "oi"},
        sent_at=now(),
    )
    committed = await cluster.store.conversations.receive_message(inbound)
    return channel, committed.conversation.id, committed.events[-1].seq


async def sign_of(cluster: Cluster, channel: Channel) -> CustomerSign:
    async def waits() -> Any:
        return await cluster.store.signs.take(channel.id, limit=9)

    [sign] = await eventually(waits, "a sign waits for the sender")
    found: CustomerSign = sign
    return found


async def test_who_reads_and_types_is_seen_by_the_customer(
    pod: Pod, cluster: Cluster, connect: Any
) -> None:
    channel, conversation, seq = await number_of(cluster, is_wanted=True)
    ana = await connect(pod)
    await ana.join(conversation)

    await ana.call("mark_read", {"conversation_id": conversation, "seq": seq})
    read = await sign_of(cluster, channel)
    await ana.call("typing_start", {"conversation_id": conversation})
    typing = await sign_of(cluster, channel)
    await ana.call("typing_start", {"conversation_id": conversation})

    assert (read.whatsapp_message_id, read.is_typing) == ("wamid.1", False)
    assert (typing.whatsapp_message_id, typing.is_typing) == ("wamid.1", True)
    # Shown for 25 s: it is not asked for again with every key.
    assert await cluster.store.signs.take(channel.id, limit=9) == []


def is_asking() -> bool:
    return any(task.get_name() == "show typing" for task in asyncio.all_tasks())


async def test_nothing_is_shown_where_the_number_does_not_want_it(
    pod: Pod, cluster: Cluster, connect: Any
) -> None:
    channel, conversation, seq = await number_of(cluster, is_wanted=False)
    ana = await connect(pod)
    await ana.join(conversation)

    await ana.call("mark_read", {"conversation_id": conversation, "seq": seq})
    await ana.call("typing_start", {"conversation_id": conversation})
    await eventually(lambda: not is_asking(), "what was asked for is settled")

    assert await cluster.store.signs.take(channel.id, limit=9) == []
