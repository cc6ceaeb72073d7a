"""Contacts as people with rights: what is kept of them, and how it is removed."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Table, delete, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from pytake.contract.present import message_body, note_body
from pytake.contract.times import optional_wire_time, wire_time
from pytake.domain.events import DurableEvent
from pytake.domain.ids import ContactId, ConversationId, OrganizationId
from pytake.store import search_text
from pytake.store.contacts import PHONE, contact_named
from pytake.store.engine import Database
from pytake.store.rows import from_json, message_of, note_of, to_json
from pytake.store.statements import insert_or_ignore
from pytake.store.tables import (
    contact_identifiers,
    contacts,
    conversations,
    customer_signs,
    events,
    labels,
    media,
    messages,
    notes,
    send_queue,
)

TOMBSTONE: Mapping[str, Any] = {"erased": True}
"""The content of a message whose text was removed."""

_LEFT_IN_LOG: Mapping[str, Mapping[str, Any]] = {
    DurableEvent.MESSAGE_NEW: {"content": TOMBSTONE},
    DurableEvent.NOTE_NEW: {"text": "", "erased": True},
    DurableEvent.CONVERSATION_UPDATED: {"labels": []},
}
"""What stands instead of words in events that hold some."""


class SqlContactBook:
    """`ContactBook` on SQLite and PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def learn_identifier(
        self,
        organization_id: OrganizationId,
        contact_id: ContactId,
        kind: str,
        value: str,
        *,
        is_reply_address: bool = True,
    ) -> None:
        """Add a name of the contact, and make it the address to reply to."""
        row = {
            "organization_id": organization_id,
            "kind": kind,
            "value": value,
            "contact_id": contact_id,
        }
        is_ours = (
            select(contact_identifiers.c.contact_id)
            .where(
                contact_identifiers.c.organization_id == organization_id,
                contact_identifiers.c.kind == kind,
                contact_identifiers.c.value == value,
            )
            .scalar_subquery()
        )
        async with self._database.write() as connection:
            if not await _exists(connection, organization_id, contact_id):
                return
            await connection.execute(insert_or_ignore(connection, contact_identifiers, row))
            if not is_reply_address:
                return
            await connection.execute(
                update(contacts)
                .where(contacts.c.id == contact_id, contacts.c.id == is_ours)
                .values(reply_kind=kind, reply_value=value)
            )
            if kind == PHONE:
                await _show_phone(connection, contact_id, f"+{value}")

    async def contact_named(
        self, organization_id: OrganizationId, identifiers: Sequence[tuple[str, str]]
    ) -> ContactId | None:
        """Return the contact that has one of the names, the first ones counting most."""
        if not identifiers:
            return None
        async with self._database.read() as connection:
            return await contact_named(connection, organization_id, identifiers)

    async def choose_marketing(
        self,
        organization_id: OrganizationId,
        contact_id: ContactId,
        *,
        is_wanted: bool,
        chosen_at: datetime,
    ) -> Sequence[ConversationId]:
        """Keep that a customer does (not) want marketing, if it is the latest choice."""
        choice, since = contacts.c.marketing_choice_at, contacts.c.marketing_opt_out_at
        query = (
            update(contacts)
            .where(
                contacts.c.id == contact_id,
                contacts.c.organization_id == organization_id,
                or_(choice.is_(None), choice <= chosen_at),
                since.is_not(None) if is_wanted else since.is_(None),
            )
            .values(
                marketing_choice_at=chosen_at,
                marketing_opt_out_at=None if is_wanted else chosen_at,
            )
        )
        async with self._database.write() as connection:
            if (await connection.execute(query)).rowcount == 0:
                return []
            return (await connection.execute(_conversations_of(contact_id))).scalars().all()

    async def export(
        self, organization_id: OrganizationId, contact_id: ContactId
    ) -> Mapping[str, Any] | None:
        """Return everything kept about a contact, as JSON; None if there is no such one."""
        async with self._database.read() as connection:
            query = select(contacts).where(
                contacts.c.id == contact_id, contacts.c.organization_id == organization_id
            )
            contact = (await connection.execute(query)).mappings().one_or_none()
            if contact is None:
                return None
            threads = _conversations_of(contact_id)
            return {
                "id": contact_id,
                "name": contact["name"],
                "phone": contact["phone"],
                "created_at": wire_time(contact["created_at"]),
                "marketing_opt_out_at": optional_wire_time(contact["marketing_opt_out_at"]),
                "identifiers": await _rows(
                    connection,
                    select(contact_identifiers.c.kind, contact_identifiers.c.value).where(
                        contact_identifiers.c.contact_id == contact_id
                    ),
                ),
                "conversations": [
                    {"id": row["id"], "created_at": wire_time(row["created_at"])}
                    for row in await _rows(
                        connection,
                        select(conversations.c.id, conversations.c.created_at).where(
                            conversations.c.contact_id == contact_id
                        ),
                    )
                ],
                "messages": [
                    message_body(message_of(row))
                    for row in await _rows(
                        connection,
                        select(messages)
                        .where(messages.c.conversation_id.in_(threads))
                        .order_by(messages.c.conversation_id, messages.c.seq),
                    )
                ],
                "notes": [
                    note_body(note_of(row))
                    for row in await _rows(
                        connection,
                        select(notes)
                        .where(notes.c.conversation_id.in_(threads))
                        .order_by(notes.c.conversation_id, notes.c.seq),
                    )
                ],
                "labels": await _rows(
                    connection, select(labels.c.name).where(labels.c.conversation_id.in_(threads))
                ),
            }

    async def erase(
        self, organization_id: OrganizationId, contact_id: ContactId
    ) -> Sequence[str] | None:
        """Remove texts, names, identifiers and files; `seq` stays, as tombstones in the log.

        A file that an agent sent goes too, unless another conversation shows it.
        """
        async with self._database.write() as connection:
            if not await _exists(connection, organization_id, contact_id):
                return None
            threads = _conversations_of(contact_id)
            files = or_(
                media.c.conversation_id.in_(threads),
                media.c.id.in_(await _files_sent_to(connection, organization_id, threads)),
            )
            keys = await _rows(
                connection,
                select(media.c.storage_key).where(files, media.c.storage_key.is_not(None)),
            )
            await connection.execute(delete(media).where(files))
            await connection.execute(
                update(messages)
                .where(messages.c.conversation_id.in_(threads))
                .values(content=to_json(TOMBSTONE), search_text=None, error=None)
            )
            await _erase_from_log(connection, threads)
            await connection.execute(
                update(conversations)
                .where(conversations.c.contact_id == contact_id)
                .values(labels=to_json([]))
            )
            for table in (send_queue, customer_signs, notes, labels):
                await _delete_of(connection, table, threads)
            await connection.execute(
                delete(contact_identifiers).where(contact_identifiers.c.contact_id == contact_id)
            )
            await connection.execute(
                update(contacts)
                .where(contacts.c.id == contact_id)
                .values(name="", phone=None, search_text="", reply_kind=None, reply_value=None)
            )
        return [row["storage_key"] for row in keys]


