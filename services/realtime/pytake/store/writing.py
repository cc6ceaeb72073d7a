"""What the writers of conversations share: who may write when, and what they return."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from pytake.application.ports import Clock, Committed
from pytake.domain.errors import NotFound
from pytake.domain.events import ConversationEvent
from pytake.domain.ids import ConversationId, OrganizationId, UserId
from pytake.domain.message import Direction, Message
from pytake.domain.status import MessageStatus
from pytake.store import search_text
from pytake.store.append_queue import AppendQueue
from pytake.store.engine import Database
from pytake.store.epoch import Epoch
from pytake.store.log import author_of, locked
from pytake.store.rows import conversation_of, message_of, to_json
from pytake.store.signals import Signals
from pytake.store.tables import messages, send_queue
from pytake.store.turns import Turns

MAX_ATTEMPTS = 4
"""Of a transaction that lost a race for a unique name: the next one finds the winner."""


class ConversationWriter:
    """Base of the writers: one queue of turns, one clock, one epoch."""

    def __init__(
        self, database: Database, turns: Turns, epoch: Epoch, signals: Signals, clock: Clock
    ) -> None:
        self._database = database
        self._signals = signals
        self._turns = turns
        self._appends = AppendQueue(database, turns, clock)
        self._epoch = epoch
        self._clock = clock

    async def close(self) -> None:
        """Wait for what is being stored."""
        await self._appends.close()

    @asynccontextmanager
    async def _locked(
        self, organization_id: OrganizationId, conversation_id: ConversationId
    ) -> AsyncIterator[tuple[AsyncConnection, dict[str, Any]]]:
        """Hold the conversation's turn and row lock in a transaction."""
        await self._epoch()
        async with (
            self._turns.turn(conversation_id),
            self._database.write() as connection,
        ):
            conversation = await locked(connection, organization_id, conversation_id)
            if conversation is None:
                raise NotFound(detail="There is no such conversation.")
            yield connection, conversation

    def _committed(
        self,
        conversation: Mapping[str, Any],
        last_message: Message | None,
        *,
        events: tuple[ConversationEvent, ...] = (),
        message: Message | None = None,
        is_new: bool = True,
        previous_assignee: UserId | None = None,
    ) -> Committed:
        return Committed(
            conversation=conversation_of(
                conversation, epoch=self._epoch.known, last_message=last_message
            ),
            events=events,
            previous_assignee=previous_assignee,
            message=message,
            is_new=is_new,
        )


async def message_by_id(connection: AsyncConnection, message_id: str | None) -> Message | None:
    """Return a message, or None."""
    if message_id is None:
        return None
    query = select(messages).where(messages.c.id == message_id)
    row = (await connection.execute(query)).mappings().one_or_none()
    return None if row is None else message_of(row)


async def message_by_whatsapp_id(
    connection: AsyncConnection, organization_id: OrganizationId, whatsapp_message_id: str
) -> Message | None:
    """Return the message that the provider calls by this id, or None."""
    query = select(messages).where(
        messages.c.organization_id == organization_id,
        messages.c.whatsapp_message_id == whatsapp_message_id,
    )
    row = (await connection.execute(query)).mappings().one_or_none()
    return None if row is None else message_of(row)


async def store_message(
    connection: AsyncConnection,
    conversation: dict[str, Any],
    message: Message,
    traceparent: str | None,
    *,
    is_history: bool = False,
) -> None:
    """Insert the message, queue it for sending, and note it in the conversation's row.

    `message.seq` must be the number that its event gets in this transaction.
    """
    if is_history:
        _note_history(conversation, message)
    else:
        _note_news(conversation, message)
    await connection.execute(
        insert(messages).values(
            message_values(conversation["organization_id"], message)
            | {"inbound_count": conversation["inbound_count"]}
        )
    )
    if is_to_be_sent(conversation, message):
        await connection.execute(
            insert(send_queue).values(
                message_id=message.id,
                organization_id=conversation["organization_id"],
                channel_id=conversation["channel_id"],
                conversation_id=message.conversation_id,
                seq=message.seq,
                next_attempt_at=message.created_at,
                traceparent=traceparent,
            )
        )


def _note_news(conversation: dict[str, Any], message: Message) -> None:
    if message.direction is Direction.INBOUND:
        conversation["inbound_count"] += 1
    author = author_of(message)
    if conversation["last_author"] != author:
        conversation["other_author_seq"] = conversation["last_author_seq"]
    conversation["last_author"] = author
    conversation["last_author_seq"] = message.seq
    conversation["last_message_id"] = message.id
    conversation["updated_at"] = max(conversation["updated_at"], message.created_at)


def _note_history(conversation: dict[str, Any], message: Message) -> None:
    """Nobody has to read it or can have missed it; the list shows it where nothing is newer."""
    if conversation["is_new"]:
        conversation["updated_at"] = message.created_at
    is_newest = message.created_at >= conversation["updated_at"]
    if is_newest or conversation["last_message_id"] is None:
        conversation["last_message_id"] = message.id
    conversation["updated_at"] = max(conversation["updated_at"], message.created_at)


def is_to_be_sent(conversation: Mapping[str, Any], message: Message) -> bool:
    """Whether the message has a way to go to the customer."""
    return (
        message.direction is Direction.OUTBOUND
        and message.status is MessageStatus.PENDING
        and conversation["channel_id"] is not None
    )


def message_values(organization_id: str, message: Message) -> dict[str, Any]:
    """Return the columns of a message, without `inbound_count`."""
    return {
        "id": message.id,
        "organization_id": organization_id,
        "conversation_id": message.conversation_id,
        "seq": message.seq,
        "direction": message.direction.value,
        "sender_type": message.sender_type.value,
        "sender_id": message.sender_id,
        "message_type": message.message_type.value,
        "content": to_json(dict(message.content)),
        "search_text": search_text.of_message(message.content),
        "status": message.status.value,
        "error": None if message.error is None else to_json(dict(message.error)),
        "whatsapp_message_id": message.whatsapp_message_id,
        "client_message_id": message.client_message_id,
        "retry_of": message.retry_of,
        "created_at": message.created_at,
        "sent_at": message.sent_at,
    }
