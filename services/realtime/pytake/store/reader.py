"""Reading conversations: the list in one query, and the pages of messages."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, or_, select

from pytake.application.ports import ConversationQuery, Page
from pytake.domain.conversation import Conversation
from pytake.domain.ids import ConversationId, MessageId, OrganizationId, UserId
from pytake.domain.labels import label_text
from pytake.domain.message import Message
from pytake.domain.principal import Principal
from pytake.store import search_text
from pytake.store.cursors import cursor_after, is_before, place_of
from pytake.store.log import inbound_read_by_anybody
from pytake.store.rows import Row, conversation_of, message_of
from pytake.store.tables import contacts, conversations, labels, messages, read_positions
from pytake.store.writing import ConversationWriter

MAX_LIMIT = 200
_MESSAGE_COLUMNS = [column for column in messages.c if column.name != "search_text"]
_newest = messages.alias("newest")


class ConversationRows(ConversationWriter):
    """The part of the store that answers `ConversationReader`."""

    async def conversation(
        self, principal: Principal, conversation_id: ConversationId
    ) -> Conversation | None:
        """Return the conversation with the principal's unread count, whoever may see it."""
        query = _as_read_by(principal.user_id).where(
            conversations.c.id == conversation_id,
            conversations.c.organization_id == principal.organization_id,
        )
        async with self._database.read() as connection:
            row = (await connection.execute(query)).mappings().one_or_none()
        return None if row is None else _conversation(row, await self._epoch())

    async def conversations(
        self, principal: Principal, query: ConversationQuery
    ) -> Page[Conversation]:
        """Return what the principal may see, newest activity first."""
        limit = max(1, min(query.limit, MAX_LIMIT))
        statement = (
            _as_read_by(principal.user_id)
            .where(conversations.c.organization_id == principal.organization_id)
            .where(*_may_see(principal), *_wanted(principal, query))
            .order_by(conversations.c.updated_at.desc(), conversations.c.id.desc())
            .limit(limit + 1)
        )
        async with self._database.read() as connection:
            rows = (await connection.execute(statement)).mappings().all()
        epoch = await self._epoch()
        items = tuple(_conversation(row, epoch) for row in rows[:limit])
        has_more = len(rows) > limit
        return Page(items, cursor_after(items[-1].updated_at, items[-1].id) if has_more else None)

    async def messages(
        self, conversation_id: ConversationId, *, before_seq: int | None, limit: int
    ) -> Page[Message]:
        """Return the newest page below `before_seq`, in `seq` order."""
        limit = max(1, min(limit, MAX_LIMIT))
        statement = select(*_MESSAGE_COLUMNS).where(messages.c.conversation_id == conversation_id)
        if before_seq is not None:
            statement = statement.where(messages.c.seq < before_seq)
        statement = statement.order_by(messages.c.seq.desc()).limit(limit + 1)
        async with self._database.read() as connection:
            rows = (await connection.execute(statement)).mappings().all()
        items = tuple(message_of(row) for row in reversed(rows[:limit]))
        return Page(items, str(items[0].seq) if len(rows) > limit else None)

    async def message(
        self, organization_id: OrganizationId, message_id: MessageId
    ) -> Message | None:
        """Return one message of the organization."""
        statement = select(*_MESSAGE_COLUMNS).where(
            messages.c.id == message_id, messages.c.organization_id == organization_id
        )
        async with self._database.read() as connection:
            row = (await connection.execute(statement)).mappings().one_or_none()
        return None if row is None else message_of(row)

    async def shared(self, conversation_ids: Sequence[ConversationId]) -> Sequence[Conversation]:
        """Return those that exist as shared rooms see them, in one query."""
        query = _rows(inbound_read_by_anybody()).where(conversations.c.id.in_(conversation_ids))
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).mappings().all()
        epoch = await self._epoch()
        return [_conversation(row, epoch) for row in rows]

    async def was_sent(
        self, conversation_id: ConversationId, sender_id: str, client_message_id: str
    ) -> bool:
        """Whether this sender has stored a message of this id in the conversation."""
        statement = select(messages.c.id).where(
            messages.c.conversation_id == conversation_id,
            messages.c.sender_id == sender_id,
            messages.c.client_message_id == client_message_id,
        )
        async with self._database.read() as connection:
            return (await connection.execute(statement)).one_or_none() is not None


def _rows(inbound_read: ColumnElement[Any]) -> Select[Any]:
    return (
        select(
            conversations,
            contacts.c.name.label("contact_name"),
            contacts.c.phone.label("contact_phone"),
            contacts.c.marketing_opt_out_at.label("contact_opted_out_at"),
            inbound_read,
            *(_newest.c[column.name].label(f"newest_{column.name}") for column in _MESSAGE_COLUMNS),
        )
        .join(contacts, contacts.c.id == conversations.c.contact_id)
        .outerjoin(_newest, _newest.c.id == conversations.c.last_message_id)
    )


def _as_read_by(user_id: UserId) -> Select[Any]:
    return _rows(read_positions.c.inbound_read).outerjoin(
        read_positions,
        and_(
            read_positions.c.conversation_id == conversations.c.id,
            read_positions.c.user_id == user_id,
        ),
    )


def _conversation(row: Row, epoch: str) -> Conversation:
    last = None if row["last_message_id"] is None else message_of(row, "newest_")
    return conversation_of(row, epoch=epoch, last_message=last)


def _may_see(principal: Principal) -> list[ColumnElement[bool]]:
    """The rule of `domain.conversation.may_see`, within the principal's organization."""
    if principal.sees_organization:
        return []
    assignee = conversations.c.assigned_to
    return [or_(assignee.is_(None), assignee == principal.user_id)]


def _wanted(principal: Principal, query: ConversationQuery) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if query.status is not None:
        conditions.append(conversations.c.status == query.status.value)
    if query.assigned_to == "none":
        conditions.append(conversations.c.assigned_to.is_(None))
    elif query.assigned_to is not None:
        wanted = principal.user_id if query.assigned_to == "me" else query.assigned_to
        conditions.append(conversations.c.assigned_to == wanted)
    if query.label:
        conditions.append(
            exists().where(
                labels.c.conversation_id == conversations.c.id,
                labels.c.name == label_text(query.label),
            )
        )
    if query.text:
        conditions.append(_found_by(query.text))
    if query.cursor is not None:
        columns = (conversations.c.updated_at, conversations.c.id)
        conditions.append(is_before(columns, place_of(query.cursor)))
    return conditions


def _found_by(text: str) -> ColumnElement[bool]:
    pattern = search_text.pattern(text)
    return or_(
        contacts.c.search_text.like(pattern, escape="\\"),
        exists().where(
            messages.c.conversation_id == conversations.c.id,
            messages.c.search_text.like(pattern, escape="\\"),
        ),
    )