def _conversations_of(contact_id: ContactId) -> Any:
    return select(conversations.c.id).where(conversations.c.contact_id == contact_id)


async def _exists(
    connection: AsyncConnection, organization_id: OrganizationId, contact_id: ContactId
) -> bool:
    query = select(contacts.c.id).where(
        contacts.c.id == contact_id, contacts.c.organization_id == organization_id
    )
    return (await connection.execute(query)).one_or_none() is not None


async def _rows(connection: AsyncConnection, query: Any) -> list[dict[str, Any]]:
    rows = (await connection.execute(query)).mappings()
    # Names of columns like `value` are quoted names, which are not plain text for JSON.
    return [{str(name): value for name, value in row.items()} for row in rows]


async def _show_phone(connection: AsyncConnection, contact_id: ContactId, phone: str) -> None:
    """A customer who hid the number until now has shown it."""
    query = select(contacts.c.name, contacts.c.phone).where(contacts.c.id == contact_id)
    contact = (await connection.execute(query)).one()
    if contact.phone is None:
        await connection.execute(
            update(contacts)
            .where(contacts.c.id == contact_id)
            .values(phone=phone, search_text=search_text.of_contact(contact.name, phone))
        )


async def _files_sent_to(
    connection: AsyncConnection, organization_id: OrganizationId, threads: Any
) -> list[str]:
    """Return the ids of uploaded files that these conversations show and no other does."""
    query = select(messages.c.content).where(
        messages.c.conversation_id.in_(threads), messages.c.content.contains('"media_id"')
    )
    contents = (from_json(content) for content in (await connection.execute(query)).scalars())
    named = {str(content["media_id"]) for content in contents if content.get("media_id")}
    uploaded = select(media.c.id, media.c.created_at).where(
        media.c.id.in_(named),
        media.c.organization_id == organization_id,
        media.c.conversation_id.is_(None),
    )
    alone = []
    for file in await _rows(connection, uploaded):
        elsewhere = select(messages.c.id).where(
            messages.c.organization_id == organization_id,
            messages.c.conversation_id.not_in(threads),
            messages.c.created_at >= file["created_at"],
            messages.c.content.contains(f'"{file["id"]}"'),
        )
        if (await connection.execute(elsewhere.limit(1))).first() is None:
            alone.append(file["id"])
    return alone


async def _erase_from_log(connection: AsyncConnection, threads: Any) -> None:
    query = select(events.c.conversation_id, events.c.seq, events.c.name, events.c.data).where(
        events.c.conversation_id.in_(threads), events.c.name.in_(_LEFT_IN_LOG)
    )
    for row in await _rows(connection, query):
        data = orjson.loads(row["data"]) | _LEFT_IN_LOG[row["name"]]
        await connection.execute(
            update(events)
            .where(events.c.conversation_id == row["conversation_id"], events.c.seq == row["seq"])
            .values(data=to_json(data))
        )


async def _delete_of(connection: AsyncConnection, table: Table, threads: Any) -> None:
    await connection.execute(delete(table).where(table.c.conversation_id.in_(threads)))
