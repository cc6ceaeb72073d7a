"""A conversation of months, made in seconds: straight into the store."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from pytake.domain.ids import ConversationId, MessageId, OrganizationId, UserId
from pytake.domain.message import Direction, MessageType, NewMessage, SenderType
from pytake.domain.status import MessageStatus
from pytake.store import open_store

_AT_ONCE = 100
_APART = timedelta(minutes=8)


def fill_thread(url: str, organization: str, name: str, agent: str, count: int) -> str:
    """Open a conversation without a channel, fill it, and return its id."""
    # An open browser keeps a loop running in this thread.
    with ThreadPoolExecutor(1) as thread:
        done = thread.submit(lambda: asyncio.run(_fill(url, organization, name, agent, count)))
        return done.result()


async def _fill(url: str, organization: str, name: str, agent: str, count: int) -> str:
    start = datetime.now(UTC) - timedelta(days=60)
    async with open_store(url) as store:
        opened = await store.conversations.open_conversation(
            OrganizationId(organization),
            contact_name=name,
            phone=f"+55118{count:08d}",
            channel_id=None,
            window_expires_at=None,
            now=start,
        )
        conversation = opened.conversation.id
        for first in range(1, count + 1, _AT_ONCE):
            numbers = range(first, min(first + _AT_ONCE, count + 1))
            await asyncio.gather(
                *(
                    store.conversations.append_message(
                        OrganizationId(organization),
                        _message(conversation, agent, number, start + number * _APART),
                    )
                    for number in numbers
                )
            )
    return conversation


def _message(conversation: ConversationId, agent: str, number: int, at: datetime) -> NewMessage:
    is_inbound = number % 3 != 0
    text = f"Mensagem {number}: " + "um texto de tamanho comum " * (number % 7)
    return NewMessage(
        id=MessageId(str(uuid4())),
        conversation_id=conversation,
        direction=Direction.INBOUND if is_inbound else Direction.OUTBOUND,
        sender_type=SenderType.CONTACT if is_inbound else SenderType.AGENT,
        sender_id=None if is_inbound else UserId(agent),
        message_type=MessageType.TEXT,
        content={"text": text},
        created_at=at,
        status=MessageStatus.DELIVERED if is_inbound else MessageStatus.READ,
    )
