"""Storing messages."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import and_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from pytake.application.ports import Committed, InboundMessage
from pytake.domain.conversation import ConversationStatus
from pytake.domain.errors import Conflict, StaleView, Unavailable
from pytake.domain.events import ConversationEvent
from pytake.domain.ids import ContactId, ConversationId, MessageId, OrganizationId
from pytake.domain.message import Direction, Message, NewMessage, SenderType
from pytake.domain.status import MessageStatus
from pytake.domain.window import window_after
from pytake.store import fast_append, fast_status
from pytake.store.contacts import conversation_of_contact, existing_conversation
from pytake.store.engine import is_duplicate
from pytake.store.fast_append import Wanted
from pytake.store.log import (
    Draft,
    append,
    message_draft,
    stored_message,
    update_draft,
)
from pytake.store.rows import event_of, from_json, message_of, to_json
from pytake.store.signals import SEND_QUEUE
from pytake.store.tables import events, messages
from pytake.store.writing import (
    MAX_ATTEMPTS,
    ConversationWriter,
    message_by_id,
    message_by_whatsapp_id,
    store_message,
)

MAX_MISSING_EVENTS = 500


class MessageWriter(ConversationWriter):
    """The part of `ConversationStore` that stores messages."""

    async def append_message(
        self, organization_id: OrganizationId, message: NewMessage
    ) -> Committed:
        """Store an outbound message with the next `seq` and its `message:new`."""
        committed = await self._append(organization_id, message)
        if committed.is_new and committed.conversation.channel_id is not None:
            self._signals.wake_soon(SEND_QUEUE)
        return committed

    async def _append(self, organization_id: OrganizationId, message: NewMessage) -> Committed:
        if self._database.is_postgres:
            fast = await self._append_fast(organization_id, message)
            if fast is not None:
                return fast
        for _ in range(MAX_ATTEMPTS):
            try:
                return await self._append_under_lock(organization_id, message)
            except Exception as error:
                if not is_duplicate(error):
                    raise
        raise Unavailable(detail="The message could not be stored.")

    async def _append_fast(
        self, organization_id: OrganizationId, message: NewMessage
    ) -> Committed | None:
        """Store it in one statement; None where it refuses and the reason must be found."""
        await self._epoch()
        return await self._append_wanted(
            Wanted(
                organization_id,
                stored_message(message, seq=0),
                based_on_seq=message.based_on_seq,
                traceparent=message.traceparent,
            )
        )

    async def _append_wanted(self, wanted: Wanted) -> Committed | None:
        stored = await self._appends.append(wanted)
        if stored is None:
            return None
        conversation, event = stored
        kept = replace(wanted.message, seq=event.seq)
        return self._committed(
            conversation,
            kept,
            events=(event,),
            message=kept,
            previous_assignee=conversation["assigned_to"],
        )

    async def _append_under_lock(
        self, organization_id: OrganizationId, new: NewMessage
    ) -> Committed:
        async with self._locked(organization_id, new.conversation_id) as (connection, conversation):
            assignee = conversation["assigned_to"]
            found = await _same_message(connection, organization_id, new)
            if found is not None:
                _check_same_content(found, new)
                last = await message_by_id(connection, conversation["last_message_id"])
                return self._committed(
                    conversation, last, message=found, is_new=False, previous_assignee=assignee
                )
            await _check_view(connection, conversation, new)
            message = stored_message(new, conversation["last_seq"] + 1)
            await store_message(connection, conversation, message, new.traceparent)
            stored = await append(
                connection,
                conversation,
                [message_draft(message)],
                now=self._clock(),
                traceparent=new.traceparent,
            )
        return self._committed(
            conversation, message, events=stored, message=message, previous_assignee=assignee
        )

    async def receive_message(self, message: InboundMessage) -> Committed:
        """Store a customer's message; makes contact and conversation where needed."""
        if self._database.is_postgres and not message.is_history:
            fast = await self._receive_fast(message) or await self._received_before(message)
            if fast is not None:
                return fast
        for _ in range(MAX_ATTEMPTS):
            async with self._database.read() as connection:
                known = await existing_conversation(
                    connection, message.organization_id, message.identifiers, message.channel_id
                )
            kind, value = message.identifiers[0]
            line = known or f"{message.organization_id}:{kind}:{value}"
            try:
                async with self._turns.turn(line):
                    return await self._received_before(message) or await self._receive(message)
            except Exception as error:
                if not is_duplicate(error):
                    raise
        raise Unavailable(detail="The message could not be stored.")

    async def _receive_fast(self, inbound: InboundMessage) -> Committed | None:
        """Store what a known contact writes in an open conversation; else None."""
        await self._epoch()
        async with self._database.hot() as connection:
            known = await fast_append.find_conversation(connection, inbound)
        if known is None:
            return None
        message = _received(inbound, *known, seq=0, now=self._clock())
        window = window_after(inbound.sent_at, None) if inbound.opens_window else None
        return await self._append_wanted(
            Wanted(
                inbound.organization_id,
                message,
                traceparent=inbound.traceparent,
                window_expires_at=window,
                only_if_open=not inbound.is_echo,
            )
        )

    async def _received_before(self, inbound: InboundMessage) -> Committed | None:
        """Find what a repeated delivery brought the first time; SQLite looks under its lock."""
        if not self._database.is_postgres:
            return None
        async with self._database.hot() as connection:
            found = await fast_status.find(
                connection, inbound.organization_id, None, inbound.whatsapp_message_id
            )
            if found is None:
                return None
            conversation = await fast_status.conversation(connection, found.conversation_id)
            last = await fast_status.message(connection, conversation["last_message_id"])
        assignee = conversation["assigned_to"]
        return self._committed(
            conversation, last, message=found, is_new=False, previous_assignee=assignee
        )

    async def _receive(self, inbound: InboundMessage) -> Committed:
        await self._epoch()
        now = self._clock()
        is_from_customer = not (inbound.is_echo or inbound.is_history)
        async with self._database.write() as connection:
            conversation = await conversation_of_contact(
                connection,
                inbound.organization_id,
                identifiers=inbound.identifiers,
                name=inbound.profile_name,
                channel_id=inbound.channel_id,
                now=now,
                wrote_from=inbound.identifiers[0] if is_from_customer else None,
            )
            assignee = conversation["assigned_to"]
            found = await message_by_whatsapp_id(
                connection, inbound.organization_id, inbound.whatsapp_message_id
            )
            if found is not None:
                last = await message_by_id(connection, conversation["last_message_id"])
                return self._committed(
                    conversation, last, message=found, is_new=False, previous_assignee=assignee
                )
            drafts = _opened(conversation, inbound) if is_from_customer else []
            message = _received(
                inbound,
                conversation["id"],
                conversation["contact_id"],
                seq=conversation["last_seq"] + len(drafts) + 1,
                now=now,
            )
            await store_message(
                connection,
                conversation,
                message,
                inbound.traceparent,
                is_history=inbound.is_history,
            )
            drafts.append(message_draft(message))
            stored = await append(
                connection, conversation, drafts, now=now, traceparent=inbound.traceparent
            )
            last = message
            if conversation["last_message_id"] != message.id:
                last = await message_by_id(connection, conversation["last_message_id"])
        return self._committed(
            conversation, last, events=stored, message=message, previous_assignee=assignee
        )


