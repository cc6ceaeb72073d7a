"""Opening, changing and reading up conversations."""

from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from pytake.application.ports import Committed, ConversationChange, ReadPosition
from pytake.domain.conversation import ConversationStatus, may_see
from pytake.domain.errors import Conflict, NotFound, Unavailable
from pytake.domain.events import ConversationEvent
from pytake.domain.ids import ChannelId, ConversationId, OrganizationId, UserId
from pytake.domain.labels import changed_labels
from pytake.domain.phone import variants
from pytake.domain.principal import Principal
from pytake.store.contacts import PHONE, Identifiers, conversation_of_contact
from pytake.store.engine import is_duplicate
from pytake.store.log import append, update_draft
from pytake.store.messages import MessageWriter
from pytake.store.notes import NoteWriter
from pytake.store.reader import ConversationRows
from pytake.store.rows import from_json, to_json
from pytake.store.statuses import StatusWriter
from pytake.store.tables import conversations, labels, messages, read_positions, users
from pytake.store.writing import MAX_ATTEMPTS, message_by_id


class SqlConversations(MessageWriter, StatusWriter, NoteWriter, ConversationRows):
    """`ConversationStore`, `NoteStore` and `ConversationReader` on SQLite and PostgreSQL."""

    async def open_conversation(
        self,
        organization_id: OrganizationId,
        *,
        contact_name: str,
        phone: str,
        channel_id: ChannelId | None,
        window_expires_at: datetime | None,
        now: datetime,
        visible_to: Principal | None = None,
    ) -> Committed:
        """Create a contact (or find it by phone) and its conversation."""
        identifiers = [(PHONE, digits) for digits in variants(phone)]
        for _ in range(MAX_ATTEMPTS):
            try:
                async with self._turns.turn(f"{organization_id}:{PHONE}:{min(identifiers)[1]}"):
                    return await self._open(
                        organization_id,
                        contact_name,
                        identifiers,
                        channel_id,
                        window_expires_at,
                        now,
                        visible_to,
                    )
            except Exception as error:
                if not is_duplicate(error):
                    raise
        raise Unavailable(detail="The conversation could not be opened.")

    async def _open(
        self,
        organization_id: OrganizationId,
        contact_name: str,
        identifiers: Identifiers,
        channel_id: ChannelId | None,
        window_expires_at: datetime | None,
        now: datetime,
        visible_to: Principal | None,
    ) -> Committed:
        await self._epoch()
        stored: tuple[ConversationEvent, ...] = ()
        async with self._database.write() as connection:
            conversation = await conversation_of_contact(
                connection,
                organization_id,
                identifiers=identifiers,
                name=contact_name,
                channel_id=channel_id,
                now=now,
                window_expires_at=window_expires_at,
            )
            if visible_to is not None and not may_see(
                visible_to, organization_id, conversation["assigned_to"]
            ):
                raise NotFound
            await _extend_window(connection, conversation, window_expires_at)
            if conversation["status"] == ConversationStatus.CLOSED:
                conversation["status"] = ConversationStatus.OPEN.value
                conversation["updated_at"] = max(conversation["updated_at"], now)
                stored = await append(
                    connection,
                    conversation,
                    [update_draft(conversation)],
                    now=now,
                    traceparent=None,
                )
            last = await message_by_id(connection, conversation["last_message_id"])
        return self._committed(
            conversation,
            last,
            events=stored,
            is_new=conversation["is_new"],
            previous_assignee=conversation["assigned_to"],
        )

    async def change_conversation(
        self,
        organization_id: OrganizationId,
        conversation_id: ConversationId,
        change: ConversationChange,
        *,
        expected_assignee: UserId | None,
        now: datetime,
    ) -> Committed:
        """Assign, close, reopen or label; `acl_version` grows when the assignee changes."""
        stored: tuple[ConversationEvent, ...] = ()
        async with self._locked(organization_id, conversation_id) as (connection, conversation):
            assignee, status = conversation["assigned_to"], conversation["status"]
            if change.reassign:
                if assignee != expected_assignee:
                    raise Conflict(detail="Somebody else was faster: look who has it now.")
                await _check_assignee(connection, organization_id, change.assigned_to)
                conversation["assigned_to"] = change.assigned_to
            if change.status is not None:
                conversation["status"] = change.status.value
            if conversation["assigned_to"] != assignee:
                conversation["acl_version"] += 1
            is_moved = (conversation["assigned_to"], conversation["status"]) != (assignee, status)
            if is_moved:
                conversation["updated_at"] = max(conversation["updated_at"], now)
            if await _relabel(connection, conversation, change) or is_moved:
                stored = await append(
                    connection,
                    conversation,
                    [update_draft(conversation)],
                    now=now,
                    traceparent=None,
                )
            last = await message_by_id(connection, conversation["last_message_id"])
        return self._committed(
            conversation, last, events=stored, is_new=bool(stored), previous_assignee=assignee
        )

    async def mark_read(
        self,
        organization_id: OrganizationId,
        user_id: UserId,
        conversation_id: ConversationId,
        seq: int,
    ) -> ReadPosition:
        """Move the user's read position up to `seq` (at most the head); never back."""
        async with self._database.write() as connection:
            query = select(conversations.c.last_seq, conversations.c.inbound_count).where(
                conversations.c.id == conversation_id,
                conversations.c.organization_id == organization_id,
            )
            head = (await connection.execute(query)).one_or_none()
            if head is None:
                raise NotFound(detail="There is no such conversation.")
            position = min(seq, head.last_seq)
            inbound = await _inbound_up_to(connection, conversation_id, position)
            moved = await _move(connection, conversation_id, user_id, position, inbound)
            if not moved:
                query = select(read_positions.c.seq, read_positions.c.inbound_read).where(
                    read_positions.c.conversation_id == conversation_id,
                    read_positions.c.user_id == user_id,
                )
                position, inbound = (await connection.execute(query)).one()
        return ReadPosition(position, max(0, head.inbound_count - inbound), moved)


