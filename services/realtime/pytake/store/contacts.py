"""Finding and making contacts and their conversations, inside somebody's transaction."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import and_, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from pytake.domain.conversation import ConversationStatus
from pytake.domain.ids import ChannelId, ContactId, ConversationId, OrganizationId
from pytake.store import search_text
from pytake.store.log import locked
from pytake.store.statements import insert_or_ignore
from pytake.store.tables import contact_identifiers, contacts, conversations, outbox

Identifiers = Sequence[tuple[str, str]]
PHONE = "phone"


async def existing_conversation(
    connection: AsyncConnection,
    organization_id: OrganizationId,
    identifiers: Identifiers,
    channel_id: ChannelId | None,
) -> ConversationId | None:
    """Return the id of the conversation with whoever has one of the names."""
    contact_id = await find_contact(connection, organization_id, identifiers)
    if contact_id is None:
        return None
    query = select(conversations.c.id).where(_with_contact(contact_id, channel_id))
    found: ConversationId | None = (await connection.execute(query)).scalar_one_or_none()
    return found


async def find_contact(
    connection: AsyncConnection, organization_id: OrganizationId, identifiers: Identifiers
) -> ContactId | None:
    """Return who has one of the names; if several do, the one of the first name."""
    query = select(contact_identifiers).where(
        contact_identifiers.c.organization_id == organization_id,
        contact_identifiers.c.value.in_([value for _, value in identifiers]),
    )
    rows = (await connection.execute(query)).mappings()
    owners = {(row["kind"], row["value"]): ContactId(row["contact_id"]) for row in rows}
    return next((owners[name] for name in identifiers if name in owners), None)


async def conversation_of_contact(
    connection: AsyncConnection,
    organization_id: OrganizationId,
    *,
    identifiers: Identifiers,
    name: str,
    channel_id: ChannelId | None,
    now: datetime,
    window_expires_at: datetime | None = None,
) -> dict[str, Any]:
    """Return the locked row of the conversation, making contact and conversation if needed.

    Two that make the same contact or conversation at once collide on a unique
    constraint; the loser's transaction is run again and finds the winner's.
    """
    contact_id = await find_contact(connection, organization_id, identifiers)
    if contact_id is None:
        contact_id = await _create_contact(connection, organization_id, identifiers, name, now)
    else:
        await _add_names(connection, organization_id, contact_id, identifiers)
    query = select(conversations.c.id).where(_with_contact(contact_id, channel_id))
    conversation_id = (await connection.execute(query)).scalar_one_or_none()
    is_new = conversation_id is None
    if conversation_id is None:
        conversation_id = await _create_conversation(
            connection, organization_id, contact_id, channel_id, window_expires_at, now
        )
    conversation = await locked(connection, organization_id, conversation_id)
    if conversation is None:
        raise LookupError(f"conversation {conversation_id} vanished")
    conversation["is_new"] = is_new
    return conversation


def _with_contact(contact_id: ContactId, channel_id: ChannelId | None) -> Any:
    return and_(
        conversations.c.contact_id == contact_id,
        func.coalesce(conversations.c.channel_id, "") == (channel_id or ""),
    )


async def _create_contact(
    connection: AsyncConnection,
    organization_id: OrganizationId,
    identifiers: Identifiers,
    name: str,
    now: datetime,
) -> ContactId:
    contact_id = ContactId(str(uuid4()))
    kind, value = identifiers[0]
    digits = next((value for kind, value in identifiers if kind == PHONE), None)
    phone = None if digits is None else f"+{digits}"
    shown = name or phone or value
    await connection.execute(
        insert(contacts).values(
            id=contact_id,
            organization_id=organization_id,
            name=shown,
            phone=phone,
            search_text=search_text.of_contact(shown, phone),
            reply_kind=kind,
            reply_value=value,
            created_at=now,
        )
    )
    rows = [_identifier(organization_id, contact_id, name) for name in dict.fromkeys(identifiers)]
    await connection.execute(insert(contact_identifiers), rows)
    return contact_id


async def _add_names(
    connection: AsyncConnection,
    organization_id: OrganizationId,
    contact_id: ContactId,
    identifiers: Identifiers,
) -> None:
    rows = [_identifier(organization_id, contact_id, name) for name in dict.fromkeys(identifiers)]
    await connection.execute(insert_or_ignore(connection, contact_identifiers, rows))


def _identifier(
    organization_id: OrganizationId, contact_id: ContactId, name: tuple[str, str]
) -> dict[str, str]:
    return {
        "organization_id": organization_id,
        "kind": name[0],
        "value": name[1],
        "contact_id": contact_id,
    }


async def _create_conversation(
    connection: AsyncConnection,
    organization_id: OrganizationId,
    contact_id: ContactId,
    channel_id: ChannelId | None,
    window_expires_at: datetime | None,
    now: datetime,
) -> ConversationId:
    conversation_id = ConversationId(str(uuid4()))
    await connection.execute(
        insert(conversations).values(
            id=conversation_id,
            organization_id=organization_id,
            contact_id=contact_id,
            channel_id=channel_id,
            status=ConversationStatus.OPEN.value,
            window_expires_at=window_expires_at,
            created_at=now,
            updated_at=now,
        )
    )
    await connection.execute(
        insert(outbox).values(conversation_id=conversation_id, pending_since=now)
    )
    return conversation_id