def _opened(conversation: dict[str, Any], inbound: InboundMessage) -> list[Draft]:
    """Let the customer's message open the window, and the conversation if it was closed."""
    if inbound.opens_window:
        conversation["window_expires_at"] = window_after(
            inbound.sent_at, conversation["window_expires_at"]
        )
    if conversation["status"] != ConversationStatus.CLOSED:
        return []
    conversation["status"] = ConversationStatus.OPEN.value
    return [update_draft(conversation)]


def _received(
    inbound: InboundMessage,
    conversation_id: ConversationId,
    contact_id: ContactId,
    *,
    seq: int,
    now: datetime,
) -> Message:
    is_echo = inbound.is_echo
    return Message(
        id=MessageId(str(uuid4())),
        conversation_id=conversation_id,
        seq=seq,
        direction=Direction.OUTBOUND if is_echo else Direction.INBOUND,
        sender_type=SenderType.AGENT if is_echo else SenderType.CONTACT,
        sender_id=None if is_echo else contact_id,
        message_type=inbound.message_type,
        content=dict(inbound.content),
        status=MessageStatus.SENT if is_echo else MessageStatus.DELIVERED,
        created_at=inbound.sent_at if inbound.is_history else now,
        sent_at=inbound.sent_at,
        whatsapp_message_id=inbound.whatsapp_message_id,
    )


async def _same_message(
    connection: AsyncConnection, organization_id: OrganizationId, new: NewMessage
) -> Message | None:
    if new.client_message_id is not None:
        same_client_id = and_(
            messages.c.conversation_id == new.conversation_id,
            messages.c.sender_id == new.sender_id,
            messages.c.client_message_id == new.client_message_id,
        )
        query = select(messages).where(same_client_id)
        row = (await connection.execute(query)).mappings().one_or_none()
        if row is not None:
            return message_of(row)
    if new.whatsapp_message_id is not None:
        return await message_by_whatsapp_id(connection, organization_id, new.whatsapp_message_id)
    return None


def _check_same_content(found: Message, new: NewMessage) -> None:
    before = (found.conversation_id, found.message_type, dict(found.content), found.retry_of)
    # Through JSON, as the other went; the order of keys says nothing.
    content = from_json(to_json(dict(new.content)))
    now = (new.conversation_id, new.message_type, content, new.retry_of)
    if before != now:
        raise Conflict(detail="This client_message_id was used for another message.")


async def _check_view(
    connection: AsyncConnection, conversation: Mapping[str, Any], new: NewMessage
) -> None:
    if new.based_on_seq is None:
        return
    author = new.sender_id or new.sender_type.value
    by_somebody_else = (
        conversation["other_author_seq"]
        if conversation["last_author"] == author
        else conversation["last_author_seq"]
    )
    if by_somebody_else > new.based_on_seq:
        raise StaleView(await _events_after(connection, new.conversation_id, new.based_on_seq))


async def _events_after(
    connection: AsyncConnection, conversation_id: ConversationId, seq: int
) -> list[ConversationEvent]:
    query = (
        select(events)
        .where(events.c.conversation_id == conversation_id, events.c.seq > seq)
        .order_by(events.c.seq)
        .limit(MAX_MISSING_EVENTS)
    )
    return [event_of(row) for row in (await connection.execute(query)).mappings()]
