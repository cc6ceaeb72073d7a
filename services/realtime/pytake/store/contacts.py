"""Finding and making contacts and their conversations, inside somebody's transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import and_, func, insert, or_, select, update
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
    known = await _known_by(connection, organization_id, identifiers)
    return known.contact_id if known is not None else None


@dataclass(frozen=True, slots=True)
class _Known:
    """A contact that was found, the names that led there, and the present reply address."""

    contact_id: ContactId
    names: frozenset[tuple[str, str]]
    reply_to: tuple[str | None, str | None]


async def _known_by(
    connection: AsyncConnection, organization_id: OrganizationId, identifiers: Identifiers
) -> _Known | None:
    by_kind: dict[str, list[str]] = {}
    for kind, value in identifiers:
        by_kind.setdefault(kind, []).append(value)
    # Kind by kind: the three columns are the key of the table.
    has_a_name = or_(
        *(
            and_(contact_identifiers.c.kind == kind, contact_identifiers.c.value.in_(values))
            for kind, values in by_kind.items()
        )
    )
    query = (
        select(contact_identifiers, contacts.c.reply_kind, contacts.c.reply_value)
        .join(contacts, contacts.c.id == contact_identifiers.c.contact_id)
        .where(contact_identifiers.c.organization_id == organization_id, has_a_name)
    )
    rows = (await connection.execute(query)).mappings().all()
    owners = {(row["kind"], row["value"]): row for row in rows}
    first = next((owners[name] for name in identifiers if name in owners), None)
    if first is None:
        return None
    return _Known(
        ContactId(first["contact_id"]),
        frozenset(owners),
        (first["reply_kind"], first["reply_value"]),
    )


async def contact_named(
    connection: AsyncConnection, organization_id: OrganizationId, identifiers: Identifiers
) -> ContactId | None:
    """Return the contact that has one of the names, the first ones counting most."""
    known = await _known_by(connection, organization_id, identifiers)
    return None if known is None else known.contact_id


async def conversation_of_contact(
    connection: AsyncConnection,
    organization_id: OrganizationId,
    *,
    identifiers: Identifiers,
    name: str,
    channel_id: ChannelId | None,
    now: datetime,
    window_expires_at: datetime | None = None,
    wrote_from: tuple[str, str] | None = None,
) -> dict[str, Any]:
    """Return the locked row of the conversation, making contact and conversation if needed.

    `wrote_from` is the name under which the contact has just written: replies go there.

    Two that make the same contact or conversation at once collide on a unique
    constraint; the loser's transaction is run again and finds the winner's.
    """
    known = await _known_by(connection, organization_id, identifiers)
    if known is None:
        contact_id = await _create_contact(connection, organization_id, identifiers, name, now)
    else:
        contact_id = known.contact_id
        new_names = [each for each in identifiers if each not in known.names]
        if new_names:
            await _add_names(connection, organization_id, contact_id, new_names)
        if wrote_from is not None and wrote_from != known.reply_to:
            await _reply_to(connection, contact_id, wrote_from)
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


async def _reply_to(
    connection: AsyncConnection, contact_id: ContactId, address: tuple[str, str]
) -> None:
    values: dict[str, Any] = {"reply_kind": address[0], "reply_value": address[1]}
    if address[0] == PHONE:
        # Somebody who hid the number so far is called by it from now on.
        values["phone"] = func.coalesce(contacts.c.phone, f"+{address[1]}")
    await connection.execute(update(contacts).where(contacts.c.id == contact_id).values(values))


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