async def _extend_window(
    connection: AsyncConnection, conversation: dict[str, Any], until: datetime | None
) -> None:
    """Open the window of a conversation that was there already, never to an earlier end."""
    current = conversation["window_expires_at"]
    if until is None or (current is not None and current >= until):
        return
    conversation["window_expires_at"] = until
    await connection.execute(
        update(conversations)
        .where(conversations.c.id == conversation["id"])
        .values(window_expires_at=until)
    )


async def _relabel(
    connection: AsyncConnection, conversation: dict[str, Any], change: ConversationChange
) -> bool:
    """Change the labels of a locked row; returns whether they are others now."""
    before = from_json(conversation["labels"])
    after = changed_labels(before, change.add_labels, change.remove_labels)
    if list(after) == before:
        return False
    conversation["labels"] = to_json(after)
    await connection.execute(delete(labels).where(labels.c.conversation_id == conversation["id"]))
    rows = [
        {
            "conversation_id": conversation["id"],
            "name": name,
            "organization_id": conversation["organization_id"],
        }
        for name in after
    ]
    if rows:
        await connection.execute(insert(labels), rows)
    return True


async def _check_assignee(
    connection: AsyncConnection, organization_id: OrganizationId, assignee: UserId | None
) -> None:
    if assignee is None:
        return
    query = select(users.c.id).where(
        users.c.id == assignee,
        users.c.organization_id == organization_id,
        users.c.is_active.is_(True),
    )
    if (await connection.execute(query)).one_or_none() is None:
        raise NotFound(detail="There is no such user.")


async def _inbound_up_to(
    connection: AsyncConnection, conversation_id: ConversationId, seq: int
) -> int:
    query = (
        select(messages.c.inbound_count)
        .where(messages.c.conversation_id == conversation_id, messages.c.seq <= seq)
        .order_by(messages.c.seq.desc())
        .limit(1)
    )
    count: int | None = (await connection.execute(query)).scalar_one_or_none()
    return count or 0


async def _move(
    connection: AsyncConnection,
    conversation_id: ConversationId,
    user_id: UserId,
    seq: int,
    inbound_read: int,
) -> bool:
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    insert = dialect.insert(read_positions).values(
        conversation_id=conversation_id, user_id=user_id, seq=seq, inbound_read=inbound_read
    )
    query = insert.on_conflict_do_update(
        index_elements=["conversation_id", "user_id"],
        set_={"seq": insert.excluded.seq, "inbound_read": insert.excluded.inbound_read},
        where=read_positions.c.seq < insert.excluded.seq,
    ).returning(read_positions.c.seq)
    return (await connection.execute(query)).one_or_none() is not None
